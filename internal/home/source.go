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
type content interface {
	Empty() bool
	size() int // of its texts, in bytes
}

// source shares the loads of a section and remembers what they gave: for each
// visitor, as far as answers differ by visitor. The breaker is the source's,
// and so is the rest that it asks for, whoever met them.
type source[T content] struct {
	log     *slog.Logger
	grace   time.Duration
	of      func(Visit) Visitor[T]  // whom the source is told of
	load    func(Visit) *Section[T] // calls the source
	show    func(*Section[T]) *HTML // or nil
	breaker *gobreaker.CircuitBreaker[Answer[T]]
	trouble atomic.Pointer[trouble] // the last failure that was the source's; nil if there was none
	cache   *cache[T]
	ignored atomic.Uint64 // Things by which no answer has differed that was kept; none before the first

	mu      sync.Mutex
	running map[Visitor[T]]*Future[T] // what the loads that run will give
	kept    bool                      // whether there was an answer to keep yet
}

// trouble is why a source failed, and until when it is not to be asked again.
type trouble struct {
	err   error
	rests time.Time
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
	rests   time.Time // until then the source is not to be asked again for this visitor
	shared  time.Time // until then nobody else waits to see it happen again
}

func newSource[T content](life context.Context, options Options, name string, of func(Visit) Visitor[T], load Load[T], show func(*Section[T]) *HTML) *source[T] {
	log := options.Log.With("section", name)
	s := &source[T]{
		log: log, grace: options.Grace, of: of, show: show,
		cache: newCache[T](options.CacheBytes), running: map[Visitor[T]]*Future[T]{},
	}
	s.load = func(visit Visit) *Section[T] { return s.loadAnew(life, load, visit) }
	s.breaker = gobreaker.NewCircuitBreaker[Answer[T]](gobreaker.Settings{
		Timeout:     restTime,
		ReadyToTrip: func(counts gobreaker.Counts) bool { return counts.ConsecutiveFailures >= failuresMost },
		IsExcluded: func(err error) bool {
			said, ok := errors.AsType[*LoadError](err)
			return ok && said.Personal || life.Err() != nil // the program is ending, the source is well
		},
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
// else what the load that is running for them will give. If load is not nil, the
// caller must call it to have that load run.
//
// Visitors share a future instead of each waiting in a singleflight.Group, which
// took three goroutines and 8 KiB for each who waits.
func (s *source[T]) join(now time.Time, visit Visit) (section *Future[T], load func()) {
	visitor := s.of(visit)
	if section := s.atHand(now, visitor, visit); section != nil {
		return arrived(section), nil
	}
	// Not by what they have in common with others: the answer may be the first
	// to differ by the rest.
	return s.begin(visitor, visit)
}

// begin joins the load that is running for the visitor, or begins one.
func (s *source[T]) begin(visitor Visitor[T], visit Visit) (section *Future[T], load func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if running := s.running[visitor]; running != nil {
		return running, nil
	}
	future := NewFuture[T]()
	s.running[visitor] = future
	return future, func() {
		section := s.load(visit)
		s.mu.Lock() // who joins after this needs a newer section
		delete(s.running, visitor)
		s.mu.Unlock()
		future.Resolve(section)
	}
}

// common returns what a visitor has in common with all who may be shown the same
// answer.
func (s *source[T]) common(visitor Visitor[T]) Visitor[T] {
	return visitor.without(Things(s.ignored.Load()))
}

// atHand returns what a visitor gets without waiting, or nil.
func (s *source[T]) atHand(now time.Time, visitor Visitor[T], visit Visit) *Section[T] {
	common := s.common(visitor)
	last := s.cache.get(common)
	kept, failure := last.kept, last.failure
	switch {
	case kept != nil && before(now, kept.Fresh):
		return kept.fresh
	case kept != nil && before(now, kept.Revalidate):
		s.refresh(now, failure, common, visit)
		return kept.stale
	case failure == nil:
		return nil
	case !failure.stands.IsZero() && !before(now, failure.stands):
		return nil // too old by now: a load, or its refusal, will say so
	case s.resting(now, failure):
		return failure.section
	case before(now, failure.shared):
		s.refresh(now, failure, common, visit)
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
func (s *source[T]) resting(now time.Time, last *failure[T]) bool {
	if s.rests(now, last) != nil {
		return true
	}
	switch s.breaker.State() {
	case gobreaker.StateOpen:
		return true
	case gobreaker.StateHalfOpen:
		counts := s.breaker.Counts()
		return counts.Requests > counts.TotalExclusions
	case gobreaker.StateClosed:
	}
	return false
}

// rests returns why the source is not to be asked for a visitor whose last
// failure this is, or nil.
func (s *source[T]) rests(now time.Time, last *failure[T]) error {
	if last != nil && before(now, last.rests) {
		return last.section.Err
	}
	if trouble := s.trouble.Load(); trouble != nil && before(now, trouble.rests) {
		return trouble.err
	}
	return nil
}

// refresh loads in the background, while nobody waits: once for all who have
// the same in common.
func (s *source[T]) refresh(now time.Time, last *failure[T], common Visitor[T], visit Visit) {
	if s.resting(now, last) {
		return
	}
	if _, load := s.begin(common, visit); load != nil {
		go load()
	}
}

// attempt is a load that is over.
type attempt[T content] struct {
	visitor      Visitor[T]
	began, ended time.Time
}

// loadAnew calls the source and remembers what came of it. For one visitor no
// two run at once.
func (s *source[T]) loadAnew(life context.Context, load Load[T], visit Visit) *Section[T] {
	visitor, began := s.of(visit), time.Now()
	last := s.cache.get(s.common(visitor))
	if err := s.rests(began, last.failure); err != nil {
		return s.refuse(attempt[T]{visitor, began, began}, err)
	}
	if last.kept != nil && last.kept.Again != nil {
		load = last.kept.Again
	}
	answer, err := s.breaker.Execute(func() (Answer[T], error) { return call(life, load, visit) })
	this := attempt[T]{visitor, began, time.Now()}
	if err == nil {
		s.log.DebugContext(life, "section loaded", "ms", this.took().Milliseconds())
		return s.keep(this, answer)
	}
	if trouble := s.trouble.Load(); trouble != nil && (errors.Is(err, gobreaker.ErrOpenState) || errors.Is(err, gobreaker.ErrTooManyRequests)) {
		return s.refuse(this, trouble.err) // why it is open says more than that it is
	}
	var failed failure[T]
	said, _ := errors.AsType[*LoadError](err)
	switch {
	case said == nil:
		s.note(trouble{err: err})
	case said.Personal:
		failed.rests = said.Until
	default:
		s.note(trouble{err, said.Until})
	}
	if this.took() > s.grace {
		failed.shared = this.ended.Add(shareTime)
	}
	if life.Err() == nil {
		s.log.ErrorContext(life, "section failed", "ms", this.took().Milliseconds(), "err", err)
	}
	return s.fail(this, err, said != nil && said.Final, failed)
}

func (a attempt[T]) took() time.Duration { return a.ended.Sub(a.began) }

// note remembers a failure that was the source's. Of loads that ran at once, the
// longest rest counts.
func (s *source[T]) note(now trouble) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if last := s.trouble.Load(); last != nil && last.rests.After(now.rests) {
		now.rests = last.rests
	}
	s.trouble.Store(&now)
}

// refuse is a failure without a call. Nobody is remembered for it who was not
// before.
func (s *source[T]) refuse(this attempt[T], err error) *Section[T] {
	s.mu.Lock()
	defer s.mu.Unlock()
	last := s.cache.get(s.common(this.visitor))
	failed := failure[T]{section: s.standIn(last.kept, err, this.ended)}
	if last.failure != nil {
		failed.rests = last.failure.rests
	}
	if last.kept != nil || last.failure != nil {
		s.rememberFailure(this, last.kept, failed)
	}
	return failed.section
}

// fail remembers a failed load, and returns what is shown for it: the last good
// answer, if there is one that allows it and the failure is not final.
func (s *source[T]) fail(this attempt[T], err error, final bool, failed failure[T]) *Section[T] {
	s.mu.Lock()
	defer s.mu.Unlock()
	kept := s.cache.get(s.common(this.visitor)).kept
	if final {
		kept = nil
	}
	failed.section = s.standIn(kept, err, this.ended)
	s.rememberFailure(this, kept, failed)
	return failed.section
}

// standIn returns what is shown for a failure.
func (s *source[T]) standIn(kept *kept[T], err error, now time.Time) *Section[T] {
	if kept == nil || !before(now, kept.Fallback) {
		return s.shown(Section[T]{State: Failed, Err: err, Arrived: now})
	}
	stale := *kept.stale
	stale.Err, stale.Arrived = err, now
	return s.shown(stale)
}

// shown returns the section with what pages show of it.
func (s *source[T]) shown(section Section[T]) *Section[T] {
	if s.show != nil {
		section.HTML = s.show(&section)
	}
	return &section
}

// rememberFailure doesn't touch what visitors share who differ: the failure is
// one visitor's, and may be for want of a good cookie.
func (s *source[T]) rememberFailure(this attempt[T], kept *kept[T], failed failure[T]) {
	if failed.section.State != Failed {
		failed.stands = kept.Fallback
	}
	if s.common(this.visitor) == this.visitor {
		s.remember(this, this.visitor, remembered[T]{kept: kept, failure: &failed})
	}
}

// remember is called with the lock held. Of loads that ran at once, the one
// that began last counts.
func (s *source[T]) remember(this attempt[T], visitor Visitor[T], now remembered[T]) {
	if s.cache.get(visitor).began.After(this.began) {
		return
	}
	now.began = this.began
	s.cache.set(visitor, &now)
}

// keep remembers an answer that may be shown again, and returns the section that
// it makes. It forgets the one before in any case, so that an older answer is
// never shown after a newer one.
func (s *source[T]) keep(this attempt[T], answer Answer[T]) *Section[T] {
	section := Section[T]{State: Fresh, Content: answer.Content, At: answer.At, Arrived: this.ended}
	if answer.Content.Empty() {
		section = Section[T]{State: Empty, At: answer.At, Arrived: this.ended}
	}
	section.Personal = !this.visitor.without(answer.Ignored).nobody()
	fresh := s.shown(section)
	stale := &section
	if stale.State == Fresh {
		stale.State = Stale
	}
	now := this.ended
	if before(now, answer.Revalidate) {
		stale = s.shown(section)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if before(now, answer.Fresh) || before(now, answer.Revalidate) || before(now, answer.Fallback) || answer.Again != nil {
		s.ignore(answer.Ignored)
		s.remember(this, s.common(this.visitor), remembered[T]{kept: &kept[T]{answer, fresh, stale}})
	} else if s.common(this.visitor) == this.visitor {
		s.remember(this, this.visitor, remembered[T]{})
	}
	return fresh
}

// ignore notes what a kept answer does not differ by. What one answer has
// differed by counts from then on, even if others don't: it is known too late
// that an answer is of that kind. It is called with the lock held.
func (s *source[T]) ignore(things Things) {
	if s.kept {
		things &= Things(s.ignored.Load())
	}
	s.kept = true
	s.ignored.Store(uint64(things))
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
