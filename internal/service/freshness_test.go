package service_test

import (
	"maps"
	"net/http"
	"testing"
	"time"

	"homepage/internal/home"
)

// terms are how long an answer may be shown, from the call for it on.
type terms struct{ age, fresh, revalidate, fallback time.Duration }

func TestFreshness(t *testing.T) {
	const (
		never = time.Duration(-1)
		large = (1<<31 - 1) * time.Second // RFC 9111, 1.2.2
	)
	for _, test := range []struct {
		name   string
		header http.Header
		want   terms
	}{
		{"no terms", http.Header{}, terms{0, 0, 0, fallback}},
		{"max-age", http.Header{"Cache-Control": {"max-age=60"}}, terms{0, time.Minute, time.Minute, time.Minute + fallback}},
		{"in any case, among others", http.Header{"Cache-Control": {"public, Max-Age=60, immutable"}}, terms{0, time.Minute, time.Minute, time.Minute + fallback}},
		{"quoted", http.Header{"Cache-Control": {`max-age="60"`}}, terms{0, time.Minute, time.Minute, time.Minute + fallback}},
		{"s-maxage before max-age", http.Header{"Cache-Control": {"max-age=60, s-maxage=10"}}, terms{0, 10 * time.Second, 10 * time.Second, 10 * time.Second}},
		{"Age", http.Header{"Cache-Control": {"max-age=60"}, "Age": {"20"}}, terms{20 * time.Second, 40 * time.Second, 40 * time.Second, 40*time.Second + fallback}},
		{"older than it may be", http.Header{"Cache-Control": {"max-age=60"}, "Age": {"80"}}, terms{80 * time.Second, -20 * time.Second, -20 * time.Second, fallback - 20*time.Second}},
		{"stale-while-revalidate", http.Header{"Cache-Control": {"max-age=60, stale-while-revalidate=30"}}, terms{0, time.Minute, 90 * time.Second, time.Minute + fallback}},
		{"stale-while-revalidate alone", http.Header{"Cache-Control": {"stale-while-revalidate=30"}}, terms{0, 0, 30 * time.Second, fallback}},
		{"stale-if-error", http.Header{"Cache-Control": {"max-age=60, stale-if-error=30"}}, terms{0, time.Minute, time.Minute, 90 * time.Second}},
		{"no stale-if-error", http.Header{"Cache-Control": {"max-age=60, stale-if-error=0"}}, terms{0, time.Minute, time.Minute, time.Minute}},
		{"s-maxage with leave", http.Header{"Cache-Control": {"s-maxage=60, stale-while-revalidate=10, stale-if-error=30"}}, terms{0, time.Minute, 70 * time.Second, 90 * time.Second}},
		{"must-revalidate", http.Header{"Cache-Control": {"max-age=60, stale-while-revalidate=30, stale-if-error=30, must-revalidate"}}, terms{0, time.Minute, never, never}},
		{"proxy-revalidate", http.Header{"Cache-Control": {"max-age=60, stale-if-error=30, proxy-revalidate"}}, terms{0, time.Minute, never, never}},
		{"no-store", http.Header{"Cache-Control": {"no-store, max-age=60, stale-if-error=60"}}, terms{0, never, never, never}},
		{"no-cache", http.Header{"Cache-Control": {"no-cache, max-age=60, stale-if-error=60"}}, terms{0, never, never, never}},
		{"private", http.Header{"Cache-Control": {"private, max-age=60"}}, terms{0, never, never, never}},
		{"private fields", http.Header{"Cache-Control": {`private="Set-Cookie, X", max-age=60`}}, terms{0, never, never, never}},
		{"a comma in quotes is none", http.Header{"Cache-Control": {`extension="a, max-age=10", max-age=60`}}, terms{0, time.Minute, time.Minute, time.Minute + fallback}},
		{"several fields", http.Header{"Cache-Control": {"max-age=60", "no-store"}}, terms{0, never, never, never}},
		{"the stricter of two", http.Header{"Cache-Control": {"max-age=60, max-age=10, max-age=30"}}, terms{0, 10 * time.Second, 10 * time.Second, 10*time.Second + fallback}},
		{"no number", http.Header{"Cache-Control": {"max-age=soon"}}, terms{0, 0, 0, fallback}},
		{"less than nothing", http.Header{"Cache-Control": {"max-age=-60"}}, terms{0, 0, 0, fallback}},
		{"more than fits", http.Header{"Cache-Control": {"max-age=99999999999999999999"}}, terms{0, large, large, large + fallback}},
		{"varies by more than fields", http.Header{"Cache-Control": {"max-age=60"}, "Vary": {"*"}}, terms{0, never, never, never}},
		{"varies by fields", http.Header{"Cache-Control": {"max-age=60"}, "Vary": {"Accept"}}, terms{0, time.Minute, time.Minute, time.Minute + fallback}},
	} {
		t.Run(test.name, func(t *testing.T) {
			client, u := serve(t, time.Minute, func(w http.ResponseWriter, _ *http.Request) {
				maps.Copy(w.Header(), test.header)
				_, _ = w.Write([]byte(`{"title":"T"}`))
			})
			before := time.Now()
			answer, err := client.Promo(u)(t.Context(), home.Visit{})
			after := time.Now()
			if err != nil {
				t.Fatal(err)
			}
			if answer.Content != (home.Promo{Title: "T"}) {
				t.Errorf("content %v", answer.Content)
			}
			for _, moment := range []struct {
				name string
				got  time.Time
				want time.Duration
			}{
				{"At", answer.At, -test.want.age},
				{"Fresh", answer.Fresh, test.want.fresh},
				{"Revalidate", answer.Revalidate, test.want.revalidate},
				{"Fallback", answer.Fallback, test.want.fallback},
			} {
				if moment.want == never && moment.name != "At" {
					if !moment.got.IsZero() {
						t.Errorf("%s is %v, want never", moment.name, moment.got)
					}
					continue
				}
				if from, to := before.Add(moment.want), after.Add(moment.want); moment.got.Before(from) || moment.got.After(to) {
					t.Errorf("%s is %v after the call, want %v", moment.name, moment.got.Sub(before), moment.want)
				}
			}
		})
	}
}
