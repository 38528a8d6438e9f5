package home_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"homepage/internal/home"
)

// after returns a source that takes the given time.
func after(name string, delay time.Duration, content home.Content, err error) home.Source {
	return home.Source{Name: name, Load: func(ctx context.Context) (home.Content, error) {
		select {
		case <-time.After(delay):
			return content, err
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}}
}

var (
	promo = home.Promo{Title: "An offer"}
	recco = home.Recommendations{{Title: "A book"}}
)

// The article's claim, on a clock that only the sources move: one after the
// other takes the sum, together the longest.
func TestGatherTakesAsLongAsItsSlowestSource(t *testing.T) {
	const a, b = 300 * time.Millisecond, 500 * time.Millisecond
	for _, test := range []struct {
		name  string
		limit int
		want  time.Duration
	}{
		{"one after the other", 1, a + b},
		{"all at once", 0, max(a, b)},
		{"as many at once as there are sources", 2, max(a, b)},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				page := home.New(test.limit, after("promo", a, promo, nil), after("recco", b, recco, nil))
				start := time.Now()
				sections := page.Gather(t.Context())
				if got := time.Since(start); got != test.want {
					t.Errorf("the page took %v, want %v", got, test.want)
				}
				want := []home.Section{
					{Name: "promo", Content: promo, Took: a},
					{Name: "recco", Content: recco, Took: b},
				}
				if diff := cmp.Diff(want, sections); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

func TestEachSectionFailsAlone(t *testing.T) {
	errRefused := errors.New("refused")
	for _, test := range []struct {
		name   string
		broken home.Source
		want   string
	}{
		{"an error", after("promo", time.Millisecond, nil, errRefused), "promo: refused"},
		{"an error beside content", after("promo", time.Millisecond, promo, errRefused), "promo: refused"},
		{"neither content nor error", after("promo", time.Millisecond, nil, nil), "promo: no content"},
		{"a panic", home.Source{Name: "promo", Load: func(context.Context) (home.Content, error) { panic("oh") }}, "promo: panic: oh"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sections := home.New(0, test.broken, after("recco", time.Second, recco, nil)).Gather(t.Context())
				if got := sections[0]; got.Err == nil || got.Err.Error() != test.want || got.Content != nil {
					t.Errorf("broken section: %+v, want the error %q and no content", got, test.want)
				}
				want := home.Section{Name: "recco", Content: recco, Took: time.Second}
				if diff := cmp.Diff(want, sections[1]); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

func TestGatherEndsWithItsVisitor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		sections := home.New(0, after("promo", time.Hour, promo, nil)).Gather(ctx)
		if got := time.Since(start); got != time.Second {
			t.Errorf("the visitor left after 1s, the page ended after %v", got)
		}
		if err := sections[0].Err; !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v, want the context's", err)
		}
	})
}
