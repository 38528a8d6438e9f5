package home_test

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"testing"
	"time"

	"homepage/internal/home"
)

// flooded is a homepage whose promo differs by visitor and is about 1 KiB, and
// the number of its loads.
func flooded(tb testing.TB, cacheBytes int64) (h *home.Home, loads *int) {
	tb.Helper()
	loads = new(int)
	text := strings.Repeat("x", 1000)
	load := func(_ context.Context, visit home.Visit) (home.Answer[home.Promo], error) {
		*loads++ // one at a time, since each is waited for
		return home.Answer[home.Promo]{Content: home.Promo{Title: told(visit), Text: strings.Clone(text)}, Fresh: time.Now().Add(time.Hour)}, nil
	}
	always := home.Answer[home.Recommendations]{Content: recommendations, Fresh: time.Now().Add(time.Hour)}
	return home.New(tb.Context(), home.Options{Log: slog.New(slog.DiscardHandler), Grace: time.Minute, CacheBytes: cacheBytes}, load,
		func(context.Context, home.Visit) (home.Answer[home.Recommendations], error) { return always, nil }), loads
}

func visitNumber(tb testing.TB, h *home.Home, name string, number int) {
	tb.Helper()
	visit := as(nil, []string{fmt.Sprint(name, number)})
	if got := h.Gather(tb.Context(), visit).Promo.Section(); got == nil || got.Content.Title != told(visit) {
		tb.Fatalf("%s %d got %v", name, number, got)
	}
}

// Made-up cookies don't push those out who come again: 1,000 of these, whose
// sections fill half of the cache, amid 20 times as many visitors who come once.
func TestAFloodOfVisitorsWhoComeOnce(t *testing.T) {
	const regulars, made = 1000, 20_000
	h, loads := flooded(t, 4<<20)
	for range 5 {
		for i := range regulars {
			visitNumber(t, h, "regular", i)
		}
	}
	misses := 0
	for i := range made {
		visitNumber(t, h, "made up", i)
		if i%10 == 0 {
			before := *loads
			visitNumber(t, h, "regular", i/10%regulars)
			misses += *loads - before
		}
	}
	if visits := made / 10; misses > visits/10 {
		t.Errorf("in the flood %d of %d visits of regulars were not served from what is kept", misses, visits)
	} else {
		t.Logf("in the flood %.1f %% of the regulars' visits were served from what is kept", 100-100*float64(misses)/float64(visits))
	}
}

// The cache holds no more than it may, however many come.
func TestTheCacheIsBounded(t *testing.T) {
	const most, made = 8 << 20, 30_000 // whose sections would take 60 MiB
	used := func() int {
		runtime.GC()
		runtime.GC()
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		return int(stats.HeapAlloc)
	}
	before := used()
	h, loads := flooded(t, most)
	for i := range made {
		visitNumber(t, h, "made up", i)
	}
	after := used() - before
	if *loads != made {
		t.Errorf("%d loads", *loads)
	}
	if after > most*5/4 || after < most/2 {
		t.Errorf("it takes %d bytes, and may take about %d", after, most)
	}
	t.Logf("%.1f MiB of %d MiB", float64(after)/(1<<20), most>>20)
	runtime.KeepAlive(h)
}
