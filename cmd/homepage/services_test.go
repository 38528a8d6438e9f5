package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Services are told who calls, for which visit, and what the operator has them
// told. No line of the log has a secret.
func TestWhatServicesAreTold(t *testing.T) {
	const secret = "hunter2"
	told := make(chan http.Header, 1)
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("key") != secret {
			t.Errorf("the query is %q", r.URL.RawQuery)
		}
		told <- r.Header
		w.WriteHeader(http.StatusInternalServerError)
	}))
	defer service.Close()
	p := start(t, map[string]string{"PROMO_SERVICE_URL": service.URL + "/?key=" + secret, "PROMO_SERVICE_HEADERS": "Authorization: Bearer " + secret})
	const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.url, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Traceparent", parent)
	request.Header.Set("Tracestate", "a=1")
	request.Header.Set("Cookie", "visitor=ann")
	response, err := client(t).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	got := <-told
	if agent := got.Get("User-Agent"); !strings.HasPrefix(agent, "homepage/") {
		t.Errorf("User-Agent %q", agent)
	}
	want := http.Header{
		"Accept": {"application/json"}, "Accept-Encoding": {"gzip"}, "User-Agent": got["User-Agent"], "Authorization": {"Bearer " + secret},
		"X-Request-Id": {response.Header.Get("X-Request-Id")}, "Traceparent": {parent}, "Tracestate": {"a=1"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if err := p.stop(); err != nil {
		t.Fatal(err)
	}
	failed := false
	for line := range p.lines {
		failed = failed || line["msg"] == "section failed"
		if strings.Contains(fmt.Sprint(line), secret) {
			t.Errorf("the log tells the secret: %v", line)
		}
	}
	if !failed {
		t.Error("the log does not say that the service failed")
	}
}

// If one service is named and the other isn't, the start says which is missing.
func TestOnlyOneServiceIsSet(t *testing.T) {
	for given, missing := range map[string]string{"PROMO_SERVICE_URL": "RECCO_SERVICE_URL", "RECCO_SERVICE_URL": "PROMO_SERVICE_URL"} {
		p := start(t, map[string]string{given: "http://127.0.0.1:1/"})
		if got := p.await(t, "only one service is set, so the other section shows samples")["missing"]; got != missing {
			t.Errorf("with %s alone the start says that %v is missing, want %s", given, got, missing)
		}
	}
}

// A service that sends more than it announced costs a short line of JSON, as all
// lines are, though it is the standard library's.
func TestTheStandardLibrarysLinesAreShortJSON(t *testing.T) {
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"+strings.Repeat("x", 4000))
				_, _ = io.Copy(io.Discard, conn)
				_ = conn.Close()
			}()
		}
	}()
	cmd, p := spawn(t, t.TempDir(), "PROMO_SERVICE_URL=http://"+listener.Addr().String()+"/")
	get(t, p.url)
	for line := range p.lines {
		if line["level"] == nil {
			t.Errorf("a line that is no JSON: %q", line["msg"])
		}
		if message := fmt.Sprint(line["msg"]); strings.HasPrefix(message, "Unsolicited response") {
			if len(message) > 300 {
				t.Errorf("a line of %d bytes", len(message))
			}
			break
		}
	}
	kill(t, cmd)
}
