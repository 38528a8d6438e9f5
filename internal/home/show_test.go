package home_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"homepage/internal/home"
)

// What pages show of a section is made once, when it arrives: as it is fresh, as
// it is shown while its source is asked again, and when it stands in.
func TestSectionsAreShownOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var fails error
		load := func(context.Context, home.Visit) (home.Answer[home.Promo], error) {
			now := time.Now()
			return home.Answer[home.Promo]{
				Content: promo, At: now, Fresh: now.Add(time.Minute), Revalidate: now.Add(2 * time.Minute), Fallback: now.Add(time.Hour),
			}, fails
		}
		made := map[home.State]int{}
		h := home.New(t.Context(), home.Options{
			Log: slog.New(slog.DiscardHandler), Grace: time.Second, CacheBytes: 1 << 20,
			ShowPromo: func(section *home.Section[home.Promo]) *home.HTML {
				made[section.State]++
				return &home.HTML{Plain: []byte(section.State)}
			},
		}, load, after(0, recommendations, nil))
		visit := as(nil, []string{"ann"})
		see := func(want home.State) {
			t.Helper()
			page := h.Gather(t.Context(), visit)
			got := page.Promo.Section()
			if got.State != want || string(got.HTML.Plain) != string(want) || page.Recommendations.Section().HTML != nil {
				t.Errorf("a section that is %s shows %q, want %s", got.State, got.HTML.Plain, want)
			}
			synctest.Wait()
		}
		for range 3 {
			see(home.Fresh)
		}
		fails = errors.New("refused")
		<-time.After(90 * time.Second) // of synctest's
		for range 3 {
			see(home.Stale)
		}
		<-time.After(time.Minute)
		for range 3 {
			see(home.Stale)
		}
		if made[home.Fresh] != 1 || made[home.Stale] < 2 || made[home.Stale] > 8 || made[home.Failed] != 0 {
			t.Errorf("made %v", made)
		}
	})
}
