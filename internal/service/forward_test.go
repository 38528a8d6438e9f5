package service_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"homepage/internal/home"
	"homepage/internal/service"
)

func parseForward(t *testing.T, text string) service.Forward {
	t.Helper()
	forward, err := service.ParseForward(text)
	if err != nil {
		t.Fatal(err)
	}
	return forward
}

// of is the visit of who sends these headers.
func of(t *testing.T, forward service.Forward, lines ...string) home.Visit {
	t.Helper()
	visitor, ok := service.VisitorOf[home.Promo](forward, header(lines...))
	if !ok {
		t.Fatal("too much")
	}
	return home.Visit{Promo: visitor}
}

func TestParseForward(t *testing.T) {
	for text, want := range map[string]string{
		"":                              "",
		" , ":                           "",
		"accept-language":               "Accept-Language",
		"X-Visitor,Cookie:visitor":      "X-Visitor, Cookie:visitor",
		"cookie:a  cookie:A\n\tX":       "Cookie:a, Cookie:A, X",
		"User-Agent, X-Forwarded-Proto": "User-Agent, X-Forwarded-Proto",
	} {
		forward := parseForward(t, text)
		if got := forward.String(); got != want {
			t.Errorf("%q is read as %q, want %q", text, got, want)
		}
	}
	if diff := cmp.Diff([]string{"X", "Cookie"}, parseForward(t, "X, Cookie:a, Cookie:b").Headers()); diff != "" {
		t.Error(diff)
	}
	for text, want := range map[string]string{
		"Cookie":              "Cookie can't be forwarded whole",
		"X, authorization":    "Authorization can't be forwarded, as it holds a password or token",
		"Host":                "Host can't be forwarded, as it is about the connection",
		"connection":          "Connection can't be forwarded",
		"Content-Length":      "Content-Length can't be forwarded",
		"Content-Type":        "Content-Type can't be forwarded",
		"Transfer-Encoding":   "Transfer-Encoding can't be forwarded",
		"Keep-Alive":          "Keep-Alive can't be forwarded",
		"Upgrade":             "Upgrade can't be forwarded",
		"TE":                  "Te can't be forwarded",
		"Trailer":             "Trailer can't be forwarded",
		"Proxy-Authorization": "Proxy-Authorization can't be forwarded",
		"Accept":              "Accept can't be forwarded",
		"Accept-Encoding":     "Accept-Encoding can't be forwarded",
		"If-None-Match":       "If-None-Match can't be forwarded",
		"Range":               "Range can't be forwarded",
		"Cache-Control":       "Cache-Control can't be forwarded",
		"Traceparent":         "Traceparent can't be forwarded",
		"X-Request-Id":        "X-Request-Id can't be forwarded",
		"X, x":                "X is named twice",
		"Cookie:":             `"Cookie:" is neither`,
		"Cookie:a;b":          `"Cookie:a;b" is neither`,
		"X-Visitor:a":         `"X-Visitor:a" is neither`,
		"X(":                  `"X(" is neither`,
		strings.ReplaceAll(strings.Join(numbered(33), ","), "=1", ""): "no more than 32",
	} {
		if _, err := service.ParseForward(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %q", text, err, want)
		}
	}
	if err := parseForward(t, "X, Cookie:a").Check(http.Header{"Cookie": {"b=1"}}); err == nil || !strings.Contains(err.Error(), "Cookie can't be forwarded") {
		t.Errorf("error %v", err)
	}
}

// What is named goes out as it came, and nothing else does.
func TestWhatIsForwarded(t *testing.T) {
	forward := parseForward(t, "Accept-Language, X-Visitor, Cookie:visitor, Cookie:plan")
	for name, test := range map[string]struct {
		sent []string
		want http.Header
	}{
		"nothing":          {nil, http.Header{}},
		"nothing named":    {[]string{"Cookie: session=s; visitors=v", "X-Other: o", "Authorization: Bearer t", "User-Agent: Mozilla", "Referer: r"}, http.Header{}},
		"a header":         {[]string{"Accept-Language: de, en;q=0.5"}, http.Header{"Accept-Language": {"de, en;q=0.5"}}},
		"an empty one":     {[]string{"X-Visitor: "}, http.Header{"X-Visitor": {""}}},
		"in several lines": {[]string{"X-Visitor: a", "X-Visitor: b"}, http.Header{"X-Visitor": {"a", "b"}}},
		"cookies among others": {
			[]string{"Cookie: session=s; visitor=ann; a=b", "Cookie: plan=; xplan=1"},
			http.Header{"Cookie": {"visitor=ann; plan="}},
		},
		"a cookie of two paths": {[]string{"Cookie: visitor=a; visitor=b"}, http.Header{"Cookie": {"visitor=a; visitor=b"}}},
		"odd cookies":           {[]string{`Cookie: visitor ; visitor="a b"=c;plan`}, http.Header{"Cookie": {`visitor="a b"=c`}}},
	} {
		t.Run(name, func(t *testing.T) {
			var got http.Header
			client, s := serve(t, time.Minute, func(w http.ResponseWriter, r *http.Request) {
				got = maps.Clone(r.Header)
				answer(204, "")(w, r)
			})
			s.Forward = forward
			if _, err := client.Promo(s)(t.Context(), of(t, forward, test.sent...)); err != nil {
				t.Fatal(err)
			}
			delete(got, "Accept-Encoding")
			test.want["Accept"], test.want["User-Agent"] = []string{"application/json"}, []string{"homepage/1.2.3"}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestMostForwarded(t *testing.T) {
	forward := parseForward(t, "X, Cookie:c")
	sends := func(size int) http.Header {
		return http.Header{"X": {strings.Repeat("x", size-10)}, "Cookie": {"other=" + strings.Repeat("o", 5000) + "; c=0123456789"}}
	}
	if visitor, ok := service.VisitorOf[home.Promo](forward, sends(service.MostForwarded)); !ok || visitor == (home.Visitor[home.Promo]{}) {
		t.Error("4 KiB are too much")
	}
	if visitor, ok := service.VisitorOf[home.Promo](forward, sends(service.MostForwarded+1)); ok || visitor != (home.Visitor[home.Promo]{}) {
		t.Error("more than 4 KiB are not")
	}
}

// An answer differs by what its Vary names, and by everything if there is none.
func TestVaryNarrows(t *testing.T) {
	forward := parseForward(t, "Accept-Language, Cookie:a, Cookie:b")
	const language, cookies home.Things = 1, 2 | 4
	for vary, want := range map[string]home.Things{
		"":                                  0,
		"Vary: Accept-Encoding":             0, // of a compressor, which knows nothing of the answer
		"Vary: accept-language":             cookies,
		"Vary: Cookie":                      language,
		"Vary: Cookie, Accept-Language":     0,
		"Vary: Accept-Encoding, COOKIE":     language,
		"Vary: Accept":                      language | cookies,
		"Vary: X-Other, Accept-Encoding, ,": language | cookies,
	} {
		client, s := serve(t, time.Minute, func(w http.ResponseWriter, r *http.Request) {
			if vary != "" {
				maps.Copy(w.Header(), header(vary, "Cache-Control: max-age=60"))
			}
			answer(200, `{"title":"T"}`)(w, r)
		})
		s.Forward = forward
		got, err := client.Promo(s)(t.Context(), of(t, forward, "Cookie: a=1; b=2"))
		if err != nil || got.Ignored != want {
			t.Errorf("%q: ignored %b, %v; want %b", vary, got.Ignored, err, want)
		}
	}
}

// A service may repeat what it is told wherever it likes: no error and no line of
// the log does.
func TestErrorsDontTellOfTheVisitor(t *testing.T) {
	const value = "hunter2"
	forward := parseForward(t, "Cookie:visitor")
	echo := func(what string) func(conn io.Writer) {
		return func(conn io.Writer) { _, _ = io.WriteString(conn, strings.ReplaceAll(what, "$", value)) }
	}
	for name, say := range map[string]func(io.Writer){
		"a body that is no JSON": echo("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n $"),
		"other keys":             echo("HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n" + `{"$":"$"}`),
		"a type":                 echo("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: text/$; charset=$\r\n\r\n{}"),
		"a coding":               echo("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Encoding: $\r\n\r\n{}"),
		"a refusal":              echo("HTTP/1.1 403 $\r\nContent-Length: 7\r\n\r\n$"),
		"a redirect":             echo("HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: http://$/\r\n\r\n"),
		"a bad redirect":         echo("HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: http://$:$/\r\n\r\n"),
		"a header":               echo("HTTP/1.1 200 OK\r\n$\r\n\r\n"),
		"a status":               echo("HTTP/1.1 $ OK\r\n\r\n"),
		"a version":              echo("$/1.1 200 OK\r\n\r\n"),
		"a length":               echo("HTTP/1.1 200 OK\r\nContent-Length: $\r\n\r\n"),
		"a transfer coding":      echo("HTTP/1.1 200 OK\r\nTransfer-Encoding: $\r\n\r\n"),
		"a chunk":                echo("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n$\r\n"),
		"items":                  echo("HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n" + `{"title":[]}`),
	} {
		t.Run(name, func(t *testing.T) {
			server := quiet(httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Cookie") != "visitor="+value {
					t.Error("it was not told")
				}
				conn, _, err := w.(http.Hijacker).Hijack()
				if err != nil {
					t.Error(err)
					return
				}
				say(conn)
				_ = conn.Close()
			})))
			server.Start()
			t.Cleanup(server.Close)
			client, log := newClient(t, service.Options{})
			s := at(t, server.URL)
			s.Forward = forward
			_, err := client.Promo(s)(t.Context(), of(t, forward, "Cookie: visitor="+value))
			if err == nil || strings.Contains(err.Error(), value) || strings.Contains(log.String(), value) {
				t.Errorf("error %v, log %s", err, log)
			}
		})
	}
}

// A service that is told of visitors speaks of one when it refuses, whoever that
// is. What is about the service remains so.
func TestPersonalRefusals(t *testing.T) {
	forward := parseForward(t, "Cookie:visitor")
	for _, told := range []service.Forward{{}, forward} {
		for status, want := range map[int]bool{400: true, 401: true, 403: true, 404: true, 429: false, 500: false, 503: false, 502: false, 304: false, 511: false} {
			client, s := serve(t, time.Minute, answer(status, ""))
			s.Forward = told
			_, err := client.Promo(s)(t.Context(), of(t, told))
			if got := failure(err).Personal; got != (want && told.Headers() != nil) {
				t.Errorf("%d, forwarding %q: personal %v", status, told, got)
			}
		}
	}
}

// No more than MaxCalls calls and connections are open at once. Others wait, and
// those whose time is over were no failure of the service.
func TestMostCalls(t *testing.T) {
	const most, visitors = 4, 40
	var mu sync.Mutex
	running, peak := 0, 0
	finish := make(chan struct{})
	count := func(by int) {
		mu.Lock()
		defer mu.Unlock()
		running += by
		peak = max(peak, running)
	}
	arrived := make(chan struct{}, 1000)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		count(1)
		defer count(-1)
		arrived <- struct{}{}
		<-finish
		answer(200, `{"title":"T"}`)(w, r)
	}))
	defer server.Close()
	client, _ := newClient(t, service.Options{MaxCalls: most})
	s := at(t, server.URL)
	s.Forward = parseForward(t, "Cookie:visitor")
	load := client.Promo(s)
	ask := func(ctx context.Context, i int) error {
		_, err := load(ctx, of(t, s.Forward, fmt.Sprint("Cookie: visitor=", i)))
		return err
	}
	var group sync.WaitGroup
	for i := range visitors {
		group.Go(func() { checkError(t, ask(t.Context(), i)) })
	}
	for range most {
		<-arrived
	}
	late, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	err := ask(late, visitors)
	checkError(t, err, "still waiting for one of 4 calls of the service to end")
	if !failure(err).Personal || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v counts as a failure of the service", err)
	}
	var crowd sync.WaitGroup
	busy := 0
	for i := range 16*most + 10 { // of whom some find the queue full
		crowd.Go(func() {
			if err := ask(t.Context(), 1000+i); err != nil {
				checkError(t, err, "too many calls of the service run and wait already")
				mu.Lock()
				defer mu.Unlock()
				busy++
				if busy == 10 {
					close(finish)
				}
			}
		})
	}
	crowd.Wait()
	group.Wait()
	if peak > most {
		t.Errorf("%d calls at once, want %d", peak, most)
	}
}
