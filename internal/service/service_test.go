package service_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"homepage/internal/home"
	"homepage/internal/service"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fallback is how long an answer stands in for a failure if it does not say.
const fallback = 5 * time.Minute

// serve starts a real HTTP service and a client that waits for it as long as
// timeout.
func serve(t *testing.T, timeout time.Duration, handler http.HandlerFunc) (*service.Client, *url.URL) {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	client := service.NewClient(timeout, fallback)
	t.Cleanup(client.Close)
	u, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	return client, u
}

func answer(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

func TestPromo(t *testing.T) {
	for _, test := range []struct {
		name   string
		status int
		body   string
		want   home.Promo
		err    string // what the error says; empty for none
	}{
		{"every key", 200, `{"title":"T","text":"X","url":"/u","action":"A","image":"/i"}`, home.Promo{Title: "T", Text: "X", URL: "/u", Action: "A", Image: "/i"}, ""},
		{"missing keys are empty", 200, `{"title":"T"}`, home.Promo{Title: "T"}, ""},
		{"unknown keys are ignored", 200, `{"title":"T","price":3}`, home.Promo{Title: "T"}, ""},
		{"no keys", 200, `{}`, home.Promo{}, ""},
		{"another status", 204, ``, home.Promo{}, "status 204 No Content"},
		{"an error with a body", 500, `{"title":"T"}`, home.Promo{}, "status 500 Internal Server Error"},
		{"not JSON", 200, `<html>`, home.Promo{}, "invalid character"},
		{"cut short", 200, `{"title":"T`, home.Promo{}, "unexpected end"},
		{"more than one value", 200, `{"title":"T"}{}`, home.Promo{}, "after top-level value"},
		{"a wrong type", 200, `{"title":["T"]}`, home.Promo{}, "cannot unmarshal array"},
		{"a list", 200, `[]`, home.Promo{}, "cannot unmarshal array"},
		{"null", 200, `null`, home.Promo{}, "answer is null"},
		{"nothing", 200, ``, home.Promo{}, "unexpected end"},
		{"the largest answer", 200, `{"title":"T"}` + strings.Repeat(" ", service.MaxBody-13), home.Promo{Title: "T"}, ""},
		{"a byte more", 200, `{"title":"T"}` + strings.Repeat(" ", service.MaxBody-12), home.Promo{}, "larger than 1048576 bytes"},
	} {
		t.Run(test.name, func(t *testing.T) {
			client, u := serve(t, time.Minute, answer(test.status, test.body))
			got, err := client.Promo(u)(t.Context(), home.Visit{})
			if diff := cmp.Diff(test.want, got.Content); diff != "" {
				t.Error(diff)
			}
			checkError(t, err, test.err)
			if err != nil && !strings.Contains(err.Error(), u.String()) {
				t.Errorf("error %q does not name the URL %s", err, u)
			}
		})
	}
}

func checkError(t *testing.T, err error, want string) {
	t.Helper()
	if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want %q", err, want)
	}
}

func TestRecommendations(t *testing.T) {
	client, u := serve(t, time.Minute, answer(200, `{"items":[{"title":"A","url":"/a","reason":"R","image":"/i"},{"title":"B"}]}`))
	got, err := client.Recommendations(u)(t.Context(), home.Visit{})
	if err != nil {
		t.Fatal(err)
	}
	want := home.Recommendations{{Title: "A", URL: "/a", Reason: "R", Image: "/i"}, {Title: "B"}}
	if diff := cmp.Diff(want, got.Content); diff != "" {
		t.Error(diff)
	}
}

// One deadline covers everything, so it must end an answer whose headers are
// prompt and whose body drips as surely as a service that says nothing.
func TestOneDeadline(t *testing.T) {
	for name, handler := range map[string]http.HandlerFunc{
		"says nothing": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"drips": func(w http.ResponseWriter, r *http.Request) {
			flush := http.NewResponseController(w)
			drip := time.NewTicker(time.Millisecond)
			defer drip.Stop()
			for r.Context().Err() == nil {
				_, _ = w.Write([]byte(" "))
				_ = flush.Flush()
				<-drip.C
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			client, u := serve(t, 50*time.Millisecond, handler)
			_, err := client.Promo(u)(t.Context(), home.Visit{})
			checkError(t, err, "no whole answer within 50ms")
		})
	}
}

func TestAVisitorWhoLeavesIsNoDeadline(t *testing.T) {
	ctx, leave := context.WithCancel(t.Context())
	client, u := serve(t, time.Minute, func(_ http.ResponseWriter, r *http.Request) {
		leave()
		<-r.Context().Done()
	})
	if _, err := client.Promo(u)(ctx, home.Visit{}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want the cancellation", err)
	}
}

func TestNobodyListens(t *testing.T) {
	client, u := serve(t, time.Minute, answer(200, "{}"))
	u.Host = "127.0.0.1:1"
	u.User = url.UserPassword("reader", "secret")
	_, err := client.Promo(u)(t.Context(), home.Visit{})
	checkError(t, err, "GET http://reader:xxxxx@127.0.0.1:1: dial tcp")
}

// A service may move things about on its own host, and send us nowhere else.
func TestRedirects(t *testing.T) {
	elsewhere := httptest.NewServer(answer(200, `{"title":"from elsewhere"}`))
	defer elsewhere.Close()
	client, u := serve(t, time.Minute, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/there":
			_, _ = w.Write([]byte(`{"title":"T"}`))
		case "/moved":
			http.Redirect(w, r, "/there", http.StatusFound)
		case "/loop":
			http.Redirect(w, r, "/loop", http.StatusFound)
		case "/away":
			http.Redirect(w, r, elsewhere.URL, http.StatusFound)
		}
	})
	for path, want := range map[string]string{
		"/moved": "",
		"/loop":  "redirected more than 3 times",
		"/away":  "redirected to another host: " + strings.TrimPrefix(elsewhere.URL, "http://"),
	} {
		got, err := client.Promo(u.JoinPath(path))(t.Context(), home.Visit{})
		checkError(t, err, want)
		if want == "" && got.Content != (home.Promo{Title: "T"}) {
			t.Errorf("%s: %+v", path, got.Content)
		}
	}
}

func TestRedirectsKeepTheirScheme(t *testing.T) {
	for _, test := range []struct{ from, to, want string }{
		{"https://promo.example/", "http://promo.example/", "redirected from https to http"},
		{"http://promo.example/", "https://promo.example/", ""},
		{"https://promo.example/", "https://promo.example/there", ""},
	} {
		from, to := httptest.NewRequest(http.MethodGet, test.from, nil), httptest.NewRequest(http.MethodGet, test.to, nil)
		checkError(t, service.CheckRedirect(to, []*http.Request{from}), test.want)
	}
}

// What a service says ends up in the log, but not all of it.
func TestErrorsAreShort(t *testing.T) {
	client, u := serve(t, time.Minute, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "http://"+strings.Repeat("ä", 10_000))
		w.WriteHeader(http.StatusFound)
	})
	_, err := client.Promo(u)(t.Context(), home.Visit{})
	checkError(t, err, "redirected to another host: ")
	if text := err.Error(); len(text) > 400 || !utf8.ValidString(text) {
		t.Errorf("an error of %d bytes: %q", len(text), text)
	}
}

// A connection goes back to the pool after a whole answer.
func TestConnectionsArePooled(t *testing.T) {
	var dialled atomic.Int32
	server := httptest.NewUnstartedServer(answer(200, `{"items":[]}`))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			dialled.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	u, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	client := service.NewClient(time.Minute, fallback)
	defer client.Close()
	for range 10 {
		if _, err := client.Recommendations(u)(t.Context(), home.Visit{}); err != nil {
			t.Fatal(err)
		}
	}
	if got := dialled.Load(); got != 1 {
		t.Errorf("10 calls made %d connections, want 1", got)
	}
}
