package serve_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"homepage/internal/serve"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// running is a server that runs, and what a test needs of it.
type running struct {
	*serve.Server
	url      string
	drain    context.CancelFunc
	draining chan struct{} // closed once the log says so
	ended    chan error    // what Run returned
}

func start(t *testing.T, timeout time.Duration, handler http.HandlerFunc) *running {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	r := &running{url: "http://" + listener.Addr().String(), drain: cancel, draining: make(chan struct{}), ended: make(chan error, 1)}
	r.Server = serve.New(serve.Timeouts{Idle: time.Minute, Drain: timeout}, slog.New(slog.NewTextHandler(logged(func(line string) {
		if strings.Contains(line, "msg=draining") {
			close(r.draining)
		}
	}), nil)))
	go func() { r.ended <- r.Run(ctx, listener, handler) }()
	return r
}

// logged is a log that a function reads.
type logged func(line string)

func (l logged) Write(line []byte) (int, error) {
	l(string(line))
	return len(line), nil
}

// get asks over a connection of its own, which the client would keep.
func get(t *testing.T, url string) (response *http.Response, body string, err error) {
	t.Helper()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	response, err = (&http.Client{Transport: transport}).Get(url)
	if err != nil {
		return nil, "", err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	return response, string(content), err
}

// slow answers /slow when the test says so, and everything else at once.
func slow() (handler http.HandlerFunc, begun, finish chan struct{}) {
	begun, finish = make(chan struct{}), make(chan struct{})
	return func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			close(begun)
			select {
			case <-finish:
			case <-r.Context().Done():
				return
			}
		}
		_, _ = io.WriteString(w, "whole")
	}, begun, finish
}

func TestDrain(t *testing.T) {
	handler, begun, finish := slow()
	server := start(t, time.Minute, handler)
	if response, body, err := get(t, server.url); err != nil || body != "whole" || response.Close {
		t.Errorf("before the drain: %q, %v; it should be served and its connection kept", body, err)
	}
	if server.Draining() {
		t.Error("it drains before it is told to")
	}
	answered := make(chan string)
	go func() {
		_, body, err := get(t, server.url+"/slow")
		if err != nil {
			t.Error(err)
		}
		answered <- body
	}()
	<-begun
	server.drain()
	<-server.draining

	if !server.Draining() {
		t.Error("it does not say that it drains")
	}
	if response, body, err := get(t, server.url); err != nil || body != "whole" || !response.Close {
		t.Errorf("a new request while draining: %q, %v; it should be served and its connection closed", body, err)
	}
	select {
	case err := <-server.ended:
		t.Errorf("it ended with %v while a request was running", err)
	default:
	}
	close(finish)
	if body := <-answered; body != "whole" {
		t.Errorf("the running request got %q", body)
	}
	if err := <-server.ended; err != nil {
		t.Errorf("Run returned %v", err)
	}
	if _, _, err := get(t, server.url); err == nil {
		t.Error("it still listens after the drain")
	}
}

func TestADrainEndsInTime(t *testing.T) {
	handler, begun, _ := slow()
	server := start(t, 50*time.Millisecond, handler)
	failed := make(chan error)
	go func() {
		_, _, err := get(t, server.url+"/slow")
		failed <- err
	}()
	<-begun
	server.drain()
	if err := <-server.ended; !errors.Is(err, serve.ErrCutOff) {
		t.Errorf("Run returned %v, want ErrCutOff", err)
	}
	if err := <-failed; err == nil {
		t.Error("the request was not cut off")
	}
}

func TestItReturnsTheListenersError(t *testing.T) {
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = listener.Close()
	server := serve.New(serve.Timeouts{Idle: 5 * time.Minute, Drain: time.Minute}, slog.New(slog.DiscardHandler))
	if err := server.Run(t.Context(), listener, http.NotFoundHandler()); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Run returned %v, want the listener's error", err)
	}
}

// pipes is a listener whose connections take no real time.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (p pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.conns:
		return conn, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p pipes) Close() error {
	close(p.closed)
	return nil
}

func (pipes) Addr() net.Addr { return &net.TCPAddr{} }

// A client that stalls holds its connection for a while, and no longer.
func TestStalledClients(t *testing.T) {
	for _, test := range []struct {
		name, sent string
		held       time.Duration
	}{
		{"before its request", "", 10 * time.Second},
		{"in its header", "GET / HTTP/1.1\r\nHost: ", 10 * time.Second},
		{"in its body", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf", 30 * time.Second},
		{"after its request", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 5 * time.Minute},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				listener := pipes{make(chan net.Conn), make(chan struct{})}
				ended := make(chan error)
				go func() {
					ended <- serve.New(serve.Timeouts{Idle: 5 * time.Minute, Drain: time.Minute}, slog.New(slog.DiscardHandler)).Run(ctx, listener, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
						_, _ = io.Copy(io.Discard, r.Body)
					}))
				}()
				server, client := net.Pipe()
				listener.conns <- server
				begin := time.Now()
				go func() { _, _ = io.WriteString(client, test.sent) }()
				_, _ = io.Copy(io.Discard, client)
				if held := time.Since(begin); held.Round(time.Second) != test.held {
					t.Errorf("held for %v, want %v", held, test.held)
				}
				cancel()
				if err := <-ended; err != nil {
					t.Errorf("Run returned %v", err)
				}
			})
		})
	}
}
