package service_test

import (
	"bytes"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"homepage/internal/home"
	"homepage/internal/service"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fallback is how long an answer stands in for a failure if it does not say.
const fallback = 5 * time.Minute

// logged is a log that may be read while it is written.
type logged struct {
	mu    sync.Mutex
	lines bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lines.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lines.String()
}

// newClient returns a client and its log.
func newClient(tb testing.TB, options service.Options) (*service.Client, *logged) {
	tb.Helper()
	log := new(logged)
	options.Fallback = fallback
	options.Version = "1.2.3"
	options.Log = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	if options.Timeout == 0 {
		options.Timeout = time.Minute
	}
	client := service.NewClient(options)
	tb.Cleanup(client.Close)
	return client, log
}

// at returns the service at a URL.
func at(tb testing.TB, raw string) service.Service {
	tb.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		tb.Fatal(err)
	}
	return service.Service{URL: u}
}

// serve starts a real HTTP service and a client that waits for it as long as
// timeout.
func serve(tb testing.TB, timeout time.Duration, handler http.HandlerFunc) (*service.Client, service.Service) {
	tb.Helper()
	server := httptest.NewServer(handler)
	tb.Cleanup(server.Close)
	client, _ := newClient(tb, service.Options{Timeout: timeout})
	return client, at(tb, server.URL)
}

func answer(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

var visit home.Visit

// quiet drops the log of a server that is meant to be treated badly.
func quiet(server *httptest.Server) *httptest.Server {
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	return server
}

// checkError checks that the error says all of the wanted texts, or is nil if
// there are none.
func checkError(t *testing.T, err error, want ...string) {
	t.Helper()
	if len(want) == 0 || want[0] == "" {
		if err != nil {
			t.Errorf("error %v, want none", err)
		}
		return
	}
	for _, text := range want {
		if err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("error %v, want %q", err, text)
		}
	}
}

// checkPromo loads and checks that what comes is the promo with that title.
func checkPromo(t *testing.T, load home.Load[home.Promo], title string) {
	t.Helper()
	got, err := load(t.Context(), visit)
	if err != nil || got.Content != (home.Promo{Title: title}) {
		t.Errorf("%+v, %v; want the promo %s", got.Content, err, title)
	}
}

// failure returns what an error says of how to go on.
func failure(err error) home.LoadError {
	if failure, ok := errors.AsType[*home.LoadError](err); ok {
		return *failure
	}
	return home.LoadError{}
}

// A connection goes back to the pool after a whole answer, and after a refusal.
func TestConnectionsArePooled(t *testing.T) {
	var dialled, calls atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer([]int{200, 204, 404}[calls.Add(1)%3], "")(w, r)
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			dialled.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	client, _ := newClient(t, service.Options{})
	load := client.Recommendations(at(t, server.URL))
	for range 10 {
		_, _ = load(t.Context(), visit)
	}
	if got := dialled.Load(); got != 1 {
		t.Errorf("10 calls made %d connections, want 1", got)
	}
}

func BenchmarkLoad(b *testing.B) {
	handler := func(body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Cache-Control", "max-age=60, stale-while-revalidate=30")
			_, _ = w.Write([]byte(body))
		}
	}
	b.Run("promo", func(b *testing.B) {
		client, s := serve(b, time.Minute, handler(`{"title":"An offer","text":"A text","url":"/u","action":"Go","image":"/i"}`))
		benchmark(b, client.Promo(s))
	})
	b.Run("recommendations", func(b *testing.B) {
		item := `{"title":"A book","url":"/a/book","reason":"You like books","image":"/pictures/book.jpg"}`
		client, s := serve(b, time.Minute, handler(`{"items":[`+strings.Repeat(item+",", 9)+item+`]}`))
		benchmark(b, client.Recommendations(s))
	})
	b.Run("a flood of empty items", func(b *testing.B) {
		client, s := serve(b, time.Minute, handler(`{"items":[{"title":"A"}`+strings.Repeat(",{}", 340_000)+`]}`))
		benchmark(b, client.Recommendations(s))
	})
}

func benchmark[T any](b *testing.B, load home.Load[T]) {
	b.Helper()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := load(b.Context(), visit); err != nil {
			b.Fatal(err)
		}
	}
}
