package web_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"homepage/internal/home"
	"homepage/internal/upload"
	"homepage/internal/web"
)

var errSecret = errors.New("/srv/secret: input/output error")

// failures make the site answer with each error that it has, but for 408,
// which takes a stalled connection.
var failures = []struct {
	status  int
	change  func(*web.Deps)
	request func(t *testing.T, s *site, accept string) answer
	logged  bool // the cause is in the log
}{
	{http.StatusBadRequest, func(*web.Deps) {}, postBody("--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\nhalf", "multipart/form-data; boundary=b"), true},
	{http.StatusForbidden, func(*web.Deps) {}, func(t *testing.T, s *site, accept string) answer {
		t.Helper()
		return do(t, visitor(t), http.MethodPost, s.url+"/upload", nil, "Origin", "https://evil.example", "Accept", accept)
	}, true},
	{http.StatusNotFound, func(*web.Deps) {}, func(t *testing.T, s *site, accept string) answer {
		t.Helper()
		return get(t, s, "/nothing", "Accept", accept)
	}, false},
	{http.StatusMethodNotAllowed, func(*web.Deps) {}, func(t *testing.T, s *site, accept string) answer {
		t.Helper()
		return do(t, visitor(t), http.MethodDelete, s.url+"/upload", nil, "Accept", accept)
	}, false},
	{http.StatusRequestEntityTooLarge, func(d *web.Deps) { d.Limits.Bytes = 1 }, postBody(strings.Repeat("x", 2<<20), "multipart/form-data; boundary=b"), true},
	{http.StatusUnsupportedMediaType, func(*web.Deps) {}, postBody("file=a", "application/x-www-form-urlencoded"), true},
	{http.StatusInternalServerError, receive(fmt.Errorf("upload: %w", errSecret)), postFile, true},
	{http.StatusServiceUnavailable, func(d *web.Deps) { d.Draining = func() bool { return true } }, postFile, true},
	{http.StatusInsufficientStorage, receive(fmt.Errorf("%w: %w", upload.ErrNoSpace, errSecret)), postFile, true},
}

func postBody(body, contentType string) func(*testing.T, *site, string) answer {
	return func(t *testing.T, s *site, accept string) answer {
		t.Helper()
		return do(t, visitor(t), http.MethodPost, s.url+"/upload", strings.NewReader(body), "Content-Type", contentType, "Accept", accept)
	}
}

func postFile(t *testing.T, s *site, accept string) answer {
	t.Helper()
	body, contentType := form(t, file{"a.txt", "content"})
	return do(t, visitor(t), http.MethodPost, s.url+"/upload", body, "Content-Type", contentType, "Accept", accept)
}

func TestGoldenErrorPages(t *testing.T) {
	for _, test := range failures {
		t.Run(http.StatusText(test.status), func(t *testing.T) {
			s := newSite(t, test.change)
			got := test.request(t, s, "text/html")
			if got.status != test.status {
				t.Fatalf("status %d, want %d", got.status, test.status)
			}
			checkGolden(t, fmt.Sprintf("error-%d", test.status), got)

			lines := s.log.lines(t, "request failed")
			if (len(lines) == 1) != test.logged || len(lines) > 1 {
				t.Fatalf("log lines %v, want the failure once: %v", lines, test.logged)
			}
			if test.logged && lines[0]["request"] != got.header.Get("X-Request-Id") {
				t.Errorf("log line %v names another request", lines[0])
			}
		})
	}
}

func TestProblems(t *testing.T) {
	for _, test := range failures {
		t.Run(http.StatusText(test.status), func(t *testing.T) {
			got := test.request(t, newSite(t, test.change), "application/json")
			checkProblem(t, got, test.status)
		})
	}
}

// checkProblem checks for a problem of RFC 9457 and returns its detail.
func checkProblem(t *testing.T, got answer, status int) string {
	t.Helper()
	var problem struct {
		Type, Title, Detail, Request string
		Status                       int
	}
	if err := json.Unmarshal([]byte(got.body), &problem); err != nil {
		t.Fatalf("%q: %v", got.body, err)
	}
	if got.status != status || problem.Status != status || problem.Title != http.StatusText(status) || problem.Type != "about:blank" || problem.Detail == "" || problem.Request != got.header.Get("X-Request-Id") {
		t.Errorf("%d %s, want a problem of status %d", got.status, got.body, status)
	}
	if got := got.header.Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("Content-Type %q", got)
	}
	return problem.Detail
}

// A problem goes to who names JSON among what it accepts, and a page to all else.
func TestWhoGetsAProblem(t *testing.T) {
	s := newSite(t)
	for accept, want := range map[string]string{
		"":                                  "text/html; charset=utf-8",
		"text/html, */*":                    "text/html; charset=utf-8",
		"application/json;q=0":              "text/html; charset=utf-8",
		"application/jsonx":                 "text/html; charset=utf-8",
		"Application/JSON":                  "application/problem+json",
		"text/html, application/json;q=0.1": "application/problem+json",
		"application/problem+json; q=0.5":   "application/problem+json",
		"application/json;charset=utf-8":    "application/problem+json",
		"application/json;q=much":           "application/problem+json",
		"application/json;q=0, text/*, application/problem+json": "application/problem+json",
	} {
		if got := get(t, s, "/nothing", "Accept", accept).header.Get("Content-Type"); got != want {
			t.Errorf("Accept %q: Content-Type %q, want %q", accept, got, want)
		}
	}
}

// The cause is for the log alone.
func TestNoCauseReachesTheVisitor(t *testing.T) {
	s := newSite(t, receive(errSecret))
	for _, accept := range []string{"text/html", "application/json"} {
		if got := postFile(t, s, accept); strings.Contains(got.body, "secret") {
			t.Errorf("the answer shows the cause:\n%s", got.body)
		}
	}
	if lines := s.log.lines(t, "request failed"); len(lines) != 2 || lines[0]["err"] != errSecret.Error() || lines[0]["level"] != "ERROR" {
		t.Errorf("log lines %v, want the cause in each of two", lines)
	}
}

func TestHeadersThatGoWithAStatus(t *testing.T) {
	s := newSite(t, func(d *web.Deps) { d.Draining = func() bool { return true } })
	if got := postFile(t, s, "").header.Get("Retry-After"); got != "5" {
		t.Errorf("503 with Retry-After %q", got)
	}
	for path, want := range map[string]string{"/": "GET, HEAD", "/upload": "GET, POST, HEAD, OPTIONS", "/upload/x": "HEAD, PATCH, DELETE", "/certificate": "GET, HEAD", "/static/x": "GET, HEAD"} {
		if got := do(t, visitor(t), http.MethodPut, s.url+path, nil); got.status != http.StatusMethodNotAllowed || got.header.Get("Allow") != want {
			t.Errorf("PUT %s: %d with Allow %q, want 405 with %q", path, got.status, got.header.Get("Allow"), want)
		}
	}
}

func TestAPanicBecomesTheErrorPage(t *testing.T) {
	s := newSite(t, func(d *web.Deps) {
		d.Gather = func(context.Context, home.Visit) home.Page {
			panic("the cat sat on the keyboard")
		}
	})
	got := get(t, s, "/", "Accept-Encoding", "gzip")
	if got.status != http.StatusInternalServerError {
		t.Errorf("status %d, want 500", got.status)
	}
	if want := "Something went wrong on our side."; !strings.Contains(got.body, want) {
		t.Errorf("the page does not say %q:\n%s", want, got.body)
	}
	lines := s.log.lines(t, "request failed")
	if len(lines) != 1 || !strings.Contains(fmt.Sprint(lines[0]["err"]), "the cat sat on the keyboard\ngoroutine") {
		t.Errorf("log lines %v, want the panic with its stack, once", lines)
	}
}

// tornWriter panics with half of what it should write.
type tornWriter struct{ http.ResponseWriter }

func (w tornWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w tornWriter) Write(p []byte) (int, error) {
	_, _ = w.ResponseWriter.Write(p[:len(p)/2])
	panic("the wire is torn")
}

// Half a certificate must not look whole: the transfer is aborted.
func TestAPanicAfterTheFirstByteAbortsTheTransfer(t *testing.T) {
	log := &logBuffer{}
	all, _ := deps(t, log)
	handler, err := web.New(all)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handler.ServeHTTP(tornWriter{w}, r)
	}))
	t.Cleanup(server.Close)
	response, err := visitor(t).Get(server.URL + "/certificate")
	if err == nil {
		_, err = io.Copy(io.Discard, response.Body)
		response.Body.Close()
	}
	if err == nil {
		t.Errorf("the visitor got an answer that looks whole, status %d", response.StatusCode)
	}
	if lines := log.lines(t, "answer aborted"); len(lines) != 1 {
		t.Errorf("log lines %v, want one with the panic", lines)
	}
	if lines := log.lines(t, "request"); len(lines) != 1 || lines[0]["aborted"] != true {
		t.Errorf("access lines %v, want one that says it was aborted", lines)
	}
}
