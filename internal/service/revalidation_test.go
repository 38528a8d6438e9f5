package service_test

import (
	"context"
	"maps"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"homepage/internal/home"
)

// exchange is one call of a service.
type exchange struct {
	status int
	lines  []string // of the answer's header
	body   string

	condition []string // what the service should have been asked: If-None-Match, If-Modified-Since
	title     string   // what should be shown
	terms     terms
	err       string
}

// following goes on from what the last answer left, as the homepage does.
func following[T any](load home.Load[T]) home.Load[T] {
	next := load
	return func(ctx context.Context, visit home.Visit) (home.Answer[T], error) {
		answer, err := next(ctx, visit)
		switch {
		case err == nil && answer.Again != nil:
			next = answer.Again
		case err == nil || failure(err).Final:
			next = load
		}
		return answer, err
	}
}

func TestRevalidation(t *testing.T) {
	const (
		promo, newer = `{"title":"T"}`, `{"title":"N"}`
		monday       = "Mon, 02 Nov 2026 10:00:00 GMT"
		tuesday      = "Tue, 03 Nov 2026 10:00:00 GMT"
		minute       = time.Minute
	)
	none := []string{"", ""}
	for name, exchanges := range map[string][]exchange{
		"ETag (4.3.1)": {
			{200, []string{`Etag: "a"`, "Cache-Control: max-age=0"}, promo, none, "T", lasting(0), ""},
			{304, []string{`Etag: "a"`, "Cache-Control: max-age=60"}, "", []string{`"a"`, ""}, "T", lasting(minute), ""},
			{200, []string{`Etag: "b"`}, newer, []string{`"a"`, ""}, "N", lasting(0), ""},
			{304, nil, "", []string{`"b"`, ""}, "N", lasting(0), ""},
		},
		"Last-Modified (4.3.1)": {
			{200, []string{"Last-Modified: " + monday}, promo, none, "T", lasting(0), ""},
			{304, []string{"Cache-Control: max-age=60", "Last-Modified: " + tuesday}, "", []string{"", monday}, "T", lasting(minute), ""},
			{304, nil, "", []string{"", tuesday}, "T", lasting(minute), ""},
		},
		"both, and a weak one": {
			{200, []string{`Etag: W/"a"`, "Last-Modified: " + monday}, promo, none, "T", lasting(0), ""},
			{304, []string{`Etag: "a"`}, "", []string{`W/"a"`, monday}, "T", lasting(0), ""},
			{304, nil, "", []string{`"a"`, monday}, "T", lasting(0), ""},
		},
		"no-cache (5.2.2.4)": {
			{200, []string{`Etag: "a"`, "Cache-Control: no-cache"}, promo, none, "T", terms{0, never, never, never}, ""},
			{304, nil, "", []string{`"a"`, ""}, "T", terms{0, never, never, never}, ""},
			{304, nil, "", []string{`"a"`, ""}, "T", terms{0, never, never, never}, ""},
		},
		"new headers in place of old ones (3.2)": {
			{200, []string{`Etag: "a"`, "Cache-Control: max-age=600, must-revalidate", "Age: 700"}, promo, none, "T", terms{700 * time.Second, -100 * time.Second, never, never}, ""},
			{304, nil, "", []string{`"a"`, ""}, "T", terms{0, 600 * time.Second, never, never}, ""},
			{304, []string{"Cache-Control: max-age=60", "Age: 20"}, "", []string{`"a"`, ""}, "T", terms{20 * time.Second, 40 * time.Second, 40 * time.Second, 40*time.Second + fallback}, ""},
		},
		"no-store in a 304": {
			{200, []string{`Etag: "a"`}, promo, none, "T", lasting(0), ""},
			{304, []string{"Cache-Control: no-store"}, "", []string{`"a"`, ""}, "T", terms{0, never, never, never}, ""},
			{200, nil, newer, none, "N", lasting(0), ""},
		},
		"no-store keeps nothing (5.2.2.5)": {
			{200, []string{`Etag: "a"`, "Cache-Control: no-store"}, promo, none, "T", terms{0, never, never, never}, ""},
			{304, nil, "", none, "", terms{}, "not modified since no answer that was kept; got status 304 Not Modified"},
		},
		"Vary: * keeps nothing (4.1)": {
			{200, []string{`Etag: "a"`, "Vary: *"}, promo, none, "T", terms{0, never, never, never}, ""},
			{200, nil, newer, none, "N", lasting(0), ""},
		},
		"a 304 that nobody asked for": {
			{304, nil, "", none, "", terms{}, "not modified since no answer"},
			{200, []string{"Cache-Control: max-age=60"}, promo, none, "T", lasting(minute), ""},
			{304, nil, "", none, "T", lasting(minute), ""},
		},
		"a 304 of another version (4.3.4)": {
			{200, []string{`Etag: "a"`}, promo, none, "T", lasting(0), ""},
			{304, []string{`Etag: "b"`}, "", []string{`"a"`, ""}, "", terms{}, "of another version"},
			{200, []string{`Etag: "b"`}, newer, none, "N", lasting(0), ""},
		},
		"a failure between": {
			{200, []string{`Etag: "a"`}, promo, none, "T", lasting(0), ""},
			{503, nil, "", []string{`"a"`, ""}, "", terms{}, "503"},
			{200, nil, `{"error":"x"}`, []string{`"a"`, ""}, "", terms{}, "none of its keys"},
			{304, nil, "", []string{`"a"`, ""}, "T", lasting(0), ""},
		},
		"nothing today": {
			{204, []string{`Etag: "a"`, "Cache-Control: max-age=60"}, "", none, "", lasting(minute), ""},
			{304, nil, "", []string{`"a"`, ""}, "", lasting(minute), ""},
		},
		"a date that is none is not sent back": {
			{200, []string{"Last-Modified: yesterday"}, promo, none, "T", lasting(0), ""},
			{200, nil, promo, none, "T", lasting(0), ""},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var now exchange
			client, s := serve(t, time.Minute, func(w http.ResponseWriter, r *http.Request) {
				if diff := cmp.Diff(now.condition, []string{r.Header.Get("If-None-Match"), r.Header.Get("If-Modified-Since")}); diff != "" {
					t.Error(diff)
				}
				maps.Copy(w.Header(), header(now.lines...))
				answer(now.status, now.body)(w, r)
			})
			load := following(client.Promo(s))
			for _, now = range exchanges {
				before := time.Now()
				got, err := load(t.Context(), visit)
				checkError(t, err, now.err)
				if got.Content.Title != now.title {
					t.Errorf("title %q, want %q", got.Content.Title, now.title)
				}
				if err == nil {
					checkTerms(t, got, now.terms, before)
				}
			}
		})
	}
}

// A validator is of one URL. Another one may have the same with other content.
func TestValidatorsStayWithTheirURL(t *testing.T) {
	target := "/monday"
	client, s := serve(t, time.Minute, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			http.Redirect(w, r, target, http.StatusFound)
			return
		}
		w.Header().Set("Etag", `"1"`)
		if r.Header.Get("If-None-Match") == `"1"` {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		answer(200, `{"title":"`+r.URL.Path+`"}`)(w, r)
	})
	load := following(client.Promo(s))
	for _, target = range []string{"/monday", "/monday", "/tuesday", "/tuesday"} {
		checkPromo(t, load, target)
	}
}

func TestFailures(t *testing.T) {
	const second = time.Second
	for _, test := range []struct {
		status int
		lines  []string
		final  bool          // no older answer may stand in (RFC 5861, 4)
		rest   time.Duration // 0 if the service may be called again at once
	}{
		{400, nil, true, 0},
		{401, nil, true, 0},
		{403, nil, true, 0},
		{404, nil, true, 0},
		{410, nil, true, 0},
		{418, nil, true, 0},
		{501, nil, true, 0},
		{505, nil, true, 0},
		{201, nil, true, 0},
		{206, nil, true, 0},
		{300, nil, true, 0},
		{302, nil, true, 0},
		{302, []string{"Location: http://elsewhere.example/"}, true, 0},
		{304, nil, true, 0},
		{500, nil, false, 0},
		{502, nil, false, 0},
		{503, nil, false, 0},
		{504, nil, false, 0},

		// RFC 9111, 3 and 4: they may be kept if they say for how long.
		{404, []string{"Cache-Control: max-age=600"}, true, 600 * second},
		{404, []string{"Date: {0}", "Expires: {600}"}, true, 600 * second},
		{404, []string{"Cache-Control: max-age=600", "Age: 580"}, true, 20 * second},
		{404, []string{"Cache-Control: max-age=600", "Age: 700"}, true, 0},
		{404, []string{"Cache-Control: max-age=600, no-store"}, true, 0},
		{404, []string{"Cache-Control: max-age=600, no-cache"}, true, 0},
		{404, []string{"Cache-Control: max-age=600", "Vary: *"}, true, 0},
		{404, []string{"Cache-Control: max-age=0, stale-while-revalidate=600"}, true, 0},
		{405, []string{"Cache-Control: max-age=600"}, true, 600 * second},
		{410, []string{"Cache-Control: s-maxage=600"}, true, 600 * second},
		{403, []string{"Cache-Control: max-age=600"}, true, 600 * second},
		{501, []string{"Cache-Control: max-age=600"}, true, 600 * second},
		{503, []string{"Cache-Control: max-age=600"}, false, 0},
		{206, []string{"Cache-Control: max-age=600"}, true, 0},
		{429, []string{"Cache-Control: max-age=600"}, true, 0}, // RFC 6585, 4

		// RFC 9110, 10.2.3.
		{503, []string{"Retry-After: 30"}, false, 30 * second},
		{503, []string{"Retry-After: 0"}, false, 0},
		{503, []string{"Retry-After: 3600"}, false, 60 * second},
		{503, []string{"Retry-After: 99999999999999999999"}, false, 60 * second},
		{503, []string{"Retry-After: {30}"}, false, 30 * second},
		{503, []string{"Retry-After: {3600}"}, false, 60 * second},
		{503, []string{"Retry-After: {-30}"}, false, 0},
		{503, []string{"Retry-After: soon"}, false, 0},
		{503, []string{"Retry-After: -30"}, false, 0},
		{429, []string{"Retry-After: 30"}, true, 30 * second},
		{500, []string{"Retry-After: 30"}, false, 0},
		{404, []string{"Retry-After: 30"}, true, 0},
	} {
		client, s := serve(t, time.Minute, func(w http.ResponseWriter, r *http.Request) {
			maps.Copy(w.Header(), header(test.lines...))
			answer(test.status, "")(w, r)
		})
		before := time.Now().Add(-time.Second) // dates have no fractions
		_, err := client.Promo(s)(t.Context(), visit)
		after := time.Now()
		checkError(t, err, "got status")
		got := failure(err)
		if got.Err == nil || got.Final != test.final {
			t.Errorf("%d %v: final %t, want %t", test.status, test.lines, got.Final, test.final)
		}
		if rest := got.Until; rest.IsZero() != (test.rest == 0) || test.rest > 0 && (rest.Before(before.Add(test.rest)) || rest.After(after.Add(test.rest))) {
			t.Errorf("%d %v: to be left alone for %v, want %v", test.status, test.lines, rest.Sub(before), test.rest)
		}
	}
}

// What is no answer at all leaves it to an older one to stand in.
func TestFaultsAreNotFinal(t *testing.T) {
	for name, handler := range map[string]http.HandlerFunc{
		"not the contract": answer(200, `{"error":"x"}`),
		"no answer":        func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"half an answer": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = w.Write([]byte(`{"title":`))
		},
	} {
		client, s := serve(t, time.Minute, handler)
		_, err := client.Promo(s)(t.Context(), visit)
		checkError(t, err, "GET ")
		if failure(err).Final {
			t.Errorf("%s: final", name)
		}
	}
}
