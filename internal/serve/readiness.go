package serve

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// Readiness tells whether the site can do its work, by trying it. However many
// ask, it tries one at a time and no more often than every 5 s.
type Readiness struct {
	try  func() (reason string, err error)
	late string
	log  *slog.Logger

	mu     sync.Mutex
	ended  chan struct{} // closed when the running try ends; nil if none runs
	began  time.Time     // when the last try began
	reason string        // what is known now; empty if the site is ready
}

const (
	tryEvery = 5 * time.Second
	tryWait  = 2 * time.Second // for a try's answer
)

// NewReadiness returns the readiness of a site that was ready a moment ago. The
// function tries it and returns a reason for anyone to see if it is not, and an
// error for the log. While that takes longer than 2 s, late is the reason.
func NewReadiness(try func() (reason string, err error), late string, log *slog.Logger) *Readiness {
	return &Readiness{try: try, late: late, log: log}
}

// Unready returns why the site is not ready, or nothing if it is. It logs when
// that changes.
func (r *Readiness) Unready(ctx context.Context) (reason string) {
	r.mu.Lock()
	if r.ended == nil && time.Since(r.began) >= tryEvery {
		r.ended, r.began = make(chan struct{}), time.Now()
		go r.run(r.ended)
	}
	ended, began, reason := r.ended, r.began, r.reason
	r.mu.Unlock()
	if ended == nil {
		return reason
	}
	timeout := time.NewTimer(time.Until(began.Add(tryWait)))
	defer timeout.Stop()
	select {
	case <-ended:
	case <-timeout.C:
		r.learn(ended, r.late, context.DeadlineExceeded)
	case <-ctx.Done(): // nobody waits for the answer
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.reason
}

// run tries the site once.
func (r *Readiness) run(ended chan struct{}) {
	reason, err := r.try()
	r.learn(ended, reason, err)
	r.mu.Lock()
	r.ended = nil
	r.mu.Unlock()
	close(ended)
}

// learn keeps what a try showed, unless that try is over.
func (r *Readiness) learn(try chan struct{}, reason string, err error) {
	r.mu.Lock()
	changed := r.ended == try && r.reason != reason
	if changed {
		r.reason = reason
	}
	r.mu.Unlock()
	switch {
	case !changed:
	case reason == "":
		r.log.Info("ready again")
	default:
		r.log.Warn("not ready", "reason", reason, "err", err)
	}
}
