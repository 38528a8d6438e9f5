package home_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"homepage/internal/home"
)

// The things that the services of these tests are told.
const (
	language home.Things = 1 << iota
	cookie
)

// as is a visit of whom the promo's service is told these things. nil was not
// sent.
func as(things ...[]string) home.Visit {
	return home.Visit{Promo: home.NewVisitor[home.Promo](things)}
}

// told is what a load is told, in words.
func told(visit home.Visit) string { return fmt.Sprintf("%q", visit.Promo.Things()) }

// personal is a service that answers with what it is told.
type personal struct {
	mu     sync.Mutex
	calls  []string
	answer func(visit home.Visit) (home.Answer[home.Promo], error)
}

func (p *personal) load(_ context.Context, visit home.Visit) (home.Answer[home.Promo], error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls = append(p.calls, told(visit))
	return p.answer(visit)
}

// lastingFor is an answer that says what was told, and is fresh for a while.
func lastingFor(fresh time.Duration, ignored home.Things) func(visit home.Visit) (home.Answer[home.Promo], error) {
	return func(visit home.Visit) (home.Answer[home.Promo], error) {
		return home.Answer[home.Promo]{Content: home.Promo{Title: told(visit)}, Fresh: time.Now().Add(fresh), Ignored: ignored}, nil
	}
}

func title(t *testing.T, h *home.Home, visit home.Visit) string {
	t.Helper()
	return wait(t.Context(), h.Gather(t.Context(), visit).Promo).Content.Title
}

// The values are compared whole: what differs in anything is another visitor.
func TestVisitorsAreToldApart(t *testing.T) {
	visits := []home.Visit{
		{},
		as([]string{""}, nil),
		as(nil, []string{""}),
		as([]string{""}, []string{""}),
		as([]string{"a"}, nil),
		as(nil, []string{"a"}),
		as([]string{"a", ""}, nil),
		as([]string{"", "a"}, nil),
		as([]string{"a"}, []string{""}),
		as([]string{"ab"}, nil),
		as([]string{"a", "b"}, nil),
		as([]string{"a"}, []string{"b"}),
		as([]string{"a\x01b"}, nil),
		as([]string{"a\x00"}, nil),
		as([]string{"A"}, nil),
		as([]string{strings.Repeat("a", 4095) + "b"}, nil),
		as([]string{strings.Repeat("a", 4096)}, nil),
	}
	synctest.Test(t, func(t *testing.T) {
		service := &personal{answer: lastingFor(time.Minute, 0)}
		h, _ := newPromo(t, service.load)
		for range 2 { // loaded, and kept
			for _, visit := range visits {
				if got := title(t, h, visit); got != told(visit) {
					t.Errorf("%s got the section of %s", told(visit), got)
				}
			}
		}
		if len(service.calls) != len(visits) {
			t.Errorf("%d calls for %d visitors", len(service.calls), len(visits))
		}
	})
	if as(nil, nil) != (home.Visit{}) {
		t.Error("who sends nothing is not nobody in particular")
	}
}

// An answer is shared by all who differ only in what it ignores.
func TestIgnoredThings(t *testing.T) {
	german, french := []string{"de"}, []string{"fr"}
	ann, ben := []string{"ann"}, []string{"ben"}
	for _, test := range []struct {
		name    string
		ignored home.Things
		calls   []string // of four visitors who come twice
	}{
		{"nothing", 0, []string{`[["de"] ["ann"]]`, `[["de"] ["ben"]]`, `[["fr"] ["ann"]]`, `[[] ["ben"]]`}},
		{"the cookie", cookie, []string{`[["de"] ["ann"]]`, `[["fr"] ["ann"]]`, `[[] ["ben"]]`}},
		{"the language", language, []string{`[["de"] ["ann"]]`, `[["de"] ["ben"]]`}},
		{"both", language | cookie, []string{`[["de"] ["ann"]]`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				service := &personal{answer: lastingFor(time.Minute, test.ignored)}
				h, _ := newPromo(t, service.load)
				for range 2 {
					for _, visit := range []home.Visit{as(german, ann), as(german, ben), as(french, ann), as(nil, ben)} {
						section := wait(t.Context(), h.Gather(t.Context(), visit).Promo)
						want := test.ignored&cookie == 0 || test.ignored&language == 0 && visit.Promo.Things()[0] != nil
						if section.Personal != want {
							t.Errorf("personal: %v, want %v", section.Personal, want)
						}
					}
				}
				if diff := cmp.Diff(test.calls, service.calls); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

// Nobody waits for another's load, however little answers differed so far: this
// one may be the first that does. The same goes for a refresh.
func TestTheFirstAnswerThatDiffers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ann, ben, cid := as([]string{"de"}, []string{"ann"}), as([]string{"de"}, []string{"ben"}), as([]string{"de"}, nil)
		ignored, delay := cookie, time.Duration(0)
		service := func(_ context.Context, visit home.Visit) (home.Answer[home.Promo], error) {
			now := ignored
			<-time.After(delay)
			answer, err := lastingFor(time.Second, now)(visit)
			answer.Revalidate = answer.Fresh.Add(time.Second)
			return answer, err
		}
		h, _ := newPromo(t, service)
		if got := title(t, h, ann); got != told(ann) {
			t.Errorf("ann got %s", got)
		}
		if got := title(t, h, ben); got != told(ann) {
			t.Errorf("ben got %s, though the cookie does not matter", got)
		}
		ignored, delay = 0, 3*time.Second
		<-time.After(1500 * time.Millisecond)
		if got := title(t, h, ann); got != told(ann) { // and begins to refresh it
			t.Errorf("ann got %s", got)
		}
		<-time.After(time.Second) // nothing may be shown now until a load is over
		var visitors sync.WaitGroup
		for _, visit := range []home.Visit{ben, cid} {
			visitors.Go(func() {
				if got := title(t, h, visit); got != told(visit) {
					t.Errorf("%s waited, and got %s", told(visit), got)
				}
			})
		}
		visitors.Wait()
	})
}

// One refresh is enough for all who share what it renews.
func TestVisitorsWhoShareASectionShareItsRefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service := &service[home.Promo]{answer: home.Answer[home.Promo]{
			Content: promo, Fresh: time.Now().Add(time.Second), Revalidate: time.Now().Add(time.Minute), Ignored: cookie,
		}, delay: 10 * time.Millisecond}
		h, _ := newPromo(t, service.load)
		visitPromo(t.Context(), h)
		for i := range 100 {
			title(t, h, as([]string{"de"}, []string{strconv.Itoa(i)}))
		}
		service.checkCalls(t, 2) // and one of those in German
		<-time.After(2 * time.Second)
		for i := range 100 {
			title(t, h, as([]string{"de"}, []string{strconv.Itoa(i)}))
		}
		<-time.After(time.Second)
		service.checkCalls(t, 3)
	})
}

// What a service says of one visitor neither rests it for others nor opens the
// breaker, nor takes from others what they share.
func TestPersonalFailures(t *testing.T) {
	for _, ignored := range []home.Things{0, cookie} {
		synctest.Test(t, func(t *testing.T) {
			good := lastingFor(time.Second, ignored)
			service := &personal{answer: func(visit home.Visit) (home.Answer[home.Promo], error) {
				if strings.Contains(told(visit), "forged") {
					return home.Answer[home.Promo]{}, &home.LoadError{Err: errRefused, Final: true, Until: time.Now().Add(time.Minute), Personal: true}
				}
				answer, err := good(visit)
				answer.Fallback = answer.Fresh.Add(time.Hour)
				return answer, err
			}}
			h, _ := newPromo(t, service.load)
			ann := as([]string{"de"}, []string{"ann"})
			title(t, h, ann)
			<-time.After(2 * time.Second)
			for i := range 20 {
				for range 2 { // the second asks nobody, but if the language is shared
					section := wait(t.Context(), h.Gather(t.Context(), as([]string{"de"}, []string{fmt.Sprint("forged", i)})).Promo)
					if section.State != home.Failed || !errors.Is(section.Err, errRefused) {
						t.Errorf("who is refused gets %+v", section)
					}
				}
			}
			if ignored == 0 && len(service.calls) != 21 {
				t.Errorf("%d calls", len(service.calls))
			}
			if promo, _ := h.Breakers(); promo != "closed" {
				t.Errorf("the breaker is %s", promo)
			}
			if section := wait(t.Context(), h.Gather(t.Context(), ann).Promo); section.State != home.Fresh {
				t.Errorf("ann gets %+v", section)
			}
			service.answer = func(home.Visit) (home.Answer[home.Promo], error) { return home.Answer[home.Promo]{}, errRefused }
			<-time.After(2 * time.Second)
			if section := wait(t.Context(), h.Gather(t.Context(), ann).Promo); section.State != home.Stale || section.Content.Title != told(ann) {
				t.Errorf("ann's last good section does not stand in: %+v", section)
			}
		})
	}
}

// The breaker and the rest that a service asks for hold for all visitors. Who has
// a section that may stand in gets that, and nobody else does.
func TestAServicesTroubleIsEveryones(t *testing.T) {
	rest := &home.LoadError{Err: errRefused, Until: time.Now().Add(time.Hour)}
	for name, failures := range map[string][]error{
		"it asks for rest":  {rest},
		"it keeps failing":  slices.Repeat([]error{errRefused}, 5),
		"asks among others": {errRefused, rest, errRefused},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rest.Until = time.Now().Add(3 * time.Second)
				service := &personal{answer: func(visit home.Visit) (home.Answer[home.Promo], error) {
					answer, err := lastingFor(time.Second, 0)(visit)
					answer.Fallback = answer.Fresh.Add(time.Minute)
					return answer, err
				}}
				h, _ := newPromo(t, service.load)
				ann := as(nil, []string{"ann"})
				title(t, h, ann)
				<-time.After(2 * time.Second)
				var visitors sync.WaitGroup
				held := make(chan struct{})
				failing := slices.Clone(failures)
				load := func() error { err := failing[0]; failing = failing[1:]; return err }
				service.answer = func(home.Visit) (home.Answer[home.Promo], error) { return home.Answer[home.Promo]{}, load() }
				for i := range failures {
					visitors.Go(func() {
						<-held
						title(t, h, as(nil, []string{fmt.Sprint("other", i)}))
					})
				}
				close(held)
				visitors.Wait()
				calls := len(service.calls)
				for _, visitor := range []home.Visit{ann, as(nil, []string{"ben"}), {}} {
					section := wait(t.Context(), h.Gather(t.Context(), visitor).Promo)
					if want := visitor == ann; (section.State == home.Stale && section.Content.Title == told(ann)) != want || section.Err == nil {
						t.Errorf("%s gets %+v", told(visitor), section)
					}
				}
				if len(service.calls) != calls {
					t.Errorf("it was called %d times more", len(service.calls)-calls)
				}
				service.answer = lastingFor(time.Second, 0)
				<-time.After(6 * time.Second)
				if got := title(t, h, as(nil, []string{"ben"})); got != `[[] ["ben"]]` {
					t.Errorf("once it is over, ben gets %q", got)
				}
			})
		})
	}
}

// However a visitor or a visit is written, its values are not. (But by %p, which
// asks for no method, and which go vet refuses.)
func TestNothingPrintsAVisitor(t *testing.T) {
	const value = "hunter2"
	visit := as([]string{value}, []string{value})
	var out bytes.Buffer
	for _, verb := range []string{"v", "+v", "#v", "s", "q", "x", "X", "d", "t", "b", "e", "U"} {
		fmt.Fprintf(&out, "%"+verb+"%"+verb+"%"+verb+"%"+verb+"\n", visit, &visit, visit.Promo, &visit.Promo)
	}
	for _, handler := range []slog.Handler{slog.NewJSONHandler(&out, nil), slog.NewTextHandler(&out, nil)} {
		slog.New(handler).Error("x", "visit", visit, "visitor", visit.Promo, "both", []any{visit.Promo, &visit})
	}
	encoded, err := json.Marshal(map[home.Visitor[home.Promo]]any{visit.Promo: visit})
	if err != nil {
		t.Fatal(err)
	}
	out.Write(encoded)
	fmt.Fprintln(&out, fmt.Errorf("%v %w", visit, fmt.Errorf("%+v", visit.Promo)))
	if text := out.String(); strings.Contains(text, value) || strings.Contains(strings.ToLower(text), fmt.Sprintf("%x", value)) {
		t.Errorf("a value is in\n%s", text)
	}
}

// Each page shows its own visitor's section, or nothing: never another's. The
// service answers late, fails, is asked again in the background and whether
// anything is newer, and what it differs by changes; visitors leave; and the
// cache holds a tenth of the sections.
func TestNoVisitorSeesAnothersSection(t *testing.T) {
	const (
		visitors = 2000
		visits   = 3
		bytes    = visitors / 10 * 1300
	)
	languages := [][]string{nil, {""}, {"de"}, {"de", "fr"}, {"de, fr"}}
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		// A section says whom it is for, as far as it differs by that.
		content := func(visit home.Visit, ignored home.Things) home.Promo {
			things := visit.Promo.Things()
			if things == nil {
				things = make([][]string, 2)
			}
			if ignored&cookie != 0 {
				return home.Promo{Title: fmt.Sprintf("%q", things[0])}
			}
			return home.Promo{Title: fmt.Sprintf("%q %q", things[0], things[1])}
		}
		var load home.Load[home.Promo]
		load = func(ctx context.Context, visit home.Visit) (home.Answer[home.Promo], error) {
			select {
			case <-time.After(rand.N(100 * time.Millisecond)):
			case <-ctx.Done():
				return home.Answer[home.Promo]{}, ctx.Err()
			}
			switch rand.N(100) {
			case 0, 1, 2:
				return home.Answer[home.Promo]{}, errRefused
			case 3, 4, 5:
				return home.Answer[home.Promo]{}, &home.LoadError{Err: errRefused, Final: true, Until: time.Now().Add(rand.N(time.Second)), Personal: true}
			case 6:
				return home.Answer[home.Promo]{}, &home.LoadError{Err: errRefused, Until: time.Now().Add(rand.N(50 * time.Millisecond))}
			}
			// For a while the cookie doesn't matter, and then it does to some.
			ignored := home.Things(0)
			if phase := time.Since(start); phase < 5*time.Second || phase < 10*time.Second && rand.N(2) == 0 {
				ignored = cookie
			}
			now := time.Now()
			answer := home.Answer[home.Promo]{Content: content(visit, ignored), At: now, Ignored: ignored}
			if rand.N(5) > 0 { // else not to be kept
				answer.Fresh = now.Add(rand.N(200 * time.Millisecond))
				answer.Revalidate = answer.Fresh.Add(rand.N(200 * time.Millisecond))
				answer.Fallback = answer.Revalidate.Add(rand.N(time.Second))
				answer.Again = func(ctx context.Context, visit home.Visit) (home.Answer[home.Promo], error) {
					if rand.N(2) == 0 {
						return load(ctx, visit)
					}
					answer := answer // not modified
					answer.Fresh = time.Now().Add(rand.N(time.Second))
					return answer, nil
				}
			}
			return answer, nil
		}
		h := home.New(t.Context(), home.Options{Log: slog.New(slog.DiscardHandler), Grace: 10 * time.Millisecond, CacheBytes: bytes}, load, after(0, recommendations, nil))
		var group sync.WaitGroup
		var mu sync.Mutex
		seen := map[home.State]int{}
		for i := range visitors {
			group.Go(func() {
				visit := home.Visit{}
				if i%100 > 0 {
					// Values that begin and end alike, and are as long as each other.
					visit = as(languages[i%len(languages)], []string{fmt.Sprintf("session-%04d-end", i)})
				}
				for range visits {
					<-time.After(rand.N(5 * time.Second))
					for range 3 { // again, while the section is still there
						<-time.After(rand.N(200 * time.Millisecond))
						ctx, leave := context.WithTimeout(t.Context(), rand.N(200*time.Millisecond))
						section := wait(ctx, h.Gather(ctx, visit).Promo)
						leave()
						if section == nil {
							continue
						}
						mu.Lock()
						seen[section.State]++
						mu.Unlock()
						if got := section.Content; section.State != home.Failed && got != content(visit, 0) && got != content(visit, cookie) {
							t.Errorf("%s got %v", told(visit), got)
						}
					}
				}
			})
		}
		group.Wait()
		if seen[home.Fresh] < visitors || seen[home.Stale] < visitors/20 || seen[home.Failed] < visitors/20 {
			t.Errorf("not much was tried: %v", seen)
		}
		t.Log(seen)
	})
}
