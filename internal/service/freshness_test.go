package service_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"homepage/internal/home"
)

// never is a moment that allows nothing.
const never = time.Duration(-1)

// terms are how long an answer may be shown, from the call for it on.
type terms struct{ age, fresh, revalidate, fallback time.Duration }

// lasting are the terms of an answer that is fresh for so long and asks for
// nothing else.
func lasting(fresh time.Duration) terms { return terms{0, fresh, fresh, fresh + fallback} }

// header makes a header of lines. A date in one is given as {+60}, in seconds
// from now.
func header(lines ...string) http.Header {
	header := http.Header{"Date": nil} // which the server would add
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		var seconds int
		if _, err := fmt.Sscanf(value, "{%d}", &seconds); err == nil {
			value = time.Now().Add(time.Duration(seconds) * time.Second).UTC().Format(http.TimeFormat)
		}
		header[name] = append(header[name], value)
	}
	return header
}

// The clauses are RFC 9111's unless they say another.
func TestFreshness(t *testing.T) {
	const (
		minute = time.Minute
		large  = 1 << 31 * time.Second
	)
	var (
		stale  = lasting(0)
		unkept = terms{0, never, never, never}
	)
	for _, test := range []struct {
		clause, name string
		lines        []string
		want         terms
	}{
		{"4.2.2", "nothing is guessed", []string{"Last-Modified: {-864000}"}, stale},
		{"5.2.2.1", "max-age", []string{"Cache-Control: max-age=60"}, lasting(minute)},
		{"5.2.2.1", "max-age=0", []string{"Cache-Control: max-age=0"}, stale},
		{"5.2", "in any case, among others", []string{"Cache-Control: public,, Max-Age=60 ,immutable, foo=bar"}, lasting(minute)},
		{"5.2", "quoted", []string{`Cache-Control: max-age="60"`}, lasting(minute)},
		{"5.2", "quoted with an escape", []string{`Cache-Control: max-age="6\0"`}, lasting(minute)},
		{"5.2", "in single quotes, which are none", []string{`Cache-Control: max-age='60'`}, stale},
		{"5.2", "a comma in quotes is none", []string{`Cache-Control: extension="a, max-age=10", max-age=60`}, lasting(minute)},
		{"5.2", "a quote in quotes ends nothing", []string{`Cache-Control: extension="a\", no-store", max-age=60`}, lasting(minute)},
		{"5.2", "what quotes hold is no directive", []string{`Cache-Control: extension="no-store, max-age=600", max-age="60"`}, lasting(minute)},
		{"5.2", "hidden behind an open quote", []string{`Cache-Control: max-age="3600, no-store`}, unkept},
		{"5.2", "hidden by an open quote before", []string{`Cache-Control: x=", no-store, y="z", max-age=60`}, unkept},
		{"5.2", "hidden in a quote over two lines", []string{`Cache-Control: max-age="60`, `Cache-Control: private"`}, unkept},
		{"5.2", "hidden behind a token with quotes", []string{`Cache-Control: max-age=60, a"b, no-cache, c"d`}, unkept},
		{"5.2", "an open quote allows nothing", []string{`Cache-Control: x=", max-age=60, stale-if-error=60`}, terms{0, 0, 0, 0}},
		{"5.2", "what stands before an open quote", []string{`Cache-Control: max-age=60, x="`}, lasting(minute)},
		{"5.2", "a semicolon for a comma", []string{`Cache-Control: max-age=60; must-revalidate`}, terms{0, 0, never, never}},
		{"5.2", "a space for a comma", []string{`Cache-Control: max-age=60 no-store`}, unkept},
		{"5.2", "a space before =", []string{"Cache-Control: max-age =60"}, stale},
		{"5.2", "a space after =", []string{"Cache-Control: max-age= 60"}, stale},
		{"5.2", "several lines", []string{"Cache-Control: max-age=60", "Cache-Control: no-store"}, unkept},
		{"4.2.1", "the stricter of two", []string{"Cache-Control: max-age=60, max-age=10, max-age=30"}, lasting(10 * time.Second)},
		{"4.2.1", "the stricter of two lines", []string{"Cache-Control: max-age=10", "Cache-Control: max-age=60"}, lasting(10 * time.Second)},
		{"4.2.1", "no number", []string{"Cache-Control: max-age=soon"}, stale},
		{"4.2.1", "no number, whatever Expires", []string{"Cache-Control: max-age", "Date: {0}", "Expires: {60}"}, stale},
		{"4.2.1", "less than nothing", []string{"Cache-Control: max-age=-60"}, stale},
		{"4.2.1", "letters after it", []string{"Cache-Control: max-age=60a"}, stale},
		{"4.2.1", "a fraction", []string{"Cache-Control: max-age=60.0"}, stale},
		{"1.2.2", "leading zeros", []string{"Cache-Control: max-age=0060"}, lasting(minute)},
		{"1.2.2", "the largest number", []string{"Cache-Control: max-age=2147483648"}, lasting(large)},
		{"1.2.2", "more than that", []string{"Cache-Control: max-age=99999999999"}, lasting(large)},
		{"1.2.2", "more than any integer", []string{"Cache-Control: max-age=99999999999999999999999"}, lasting(large)},
		{"4.2.1", "s-maxage before max-age", []string{"Cache-Control: max-age=60, s-maxage=10"}, terms{0, 10 * time.Second, 10 * time.Second, 10 * time.Second}},
		{"4.2.1", "s-maxage before a shorter max-age", []string{"Cache-Control: s-maxage=60", "Cache-Control: max-age=1"}, terms{0, minute, minute, minute}},
		{"4.2.1", "a bad s-maxage before max-age", []string{"Cache-Control: s-maxage=x, max-age=60"}, terms{0, 0, 0, 0}},

		{"5.3", "Expires and Date", []string{"Date: {0}", "Expires: {60}"}, lasting(minute)},
		{"5.3", "a clock that is fast", []string{"Date: {600}", "Expires: {660}"}, lasting(minute)},
		{"5.3", "max-age before Expires", []string{"Cache-Control: max-age=60", "Date: {0}", "Expires: {-60}"}, lasting(minute)},
		{"5.3", "max-age=0 before Expires", []string{"Cache-Control: max-age=0", "Date: {0}", "Expires: {60}"}, stale},
		{"5.3", "max-age before an Expires that is none", []string{"Cache-Control: max-age=60", "Expires: 0"}, lasting(minute)},
		{"5.3", "Expires in the past", []string{"Date: {0}", "Expires: {-60}"}, stale},
		{"5.3", "Expires now", []string{"Date: {0}", "Expires: {0}"}, stale},
		{"5.3", "Expires before Date, both in the future", []string{"Date: {400}", "Expires: {300}"}, stale},
		{"5.3", "an Expires that is none", []string{"Date: {0}", "Expires: 0"}, stale},
		{"5.3", "another zone than GMT", []string{"Expires: Thu, 18 Aug 2050 02:01:18 CET"}, stale},
		{"4.2.1", "the earlier of two", []string{"Date: {0}", "Expires: {600}", "Expires: {60}"}, lasting(minute)},
		{"4.2.1", "two of which one is none", []string{"Date: {0}", "Expires: {600}", "Expires: -1"}, stale},
		{"5.3", "no Date", []string{"Expires: {60}"}, lasting(minute)},
		{"5.3", "a Date that is none", []string{"Date: foo", "Expires: {60}"}, lasting(minute)},
		{"1.2.2", "Expires after the largest number", []string{"Date: {0}", "Expires: Fri, 31 Dec 9999 23:59:59 GMT"}, lasting(large)},

		{"4.2.3", "Age", []string{"Cache-Control: max-age=60", "Age: 20"}, terms{20 * time.Second, 40 * time.Second, 40 * time.Second, 40*time.Second + fallback}},
		{"4.2.3", "older than it may be", []string{"Cache-Control: max-age=60", "Age: 80"}, terms{80 * time.Second, -20 * time.Second, -20 * time.Second, fallback - 20*time.Second}},
		{"4.2.3", "Age counts against Expires", []string{"Date: {-10}", "Expires: {10}", "Age: 25"}, terms{25 * time.Second, -5 * time.Second, -5 * time.Second, fallback - 5*time.Second}},
		{"4.2.3", "an old Date", []string{"Cache-Control: max-age=60", "Date: {-20}"}, terms{20 * time.Second, 40 * time.Second, 40 * time.Second, 40*time.Second + fallback}},
		{"4.2.3", "an old Date and a small Age", []string{"Cache-Control: max-age=60", "Date: {-20}", "Age: 5"}, terms{20 * time.Second, 40 * time.Second, 40 * time.Second, 40*time.Second + fallback}},
		{"4.2.3", "a Date to come", []string{"Cache-Control: max-age=60", "Date: {600}"}, lasting(minute)},
		{"5.1", "the first Age of a list", []string{"Cache-Control: max-age=60", "Age: 80, 0"}, terms{80 * time.Second, -20 * time.Second, -20 * time.Second, fallback - 20*time.Second}},
		{"5.1", "the first Age of two lines", []string{"Cache-Control: max-age=60", "Age: 20", "Age: 80"}, terms{20 * time.Second, 40 * time.Second, 40 * time.Second, 40*time.Second + fallback}},
		{"5.1", "an Age that is no number", []string{"Cache-Control: max-age=60", "Age: abc"}, stale},
		{"5.1", "a negative Age", []string{"Cache-Control: max-age=60", "Age: -7200"}, stale},
		{"5.1", "a fraction of an Age", []string{"Cache-Control: max-age=60", "Age: 1.0"}, stale},
		{"5.1", "an empty Age", []string{"Cache-Control: max-age=60", "Age: , 5"}, stale},
		{"1.2.2", "an Age larger than any integer", []string{"Cache-Control: max-age=60", "Age: 99999999999999999999999"}, terms{large, minute - large, minute - large, minute - large + fallback}},

		{"4.1", "varies by anything", []string{"Cache-Control: max-age=60", "Vary: *"}, unkept},
		{"4.1", "in a list", []string{"Cache-Control: max-age=60", "Vary: Accept, *"}, unkept},
		{"4.1", "in a second line", []string{"Cache-Control: max-age=60", "Vary: Accept", "Vary: *"}, unkept},
		{"4.1", "varies by what differs from call to call", []string{"Cache-Control: max-age=60", "Vary: accept,x-request-id"}, unkept},
		{"4.1", "varies by what doesn't", []string{"Cache-Control: max-age=60", "Vary: Accept, Accept-Encoding"}, lasting(minute)},

		{"5.2.2.5", "no-store", []string{"Cache-Control: no-store, max-age=60, stale-if-error=60"}, unkept},
		{"5.2.2.3", "no-store with must-understand", []string{"Cache-Control: must-understand, no-store, max-age=60"}, unkept},
		{"5.2.2.4", "no-cache", []string{"Cache-Control: no-cache, max-age=60, stale-if-error=60"}, unkept},
		{"5.2.2.4", "no-cache of a field", []string{`Cache-Control: no-cache="Set-Cookie", max-age=60`}, unkept},
		{"5.2.2.7", "private", []string{"Cache-Control: private, max-age=60"}, unkept},
		{"5.2.2.7", "private fields", []string{`Cache-Control: private="Set-Cookie, X", max-age=60`}, unkept},
		{"5.2.2.2", "must-revalidate", []string{"Cache-Control: max-age=60, stale-while-revalidate=30, stale-if-error=30, must-revalidate"}, terms{0, minute, never, never}},
		{"5.2.2.2", "must-revalidate in capitals", []string{"Cache-Control: MUST-REVALIDATE, max-age=60"}, terms{0, minute, never, never}},
		{"5.2.2.8", "proxy-revalidate", []string{"Cache-Control: max-age=60, stale-if-error=30, proxy-revalidate"}, terms{0, minute, never, never}},
		{"5.2.2.10", "s-maxage implies proxy-revalidate", []string{"Cache-Control: s-maxage=60"}, terms{0, minute, minute, minute}},
		{"5.2.2.10", "but for what it says itself", []string{"Cache-Control: s-maxage=60, stale-while-revalidate=10, stale-if-error=30"}, terms{0, minute, 70 * time.Second, 90 * time.Second}},
		{"5.4", "Pragma says nothing in an answer", []string{"Cache-Control: max-age=60", "Pragma: no-cache"}, lasting(minute)},

		{"RFC 5861, 3", "stale-while-revalidate", []string{"Cache-Control: max-age=60, stale-while-revalidate=30"}, terms{0, minute, 90 * time.Second, minute + fallback}},
		{"RFC 5861, 3", "stale-while-revalidate alone", []string{"Cache-Control: stale-while-revalidate=30"}, terms{0, 0, 30 * time.Second, fallback}},
		{"RFC 5861, 3", "after Expires", []string{"Date: {0}", "Expires: {60}", "Cache-Control: stale-while-revalidate=30"}, terms{0, minute, 90 * time.Second, minute + fallback}},
		{"RFC 5861, 3", "a bad one", []string{"Cache-Control: max-age=60, stale-while-revalidate=x"}, lasting(minute)},
		{"RFC 5861, 4", "stale-if-error", []string{"Cache-Control: max-age=60, stale-if-error=30"}, terms{0, minute, minute, 90 * time.Second}},
		{"RFC 5861, 4", "none", []string{"Cache-Control: max-age=60, stale-if-error=0"}, terms{0, minute, minute, minute}},
		{"RFC 5861, 4", "the stricter of two", []string{"Cache-Control: max-age=60, stale-if-error=90, stale-if-error=30"}, terms{0, minute, minute, 90 * time.Second}},
		{"RFC 8246", "immutable changes nothing", []string{"Cache-Control: immutable"}, stale},
	} {
		t.Run(test.clause+" "+test.name, func(t *testing.T) {
			client, s := serve(t, time.Minute, func(w http.ResponseWriter, _ *http.Request) {
				maps.Copy(w.Header(), header(test.lines...))
				_, _ = w.Write([]byte(`{"title":"T"}`))
			})
			before := time.Now()
			answer, err := client.Promo(s)(t.Context(), home.Visit{})
			if err != nil {
				t.Fatal(err)
			}
			if slices.ContainsFunc(test.lines, func(line string) bool { return strings.Contains(line, "{") }) {
				before = before.Add(-time.Second) // a date has no fractions
			}
			checkTerms(t, answer, test.want, before)
		})
	}
}

// checkTerms checks the terms of an answer that was loaded since before.
func checkTerms[T any](t *testing.T, answer home.Answer[T], want terms, before time.Time) {
	t.Helper()
	after := time.Now()
	for _, moment := range []struct {
		name string
		got  time.Time
		want time.Duration
	}{
		{"At", answer.At, -want.age},
		{"Fresh", answer.Fresh, want.fresh},
		{"Revalidate", answer.Revalidate, want.revalidate},
		{"Fallback", answer.Fallback, want.fallback},
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
}

// Home compares both clocks, so times keep the monotonic one.
func TestTimesHaveBothClocks(t *testing.T) {
	client, s := serve(t, time.Minute, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=60")
		w.Header().Set("Retry-After", "30")
		answer(map[string]int{"/": 200, "/busy": 503, "/gone": 410}[r.URL.Path], `{"title":"T"}`)(w, r)
	})
	got, err := client.Promo(s)(t.Context(), visit)
	checkError(t, err)
	times := []time.Time{got.At, got.Fresh, got.Revalidate, got.Fallback}
	for _, path := range []string{"/busy", "/gone"} {
		_, err := client.Promo(at(t, s.URL.String()+path))(t.Context(), visit)
		times = append(times, failure(err).Until)
	}
	for i, moment := range times {
		if !strings.Contains(moment.String(), " m=") {
			t.Errorf("time %d, %v, has no monotonic reading", i, moment)
		}
	}
}
