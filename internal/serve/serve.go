// Package serve opens a listener or takes over systemd's, runs an HTTP server
// on it until it is told to stop, and then drains it without cutting anyone
// off. It bounds what a slow or idle client can hold, and keeps systemd
// informed. It knows nothing of what it serves.
package serve

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// ErrCutOff says that requests were still running when the time to drain was
// over, and were cut off.
var ErrCutOff = errors.New("requests were cut off")

// Server serves one site, once.
type Server struct {
	// Refused, if it is set before Run, is called with the status of each
	// request that net/http refuses by itself. It must not block.
	Refused func(status int)

	// Leaving, if it is set before Run, reports whether the drain is near. Each
	// answer then ends its connection, where the client expects that: a drain
	// closes the idle ones, and a request that crosses with that fails (RFC 9112,
	// 9.5).
	Leaving func() bool

	timeouts Timeouts
	log      *slog.Logger

	mu       sync.Mutex // no request is counted once draining is set
	draining bool
	running  sync.WaitGroup // the requests that began before the drain
}

// Timeouts are those that depend on what is in front of a server. Both are above
// zero.
type Timeouts struct {
	Idle  time.Duration // how long a connection is kept for its next request
	Drain time.Duration // how long requests get to finish once the server is told to stop
}

// New returns a server.
func New(timeouts Timeouts, log *slog.Logger) *Server {
	return &Server{timeouts: timeouts, log: log}
}

// Draining reports whether the server has begun to drain.
func (s *Server) Draining() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.draining
}

// Run serves the handler's answers until ctx is done, and then drains. It takes
// over the listener. Its error is the listener's, or ErrCutOff.
//
// New requests are still served while those that were running when the drain
// began finish, so that load balancers can see the site say that it is not
// ready. Then the listener is closed, and what came in meanwhile finishes too,
// connections among it that were accepted and whose request is still to come.
func (s *Server) Run(ctx context.Context, listener net.Listener, handler http.Handler) error {
	listener = &onceClosed{Listener: listener}
	var connections sync.WaitGroup
	// Uploads and their answers extend the deadlines for as long as they make
	// progress.
	server := &http.Server{
		Handler:           s.count(handler),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      time.Minute,
		IdleTimeout:       s.timeouts.Idle,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
		ConnState: func(_ net.Conn, state http.ConnState) {
			switch state { // each connection begins once and ends once
			case http.StateNew:
				connections.Add(1)
			case http.StateClosed, http.StateHijacked:
				connections.Done()
			}
		},
	}
	if s.Refused != nil {
		listener, server.Handler = watch(server, listener, server.Handler, s.Refused)
	}
	defer func() { _ = server.Close() }() // cuts off what is left, if anything
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	s.notify(ctx, "READY=1")
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	finished := s.drain()
	s.notify(ctx, "STOPPING=1")
	server.SetKeepAlivesEnabled(false)
	s.log.InfoContext(ctx, "draining", "timeout", s.timeouts.Drain.String())
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.timeouts.Drain)
	defer cancel()
	select {
	case <-finished:
	case <-ctx.Done():
	}
	_ = listener.Close()
	if err := <-served; !errors.Is(err, net.ErrClosed) { // no connection begins any more
		s.log.WarnContext(ctx, "the listener failed during the drain", "err", err)
	}
	// Shutdown drops a request that it finds being read. Whoever sends none within
	// 5 s is idle to Shutdown as well.
	const patience = 5 * time.Second
	select {
	case <-closed(&connections):
	case <-time.After(patience):
	case <-ctx.Done():
	}
	if server.Shutdown(ctx) != nil {
		return ErrCutOff
	}
	s.log.InfoContext(ctx, "drained")
	return nil
}

// count counts the requests that a drain waits for before it closes the
// listener.
func (s *Server) count(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		counted := !s.draining
		if counted {
			s.running.Add(1)
		}
		s.mu.Unlock()
		if counted {
			defer s.running.Done()
		}
		if s.Leaving != nil && s.Leaving() {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}

// drain begins the drain. The channel is closed when the requests that were
// running are done.
func (s *Server) drain() <-chan struct{} {
	s.mu.Lock()
	s.draining = true
	s.mu.Unlock()
	return closed(&s.running)
}

// closed returns a channel that is closed when the group is done.
func closed(group *sync.WaitGroup) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		group.Wait()
		close(done)
	}()
	return done
}

// notify tells systemd of a state. A site is served no worse without.
func (s *Server) notify(ctx context.Context, state string) {
	if err := notify(state); err != nil {
		s.log.WarnContext(ctx, "systemd was not told", "state", state, "err", err)
	}
}

// onceClosed is a listener that Run closes and http.Server closes again.
type onceClosed struct {
	net.Listener
	once sync.Once
	err  error
}

func (l *onceClosed) Close() error {
	l.once.Do(func() { l.err = l.Listener.Close() })
	return l.err
}
