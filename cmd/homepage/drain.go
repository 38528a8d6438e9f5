package main

import (
	"context"
	"net/http"
	"sync"
	"time"
)

// drain ends the service without cutting anyone off. Until the requests that
// were running at its begin are done, new ones are still served, so that
// balancers can see the site say that it is not ready.
type drain struct {
	mu       sync.Mutex // orders begin's writes and track's Add before Wait
	draining bool
	running  sync.WaitGroup
}

func (d *drain) ready() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return !d.draining
}

// track counts the requests that finish waits for.
func (d *drain) track(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d.mu.Lock()
		counted := !d.draining
		if counted {
			d.running.Add(1)
		}
		d.mu.Unlock()
		if counted {
			defer d.running.Done()
		}
		next.ServeHTTP(w, r)
	})
}

// finish drains the server and closes it. It tells whether every request was
// done within the timeout.
func (d *drain) finish(server *http.Server, timeout time.Duration) bool {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	d.mu.Lock()
	d.draining = true
	d.mu.Unlock()
	server.SetKeepAlivesEnabled(false)

	done := make(chan struct{})
	go func() {
		d.running.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
	}
	if server.Shutdown(ctx) == nil {
		return true
	}
	_ = server.Close() // ends what is left, and with it the goroutine above
	return false
}
