package web_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"homepage/internal/web"
)

// Who has enough uploads running is asked to come back later, and nobody else.
func TestTooManyUploadsOfOneClient(t *testing.T) {
	for _, test := range []struct {
		name, running, same, other string // remote addresses
	}{
		{"IPv4", "192.0.2.1:1", "192.0.2.1:2", "192.0.2.2:1"},
		{"IPv4 on an IPv6 socket", "192.0.2.1:1", "[::ffff:192.0.2.1]:2", "[::ffff:192.0.2.2]:1"},
		{"the /64 of IPv6", "[2001:db8:1:2::1]:1", "[2001:db8:1:2:ffff::1]:1", "[2001:db8:1:3::1]:1"},
		{"IPv6 with a zone", "[fe80::1%eth0]:1", "[fe80::2%eth0]:1", "[2001:db8::1]:1"},
		{"no address", "@", "", "192.0.2.1:1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			all, _ := deps(t, io.Discard)
			all.Limits.PerClient = 2
			handler, err := web.New(all)
			if err != nil {
				t.Fatal(err)
			}
			post := func(remote string, body io.Reader) *httptest.ResponseRecorder {
				request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/upload", body)
				request.RemoteAddr = remote
				request.Header.Set("Content-Type", contentTypeB)
				request.Header.Set("Accept", "application/json")
				got := recorder{httptest.NewRecorder()}
				handler.ServeHTTP(got, request)
				return got.ResponseRecorder
			}
			whole := rawForm(filePart(""))
			done := make(chan int)
			var rest []*io.PipeWriter
			for range 2 {
				read, write := io.Pipe()
				go func() { done <- post(test.running, read).Code }()
				if _, err := io.WriteString(write, whole[:40]); err != nil { // returns when it has been read
					t.Fatal(err)
				}
				rest = append(rest, write)
			}
			refused := post(test.same, strings.NewReader(whole))
			if refused.Code != http.StatusTooManyRequests || refused.Header().Get("Retry-After") != "5" || !strings.Contains(refused.Body.String(), "too many uploads running") {
				t.Errorf("%d with Retry-After %q, want 429 with 5:\n%s", refused.Code, refused.Header().Get("Retry-After"), refused.Body)
			}
			if got := post(test.other, strings.NewReader(whole)).Code; got != http.StatusCreated {
				t.Errorf("another client gets %d, want 201", got)
			}
			for i, write := range rest {
				_, _ = io.WriteString(write, whole[40:])
				_ = write.Close()
				if got := <-done; got != http.StatusCreated {
					t.Errorf("a running upload ended with %d, want 201", got)
				}
				if got := post(test.same, strings.NewReader(whole)).Code; got != http.StatusCreated {
					t.Errorf("with %d running the client gets %d, want 201", 1-i, got)
				}
			}
		})
	}
}
