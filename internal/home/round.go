package home

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// round is one fan-out over the sources. Visitors who come before the first of
// its loads is over share it: to each of them what it loads is new.
type round struct {
	visitors sync.WaitGroup // those who wait
	atHand   []*Section     // by place; nil for what is loaded
	arrivals []arrival      // of what is loaded, in the order in which it comes
}

// arrival is a section once done is closed, which wakes all who wait for it.
type arrival struct {
	done    chan struct{}
	section *Section
}

// join returns a round for a visitor who comes now.
func (h *Home) join(now time.Time) *round {
	atHand := make([]*Section, len(h.sources))
	for place, s := range h.sources {
		atHand[place] = s.atHand(now)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.newest == nil || h.newest.arrived() > 0 || !slices.Equal(h.newest.atHand, atHand) {
		h.newest = h.begin(atHand, h.newest)
	}
	h.newest.visitors.Add(1)
	return h.newest
}

// begin starts to load what is not at hand. before is the last round, if any.
func (h *Home) begin(atHand []*Section, before *round) *round {
	r := &round{atHand: atHand}
	var missing []*source
	for place, section := range atHand {
		if section == nil {
			missing = append(missing, h.sources[place])
			r.arrivals = append(r.arrivals, arrival{done: make(chan struct{})})
		}
	}
	if len(missing) == 0 {
		return r
	}
	go func() {
		// Under load, let those go first whose page is ready, and let those join
		// who are here by now: the more share a load, the fewer loads there are.
		if before != nil && before.arrived() == len(before.arrivals) {
			before.visitors.Wait()
		}
		runtime.Gosched()
		// Not errgroup.WithContext, which would cancel the healthy sections on
		// the first error. An error stays in its section instead.
		var group errgroup.Group
		group.SetLimit(h.limit)
		for _, s := range missing {
			group.Go(func() error {
				section := s.load()
				h.mu.Lock() // who joins after this needs a newer section
				defer h.mu.Unlock()
				next := &r.arrivals[r.arrived()]
				next.section = section
				close(next.done)
				return nil
			})
		}
		_ = group.Wait() // always nil
	}()
	return r
}

// wait returns how many have arrived when all have, the grace is over or ctx
// ends.
func (r *round) wait(ctx context.Context, grace time.Duration) int {
	defer r.visitors.Done()
	if len(r.arrivals) == 0 {
		return 0
	}
	last := r.arrivals[len(r.arrivals)-1].done
	if grace > 0 {
		timer := time.NewTimer(grace)
		defer timer.Stop()
		select {
		case <-last:
			return len(r.arrivals)
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	return r.arrived()
}

// arrived returns how many have arrived by now.
func (r *round) arrived() int {
	for i := range r.arrivals {
		select {
		case <-r.arrivals[i].done:
		default:
			return i
		}
	}
	return len(r.arrivals)
}

// early returns what was at hand and the first n arrivals, by place.
func (r *round) early(n int) []*Section {
	sections := slices.Clone(r.atHand)
	for _, a := range r.arrivals[:n] {
		sections[a.section.Place] = a.section
	}
	return slices.DeleteFunc(sections, func(s *Section) bool { return s == nil })
}
