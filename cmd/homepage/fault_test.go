package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

// fault is how a service can treat a call, once it has read it.
type fault struct {
	name string
	slow bool // it lasts until the caller gives up
	do   func(ctx context.Context, conn *net.TCPConn)
}

// leak is what a broken service says and no visitor may see.
const leak = "internal detail"

func says(answer string) func(context.Context, *net.TCPConn) {
	return func(_ context.Context, conn *net.TCPConn) { _, _ = io.WriteString(conn, answer) }
}

// saysJSON answers 200 with a body, rightly framed.
func saysJSON(body string) func(context.Context, *net.TCPConn) {
	return says(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body))
}

// repeats says the same for ever, with a pause in between.
func repeats(start, again string, pause time.Duration) func(context.Context, *net.TCPConn) {
	return func(ctx context.Context, conn *net.TCPConn) {
		_, err := io.WriteString(conn, start)
		for err == nil && ctx.Err() == nil {
			if pause > 0 {
				select {
				case <-time.After(pause):
				case <-ctx.Done():
				}
			}
			_, err = io.WriteString(conn, again)
		}
	}
}

func gzipped(s string) string {
	out := new(bytes.Buffer)
	zip := gzip.NewWriter(out)
	_, _ = io.WriteString(zip, s)
	_ = zip.Close()
	return out.String()
}

func faults() []fault {
	const drip = 10 * time.Millisecond                                                         // a byte a second would be one byte, in this test
	bomb := gzipped(`{"title":"`) + strings.Repeat(gzipped(strings.Repeat("a", 1<<20)), 1<<10) // 1 GiB, RFC 1952 allows many members
	return []fault{
		{"resets", false, func(_ context.Context, conn *net.TCPConn) { _ = conn.SetLinger(0) }},
		{"hangs", true, func(ctx context.Context, _ *net.TCPConn) { <-ctx.Done() }},
		{"hangs after its headers", true, func(ctx context.Context, conn *net.TCPConn) {
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{")
			<-ctx.Done()
		}},
		{"drips its headers", true, repeats("HTTP/1.1 200 OK\r\nX: ", "x", drip)},
		{"drips its body", true, repeats("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n{", " ", drip)},
		{"never ends", false, repeats("HTTP/1.1 200 OK\r\n\r\n{", strings.Repeat(" ", 64<<10), 0)},
		{"never ends, in chunks", false, repeats("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "4000\r\n"+strings.Repeat(" ", 0x4000)+"\r\n", 0)},
		{"never ends its headers", false, repeats("HTTP/1.1 200 OK\r\n", "X: "+strings.Repeat("x", 1000)+"\r\n", 0)},
		{"announces for ever", false, repeats("", "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n", 0)},
		{"is a gzip bomb", false, says(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s", len(bomb), bomb))},
		{"is cut short", false, says("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"title\":\"" + leak)},
		{"is cut short amid a chunk", false, says("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4000\r\n{\"title\":\"" + leak)},
		{"redirects for ever", false, says("HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n")},
		{"redirects elsewhere", false, says("HTTP/1.1 302 Found\r\nLocation: http://localhost:1/\r\nContent-Length: 0\r\n\r\n")},
		{"answers 404", false, says("HTTP/1.1 404 Not Found\r\nContent-Length: 15\r\n\r\n" + leak)},
		{"answers 500 with a body", false, says("HTTP/1.1 500 Internal Server Error\r\nContent-Length: 27\r\n\r\n{\"title\":\"" + leak + "\"}")},
		{"says no JSON", false, saysJSON("<html>" + leak)},
		{"says JSON of the wrong types", false, saysJSON(`{"title":{"` + leak + `":1},"items":"` + leak + `"}`)},
		{"says JSON of another contract", false, saysJSON(`{"error":"` + leak + `"}`)},
		{"says what is no UTF-8", false, saysJSON("{\"title\":\"\xff" + leak + "\"}")},
		{"says nothing", false, saysJSON("")},
		{"says JSON without a bottom", false, saysJSON(strings.Repeat("[", 900_000))},
		{"says garbage", false, says("\x00\xff" + leak + "\r\n\r\n")},
	}
}

// serveFault serves a service with a fault.
func serveFault(t *testing.T, f fault) (url string) {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					f.do(ctx, conn.(*net.TCPConn))
				}
			}()
		}
	}()
	return "http://" + listener.Addr().String() + "/"
}

// section cuts a section out of a page.
func section(t *testing.T, page, slot string) string {
	t.Helper()
	found := regexp.MustCompile(`(?s)<section [^>]*slot="`+slot+`".*?</section>`).FindAllString(page, -1)
	if len(found) != 1 {
		t.Fatalf("the slot %s is filled %d times:\n%s", slot, len(found), page)
	}
	return found[0]
}

// Whatever one service does, the page is whole and in time, the other section
// is there before the fault is over, and the program stays small.
func TestFaults(t *testing.T) {
	t.Parallel() // as many wait for their timeout
	const timeout = 500 * time.Millisecond
	healthy := map[string]string{"promo": cake, "recommendations": cakeBook}
	variables := map[string]string{"promo": "PROMO_SERVICE_URL", "recommendations": "RECCO_SERVICE_URL"}
	visit := func(t *testing.T, services map[string]string, other string) (page string, otherAfter, after time.Duration, peak int64) {
		t.Helper()
		cmd, p := spawn(t, t.TempDir(), variables["promo"]+"="+services["promo"], variables["recommendations"]+"="+services["recommendations"], "SERVICE_TIMEOUT="+timeout.String())
		start := time.Now()
		response, err := client(t).Get(p.url)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		if response.StatusCode != http.StatusOK {
			t.Errorf("status %d", response.StatusCode)
		}
		var read strings.Builder
		for piece := make([]byte, 64<<10); err == nil; {
			var n int
			n, err = response.Body.Read(piece)
			read.Write(piece[:n])
			if otherAfter == 0 && strings.Contains(read.String(), `slot="`+other+`" data-state`) {
				otherAfter = time.Since(start)
			}
		}
		after = time.Since(start)
		if !errors.Is(err, io.EOF) || !strings.HasSuffix(read.String(), "</html>\n") {
			t.Errorf("the page is cut short: %v\n%s", err, &read)
		}
		peak = peakMemory(t, cmd)
		kill(t, cmd)
		return read.String(), otherAfter, after, peak
	}

	services := map[string]string{}
	for name, body := range healthy {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) }))
		t.Cleanup(server.Close)
		services[name] = server.URL
	}
	whole, _, _, _ := visit(t, services, "promo")
	all := faults()
	for broken, other := range map[string]string{"promo": "recommendations", "recommendations": "promo"} {
		want := section(t, whole, other)
		check := func(t *testing.T, url string, slow bool) {
			t.Helper()
			page, otherAfter, after, peak := visit(t, map[string]string{broken: url, other: services[other]}, other)
			if got := section(t, page, other); got != want {
				t.Errorf("the other section is\n%s\nwant\n%s", got, want)
			}
			if got := section(t, page, broken); !strings.Contains(got, `data-state="failed"`) {
				t.Errorf("the section is %s", got)
			}
			if strings.Contains(page, leak) {
				t.Errorf("the page shows what the service said:\n%s", page)
			}
			if slow && (after < timeout || otherAfter >= timeout) {
				t.Errorf("the other section came after %v, the page ended after %v; want less and more than %v", otherAfter, after, timeout)
			}
			if limit := timeout + time.Second; after > limit { // a lot more than it is over, for busy machines
				t.Errorf("the page took %v, want less than %v", after, limit)
			}
			if peak > 64<<20 {
				t.Errorf("the program took %d MiB of memory", peak>>20)
			}
			t.Logf("%v over, %.1f MiB", max(0, after-timeout), float64(peak)/(1<<20))
		}
		t.Run(broken+" refuses", func(t *testing.T) {
			t.Parallel()
			check(t, "http://127.0.0.1:1/", false)
		})
		for _, f := range all {
			t.Run(broken+" "+f.name, func(t *testing.T) {
				t.Parallel()
				check(t, serveFault(t, f), f.slow)
			})
		}
	}
}

// peakMemory is the most that the process has had resident, in bytes. It is 0
// where the system does not tell.
func peakMemory(t *testing.T, cmd *exec.Cmd) int64 {
	t.Helper()
	if runtime.GOOS != "linux" {
		return 0
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	kib, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
	n, err := strconv.ParseInt(kib, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n << 10
}
