package web

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
)

// The middleware round a handler that the site does not have: one that panics
// amid its answer.
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
