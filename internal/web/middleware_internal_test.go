package web

import (
	"compress/gzip"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// The middleware round a handler that the site does not have yet: one that
// sends its page in pieces.
func serveWrapped(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := &server{Deps: Deps{Log: slog.New(slog.DiscardHandler)}}
	handler, err := s.wrap(h)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL
}

// A flushed piece reaches the visitor while the next is not yet written,
// compressed or not.
func TestFlushGoesThroughAllMiddleware(t *testing.T) {
	for _, encoding := range []string{"identity", "gzip"} {
		t.Run(encoding, func(t *testing.T) {
			const first, second = "<p>first", "<p>second"
			arrived := make(chan struct{})
			url := serveWrapped(t, func(w http.ResponseWriter, r *http.Request) {
				conn := http.NewResponseController(w)
				if err := conn.SetWriteDeadline(time.Now().Add(time.Minute)); err != nil {
					t.Errorf("deadlines do not go through: %v", err)
				}
				w.Header().Set("Content-Type", "text/html; charset=utf-8")
				_, _ = io.WriteString(w, first)
				if err := conn.Flush(); err != nil {
					t.Errorf("flush does not go through: %v", err)
				}
				select {
				case <-arrived:
				case <-r.Context().Done():
				}
				_, _ = io.WriteString(w, second)
			})
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set("Accept-Encoding", encoding)
			client := &http.Client{Transport: &http.Transport{DisableCompression: true}, Timeout: 10 * time.Second}
			defer client.CloseIdleConnections()
			response, err := client.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = response.Body.Close() }()
			var body io.Reader = response.Body
			if encoding == "gzip" {
				if body, err = gzip.NewReader(body); err != nil {
					t.Fatal(err)
				}
			}
			piece := make([]byte, len(first))
			if _, err := io.ReadFull(body, piece); err != nil || string(piece) != first {
				t.Fatalf("%q and %v, want the first piece", piece, err)
			}
			close(arrived)
			rest, err := io.ReadAll(body)
			if err != nil || string(rest) != second {
				t.Errorf("%q and %v, want the second piece", rest, err)
			}
		})
	}
}

// Once bytes are out, a panic cuts the transfer, so that it does not look whole.
func TestAPanicAmidAPageAbortsIt(t *testing.T) {
	url := serveWrapped(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "<p>first")
		_ = http.NewResponseController(w).Flush()
		panic("amid the page")
	})
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	response, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if body, err := io.ReadAll(response.Body); err == nil {
		t.Errorf("%q looks whole", body)
	}
}
