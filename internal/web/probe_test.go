package web_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"homepage/internal/upload"
	"homepage/internal/web"
)

func TestReadinessSaysWhy(t *testing.T) {
	reason := ""
	s := newSite(t, func(d *web.Deps) { d.Unready = func(context.Context) string { return reason } })
	for _, test := range []struct {
		reason, accept string
		status         int
		contentType    string
		body           string
	}{
		{"", "", 200, "text/plain; charset=utf-8", "ready\n"},
		{"the folder is missing", "", 503, "text/plain; charset=utf-8", "the folder is missing\n"},
		{"", "application/json", 200, "application/json", `{"status":"ready"}` + "\n"},
		{"the folder is missing", "application/json", 503, "application/json", `{"status":"unready","reason":"the folder is missing"}` + "\n"},
	} {
		reason = test.reason
		got := get(t, s, "/readyz", "Accept", test.accept)
		if got.status != test.status || got.header.Get("Content-Type") != test.contentType || got.body != test.body || got.header.Get("Cache-Control") != "no-store" {
			t.Errorf("reason %q, Accept %q: %d %v %q", test.reason, test.accept, got.status, got.header, got.body)
		}
		if got := do(t, visitor(t), http.MethodHead, s.url+"/readyz", nil); got.status != test.status || got.body != "" {
			t.Errorf("HEAD: %d %q, want %d and no body", got.status, got.body, test.status)
		}
	}
}

// An upload that can't be stored for now may come again, and its sender is told
// nothing of the machine.
func TestUploadsThatCantBeStoredNow(t *testing.T) {
	s := newSite(t, receive(fmt.Errorf("upload: %w", &upload.UnavailableError{Reason: "the folder is missing", Err: errors.New("open /secret/folder")})))
	for _, accept := range []string{"", "application/json"} {
		got := postFile(t, s, accept)
		if got.status != http.StatusServiceUnavailable || got.header.Get("Retry-After") != "5" {
			t.Errorf("%d with Retry-After %q, want 503 with 5", got.status, got.header.Get("Retry-After"))
		}
		if !strings.Contains(got.body, "be stored just now") || strings.Contains(got.body, "secret") {
			t.Errorf("it says %s", got.body)
		}
	}
	if lines := s.log.lines(t, "request failed"); len(lines) != 2 || !strings.Contains(fmt.Sprint(lines[0]["err"]), "/secret/folder") {
		t.Errorf("log lines %v, want the cause in each of two", lines)
	}
}

// A site that is not ready takes what comes, until it drains.
func TestUploadsWhileNotReady(t *testing.T) {
	s := newSite(t, func(d *web.Deps) { d.Unready = func(context.Context) string { return "draining" } })
	if got := postFile(t, s, "application/json"); got.status != http.StatusCreated {
		t.Errorf("%d %s, want it to be stored", got.status, got.body)
	}
}
