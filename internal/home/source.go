package home

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sony/gobreaker/v2"
)

// Load fetches the content of one section. It returns when ctx is done, and
// ends in its own time if ctx isn't.
type Load[T any] func(ctx context.Context) (Answer[T], error)

// Answer is what a source gave, and how long it may be shown without asking
// again. A time that is zero or past allows nothing.
type Answer[T any] struct {
	Content    T
	At         time.Time // when it was made
	Fresh      time.Time // until then it is as good as new
	Revalidate time.Time // until then it may be shown while the source is asked again
	Fallback   time.Time // until then it may be shown if asking again failed
}

// A source that fails failuresMost times in a row is not called for restTime,
// and then by one load at a time until one succeeds.
const (
	failuresMost = 5
	restTime     = 5 * time.Second
)

// source shares the loads of a section and remembers what they gave.
type source[T any] struct {
	log     *slog.Logger
	load    func() *Section[T] // calls the source
	breaker *gobreaker.CircuitBreaker[Answer[T]]
	kept    atomic.Pointer[kept[T]]    // the last answer, if it may be kept
	failure atomic.Pointer[Section[T]] // what stood in when a load last failed

	mu      sync.Mutex
	running *Future[T] // what the load that runs will give; nil if none does
}

// kept is an answer that may be shown again, and the sections it is shown as.
type kept[T any] struct {
	Answer[T]
	fresh, stale *Section[T]
}

func newSource[T any](life context.Context, log *slog.Logger, load Load[T]) *source[T] {
	s := &source[T]{log: log}
	s.load = func() *Section[T] { return s.loadAnew(life, load) }
	s.breaker = gobreaker.NewCircuitBreaker[Answer[T]](gobreaker.Settings{
		Timeout:     restTime,
		ReadyToTrip: func(counts gobreaker.Counts) bool { return counts.ConsecutiveFailures >= failuresMost },
		IsExcluded:  func(error) bool { return life.Err() != nil }, // the program is ending, the source is well
		OnStateChange: func(_ string, _, to gobreaker.State) {
			switch to {
			case gobreaker.StateOpen:
				log.WarnContext(life, "section keeps failing; leaving its service alone", "for", restTime.String())
			case gobreaker.StateClosed:
				log.InfoContext(life, "section is back")
			case gobreaker.StateHalfOpen: // the next load will tell
			}
		},
	})
	return s
}

// join returns what a visitor gets who comes now: a section that is at hand, or
// else what the load that is running will give. If load is not nil, the caller
// must call it to have that load run.
//
// Visitors share a future instead of each waiting in a singleflight.Group, which
// took three goroutines and 8 KiB for each who waits.
func (s *source[T]) join(now time.Time) (section *Future[T], load func()) {
	if section := s.atHand(now); section != nil {
		return arrived(section), nil
	}
	return s.begin()
}

// begin joins the load that is running, or begins one.
func (s *source[T]) begin() (section *Future[T], load func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running != nil {
		return s.running, nil
	}
	future := NewFuture[T]()
	s.running = future
	return future, func() {
		section := s.load()
		s.mu.Lock() // who joins after this needs a newer section
		s.running = nil
		s.mu.Unlock()
		future.Resolve(section)
	}
}

// atHand returns what a visitor gets without waiting, or nil.
func (s *source[T]) atHand(now time.Time) *Section[T] {
	kept := s.kept.Load()
	switch {
	case kept != nil && now.Before(kept.Fresh):
		return kept.fresh
	case kept != nil && now.Before(kept.Revalidate):
		s.refresh()
		return kept.stale
	case s.resting():
		failure := s.failure.Load()
		if failure != nil && failure.State == Stale && (kept == nil || !now.Before(kept.Fallback)) {
			return nil // too old by now: a load that is refused at once will say so
		}
		return failure
	}
	return nil
}

// resting tells whether a load would be refused, or would wait for the one that
// is finding out whether the source is back.
func (s *source[T]) resting() bool {
	switch s.breaker.State() {
	case gobreaker.StateOpen:
		return true
	case gobreaker.StateHalfOpen:
		return s.breaker.Counts().Requests > 0
	case gobreaker.StateClosed:
	}
	return false
}

// refresh loads in the background, while nobody waits.
func (s *source[T]) refresh() {
	if s.resting() {
		return
	}
	if _, load := s.begin(); load != nil {
		go load()
	}
}

// loadAnew calls the source and remembers what came of it. No two run at once.
func (s *source[T]) loadAnew(life context.Context, load Load[T]) *Section[T] {
	start := time.Now()
	answer, err := s.breaker.Execute(func() (Answer[T], error) { return call(life, load) })
	now := time.Now()
	if err != nil {
		if !errors.Is(err, gobreaker.ErrOpenState) && life.Err() == nil {
			s.log.ErrorContext(life, "section failed", "ms", now.Sub(start).Milliseconds(), "err", err)
		}
		failure := s.standIn(err, now)
		s.failure.Store(failure)
		return failure
	}
	fresh := &Section[T]{State: Fresh, Content: answer.Content, At: answer.At, Arrived: now}
	s.log.DebugContext(life, "section loaded", "ms", now.Sub(start).Milliseconds())
	s.keep(answer, fresh, now)
	return fresh
}

// keep remembers an answer that may be shown again. It forgets the one before
// in any case, so that an older answer is never shown after a newer one.
func (s *source[T]) keep(answer Answer[T], fresh *Section[T], now time.Time) {
	if !now.Before(answer.Fresh) && !now.Before(answer.Revalidate) && !now.Before(answer.Fallback) {
		s.kept.Store(nil)
		return
	}
	stale := *fresh
	stale.State = Stale
	s.kept.Store(&kept[T]{answer, fresh, &stale})
}

// standIn returns what is shown for a load that failed: the last good answer,
// if there is one that allows it.
func (s *source[T]) standIn(err error, now time.Time) *Section[T] {
	section := &Section[T]{State: Failed, Err: err, Arrived: now}
	if last := s.failure.Load(); last != nil && errors.Is(err, gobreaker.ErrOpenState) {
		section.Err = last.Err // why the breaker opened says more than that it is open
	}
	if kept := s.kept.Load(); kept != nil && now.Before(kept.Fallback) {
		section.State, section.Content, section.At = Stale, kept.Content, kept.At
	}
	return section
}

// call recovers from a panic of load, which in a goroutine of its own would end
// the program instead of the request.
func call[T any](ctx context.Context, load Load[T]) (answer Answer[T], err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return load(ctx)
}
