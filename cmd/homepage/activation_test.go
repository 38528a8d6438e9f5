//go:build unix

package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// activate starts the program as systemd does, with the sockets from descriptor
// 3 on. LISTEN_PID is the program's own.
func activate(t *testing.T, sockets []*os.File, variables ...string) (*exec.Cmd, *program) {
	t.Helper()
	file, err := executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "sh", "-c", `LISTEN_PID=$$ exec "$0"`, file)
	cmd.ExtraFiles = sockets
	cmd.Env = append(os.Environ(), "ADDR=127.0.0.1:1", "UPLOADS="+t.TempDir(), fmt.Sprint("LISTEN_FDS=", len(sockets)), "LISTEN_FDNAMES=site")
	cmd.Env = append(cmd.Env, variables...)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, &program{lines: logLines(t, stderr)}
}

// stopped waits for the end of a program that has been told to stop.
func stopped(t *testing.T, cmd *exec.Cmd, p *program) {
	t.Helper()
	for range p.lines { // until its end, as Wait closes the pipe
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("the program ended with %v, want exit status 0", err)
	}
}

// passed opens a socket that stays open however often the program starts.
func passed(t *testing.T, network, address string) (net.Addr, *os.File) {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), network, address)
	if err != nil {
		t.Fatal(err)
	}
	if unix, ok := listener.(*net.UnixListener); ok {
		unix.SetUnlinkOnClose(false)
	}
	file, err := listener.(interface{ File() (*os.File, error) }).File()
	if err != nil {
		t.Fatal(err)
	}
	_ = listener.Close()
	t.Cleanup(func() { _ = file.Close() })
	return listener.Addr(), file
}

// A hundred clients come before, during and after a restart, and each is served.
func TestARestartLosesNoConnection(t *testing.T) {
	t.Parallel()
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			t.Parallel()
			address := "127.0.0.1:0"
			if network == "unix" {
				address = filepath.Join(t.TempDir(), "site.sock")
			}
			bound, socket := passed(t, network, address)
			connect := func() net.Conn {
				conn, err := new(net.Dialer).DialContext(t.Context(), network, bound.String())
				if err != nil {
					t.Fatal(err)
				}
				return conn
			}
			ask := func(conn net.Conn) {
				if _, err := io.WriteString(conn, "GET /upload HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
					t.Error(err)
				}
			}
			served := 0
			answered := func(conn net.Conn) {
				defer conn.Close()
				response, err := http.ReadResponse(bufio.NewReader(conn), nil)
				if err != nil {
					t.Error(err)
					return
				}
				body, err := io.ReadAll(response.Body)
				_ = response.Body.Close()
				if err != nil || response.StatusCode != http.StatusOK || !strings.Contains(string(body), "</html>") {
					t.Errorf("status %d, %d bytes, %v", response.StatusCode, len(body), err)
					return
				}
				served++
			}

			first, p := activate(t, []*os.File{socket})
			if got := p.await(t, "listening")["url"]; !strings.Contains(fmt.Sprint(got), bound.String()) {
				t.Errorf("it listens on %v, want %v", got, bound)
			}
			var waiting []net.Conn
			for range 25 { // connected, and not done asking
				conn := connect()
				_, _ = io.WriteString(conn, "GET /upl")
				waiting = append(waiting, conn)
			}
			conn := connect() // so that the others have been accepted
			ask(conn)
			answered(conn)
			if err := first.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			for range 25 { // whichever instance takes them
				conn := connect()
				ask(conn)
				waiting = append(waiting, conn)
			}
			p.await(t, "draining")
			for _, conn := range waiting[:25] {
				if _, err := io.WriteString(conn, "oad HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
					t.Error(err)
				}
			}
			stopped(t, first, p)
			for range 24 { // nobody is there to take them
				conn := connect()
				ask(conn)
				waiting = append(waiting, conn)
			}
			second, p := activate(t, []*os.File{socket})
			p.await(t, "listening")
			for range 25 {
				conn := connect()
				ask(conn)
				waiting = append(waiting, conn)
			}
			for _, conn := range waiting {
				answered(conn)
			}
			if served != 100 {
				t.Errorf("%d of 100 connections were served", served)
			}
			if err := second.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			stopped(t, second, p)
		})
	}
}

func TestSocketsThatCantBeServed(t *testing.T) {
	t.Parallel()
	addr, one := passed(t, "tcp", "127.0.0.1:0")
	path := filepath.Join(t.TempDir(), "s")
	_, two := passed(t, "unix", path)
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	conn, err := new(net.Dialer).DialContext(t.Context(), addr.Network(), addr.String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	connected, err := conn.(*net.TCPConn).File()
	if err != nil {
		t.Fatal(err)
	}
	defer connected.Close()
	for _, test := range []struct {
		name     string
		sockets  []*os.File
		variable string
		want     string
	}{
		{"two", []*os.File{one, two}, "X=", "LISTEN_FDS passes 2 sockets (http://" + addr.String() + ", unix:" + path + "), but only one can be served"},
		{"none", nil, "X=", `LISTEN_FDS is "0", but one socket is needed`},
		{"no number", []*os.File{one}, "LISTEN_FDS=x", `LISTEN_FDS is "x", but one socket is needed`},
		{"far too many", []*os.File{one, null}, "LISTEN_FDS=2000000000", "LISTEN_FDS passes 2000000000 sockets (http://" + addr.String() + ", descriptor 4: socket operation on non-socket)"},
		{"no socket", []*os.File{null}, "X=", "descriptor 3: socket operation on non-socket"},
		{"a connection", []*os.File{connected}, "X=", "descriptor 3 is a socket that doesn't listen; a socket unit needs Accept=no"},
	} {
		t.Run(test.name, func(t *testing.T) {
			cmd, p := activate(t, test.sockets, test.variable)
			var last string
			for line := range p.lines {
				last = fmt.Sprint(line["msg"])
			}
			if err := cmd.Wait(); cmd.ProcessState.ExitCode() != 1 {
				t.Errorf("it ended with %v, want exit status 1", err)
			}
			if !strings.Contains(last, test.want) {
				t.Errorf("it says %q, want %q", last, test.want)
			}
		})
	}
}

// Sockets that were passed to a parent are not the program's.
func TestSocketsOfAnotherProcess(t *testing.T) {
	t.Parallel()
	file, err := executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd, p := spawnFile(t, file, t.TempDir(), "LISTEN_FDS=1", fmt.Sprint("LISTEN_PID=", os.Getpid()))
	if status, _ := get(t, p.url+"/healthz"); status != http.StatusOK {
		t.Errorf("status %d", status)
	}
	kill(t, cmd)
}

// The program on a Unix socket behind a proxy, and after a kill.
func TestAUnixSocket(t *testing.T) {
	t.Parallel()
	file, err := executable()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "site.sock")
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path + ".notify", Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Close()
	if err := manager.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	notice := func() string {
		datagram := make([]byte, 100)
		n, _ := manager.Read(datagram)
		return string(datagram[:n])
	}
	variables := []string{"ADDR=unix:" + path, "TRUSTED_PROXIES=unix, 10.0.0.0/8", "NOTIFY_SOCKET=" + path + ".notify"}
	killed, p := spawnFile(t, file, t.TempDir(), variables...)
	if p.url != "unix:"+path {
		t.Errorf("it listens on %q", p.url)
	}
	if got := notice(); got != "READY=1" {
		t.Errorf("systemd is told %q", got)
	}

	second := exec.CommandContext(t.Context(), file)
	second.Env = append(os.Environ(), "ADDR=unix:"+path, "UPLOADS="+t.TempDir())
	if out, err := second.CombinedOutput(); err == nil || !strings.Contains(string(out), "ADDR: another program is listening on "+path) {
		t.Errorf("a second one on the same path: %v\n%s", err, out)
	}
	kill(t, killed)
	if _, err := os.Lstat(path); err != nil {
		t.Errorf("a kill leaves no socket: %v", err)
	}

	cmd, p := spawnFile(t, file, t.TempDir(), variables...)
	if got := notice(); got != "READY=1" {
		t.Errorf("systemd is told %q", got)
	}
	client := &http.Client{Timeout: time.Minute, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", path)
		},
	}}
	for forwarded, want := range map[string]string{"": "unix", "1.1.1.1, 203.0.113.5, 10.0.0.2": "203.0.113.5"} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://site/upload", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("X-Forwarded-For", forwarded)
		response, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if got := p.await(t, "request")["remote"]; got != want {
			t.Errorf("X-Forwarded-For: %s: the client is %v, want %s", forwarded, got, want)
		}
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if got := notice(); got != "STOPPING=1" {
		t.Errorf("systemd is told %q", got)
	}
	stopped(t, cmd, p)
	if _, err := os.Lstat(path); !os.IsNotExist(err) {
		t.Errorf("the socket is still there: %v", err)
	}
}

func TestSettingsOfListenersAndProxies(t *testing.T) {
	for variable, wants := range map[string][]string{
		"ADDR=unix:":                  {`ADDR (--addr) is "unix:"`, "or unix:PATH"},
		"ADDR=unix:@site":             {`ADDR (--addr) is "unix:@site"`, "or unix:PATH"},
		"TRUSTED_PROXIES=10.0.0.0/33": {`TRUSTED_PROXIES (--trusted-proxies) is "10.0.0.0/33"`, "addresses, CIDRs and the word unix"},
	} {
		name, value, _ := strings.Cut(variable, "=")
		_, err := parseSettings(nil, env(map[string]string{name: value}), io.Discard)
		for _, want := range wants {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %q", variable, err, want)
			}
		}
	}
}
