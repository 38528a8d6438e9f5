package service

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"golang.org/x/sync/semaphore"
)

// turns bounds how many calls of a service run at once. Further ones wait in
// the order in which they came.
type turns struct {
	most    int64
	running *semaphore.Weighted
	waiting atomic.Int64
}

// queueFactor bounds how many calls wait for those that run. More would only
// wait in vain, and each takes memory after its visitor has left.
const queueFactor = 16

func newTurns(most int) *turns {
	return &turns{most: int64(most), running: semaphore.NewWeighted(int64(most))}
}

var errBusy = errors.New("too many calls of the service run and wait already")

// take waits for a turn until ctx is done. After it, end must be called unless
// there is an error.
func (t *turns) take(ctx context.Context) error {
	if t.running.TryAcquire(1) {
		return nil
	}
	defer t.waiting.Add(-1)
	if t.waiting.Add(1) > queueFactor*t.most {
		return errBusy
	}
	if err := t.running.Acquire(ctx, 1); err != nil {
		return fmt.Errorf("still waiting for one of %d calls of the service to end: %w", t.most, err)
	}
	return nil
}

func (t *turns) end() { t.running.Release(1) }
