package home_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"iter"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"homepage/internal/home"
)

var (
	promo = home.Promo{Title: "An offer"}
	recco = home.Recommendations{{Title: "A book"}}

	errRefused = errors.New("refused")
)

// service stands for what a source loads from. What it gives can be changed
// from load to load; it counts them.
type service struct {
	mu     sync.Mutex
	answer home.Answer
	err    error
	delay  time.Duration
	calls  int
}

func (s *service) load(ctx context.Context) (home.Answer, error) {
	s.mu.Lock()
	s.calls++
	answer, err, delay := s.answer, s.err, s.delay
	s.mu.Unlock()
	select {
	case <-time.After(delay):
		return answer, err
	case <-ctx.Done():
		return home.Answer{}, ctx.Err()
	}
}

// set changes what the next load gives.
func (s *service) set(change func(*service)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(s)
}

func (s *service) checkCalls(t *testing.T, want int) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.calls != want {
		t.Errorf("the service was called %d times, want %d", s.calls, want)
	}
}

// after is a source that takes the given time.
func after(name string, delay time.Duration, content home.Content, err error) home.Source {
	return home.Source{Name: name, Load: (&service{answer: home.Answer{Content: content}, err: err, delay: delay}).load}
}

// newHome returns a page of the sources, which begins at once, and its log.
func newHome(t *testing.T, limit int, sources ...home.Source) (*home.Home, *bytes.Buffer) {
	t.Helper()
	log := new(bytes.Buffer)
	return home.New(t.Context(), slog.New(slog.NewJSONHandler(log, nil)), limit, 0, sources...), log
}

// arriving yields every section, in the order in which they arrive.
func arriving(ctx context.Context, page *home.Home) iter.Seq[*home.Section] {
	early, late := page.Gather(ctx)
	return func(yield func(*home.Section) bool) {
		for _, section := range early {
			if !yield(section) {
				return
			}
		}
		if late != nil {
			late(func(section *home.Section, _ bool) bool { return yield(section) })
		}
	}
}

func gather(ctx context.Context, page *home.Home) []*home.Section {
	return slices.Collect(arriving(ctx, page))
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

// The article's claim, on a clock that only the sources move: one after the
// other takes the sum, together the longest.
func TestGatherTakesAsLongAsItsSlowestSource(t *testing.T) {
	const a, b = 500 * time.Millisecond, 300 * time.Millisecond
	first := &home.Section{Name: "promo", Place: 0, State: home.Fresh, Content: promo, Took: a}
	second := &home.Section{Name: "recco", Place: 1, State: home.Fresh, Content: recco, Took: b}
	anyArrival := cmpopts.IgnoreFields(home.Section{}, "Arrived")
	for _, test := range []struct {
		name  string
		limit int
		took  time.Duration
		want  []*home.Section // in the order in which they arrive
	}{
		{"one after the other", 1, a + b, []*home.Section{first, second}},
		{"all at once", 0, max(a, b), []*home.Section{second, first}},
		{"as many at once as there are sources", 2, max(a, b), []*home.Section{second, first}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				page, _ := newHome(t, test.limit, after("promo", a, promo, nil), after("recco", b, recco, nil))
				start := time.Now()
				sections := gather(t.Context(), page)
				if got := time.Since(start); got != test.took {
					t.Errorf("the page took %v, want %v", got, test.took)
				}
				if got := sections[1].Arrived.Sub(start); got != test.took {
					t.Errorf("the last arrived after %v, want %v", got, test.took)
				}
				if diff := cmp.Diff(test.want, sections, anyArrival); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

func TestEachSectionFailsAlone(t *testing.T) {
	for _, test := range []struct {
		name   string
		broken home.Source
		want   string
	}{
		{"an error", after("promo", time.Millisecond, nil, errRefused), "refused"},
		{"an error beside content", after("promo", time.Millisecond, promo, errRefused), "refused"},
		{"neither content nor error", after("promo", time.Millisecond, nil, nil), "no content"},
		{"a panic", home.Source{Name: "promo", Load: func(context.Context) (home.Answer, error) { panic("oh") }}, "panic: oh"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				page, log := newHome(t, 0, test.broken, after("recco", time.Second, recco, nil))
				arrives := time.Now().Add(time.Second)
				sections := gather(t.Context(), page)
				if got := sections[0]; got.State != home.Failed || got.Content != nil || got.Err == nil || !strings.HasPrefix(got.Err.Error(), test.want) {
					t.Errorf("broken section: %+v, want the error %q and no content", got, test.want)
				}
				want := &home.Section{Name: "recco", Place: 1, State: home.Fresh, Content: recco, Took: time.Second, Arrived: arrives}
				if diff := cmp.Diff(want, sections[1]); diff != "" {
					t.Error(diff)
				}
				if !strings.Contains(log.String(), test.want) || !strings.Contains(log.String(), `"section":"promo"`) {
					t.Errorf("the log %q does not say what failed, and how", log)
				}
			})
		})
	}
}

// Whoever comes while a load runs waits for its rest, and gets the same.
func TestVisitorsShareALoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := &service{answer: home.Answer{Content: promo}, delay: time.Second}
		page, _ := newHome(t, 0, home.Source{Name: "promo", Load: slow.load})
		shared := make([]*home.Section, 500)
		var visitors sync.WaitGroup
		start := time.Now()
		for i := range shared {
			visitors.Go(func() {
				time.Sleep(time.Duration(i) * time.Millisecond)
				shared[i] = gather(t.Context(), page)[0]
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

// Who comes when a load is over gets a new one, but shares what still runs.
func TestVisitorsShareNoLoadThatIsOver(t *testing.T) {
	for _, test := range []struct {
		name  string
		fresh time.Duration // of the promo
		calls int           // of its service
	}{
		{"nothing may be kept", 0, 3},
		{"kept until the third comes", 20 * time.Millisecond, 2},
		{"kept for longer", time.Minute, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				quick := &service{answer: home.Answer{Content: promo, Fresh: time.Now().Add(test.fresh)}, delay: time.Millisecond}
				slow := &service{answer: home.Answer{Content: recco}, delay: time.Second}
				page, _ := newHome(t, 0, home.Source{Name: "promo", Load: quick.load}, home.Source{Name: "recco", Load: slow.load})
				var visitors sync.WaitGroup
				for range 3 { // at 0, 10 and 20 ms
					visitors.Go(func() {
						if got := gather(t.Context(), page); len(got) != 2 {
							t.Errorf("a page of %v", got)
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

// Visitors who still wait for a slow section do not put off the loads of who
// comes after them.
func TestWhoWaitsHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const grace = 50 * time.Millisecond
		quick := &service{answer: home.Answer{Content: promo}, delay: time.Millisecond}
		slow := &service{answer: home.Answer{Content: recco}, delay: time.Second}
		page := home.New(t.Context(), slog.New(slog.DiscardHandler), 0, grace, home.Source{Name: "promo", Load: quick.load}, home.Source{Name: "recco", Load: slow.load})
		var visitors sync.WaitGroup
		for range 3 { // all within the grace of the first
			visitors.Go(func() { gather(t.Context(), page) })
			time.Sleep(grace / 5)
		}
		quick.checkCalls(t, 3)
		visitors.Wait()
		slow.checkCalls(t, 1)
	})
}

// A page waits for sections that are nearly there, and no longer than it must.
func TestGrace(t *testing.T) {
	const a, b = 30 * time.Millisecond, 10 * time.Millisecond
	for _, test := range []struct {
		name  string
		grace time.Duration
		leave time.Duration // when the visitor does
		waits time.Duration
		early []string
		pause time.Duration // before the rest is asked for
		late  []string
	}{
		{"none", 0, time.Hour, 0, nil, 0, []string{"recco, more to wait for", "promo"}},
		{"none, and the rest is there when it is asked for", 0, time.Hour, 0, nil, time.Minute, []string{"recco", "promo"}},
		{"for the first", 20 * time.Millisecond, time.Hour, 20 * time.Millisecond, []string{"recco"}, 0, []string{"promo"}},
		{"for both", time.Minute, time.Hour, a, []string{"promo", "recco"}, 0, nil},
		{"the visitor leaves", time.Minute, 20 * time.Millisecond, 20 * time.Millisecond, []string{"recco"}, 0, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				page := home.New(t.Context(), slog.New(slog.DiscardHandler), 0, test.grace, after("promo", a, promo, nil), after("recco", b, recco, nil))
				ctx, leave := context.WithTimeout(t.Context(), test.leave)
				defer leave()
				start := time.Now()
				early, late := page.Gather(ctx)
				if got := time.Since(start); got != test.waits {
					t.Errorf("waits for %v, want %v", got, test.waits)
				}
				if diff := cmp.Diff(test.early, names(early)); diff != "" {
					t.Errorf("early: %s", diff)
				}
				time.Sleep(test.pause)
				var rest []string
				if late != nil {
					for section, more := range late {
						rest = append(rest, section.Name+map[bool]string{true: ", more to wait for"}[more])
					}
				}
				if diff := cmp.Diff(test.late, rest); diff != "" {
					t.Errorf("late: %s", diff)
				}
			})
		})
	}
}

// only returns the one section that is late.
func only(t *testing.T, late iter.Seq2[*home.Section, bool]) *home.Section {
	t.Helper()
	var all []*home.Section
	for section := range late {
		all = append(all, section)
	}
	if len(all) != 1 {
		t.Fatalf("%d sections are late, want one", len(all))
	}
	return all[0]
}

func names(sections []*home.Section) (names []string) {
	for _, section := range sections {
		names = append(names, section.Name)
	}
	return names
}

// The load that a visitor caused goes on without them, for others and for the
// breaker, and is no failure.
func TestAVisitorWhoLeavesHurtsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := &service{answer: home.Answer{Content: promo}, delay: time.Minute}
		page, log := newHome(t, 0, home.Source{Name: "promo", Load: slow.load})
		_, stays := page.Gather(t.Context())
		for range 10 {
			ctx, leave := context.WithTimeout(t.Context(), time.Second)
			start := time.Now()
			sections := gather(ctx, page)
			leave()
			if got := time.Since(start); got != time.Second || len(sections) > 0 {
				t.Errorf("the visitor left after 1s, the page ended after %v with %v", got, sections)
			}
		}
		if section := only(t, stays); section.State != home.Fresh || section.Took != time.Minute {
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
		page := home.New(life, slog.New(slog.NewJSONHandler(log, nil)), 0, 0, after("promo", time.Hour, promo, nil))
		_, late := page.Gather(t.Context())
		synctest.Wait()
		end()
		if section := only(t, late); !errors.Is(section.Err, context.Canceled) {
			t.Errorf("%+v, want what failed for the end of life", section)
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
				page, _ := newHome(t, 0, home.Source{Name: "promo", Load: func(context.Context) (home.Answer, error) {
					calls++
					now := time.Now()
					time.Sleep(delay)
					if test.failing && calls > 1 {
						return home.Answer{}, errRefused
					}
					return home.Answer{
						Content: home.Promo{Title: titles[calls-1]}, At: now,
						Fresh: now.Add(test.fresh), Revalidate: now.Add(test.revalidate), Fallback: now.Add(test.fallback),
					}, nil
				}})
				start := time.Now()
				for _, want := range test.steps {
					time.Sleep(time.Until(start.Add(want.at)))
					begin := time.Now()
					section := gather(t.Context(), page)[0]
					waited := time.Since(begin)
					synctest.Wait() // for a load in the background to begin
					got := step{want.at, section.State, "", section.Err != nil, calls, waited == 0}
					if content, ok := section.Content.(home.Promo); ok {
						got.title = content.Title
						if section.At.IsZero() {
							t.Error("content from no time")
						}
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
		changing := &service{answer: home.Answer{Content: home.Promo{Title: "old"}, Fallback: time.Now().Add(time.Hour)}}
		page, _ := newHome(t, 0, home.Source{Name: "promo", Load: changing.load})
		gather(t.Context(), page)
		changing.set(func(s *service) { s.answer = home.Answer{Content: home.Promo{Title: "new"}} })
		gather(t.Context(), page)
		changing.set(func(s *service) { s.err = errRefused })
		if got := gather(t.Context(), page)[0]; got.State != home.Failed {
			t.Errorf("%+v, want nothing", got)
		}
	})
}

// However many visitors come while an answer is stale, one load is made anew.
func TestOneLoadRefreshes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		slow := &service{answer: home.Answer{Content: promo, Revalidate: now.Add(time.Hour)}, delay: time.Second}
		page, _ := newHome(t, 0, home.Source{Name: "promo", Load: slow.load})
		gather(t.Context(), page)
		for range 500 {
			gather(t.Context(), page)
		}
		synctest.Wait()
		slow.checkCalls(t, 2)
		time.Sleep(time.Second)
		synctest.Wait()
		gather(t.Context(), page)
		synctest.Wait()
		slow.checkCalls(t, 3)
	})
}

// A service that hangs is left alone after five failures in a row, and tried
// with one call from time to time, for which one visitor waits at most.
func TestAServiceThatKeepsFailing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const hangs, rest = 2 * time.Second, 5 * time.Second
		dead := &service{err: errRefused, delay: hangs}
		page, log := newHome(t, 0, home.Source{Name: "promo", Load: dead.load}, after("recco", 0, recco, nil))
		visit := func(want home.State, waits time.Duration) *home.Section {
			t.Helper()
			start := time.Now()
			for section := range arriving(t.Context(), page) {
				if section.Name == "promo" {
					if got := time.Since(start); section.State != want || got != waits {
						t.Errorf("%s after %v, want %s after %v", section.State, got, want, waits)
					}
					return section
				}
			}
			return nil
		}
		for range 5 {
			visit(home.Failed, hangs)
		}
		for range 100 {
			if got := visit(home.Failed, 0); !errors.Is(got.Err, errRefused) || got.Took != hangs {
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
		dead.set(func(s *service) { s.err, s.answer, s.delay = nil, home.Answer{Content: promo}, time.Second })
		visit(home.Fresh, time.Second)
		visit(home.Fresh, time.Second)

		const failed, alone, back = "section failed", "section keeps failing, its service is left alone", "section is back"
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
		flaky := &service{answer: home.Answer{Content: promo, Fallback: time.Now().Add(fallback)}}
		page, _ := newHome(t, 0, home.Source{Name: "promo", Load: flaky.load})
		start := time.Now()
		gather(t.Context(), page)
		flaky.set(func(s *service) { s.err = errRefused })
		time.Sleep(fallback - time.Second)
		for range 6 {
			if got := gather(t.Context(), page)[0]; got.State != home.Stale || !errors.Is(got.Err, errRefused) {
				t.Fatalf("%+v, want the last good answer and why it is shown", got)
			}
		}
		flaky.checkCalls(t, 6)
		time.Sleep(time.Until(start.Add(fallback)))
		for range 2 {
			if got := gather(t.Context(), page)[0]; got.State != home.Failed || !errors.Is(got.Err, errRefused) {
				t.Errorf("%+v, want the failure", got)
			}
		}
		flaky.checkCalls(t, 6)
	})
}

// A refresh that comes just as a load ends is not the last.
func TestRefreshesGoOn(t *testing.T) {
	var calls atomic.Int64
	page, _ := newHome(t, 0, home.Source{Name: "promo", Load: func(context.Context) (home.Answer, error) {
		calls.Add(1)
		return home.Answer{Content: promo, Revalidate: time.Now().Add(time.Hour)}, nil
	}})
	var visitors sync.WaitGroup
	for range 4 {
		visitors.Go(func() {
			for range 20_000 {
				gather(t.Context(), page)
			}
		})
	}
	visitors.Wait()
	deadline := time.After(10 * time.Second)
	for before := calls.Load(); calls.Load() == before; { // until one more load begins
		gather(t.Context(), page)
		select {
		case <-deadline:
			t.Fatal("what is stale is refreshed no more")
		default:
		}
	}
}
