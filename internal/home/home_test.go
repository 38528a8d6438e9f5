package home_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

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

func (s *service[T]) load(ctx context.Context) (home.Answer[T], error) {
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
	return home.New(t.Context(), slog.New(slog.NewJSONHandler(log, nil)), limit, 0, promo, recommendations), log
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
	return wait(ctx, h.Gather(ctx).Promo)
}

// visit waits for both sections of a page.
func visit(ctx context.Context, h *home.Home) (*home.Section[home.Promo], *home.Section[home.Recommendations]) {
	page := h.Gather(ctx)
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
		{"a panic", func(context.Context) (home.Answer[home.Promo], error) { panic("oh") }, "panic: oh"},
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
				h := home.New(t.Context(), slog.New(slog.DiscardHandler), 0, grace, quick.load, slow.load)
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
				h := home.New(t.Context(), slog.New(slog.DiscardHandler), 0, test.grace, after(a, promo, nil), after(b, recommendations, nil))
				ctx, leave := context.WithTimeout(t.Context(), test.leave)
				defer leave()
				start := time.Now()
				page := h.Gather(ctx)
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
		stays := h.Gather(t.Context())
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
		h := home.New(life, slog.New(slog.NewJSONHandler(log, nil)), 0, 0, after(time.Hour, promo, nil), after(time.Hour, recommendations, nil))
		page := h.Gather(t.Context())
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
				h, _ := newPromo(t, func(context.Context) (home.Answer[home.Promo], error) {
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

// A service that hangs is left alone after five failures in a row, and tried
// with one call from time to time, for which one visitor waits at most.
func TestAServiceThatKeepsFailing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const hangs, rest = 2 * time.Second, 5 * time.Second
		dead := &service[home.Promo]{err: errRefused, delay: hangs}
		h, log := newPromo(t, dead.load)
		visit := func(want home.State, waits time.Duration) *home.Section[home.Promo] {
			t.Helper()
			start := time.Now()
			section := visitPromo(t.Context(), h)
			if got := time.Since(start); section.State != want || got != waits {
				t.Errorf("%s after %v, want %s after %v", section.State, got, want, waits)
			}
			return section
		}
		for range 5 {
			visit(home.Failed, hangs)
		}
		for range 100 {
			if got := visit(home.Failed, 0); !errors.Is(got.Err, errRefused) {
				t.Fatalf("%+v, want the last failure", got)
			}
		}
		dead.checkCalls(t, 5)

		time.Sleep(rest + 1)
		prober := make(chan struct{})
		go func() {
			visit(home.Failed, hangs)
			close(prober)
		}()
		synctest.Wait()
		for range 100 {
			visit(home.Failed, 0)
		}
		<-prober
		dead.checkCalls(t, 6)
		visit(home.Failed, 0)

		time.Sleep(rest + 1)
		dead.set(func(s *service[home.Promo]) {
			s.err, s.answer, s.delay = nil, home.Answer[home.Promo]{Content: promo}, time.Second
		})
		visit(home.Fresh, time.Second)
		visit(home.Fresh, time.Second)

		const failed, alone, back = "section failed", "section keeps failing; leaving its service alone", "section is back"
		want := []string{failed, failed, failed, failed, alone, failed, alone, failed, back}
		if diff := cmp.Diff(want, messages(t, log)); diff != "" {
			t.Errorf("log: %s", diff)
		}
	})
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
	h, _ := newPromo(t, func(context.Context) (home.Answer[home.Promo], error) {
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
