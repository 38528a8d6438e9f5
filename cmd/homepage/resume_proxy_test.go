package main

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// The examples pass on all that a client needs to resume an upload, whether or
// not they pass on interim answers.
func TestUploadsResumeThroughProxies(t *testing.T) {
	for name, proxy := range proxies() {
		if proxy.file == "" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			p := start(t, nil)
			site := newTap(t, strings.TrimPrefix(p.url, "http://"))
			url, visitor := proxy.start(t, site.addr)
			if proxy.program == "haproxy" {
				site.await(t, "get /readyz ")
			}
			send := func(method, path string, body io.Reader, status int, header map[string]string) *http.Response {
				t.Helper()
				request, err := http.NewRequestWithContext(t.Context(), method, url+path, body)
				if err != nil {
					t.Fatal(err)
				}
				for name, value := range header {
					request.Header.Set(name, value)
				}
				request.Header.Set("Origin", url)
				response, err := visitor.Do(request)
				if err != nil {
					t.Fatal(err)
				}
				_ = response.Body.Close()
				if response.StatusCode != status {
					t.Fatalf("%s %s: status %d, want %d", method, path, response.StatusCode, status)
				}
				return response
			}
			begun := send(http.MethodPost, "/upload", strings.NewReader("hel"), http.StatusCreated, map[string]string{
				"Upload-Complete": "?0", "Upload-Draft-Interop-Version": "9", "Content-Disposition": "inline; filename=a.txt",
			})
			address := begun.Header.Get("Location")
			if offset := send(http.MethodHead, address, nil, http.StatusNoContent, nil).Header.Get("Upload-Offset"); offset != "3" {
				t.Errorf("the offset is %q, want 3", offset)
			}
			send(http.MethodPatch, address, strings.NewReader("lo"), http.StatusCreated, map[string]string{
				"Upload-Complete": "?1", "Upload-Offset": "3", "Content-Type": "application/partial-upload",
			})
			checkStored(t, p, "a.txt", []byte("hello"))
			send(http.MethodDelete, address, nil, http.StatusNoContent, nil)
		})
	}
}
