package resumable

import "sync"

// turns give each upload to one call at a time. Whoever comes does not wait for
// the call before, whose connection may be dead: it is stopped (draft, 4.6).
type turns struct {
	mu       sync.Mutex
	last     map[string]*turn // by the id of the upload; those before it are ending
	draining bool
}

// turn is what one call has, or waits for.
type turn struct {
	turns *turns
	stop  func()        // does not wait
	ended chan struct{} // closed once this turn and all before it are over

	evicted, drained bool // under the mutex of turns
}

// take stops the call that has the upload, and returns once that has ended.
func (t *turns) take(id string, stop func()) *turn {
	mine := &turn{turns: t, stop: stop, ended: make(chan struct{})}
	t.mu.Lock()
	before := t.last[id]
	t.last[id] = mine
	mine.drained = t.draining
	if before != nil {
		before.evicted = true
		before.stop() // under the mutex, so that it has not ended
	}
	t.mu.Unlock()
	if before != nil {
		<-before.ended
	}
	return mine
}

// end gives the upload to whoever comes next.
func (t *turns) end(id string, mine *turn) {
	t.mu.Lock()
	if t.last[id] == mine {
		delete(t.last, id)
	}
	t.mu.Unlock()
	close(mine.ended)
}

// stopped returns why the call is to end, if it is.
func (t *turn) stopped() error {
	t.turns.mu.Lock()
	defer t.turns.mu.Unlock()
	switch {
	case t.evicted:
		return ErrEvicted
	case t.drained:
		return ErrDraining
	}
	return nil
}

func (t *turns) drain() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.draining = true
	for _, turn := range t.last {
		turn.drained = true
		turn.stop()
	}
}

func (t *turns) isDraining() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.draining
}
