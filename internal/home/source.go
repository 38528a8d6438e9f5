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

// A source that fails failuresMost times in a row is not called for restTime,
// and then by one load at a time until one succeeds.
//
// For shareTime after a failure that took longer than the grace, visitors get
// that failure at once while the source is asked again, so that one that hangs
// costs one visitor's wait. It is longer than restTime, so that nobody waits for
// the load that tries whether the source is back.
const (
	failuresMost = 5
	restTime     = 5 * time.Second
	shareTime    = 30 * time.Second
)

// content is what a section can show.
type content interface{ Empty() bool }

// source shares the loads of a section and remembers what they gave.
type source[T content] struct {
	log     *slog.Logger
	grace   time.Duration
	load    func(Visit) *Section[T] // calls the source
	breaker *gobreaker.CircuitBreaker[Answer[T]]
	kept    atomic.Pointer[kept[T]]    // the last answer, if it may be kept
	failure atomic.Pointer[failure[T]] // the last load, if it failed

	mu      sync.Mutex
	running *Future[T] // what the load that runs will give; nil if none does
}

// kept is an answer that may be shown again, and the sections it is shown as.
type kept[T content] struct {
	Answer[T]
	fresh, stale *Section[T]
}

// failure is a failed load.
type failure[T content] struct {
	section *Section[T]
	stands  time.Time // until then the section may be shown; zero if nothing stands in
	rests   time.Time // until then the source is not to be asked again
	shared  time.Time // until then nobody else waits to see it happen again
}

func newSource[T content](life context.Context, log *slog.Logger, grace time.Duration, load Load[T]) *source[T] {
	s := &source[T]{log: log, grace: grace}
	s.load = func(visit Visit) *Section[T] { return s.loadAnew(life, load, visit) }
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
func (s *source[T]) join(now time.Time, visit Visit) (section *Future[T], load func()) {
	if section := s.atHand(now, visit); section != nil {
		return arrived(section), nil
	}
	return s.begin(visit)
}

// begin joins the load that is running, or begins one.
func (s *source[T]) begin(visit Visit) (section *Future[T], load func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running != nil {
		return s.running, nil
	}
	future := NewFuture[T]()
	s.running = future
	return future, func() {
		section := s.load(visit)
		s.mu.Lock() // who joins after this needs a newer section
		s.running = nil
		s.mu.Unlock()
		future.Resolve(section)
	}
}

// atHand returns what a visitor gets without waiting, or nil.
func (s *source[T]) atHand(now time.Time, visit Visit) *Section[T] {
	kept, failure := s.kept.Load(), s.failure.Load()
	switch {
	case kept != nil && before(now, kept.Fresh):
		return kept.fresh
	case kept != nil && before(now, kept.Revalidate):
		s.refresh(now, visit)
		return kept.stale
	case failure == nil:
		return nil
	case !failure.stands.IsZero() && !before(now, failure.stands):
		return nil // too old by now: a load, or its refusal, will say so
	case s.resting(now):
		return failure.section
	case before(now, failure.shared):
		s.refresh(now, visit)
		return failure.section
	}
	return nil
}

// before tells whether now is before t by the wall clock and by the monotonic
// one: the first may be set, the second stands still while the machine sleeps.
func before(now, t time.Time) bool {
	return now.Before(t) && now.Round(0).Before(t.Round(0))
}

// resting tells whether a load would be refused, or would wait for the one that
// is finding out whether the source is back.
func (s *source[T]) resting(now time.Time) bool {
	if failure := s.failure.Load(); failure != nil && before(now, failure.rests) {
		return true
	}
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
func (s *source[T]) refresh(now time.Time, visit Visit) {
	if s.resting(now) {
		return
	}
	if _, load := s.begin(visit); load != nil {
		go load()
	}
}

// loadAnew calls the source and remembers what came of it. No two run at once.
func (s *source[T]) loadAnew(life context.Context, load Load[T], visit Visit) *Section[T] {
	start, last := time.Now(), s.failure.Load()
	if last != nil && before(start, last.rests) {
		return s.fail(last.section.Err, start, failure[T]{rests: last.rests})
	}
	answer, err := s.breaker.Execute(func() (Answer[T], error) { return call(life, load, visit) })
	now := time.Now()
	switch {
	case err == nil:
		s.log.DebugContext(life, "section loaded", "ms", now.Sub(start).Milliseconds())
		s.failure.Store(nil)
		return s.keep(answer, now)
	case errors.Is(err, gobreaker.ErrOpenState) && last != nil:
		return s.fail(last.section.Err, now, failure[T]{}) // why it is open says more than that it is
	}
	var failed failure[T]
	if said, ok := errors.AsType[*LoadError](err); ok {
		failed.rests = said.Until
		if said.Final {
			s.kept.Store(nil)
		}
	}
	if now.Sub(start) > s.grace {
		failed.shared = now.Add(shareTime)
	}
	if life.Err() == nil {
		s.log.ErrorContext(life, "section failed", "ms", now.Sub(start).Milliseconds(), "err", err)
	}
	return s.fail(err, now, failed)
}

// fail remembers a failed load, and returns what is shown for it: the last good
// answer, if there is one that allows it.
func (s *source[T]) fail(err error, now time.Time, failed failure[T]) *Section[T] {
	failed.section = &Section[T]{State: Failed, Err: err, Arrived: now}
	if kept := s.kept.Load(); kept != nil && before(now, kept.Fallback) {
		failed.section.State, failed.section.Content, failed.section.At = kept.stale.State, kept.stale.Content, kept.At
		failed.stands = kept.Fallback
	}
	s.failure.Store(&failed)
	return failed.section
}

// keep remembers an answer that may be shown again, and returns the section that
// it makes. It forgets the one before in any case, so that an older answer is
// never shown after a newer one.
func (s *source[T]) keep(answer Answer[T], now time.Time) *Section[T] {
	fresh := &Section[T]{State: Fresh, Content: answer.Content, At: answer.At, Arrived: now}
	stale := *fresh
	stale.State = Stale
	if answer.Content.Empty() {
		*fresh = Section[T]{State: Empty, At: answer.At, Arrived: now}
		stale = *fresh
	}
	if before(now, answer.Fresh) || before(now, answer.Revalidate) || before(now, answer.Fallback) {
		s.kept.Store(&kept[T]{answer, fresh, &stale})
	} else {
		s.kept.Store(nil)
	}
	return fresh
}

// call recovers from a panic of load, which in a goroutine of its own would end
// the program instead of the request.
func call[T content](ctx context.Context, load Load[T], visit Visit) (answer Answer[T], err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return load(ctx, visit)
}
