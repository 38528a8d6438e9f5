package serve

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// Delay is the time between the request to stop and the drain, in which load
// balancers see that the site is not ready and everything is served as before.
// The zero value is no delay.
type Delay struct {
	mu   sync.Mutex
	cut  chan struct{} // nil if there is no delay, or it is over
	late time.Time     // when the second half of the delay begins; zero before the request to stop
}

// After returns a context that is done when ctx has been for the delay, or when
// that is cut. The context must be canceled.
func (d *Delay) After(ctx context.Context, delay time.Duration, log *slog.Logger) (context.Context, context.CancelFunc) {
	if delay <= 0 {
		return context.WithCancel(ctx)
	}
	cut := make(chan struct{})
	d.set(cut)
	after, cancel := context.WithCancel(context.WithoutCancel(ctx))
	go func() {
		defer cancel()
		defer d.set(nil)
		select {
		case <-ctx.Done():
		case <-after.Done():
			return
		}
		d.mu.Lock()
		d.late = time.Now().Add(delay / 2)
		d.mu.Unlock()
		log.InfoContext(ctx, "draining soon", "delay", delay.String())
		timer := time.NewTimer(delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-cut:
		case <-after.Done():
		}
	}()
	return after, cancel
}

// Late reports whether the delay is in its second half, or over. Whoever probes
// has left by then.
func (d *Delay) Late() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return !d.late.IsZero() && !time.Now().Before(d.late)
}

// Cut ends the delay. It reports whether there was one to end.
func (d *Delay) Cut() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.cut == nil {
		return false
	}
	close(d.cut)
	d.cut = nil
	return true
}

func (d *Delay) set(cut chan struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.cut = cut
}
