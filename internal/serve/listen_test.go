//go:build unix

package serve_test

import (
	"bytes"
	"context"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"homepage/internal/serve"
)

// over is a client of a Unix socket that keeps no connection.
func over(path string) *http.Client {
	return &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", path)
		},
	}}
}

func TestListenOnAUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "site.sock")
	listener, err := serve.Listen(t.Context(), "unix:"+path)
	if err != nil {
		t.Fatal(err)
	}
	if got := serve.URL(listener.Addr()); got != "unix:"+path {
		t.Errorf("it listens on %q", got)
	}
	info, err := os.Lstat(path)
	if err != nil || info.Mode() != fs.ModeSocket|0o660 {
		t.Errorf("%v, %v; want a socket of mode 0660", info.Mode(), err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	umask := syscall.Umask(0)
	syscall.Umask(umask)
	if info, err := os.Stat(file); err != nil || int(info.Mode().Perm()) != 0o666&^umask || umask == 0o117 {
		t.Errorf("%v, %v; the umask is %#o and should be what it was", info.Mode(), err, umask)
	}

	ctx, drain := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- serve.New(serve.Timeouts{Idle: time.Minute, Drain: time.Minute}, slog.New(slog.DiscardHandler)).Run(ctx, listener, http.NotFoundHandler())
	}()
	response, err := over(path).Get("http://site/")
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusNotFound {
		t.Errorf("status %d", response.StatusCode)
	}
	drain()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); !os.IsNotExist(err) {
		t.Errorf("after the end the socket is still there: %v", err)
	}
}

// What is at the path of a socket stays, unless it is a socket without anyone.
func TestWhatIsAtThePathOfASocket(t *testing.T) {
	bound := func(t *testing.T, network, path string) io.Closer {
		t.Helper()
		if network == "unixgram" {
			conn, err := net.ListenUnixgram(network, &net.UnixAddr{Name: path, Net: network})
			if err != nil {
				t.Fatal(err)
			}
			return conn
		}
		listener, err := net.ListenUnix(network, &net.UnixAddr{Name: path, Net: network})
		if err != nil {
			t.Fatal(err)
		}
		listener.SetUnlinkOnClose(false)
		return listener
	}
	for _, test := range []struct {
		name string
		make func(t *testing.T, path string) error
		want string // "" if it is replaced
	}{
		{"nothing", func(*testing.T, string) error { return nil }, ""},
		{"a socket that a killed program left", func(t *testing.T, path string) error { t.Helper(); return bound(t, "unix", path).Close() }, ""},
		{"a socket in use", func(t *testing.T, path string) error {
			t.Helper()
			listener := bound(t, "unix", path)
			t.Cleanup(func() { _ = listener.Close() })
			return nil
		}, "another program is listening on "},
		{"a socket of another kind in use", func(t *testing.T, path string) error {
			t.Helper()
			conn := bound(t, "unixgram", path)
			t.Cleanup(func() { _ = conn.Close() })
			return nil
		}, "another program may be listening on "},
		{"a file", func(_ *testing.T, path string) error { return os.WriteFile(path, []byte("precious"), 0o600) }, "is not a socket"},
		{"a folder", func(_ *testing.T, path string) error { return os.Mkdir(path, 0o700) }, "is not a socket"},
		{"a pipe", func(_ *testing.T, path string) error { return syscall.Mkfifo(path, 0o600) }, "is not a socket"},
		{"a link", func(_ *testing.T, path string) error { return os.Symlink("elsewhere", path) }, "is not a socket"},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "s")
			if err := test.make(t, path); err != nil {
				t.Fatal(err)
			}
			before, _ := os.Lstat(path)
			listener, err := serve.Listen(t.Context(), "unix:"+path)
			if test.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				_ = listener.Close()
				return
			}
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("%v; want %q and the path", err, test.want)
			}
			if after, err := os.Lstat(path); err != nil || !os.SameFile(before, after) {
				t.Errorf("it was replaced or removed: %v", err)
			}
		})
	}
}

func TestAPathTooLongForASocket(t *testing.T) {
	_, err := serve.Listen(t.Context(), "unix:/"+strings.Repeat("x", 200))
	if err == nil || !strings.Contains(err.Error(), "is too long") {
		t.Errorf("%v, want that it is too long", err)
	}
}

// systemd reads datagrams from a socket at a path or, on Linux, of an abstract
// name.
func TestNotices(t *testing.T) {
	sockets := map[string]string{"a path": filepath.Join(t.TempDir(), "notify")}
	if runtime.GOOS == "linux" { // nothing else has them
		sockets["an abstract name"] = "@" + t.TempDir()
	}
	for name, socket := range sockets {
		t.Run(name, func(t *testing.T) {
			manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
			if err != nil {
				t.Fatal(err)
			}
			defer manager.Close()
			if err := manager.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
				t.Fatal(err)
			}
			t.Setenv("NOTIFY_SOCKET", socket)
			read := func() string {
				datagram := make([]byte, 100)
				n, err := manager.Read(datagram)
				if err != nil {
					t.Error(err)
				}
				return string(datagram[:n])
			}
			handler, begun, finish := slow()
			server := start(t, time.Minute, handler)
			if got := read(); got != "READY=1" {
				t.Errorf("the first notice is %q", got)
			}
			answered := make(chan error)
			go func() {
				_, _, err := get(t, server.url+"/slow")
				answered <- err
			}()
			<-begun
			server.drain()
			if got := read(); got != "STOPPING=1" { // while the request runs
				t.Errorf("the second notice is %q", got)
			}
			close(finish)
			if err := <-answered; err != nil {
				t.Error(err)
			}
			if err := <-server.ended; err != nil {
				t.Error(err)
			}
		})
	}
}

func TestItServesWhenSystemdHearsNothing(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", filepath.Join(t.TempDir(), "nobody"))
	var log bytes.Buffer
	listener, err := serve.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, drain := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- serve.New(serve.Timeouts{Idle: time.Minute, Drain: time.Minute}, slog.New(slog.NewTextHandler(&log, nil))).Run(ctx, listener, http.NotFoundHandler())
	}()
	if response, _, err := get(t, serve.URL(listener.Addr())); err != nil || response.StatusCode != http.StatusNotFound {
		t.Errorf("%v, %v", response, err)
	}
	drain()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if got := log.String(); !strings.Contains(got, "state=READY=1") && !strings.Contains(got, `state="READY=1"`) {
		t.Errorf("the log does not say it:\n%s", got)
	}
}

// closing is a listener that tells when it is closed.
type closing struct {
	net.Listener
	closed chan struct{}
}

func (l closing) Close() error {
	defer close(l.closed)
	return l.Listener.Close()
}

// A connection that came before the end is served, though its request comes
// after the listener was closed.
func TestADrainWaitsForARequestOnItsWay(t *testing.T) {
	opened, err := serve.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener := closing{opened, make(chan struct{})}
	ctx, drain := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- serve.New(serve.Timeouts{Idle: time.Minute, Drain: time.Minute}, slog.New(slog.DiscardHandler)).Run(ctx, listener, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "whole")
		}))
	}()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", opened.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET / HTT"); err != nil {
		t.Fatal(err)
	}
	if _, body, err := get(t, serve.URL(opened.Addr())); err != nil || body != "whole" { // so conn has been accepted as well
		t.Fatalf("%q, %v", body, err)
	}
	drain()
	<-listener.closed
	if _, err := io.WriteString(conn, "P/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 200 ") || !strings.HasSuffix(string(answer), "whole") {
		t.Errorf("it gets %q, %v", answer, err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
