package web_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"homepage/internal/certificate"
	"homepage/internal/web"
)

// largeTemplate links a template of so many bytes, and a few more.
func largeTemplate(t *testing.T, size int) *certificate.Template {
	t.Helper()
	var b bytes.Buffer
	var table strings.Builder
	b.WriteString("%PDF-1.7\n")
	for i, object := range []string{
		"<< /Type /Catalog /Pages 2 0 R >>",
		"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
		"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 420] /Resources << /Font << /F1 5 0 R >> >> /Contents 4 0 R >>",
		"<< /Length 42 >>\nstream\nBT /F1 12 Tf 50 300 Td (%timestamp%) Tj ET\nendstream",
		"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
		fmt.Sprintf("<< /Length %d >>\nstream\n", size) + strings.Repeat("x", size) + "\nendstream",
	} {
		fmt.Fprintf(&table, "%010d 00000 n \n", b.Len())
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", i+1, object)
	}
	fmt.Fprintf(&b, "xref\n0 7\n0000000000 65535 f \n%strailer\n<< /Size 7 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n", &table, b.Len())
	template, err := certificate.Link(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return template
}

// oneConn is a listener that has one connection.
type oneConn struct {
	conns chan net.Conn
	done  chan struct{}
}

func (l oneConn) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}
func (l oneConn) Close() error { close(l.done); return nil }
func (oneConn) Addr() net.Addr { return &net.TCPAddr{} }

// A large certificate takes a slow visitor longer than an answer may take as a
// whole. Each piece has its own minute.
func TestASlowVisitorGetsALargeCertificate(t *testing.T) {
	template := largeTemplate(t, 28<<20)
	for _, test := range []struct {
		name  string
		pace  int // bytes a second
		until int // bytes, where the visitor stops taking any
		whole bool
	}{
		{"250 kB/s", 250_000, template.Size(), true},
		{"nothing after the first MiB", 1 << 20, 1 << 20, false},
		{"nothing", 1, 0, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			log := &logBuffer{}
			all, _ := deps(t, log)
			all.Certificate = func() *certificate.Template { return template }
			handler, err := web.New(all)
			if err != nil {
				t.Fatal(err)
			}
			synctest.Test(t, func(t *testing.T) {
				handled := make(chan struct{})
				once := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					defer close(handled)
					handler.ServeHTTP(w, r)
				})
				server := &http.Server{Handler: once, WriteTimeout: time.Minute, ErrorLog: slog.NewLogLogger(all.Log.Handler(), slog.LevelWarn)}
				listener := oneConn{make(chan net.Conn, 1), make(chan struct{})}
				served := make(chan error, 1)
				go func() { served <- server.Serve(listener) }()
				far, near := net.Pipe()
				defer func() {
					_ = near.Close()
					_ = server.Close()
					<-served
				}()
				listener.conns <- far
				go func() {
					_, _ = io.WriteString(near, "GET /certificate HTTP/1.1\r\nHost: example.com\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n")
				}()
				in := bufio.NewReaderSize(near, 64<<10)
				var body io.Reader
				if test.until > 0 {
					response, err := http.ReadResponse(in, nil)
					if err != nil {
						t.Fatal(err)
					}
					body = response.Body
				}
				for got := 0; got < test.until; {
					n, err := io.CopyN(io.Discard, body, int64(min(test.pace, test.until-got)))
					got += int(n)
					if err != nil {
						t.Fatalf("cut off after %d of %d bytes: %v", got, template.Size(), err)
					}
					<-time.After(time.Second) // of the bubble
				}
				stopped := time.Now()
				<-handled
				if held := time.Since(stopped); !test.whole && (held < 55*time.Second || held > 65*time.Second) {
					t.Errorf("held for %v, want a minute", held)
				}
			})
			if lines := log.lines(t, "request"); len(lines) != 1 || lines[0]["aborted"] == test.whole {
				t.Errorf("access lines %v, want one", lines)
			}
			for line := range strings.Lines(log.buf.String()) {
				if strings.Contains(line, `"WARN"`) || strings.Contains(line, `"ERROR"`) {
					t.Errorf("the log says %s", line)
				}
			}
		})
	}
}

// The same over TCP, whose buffers take a part of each piece.
func TestALargeCertificateOutlivesTheServersDeadline(t *testing.T) {
	const deadline = 50 * time.Millisecond
	template := largeTemplate(t, 12<<20) // more than TCP holds for both
	all, _ := deps(t, io.Discard)
	all.Certificate = func() *certificate.Template { return template }
	handler, err := web.New(all)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(handler)
	server.Config.WriteTimeout = deadline
	server.Start()
	t.Cleanup(server.Close)
	response, err := visitor(t).Get(server.URL + "/certificate")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	<-time.After(4 * deadline)
	if n, err := io.Copy(io.Discard, response.Body); err != nil || n != int64(template.Size()) {
		t.Errorf("%d of %d bytes: %v", n, template.Size(), err)
	}
}
