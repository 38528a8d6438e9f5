package home_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/google/go-cmp/cmp"

	"homepage/internal/home"
)

var (
	promo           = home.Promo{Title: "An offer"}
	recommendations = home.Recommendations{{Title: "A book"}}

	errRefused = errors.New("refused")
)

// service stands for what a section is loaded from. What it gives can be changed
// from load to load; it counts them.
type service[T any] struct {
	mu     sync.Mutex
	answer home.Answer[T]
	err    error
	delay  time.Duration
	calls  int
}

func (s *service[T]) load(ctx context.Context, _ home.Visit) (home.Answer[T], error) {
	s.mu.Lock()
	s.calls++
	answer, err, delay := s.answer, s.err, s.delay
	s.mu.Unlock()
	select {
	case <-time.After(delay):
		return answer, err
	case <-ctx.Done():
		return home.Answer[T]{}, ctx.Err()
	}
}

// set changes what the next load gives.
func (s *service[T]) set(change func(*service[T])) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(s)
}

func (s *service[T]) checkCalls(t *testing.T, want int) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.calls != want {
		t.Errorf("the service was called %d times, want %d", s.calls, want)
	}
}

// after is a load that takes the given time.
func after[T any](delay time.Duration, content T, err error) home.Load[T] {
	return (&service[T]{answer: home.Answer[T]{Content: content}, err: err, delay: delay}).load
}

// newHome returns a homepage that begins at once, and its log.
func newHome(t *testing.T, limit int, promo home.Load[home.Promo], recommendations home.Load[home.Recommendations]) (*home.Home, *bytes.Buffer) {
	t.Helper()
	log := new(bytes.Buffer)
	return home.New(t.Context(), home.Options{Log: slog.New(slog.NewJSONHandler(log, nil)), Concurrency: limit, CacheBytes: 1 << 20}, promo, recommendations), log
}

// newPromo returns a homepage whose promo alone matters, and its log.
func newPromo(t *testing.T, promo home.Load[home.Promo]) (*home.Home, *bytes.Buffer) {
	t.Helper()
	return newHome(t, 0, promo, after(0, recommendations, nil))
}

// wait returns the section when it arrives, or nil when ctx ends.
func wait[T any](ctx context.Context, future *home.Future[T]) *home.Section[T] {
	select {
	case <-future.Arrived():
		return future.Section()
	case <-ctx.Done():
		return nil
	}
}

// visitPromo waits for a page's promo.
func visitPromo(ctx context.Context, h *home.Home) *home.Section[home.Promo] {
	return wait(ctx, h.Gather(ctx, home.Visit{}).Promo)
}

// visit waits for both sections of a page.
func visit(ctx context.Context, h *home.Home) (*home.Section[home.Promo], *home.Section[home.Recommendations]) {
	page := h.Gather(ctx, home.Visit{})
	return wait(ctx, page.Promo), wait(ctx, page.Recommendations)
}

// messages returns what the log says, without what surrounds it.
func messages(t *testing.T, log *bytes.Buffer) []string {
	t.Helper()
	var found []string
	for line := range strings.Lines(log.String()) {
		var fields struct{ Msg string }
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			t.Fatal(err)
		}
		found = append(found, fields.Msg)
	}
	return found
}

// The article's claim, on a clock that only the services move: one after the
// other takes the sum, together the longer.
func TestAPageTakesAsLongAsItsSlowestSection(t *testing.T) {
	const a, b = 500 * time.Millisecond, 300 * time.Millisecond
	for _, test := range []struct {
		name                   string
		limit                  int
		promo, recommendations time.Duration // when they arrive
	}{
		{"one after the other", 1, a, a + b},
		{"both at once", 0, a, b},
		{"as many at once as there are", 2, a, b},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, _ := newHome(t, test.limit, after(a, promo, nil), after(b, recommendations, nil))
				start := time.Now()
				gotPromo, gotRecommendations := visit(t.Context(), h)
				if got, want := time.Since(start), max(test.promo, test.recommendations); got != want {
					t.Errorf("the page took %v, want %v", got, want)
				}
				if diff := cmp.Diff(&home.Section[home.Promo]{State: home.Fresh, Content: promo, Arrived: start.Add(test.promo)}, gotPromo); diff != "" {
					t.Error(diff)
				}
				if diff := cmp.Diff(&home.Section[home.Recommendations]{State: home.Fresh, Content: recommendations, Arrived: start.Add(test.recommendations)}, gotRecommendations); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

func TestEachSectionFailsAlone(t *testing.T) {
	for _, test := range []struct {
		name string
		load home.Load[home.Promo]
		want string
	}{
		{"an error", after(time.Millisecond, home.Promo{}, errRefused), "refused"},
		{"an error beside content", after(time.Millisecond, promo, errRefused), "refused"},
		{"a panic", func(context.Context, home.Visit) (home.Answer[home.Promo], error) { panic("oh") }, "panic: oh"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, log := newHome(t, 0, test.load, after(time.Second, recommendations, nil))
				arrives := time.Now().Add(time.Second)
				broken, healthy := visit(t.Context(), h)
				if broken.State != home.Failed || broken.Content != (home.Promo{}) || broken.Err == nil || !strings.HasPrefix(broken.Err.Error(), test.want) {
					t.Errorf("broken section: %+v, want the error %q and no content", broken, test.want)
				}
				want := &home.Section[home.Recommendations]{State: home.Fresh, Content: recommendations, Arrived: arrives}
				if diff := cmp.Diff(want, healthy); diff != "" {
					t.Error(diff)
				}
				if !strings.Contains(log.String(), test.want) || !strings.Contains(log.String(), `"section":"promo"`) {
					t.Errorf("the log %q does not say what failed, and how", log)
				}
			})
		})
	}
}

// Whoever comes while a load is running waits for the rest of it, and gets the
// same section.
func TestVisitorsShareALoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := &service[home.Promo]{answer: home.Answer[home.Promo]{Content: promo}, delay: time.Second}
		h, _ := newPromo(t, slow.load)
		shared := make([]*home.Section[home.Promo], 500)
		var visitors sync.WaitGroup
		start := time.Now()
		for i := range shared {
			visitors.Go(func() {
				time.Sleep(time.Duration(i) * time.Millisecond)
				shared[i] = visitPromo(t.Context(), h)
			})
		}
		visitors.Wait()
		if got := time.Since(start); got != time.Second {
			t.Errorf("the last had its page after %v, want %v", got, time.Second)
		}
		slow.checkCalls(t, 1)
		for _, section := range shared {
			if section != shared[0] {
				t.Fatal("not the same section for all")
			}
		}
	})
}

// Whoever comes when a load is over gets a new one, but shares the one that is
// still running.
func TestVisitorsShareNoLoadThatIsOver(t *testing.T) {
	for _, test := range []struct {
		name  string
		fresh time.Duration // of the promo
		calls int           // of its service
	}{
		{"nothing may be kept", 0, 3},
		{"kept until the third visitor comes", 20 * time.Millisecond, 2},
		{"kept for longer", time.Minute, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				quick := &service[home.Promo]{answer: home.Answer[home.Promo]{Content: promo, Fresh: time.Now().Add(test.fresh)}, delay: time.Millisecond}
				slow := &service[home.Recommendations]{answer: home.Answer[home.Recommendations]{Content: recommendations}, delay: time.Second}
				const grace = 50 * time.Millisecond // nobody who waits holds up the loads of others
				h := home.New(t.Context(), home.Options{Log: slog.New(slog.DiscardHandler), Grace: grace, CacheBytes: 1 << 20}, quick.load, slow.load)
				var visitors sync.WaitGroup
				for range 3 { // at 0, 10 and 20 ms
					visitors.Go(func() {
						if promo, recommendations := visit(t.Context(), h); promo.State != home.Fresh || recommendations.State != home.Fresh {
							t.Errorf("a page of %v and %v", promo, recommendations)
						}
					})
					time.Sleep(10 * time.Millisecond)
				}
				visitors.Wait()
				quick.checkCalls(t, test.calls)
				slow.checkCalls(t, 1)
			})
		})
	}
}

// A page waits for sections that are nearly there, and no longer than it must.
func TestGrace(t *testing.T) {
	const a, b = 30 * time.Millisecond, 10 * time.Millisecond
	for _, test := range []struct {
		name                   string
		grace, leave           time.Duration // leave is when the visitor does
		waits                  time.Duration
		promo, recommendations bool // whether they are there then
	}{
		{"none", 0, time.Hour, 0, false, false},
		{"for the first", 20 * time.Millisecond, time.Hour, 20 * time.Millisecond, false, true},
		{"for both", time.Minute, time.Hour, a, true, true},
		{"the visitor leaves", time.Minute, 20 * time.Millisecond, 20 * time.Millisecond, false, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := home.New(t.Context(), home.Options{Log: slog.New(slog.DiscardHandler), Grace: test.grace, CacheBytes: 1 << 20}, after(a, promo, nil), after(b, recommendations, nil))
				ctx, leave := context.WithTimeout(t.Context(), test.leave)
				defer leave()
				start := time.Now()
				page := h.Gather(ctx, home.Visit{})
				if got := time.Since(start); got != test.waits {
					t.Errorf("waits for %v, want %v", got, test.waits)
				}
				if got := page.Promo.Section() != nil; got != test.promo {
					t.Errorf("the promo is there: %v, want %v", got, test.promo)
				}
				if got := page.Recommendations.Section() != nil; got != test.recommendations {
					t.Errorf("the recommendations are there: %v, want %v", got, test.recommendations)
				}
				for range 2 { // late ones come all the same, however often they are asked for
					if wait(t.Context(), page.Promo).Content != promo || !wait(t.Context(), page.Recommendations).Content.Equal(recommendations) {
						t.Error("the late sections are not those of the services")
					}
				}
				if got := time.Since(start); got != a {
					t.Errorf("the last section came after %v, want %v", got, a)
				}
			})
		})
	}
}

// The load that a visitor caused goes on without them, for others and for the
// breaker, and is no failure.
func TestAVisitorWhoLeavesHurtsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := &service[home.Promo]{answer: home.Answer[home.Promo]{Content: promo}, delay: time.Minute}
		h, log := newPromo(t, slow.load)
		start := time.Now()
		stays := h.Gather(t.Context(), home.Visit{})
		for range 10 {
			ctx, leave := context.WithTimeout(t.Context(), time.Second)
			start := time.Now()
			section := visitPromo(ctx, h)
			leave()
			if got := time.Since(start); got != time.Second || section != nil {
				t.Errorf("the visitor left after 1s, the page ended after %v with %v", got, section)
			}
		}
		if section := wait(t.Context(), stays.Promo); section.State != home.Fresh || section.Arrived.Sub(start) != time.Minute {
			t.Errorf("who stayed got %+v", section)
		}
		slow.checkCalls(t, 1)
		if log.Len() > 0 {
			t.Errorf("the log speaks of it: %s", log)
		}
	})
}

// The end of the program ends loads, and blames no service for it.
func TestLoadsEndWithTheProgram(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		life, end := context.WithCancel(t.Context())
		log := new(bytes.Buffer)
		h := home.New(life, home.Options{Log: slog.New(slog.NewJSONHandler(log, nil)), CacheBytes: 1 << 20}, after(time.Hour, promo, nil), after(time.Hour, recommendations, nil))
		page := h.Gather(t.Context(), home.Visit{})
		synctest.Wait()
		end()
		if section := wait(t.Context(), page.Promo); !errors.Is(section.Err, context.Canceled) {
			t.Errorf("%+v, want one that failed because the program ends", section)
		}
		if log.Len() > 0 {
			t.Errorf("the log speaks of it: %s", log)
		}
	})
}

// step is one visit of a page that is kept for a while.
type step struct {
	at      time.Duration // since the first visit
	state   home.State
	title   string // of the content
	failed  bool   // whether the section carries an error
	calls   int    // of the service until and with this visit
	instant bool   // whether the visitor waits for nothing
}

// What may be kept is shown again for as long as it may.
func TestFreshness(t *testing.T) {
	const delay = 100 * time.Millisecond
	for _, test := range []struct {
		name                        string
		fresh, revalidate, fallback time.Duration // since the load began
		failing                     bool          // from the second load on
		steps                       []step
	}{
		{
			name: "nothing may be kept",
			steps: []step{
				{0, home.Fresh, "1", false, 1, false},
				{time.Second, home.Fresh, "2", false, 2, false},
			},
		},
		{
			name: "nothing may be kept, not for a failure either", failing: true,
			steps: []step{
				{0, home.Fresh, "1", false, 1, false},
				{time.Second, home.Failed, "", true, 2, false},
			},
		},
		{
			name: "fresh for a minute", fresh: time.Minute,
			steps: []step{
				{0, home.Fresh, "1", false, 1, false},
				{time.Minute - 1, home.Fresh, "1", false, 1, true},
				{time.Minute, home.Fresh, "2", false, 2, false},
			},
		},
		{
			name: "then shown while it is loaded", fresh: time.Minute, revalidate: 2 * time.Minute,
			steps: []step{
				{0, home.Fresh, "1", false, 1, false},
				{time.Minute, home.Stale, "1", false, 2, true},
				{time.Minute + delay - 1, home.Stale, "1", false, 2, true},
				{time.Minute + delay + 1, home.Fresh, "2", false, 2, true},
				{10 * time.Minute, home.Fresh, "3", false, 3, false},
			},
		},
		{
			name: "shown while it is loaded in vain", fresh: time.Minute, revalidate: 2 * time.Minute, failing: true,
			steps: []step{
				{0, home.Fresh, "1", false, 1, false},
				{time.Minute, home.Stale, "1", false, 2, true},
				{time.Minute + 2*delay, home.Stale, "1", false, 3, true},
				{2 * time.Minute, home.Failed, "", true, 4, false},
			},
		},
		{
			name: "stands in for a failure", fallback: time.Minute, failing: true,
			steps: []step{
				{0, home.Fresh, "1", false, 1, false},
				{time.Second, home.Stale, "1", true, 2, false},
				{time.Minute - delay - 1, home.Stale, "1", true, 3, false},
				{time.Minute, home.Failed, "", true, 4, false},
			},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				titles := []string{"1", "2", "3"}
				calls := 0
				h, _ := newPromo(t, func(context.Context, home.Visit) (home.Answer[home.Promo], error) {
					calls++
					now := time.Now()
					time.Sleep(delay)
					if test.failing && calls > 1 {
						return home.Answer[home.Promo]{}, errRefused
					}
					return home.Answer[home.Promo]{
						Content: home.Promo{Title: titles[calls-1]}, At: now,
						Fresh: now.Add(test.fresh), Revalidate: now.Add(test.revalidate), Fallback: now.Add(test.fallback),
					}, nil
				})
				start := time.Now()
				for _, want := range test.steps {
					time.Sleep(time.Until(start.Add(want.at)))
					begin := time.Now()
					section := visitPromo(t.Context(), h)
					waited := time.Since(begin)
					synctest.Wait() // for a load in the background to begin
					got := step{want.at, section.State, section.Content.Title, section.Err != nil, calls, waited == 0}
					if section.State != home.Failed && section.At.IsZero() {
						t.Error("content from no time")
					}
					if got != want {
						t.Errorf("got %+v, want %+v", got, want)
					}
				}
			})
		})
	}
}

// An answer that may not be kept replaces one that might: the older is not
// shown after the newer.
func TestANewerAnswerReplacesTheOlder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		changing := &service[home.Promo]{answer: home.Answer[home.Promo]{Content: home.Promo{Title: "old"}, Fallback: time.Now().Add(time.Hour)}}
		h, _ := newPromo(t, changing.load)
		visitPromo(t.Context(), h)
		changing.set(func(s *service[home.Promo]) { s.answer = home.Answer[home.Promo]{Content: home.Promo{Title: "new"}} })
		visitPromo(t.Context(), h)
		changing.set(func(s *service[home.Promo]) { s.err = errRefused })
		if got := visitPromo(t.Context(), h); got.State != home.Failed {
			t.Errorf("%+v, want nothing", got)
		}
	})
}

// However many visitors come while an answer is stale, one load is made anew.
func TestOneLoadRefreshes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		slow := &service[home.Promo]{answer: home.Answer[home.Promo]{Content: promo, Revalidate: now.Add(time.Hour)}, delay: time.Second}
		h, _ := newPromo(t, slow.load)
		visitPromo(t.Context(), h)
		for range 500 {
			visitPromo(t.Context(), h)
		}
		synctest.Wait()
		slow.checkCalls(t, 2)
		time.Sleep(time.Second)
		synctest.Wait()
		visitPromo(t.Context(), h)
		synctest.Wait()
		slow.checkCalls(t, 3)
	})
}

// A service that hangs costs one visitor's wait. It is left alone after five
// failures in a row, and then tried with one call from time to time.
func TestAServiceThatKeepsFailing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const hangs, rest, shared = 2 * time.Second, 5 * time.Second, 30 * time.Second
		dead := &service[home.Promo]{err: errRefused, delay: hangs}
		h, log := newPromo(t, dead.load)
		visit := func(want home.State, waits time.Duration) {
			t.Helper()
			start := time.Now()
			section := visitPromo(t.Context(), h)
			if got := time.Since(start); section.State != want || got != waits {
				t.Errorf("%s after %v, want %s after %v", section.State, got, want, waits)
			}
			if want == home.Failed && !errors.Is(section.Err, errRefused) {
				t.Errorf("%v, want the service's own failure", section.Err)
			}
		}
		visit(home.Failed, hangs)
		for range 4 { // each is asked for in the background
			for range 100 {
				visit(home.Failed, 0)
			}
			time.Sleep(hangs)
			synctest.Wait()
		}
		dead.checkCalls(t, 5)
		for range 100 {
			visit(home.Failed, 0)
		}
		synctest.Wait()
		dead.checkCalls(t, 5)

		time.Sleep(rest + 1)
		for range 100 { // the first has it tried, and does not wait either
			visit(home.Failed, 0)
		}
		time.Sleep(hangs)
		synctest.Wait()
		dead.checkCalls(t, 6)

		time.Sleep(rest + 1)
		dead.set(func(s *service[home.Promo]) {
			s.err, s.answer, s.delay = nil, home.Answer[home.Promo]{Content: promo}, time.Second
		})
		visit(home.Failed, 0)
		time.Sleep(time.Second)
		synctest.Wait()
		visit(home.Fresh, time.Second)

		// What failed long ago is not shown.
		dead.set(func(s *service[home.Promo]) { s.err = errRefused })
		visit(home.Failed, time.Second)
		time.Sleep(shared)
		visit(home.Failed, time.Second)

		const failed, alone, back = "section failed", "section keeps failing; leaving its service alone", "section is back"
		want := []string{failed, failed, failed, failed, alone, failed, alone, failed, back, failed, failed}
		if diff := cmp.Diff(want, messages(t, log)); diff != "" {
			t.Errorf("log: %s", diff)
		}
	})
}

// A failure that takes no longer than the grace is not shared: the next visitor
// waits no longer for a better answer.
func TestQuickFailuresAreTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refused := &service[home.Promo]{err: errRefused, delay: time.Millisecond}
		h := home.New(t.Context(), home.Options{Log: slog.New(slog.DiscardHandler), Grace: time.Millisecond, CacheBytes: 1 << 20}, refused.load, after(0, recommendations, nil))
		visitPromo(t.Context(), h)
		refused.set(func(s *service[home.Promo]) { s.err, s.answer.Content = nil, promo })
		if got := visitPromo(t.Context(), h); got.State != home.Fresh {
			t.Errorf("%+v, want the answer of a second call", got)
		}
	})
}

// A source that has nothing to show is no failure, whether its answer is new,
// kept, or stands in for a failure.
func TestNothingToday(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nothing := &service[home.Promo]{answer: home.Answer[home.Promo]{
			Content: home.Promo{URL: "/u", Image: "/i"}, Fresh: time.Now().Add(time.Minute), Fallback: time.Now().Add(time.Hour),
		}}
		h, log := newPromo(t, nothing.load)
		for range 3 {
			if got := visitPromo(t.Context(), h); got.State != home.Empty || got.Content != (home.Promo{}) || got.Err != nil {
				t.Errorf("%+v, want an empty section", got)
			}
			nothing.set(func(s *service[home.Promo]) { s.err = errRefused })
			if log.Len() > 0 {
				t.Errorf("the log speaks of it: %s", log)
			}
		}
		time.Sleep(time.Minute)
		if got := visitPromo(t.Context(), h); got.State != home.Empty || !errors.Is(got.Err, errRefused) {
			t.Errorf("%+v, want an empty section that stands in for a failure", got)
		}
		nothing.checkCalls(t, 2)
	})
}

// When a source itself says that it has nothing any more, no older answer is
// shown, neither then nor when it fails later.
func TestAFinalFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gone := &service[home.Promo]{answer: home.Answer[home.Promo]{Content: promo, Fallback: time.Now().Add(time.Hour)}}
		h, _ := newPromo(t, gone.load)
		visitPromo(t.Context(), h)
		for _, err := range []error{fmt.Errorf("wrapped: %w", &home.LoadError{Err: errRefused, Final: true}), errRefused} {
			gone.set(func(s *service[home.Promo]) { s.err = err })
			if got := visitPromo(t.Context(), h); got.State != home.Failed || !errors.Is(got.Err, errRefused) {
				t.Errorf("%+v, want a failure", got)
			}
		}
		gone.checkCalls(t, 3)
	})
}

// A source that asks to be left alone is left alone for as long as it asks, and
// the last good answer stands in for as long as it may.
func TestASourceThatAsksForRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		busy := &service[home.Promo]{answer: home.Answer[home.Promo]{Content: promo, Fallback: time.Now().Add(20 * time.Second)}}
		h, log := newPromo(t, busy.load)
		visitPromo(t.Context(), h)
		busy.set(func(s *service[home.Promo]) {
			s.err = &home.LoadError{Err: errRefused, Until: time.Now().Add(30 * time.Second)}
		})
		for _, want := range []home.State{home.Stale, home.Stale, home.Failed, home.Failed} {
			if got := visitPromo(t.Context(), h); got.State != want || !errors.Is(got.Err, errRefused) {
				t.Errorf("%s because of %v, want %s because it was refused", got.State, got.Err, want)
			}
			busy.checkCalls(t, 2)
			if want == home.Stale {
				time.Sleep(10 * time.Second)
			}
		}
		busy.set(func(s *service[home.Promo]) { s.err = nil })
		time.Sleep(10 * time.Second)
		if got := visitPromo(t.Context(), h); got.State != home.Fresh {
			t.Errorf("%+v after the rest, want a new answer", got)
		}
		busy.checkCalls(t, 3)
		if got := messages(t, log); len(got) != 1 {
			t.Errorf("the log says %v, want the one failure", got)
		}
	})
}

// The service is told of the visit that caused the load, not of those that share
// it, and of the one that had it refreshed.
func TestLoadsAreToldOfTheirVisit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []string
		h, _ := newPromo(t, func(_ context.Context, visit home.Visit) (home.Answer[home.Promo], error) {
			told = append(told, visit.RequestID)
			time.Sleep(time.Second)
			return home.Answer[home.Promo]{Content: promo, Revalidate: time.Now().Add(time.Hour)}, nil
		})
		for _, id := range []string{"first", "shares", "has it refreshed"} {
			h.Gather(t.Context(), home.Visit{RequestID: id})
			synctest.Wait()
			if id != "first" {
				time.Sleep(2 * time.Second)
			}
		}
		synctest.Wait()
		if diff := cmp.Diff([]string{"first", "has it refreshed"}, told); diff != "" {
			t.Error(diff)
		}
	})
}

// behind returns the time as it reads when the wall clock, but not the monotonic
// one, has been put forward by d since: the same monotonic reading beside an
// earlier wall clock. (time.Time is two words and a pointer; the second word is
// the monotonic reading.)
func behind(t time.Time, d time.Duration) time.Time {
	earlier := t.Add(-d)
	(*[2]int64)(unsafe.Pointer(&earlier))[1] += int64(d)
	return earlier
}

// An answer is fresh only while both clocks say so: the wall clock goes on while
// the machine sleeps, and the monotonic one when somebody sets the other back.
func TestFreshByBothClocks(t *testing.T) {
	for name, test := range map[string]struct {
		ahead time.Duration // of the wall clock
		fresh time.Duration
		calls int
	}{
		"both agree":                 {0, time.Minute, 1},
		"the wall clock is ahead":    {time.Hour, time.Minute, 2},
		"the wall clock is set back": {-time.Hour, -time.Second, 2},
	} {
		t.Run(name, func(t *testing.T) {
			// Not under synctest, whose clock is no monotonic one.
			service := &service[home.Promo]{answer: home.Answer[home.Promo]{Content: promo, Fresh: behind(time.Now().Add(test.fresh), test.ahead)}}
			h, _ := newPromo(t, service.load)
			visitPromo(t.Context(), h)
			visitPromo(t.Context(), h)
			service.checkCalls(t, test.calls)
		})
	}
}

// While a service is left alone its last good answer stands in for as long as
// it may, and not longer.
func TestFallbackWhileAServiceIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const fallback = time.Minute
		flaky := &service[home.Promo]{answer: home.Answer[home.Promo]{Content: promo, Fallback: time.Now().Add(fallback)}}
		h, _ := newPromo(t, flaky.load)
		start := time.Now()
		visitPromo(t.Context(), h)
		flaky.set(func(s *service[home.Promo]) { s.err = errRefused })
		time.Sleep(fallback - time.Second)
		for range 6 {
			if got := visitPromo(t.Context(), h); got.State != home.Stale || !errors.Is(got.Err, errRefused) {
				t.Fatalf("%+v, want the last good answer and why it is shown", got)
			}
		}
		flaky.checkCalls(t, 6)
		time.Sleep(time.Until(start.Add(fallback)))
		for range 2 {
			if got := visitPromo(t.Context(), h); got.State != home.Failed || !errors.Is(got.Err, errRefused) {
				t.Errorf("%+v, want the failure", got)
			}
		}
		flaky.checkCalls(t, 6)
	})
}

// A refresh that comes just as a load ends is not the last.
func TestRefreshesGoOn(t *testing.T) {
	var calls atomic.Int64
	h, _ := newPromo(t, func(context.Context, home.Visit) (home.Answer[home.Promo], error) {
		calls.Add(1)
		return home.Answer[home.Promo]{Content: promo, Revalidate: time.Now().Add(time.Hour)}, nil
	})
	var visitors sync.WaitGroup
	for range 4 {
		visitors.Go(func() {
			for range 20_000 {
				visitPromo(t.Context(), h)
			}
		})
	}
	visitors.Wait()
	deadline := time.After(10 * time.Second)
	for before := calls.Load(); calls.Load() == before; { // until one more load begins
		visitPromo(t.Context(), h)
		select {
		case <-deadline:
			t.Fatal("what is stale is refreshed no more")
		default:
		}
	}
}
