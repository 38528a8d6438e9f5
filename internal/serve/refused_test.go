package serve_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"homepage/internal/serve"
)

// What net/http refuses by itself is told, and nothing else is.
func TestRefusedByNetHTTP(t *testing.T) {
	const good = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
	for _, test := range []struct {
		name, sent string
		want       []int
	}{
		{"no request at all", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", []int{400}},
		{"no host", "GET / HTTP/1.1\r\n\r\n", []int{400}},
		{"headers that are too large", "GET / HTTP/1.1\r\nHost: x\r\nCookie: " + strings.Repeat("c", 80<<10) + "\r\n\r\n", []int{431}},
		{"a transfer coding that is not known", "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", []int{501}},
		{"an expectation that is not known", "GET / HTTP/1.1\r\nHost: x\r\nExpect: a miracle\r\n\r\n", []int{417}},
		{"another version", "GET / HTTP/3.0\r\nHost: x\r\n\r\n", []int{505}},
		{"after a good request", good + "GET\r\n\r\n", []int{400}},
		{"a handler's own 400", strings.Replace(good, "/", "/400", 1) + strings.Replace(good, "Host", "Connection: close\r\nHost", 1), nil},
		{"a client that leaves", "GET / HT", nil},
		{"a client that says nothing", "", nil},
		{"OPTIONS *, which net/http answers", "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			var got []int // each connection's goroutine is over before the server's end
			server := serve.New(serve.Timeouts{Idle: time.Minute, Drain: time.Minute}, slog.New(slog.DiscardHandler))
			server.Refused = func(status int) { got = append(got, status) }
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error)
			go func() {
				ended <- server.Run(ctx, listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if r.URL.Path == "/400" {
						w.WriteHeader(http.StatusBadRequest)
					}
				}))
			}()
			conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(conn, test.sent); err != nil {
				t.Fatal(err)
			}
			if len(test.want) == 0 { // a refusal ends the connection; a client that ends it first is none
				if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
					t.Fatal(err)
				}
			}
			answer, err := io.ReadAll(conn)
			if err != nil {
				t.Errorf("after %q: %v", answer, err)
			}
			_ = conn.Close()
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("told of %v, want %v; the answer was %q", got, test.want, answer)
			}
			for _, status := range test.want {
				if !strings.Contains(string(answer), fmt.Sprint("HTTP/1.1 ", status)) {
					t.Errorf("the answer is %q", answer)
				}
			}
		})
	}
}
