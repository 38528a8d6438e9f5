package home

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/sony/gobreaker/v2"
	"golang.org/x/sync/singleflight"
)

// Source loads the content of one section. Load returns when ctx is done, and
// ends in its own time if it isn't.
type Source struct {
	Name string
	Load func(ctx context.Context) (Answer, error)
}

// Answer is what a source gave, and how long it may be shown without asking
// again. A time that is zero, or past, allows nothing.
type Answer struct {
	Content    Content
	At         time.Time // when it was made
	Fresh      time.Time // until then it is as good as new
	Revalidate time.Time // until then it may be shown while the source is asked again
	Fallback   time.Time // until then it may be shown when asking again failed
}

// A source that fails as often as failuresMost in a row is not called for
// restTime, and then with one call alone until one succeeds.
const (
	failuresMost = 5
	restTime     = 5 * time.Second
)

// source shares the loads of a Source and remembers what they gave.
type source struct {
	Source
	place      int
	log        *slog.Logger
	load       func() *Section // waits for the load that runs, or for a new one
	breaker    *gobreaker.CircuitBreaker[Answer]
	kept       atomic.Pointer[kept]    // the last answer, if it may be kept
	failure    atomic.Pointer[Section] // what stood in when a load failed last
	refreshing atomic.Bool
}

// kept is an answer that may be shown again.
type kept struct {
	Answer
	fresh, stale *Section // as which it is shown
}

func newSource(life context.Context, log *slog.Logger, place int, s Source) *source {
	var loads singleflight.Group
	shared := &source{Source: s, place: place, log: log}
	shared.load = func() *Section {
		section, _, _ := loads.Do("", func() (any, error) { return shared.loadAnew(life), nil })
		return section.(*Section) //nolint:forcetypeassert // the only type there is
	}
	shared.breaker = gobreaker.NewCircuitBreaker[Answer](gobreaker.Settings{
		Timeout:     restTime,
		ReadyToTrip: func(counts gobreaker.Counts) bool { return counts.ConsecutiveFailures >= failuresMost },
		IsExcluded:  func(error) bool { return life.Err() != nil }, // the program ends, the source is well
		OnStateChange: func(_ string, _, to gobreaker.State) {
			switch to {
			case gobreaker.StateOpen:
				log.WarnContext(life, "section keeps failing, its service is left alone", "for", restTime.String())
			case gobreaker.StateClosed:
				log.InfoContext(life, "section is back")
			case gobreaker.StateHalfOpen: // the next load will tell
			}
		},
	})
	return shared
}

// atHand returns what a visitor gets without waiting, or nil.
func (s *source) atHand(now time.Time) *Section {
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

// resting tells whether calls of the source are refused, or would wait for the
// one that tries whether it is back.
func (s *source) resting() bool {
	switch s.breaker.State() {
	case gobreaker.StateOpen:
		return true
	case gobreaker.StateHalfOpen:
		return s.breaker.Counts().Requests > 0
	case gobreaker.StateClosed:
	}
	return false
}

// refresh loads anew while nobody waits.
func (s *source) refresh() {
	if !s.resting() && s.refreshing.CompareAndSwap(false, true) {
		go func() {
			// Not loadAnew's to say: this may join a load that is just over.
			defer s.refreshing.Store(false)
			s.load()
		}()
	}
}

// loadAnew calls the source and remembers what came of it. No two run at once.
func (s *source) loadAnew(life context.Context) *Section {
	start := time.Now()
	answer, err := s.breaker.Execute(func() (Answer, error) { return call(life, s.Source) })
	now := time.Now()
	if err != nil {
		failure := s.fail(life, err, now, now.Sub(start))
		s.failure.Store(failure)
		return failure
	}
	fresh := &Section{Name: s.Name, Place: s.place, State: Fresh, Content: answer.Content, At: answer.At, Took: now.Sub(start), Arrived: now}
	s.log.DebugContext(life, "section loaded", "ms", millis(fresh.Took))
	s.keep(answer, fresh, now)
	return fresh
}

// keep remembers an answer that may be shown again, and forgets the one before
// in any case, so that an older one is never shown after a newer.
func (s *source) keep(answer Answer, fresh *Section, now time.Time) {
	if !now.Before(answer.Fresh) && !now.Before(answer.Revalidate) && !now.Before(answer.Fallback) {
		s.kept.Store(nil)
		return
	}
	stale := *fresh
	stale.State = Stale
	s.kept.Store(&kept{answer, fresh, &stale})
}

// fail returns what stands in for a section whose load failed: the last good
// answer, if there is one and it allows that.
func (s *source) fail(life context.Context, err error, now time.Time, took time.Duration) *Section {
	section := &Section{Name: s.Name, Place: s.place, State: Failed, Err: err, Took: took, Arrived: now}
	if errors.Is(err, gobreaker.ErrOpenState) {
		if last := s.failure.Load(); last != nil { // what the breaker opened for tells more than that it is open
			section.Err, section.Took = last.Err, last.Took
		}
	} else if life.Err() == nil {
		s.log.ErrorContext(life, "section failed", "ms", millis(took), "err", err)
	}
	if kept := s.kept.Load(); kept != nil && now.Before(kept.Fallback) {
		section.State, section.Content, section.At = Stale, kept.Content, kept.At
	}
	return section
}

// millis is a time as log lines give it, in milliseconds.
func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// call calls the source and holds it to its promise. It recovers, since a panic
// in a goroutine of its own would end the program and not the request.
func call(ctx context.Context, s Source) (answer Answer, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	answer, err = s.Load(ctx)
	if err == nil && answer.Content == nil {
		err = errors.New("no content")
	}
	return answer, err
}
