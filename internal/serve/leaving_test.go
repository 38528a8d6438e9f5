package serve_test

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"homepage/internal/serve"
)

// Whoever goes on using a connection while the site is about to drain is told
// with an answer to leave it, and never cut off. In the first half of the delay,
// while all visitors may still come, connections are kept.
func TestAConnectionIsLeftBeforeTheDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const delay = 10 * time.Second
		begin := time.Now()
		told, tell := context.WithCancel(t.Context())
		defer tell()
		after := new(serve.Delay)
		ctx, cancel := after.After(told, delay, slog.New(slog.DiscardHandler))
		defer cancel()
		site := serve.New(serve.Timeouts{Idle: time.Hour, Drain: time.Minute}, slog.New(slog.DiscardHandler))
		site.Leaving = after.Late
		listener := pipes{make(chan net.Conn), make(chan struct{})}
		ended := make(chan error)
		go func() {
			ended <- site.Run(ctx, listener, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				_, _ = io.WriteString(w, "whole")
			}))
		}()
		server, client := net.Pipe()
		listener.conns <- server
		answers := bufio.NewReader(client)
		for { // a visitor who asks every second
			if _, err := io.WriteString(client, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
			response, err := http.ReadResponse(answers, nil)
			if err != nil {
				t.Fatal(err)
			}
			if body, err := io.ReadAll(response.Body); err != nil || string(body) != "whole" {
				t.Fatalf("%q, %v", body, err)
			}
			_ = response.Body.Close()
			if response.Close {
				break
			}
			if time.Since(begin) == 0 {
				tell()
			}
			<-time.After(time.Second)
		}
		if took := time.Since(begin); took != delay/2 {
			t.Errorf("the connection was kept until %v of a delay of %v", took, delay)
		}
		if _, err := answers.ReadByte(); err != io.EOF {
			t.Errorf("after the last answer there is %v, want the end", err)
		}
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if took := time.Since(begin); took != delay {
			t.Errorf("it drained after %v, want %v", took, delay)
		}
	})
}
