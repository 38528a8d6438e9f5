package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"homepage/internal/certificate"
)

func fixture(t *testing.T, name string) []byte {
	t.Helper()
	file, err := os.ReadFile(filepath.Join("..", "..", "internal", "certificate", "testdata", name+".pdf"))
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// hangUp asks the programs of this process to read their templates again.
func hangUp(t *testing.T) {
	t.Helper()
	self, err := os.FindProcess(os.Getpid())
	if err == nil {
		err = self.Signal(syscall.SIGHUP)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// library serves templates as other sites do, with an ETag or a date.
type library struct {
	mu      sync.Mutex
	file    []byte
	version string
	asked   []string // If-None-Match and If-Modified-Since of each request
}

func (l *library) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked = append(l.asked, r.Header.Get("If-None-Match")+r.Header.Get("If-Modified-Since"))
	if strings.HasPrefix(l.version, `"`) {
		w.Header().Set("ETag", l.version)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(l.file))
		return
	}
	modified, _ := http.ParseTime(l.version)
	http.ServeContent(w, r, "", modified, bytes.NewReader(l.file))
}

func (l *library) put(file []byte, version string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.file, l.version = file, version
}

func TestTemplateFromAURL(t *testing.T) {
	old, newer := fixture(t, "ghostscript"), fixture(t, "object-streams")
	for name, versions := range map[string][3]string{
		"with an ETag": {`"1"`, `"2"`, `"3"`},
		"with a date":  {"Mon, 23 Nov 2026 10:00:00 GMT", "Mon, 23 Nov 2026 11:00:00 GMT", "Mon, 23 Nov 2026 12:00:00 GMT"},
	} {
		t.Run(name, func(t *testing.T) {
			lib := &library{}
			lib.put(old, versions[0])
			server := httptest.NewServer(lib)
			defer server.Close()
			p := start(t, map[string]string{"CERTIFICATE_TEMPLATE": strings.Replace(server.URL, "http://", "http://reader:secret@", 1)})
			serves := func(file []byte) {
				t.Helper()
				if _, got := get(t, p.url+"/certificate"); !strings.HasPrefix(got, string(file)) {
					t.Error("a certificate of another template")
				}
			}
			serves(old)
			hangUp(t)
			if line := p.await(t, "certificate template unchanged"); strings.Contains(fmt.Sprint(line), "secret") {
				t.Errorf("the log tells the password: %v", line)
			}
			lib.put(newer, versions[1])
			hangUp(t)
			p.await(t, "certificate template read again")
			serves(newer)
			lib.put(fixture(t, "encrypted"), versions[2])
			for range 2 { // a bad one is asked for again, should it be mended
				hangUp(t)
				line := p.await(t, "certificate template not read again; the old one stays in service")
				if err := fmt.Sprint(line["err"]); !strings.Contains(err, "encrypted") || strings.Contains(err, "secret") {
					t.Errorf("log line %v, want the reason and no password", line)
				}
				serves(newer)
			}
			want := []string{"", versions[0], versions[0], versions[1], versions[1]}
			if got := lib.asked; fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("it asked for newer ones than %q, want %q", got, want)
			}
		})
	}
}

func TestTemplateFromAURLThatFails(t *testing.T) {
	hanging := make(chan struct{})
	mux := http.NewServeMux()
	mux.HandleFunc("/slow.pdf", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "%PDF-")
		_ = http.NewResponseController(w).Flush()
		select {
		case <-hanging:
		case <-r.Context().Done():
		}
	})
	var sent atomic.Int64
	mux.HandleFunc("/large.pdf", func(w http.ResponseWriter, _ *http.Request) {
		for range 256 {
			if _, err := w.Write(make([]byte, 1<<20)); err != nil {
				return
			}
			sent.Add(1 << 20)
		}
	})
	mux.HandleFunc("/page.pdf", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") })
	server := httptest.NewServer(mux)
	defer server.Close()
	defer close(hanging)
	for path, want := range map[string]string{
		"/none.pdf":  "status 404",
		"/slow.pdf":  "no whole answer within 50ms",
		"/large.pdf": "more than the 32 MiB",
		"/page.pdf":  "no PDF",
	} {
		source := &templateSource{location: server.URL + path, timeout: 50 * time.Millisecond}
		if path == "/large.pdf" {
			source.timeout = templateTimeout
		}
		_, err := source.read(t.Context())
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), server.URL+path) {
			t.Errorf("%s: error %v, want the URL and %q", path, err, want)
		}
	}
	if got := sent.Load(); got > 2*certificate.MaxTemplate {
		t.Errorf("it took %d bytes of a template that is too large", got)
	}
}

// Requests beside reloads: each is answered with one template, whole.
func TestReloadsUnderLoad(t *testing.T) {
	const visitors, reloads = 64, 20
	templates := [][]byte{fixture(t, "ghostscript"), fixture(t, "hybrid")}
	file := filepath.Join(t.TempDir(), "template.pdf")
	put := func(content []byte) {
		if err := errors.Join(os.WriteFile(file+".new", content, 0o600), os.Rename(file+".new", file)); err != nil {
			t.Fatal(err)
		}
	}
	put(templates[0])
	p := start(t, map[string]string{"CERTIFICATE_TEMPLATE": file})
	reloaded := make(chan struct{}, reloads)
	go func() { // all the time, as lines that nobody takes are lost
		for line := range p.lines {
			switch line["msg"] {
			case "certificate template not read again; the old one stays in service":
				t.Error(line["err"])
				fallthrough
			case "certificate template read again":
				reloaded <- struct{}{}
			}
		}
	}()
	var (
		stop   atomic.Bool
		served [2]atomic.Int64
		group  sync.WaitGroup
	)
	for range visitors {
		client := client(t)
		group.Go(func() {
			for !stop.Load() {
				response, err := client.Get(p.url + "/certificate")
				if err != nil {
					t.Error(err)
					return
				}
				body, err := io.ReadAll(response.Body)
				_ = response.Body.Close()
				which := -1
				for i, template := range templates {
					if bytes.HasPrefix(body, template) {
						which = i
					}
				}
				if err != nil || which < 0 || response.Header.Get("Content-Length") != strconv.Itoa(len(body)) || !bytes.HasSuffix(body, []byte("%%EOF\n")) {
					t.Errorf("%d bytes of template %d with Content-Length %s and error %v", len(body), which, response.Header.Get("Content-Length"), err)
					return
				}
				served[which].Add(1)
			}
		})
	}
	for i := range reloads {
		before := served[0].Load() + served[1].Load()
		put(templates[(i+1)%2])
		hangUp(t)
		<-reloaded
		for served[0].Load()+served[1].Load() < before+visitors && !t.Failed() {
			_, _ = get(t, p.url+"/healthz") // until every visitor had a turn
		}
	}
	stop.Store(true)
	group.Wait()
	if served[0].Load() == 0 || served[1].Load() == 0 {
		t.Errorf("%d and %d certificates of the two templates, want some of each", served[0].Load(), served[1].Load())
	}
}

func TestWarningsAreLogged(t *testing.T) {
	var log bytes.Buffer
	location := filepath.Join("..", "..", "internal", "certificate", "testdata", "chromium.pdf")
	if _, err := openTemplate(t.Context(), location, slog.New(slog.NewJSONHandler(&log, nil))); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(log.String(), "not embedded") {
		t.Errorf("the log %q does not warn of the font", log.String())
	}
}

func TestCheck(t *testing.T) {
	folder := filepath.Join("..", "..", "internal", "certificate", "testdata")
	for _, test := range []struct {
		args   []string
		status int
		want   []string
	}{
		{[]string{"check", filepath.Join(folder, "libreoffice-own-font.pdf")}, 0, []string{"table", "page 1", "LiberationSerif, as in the template", "PDF/A-1a is claimed, and not touched"}},
		{[]string{"check", filepath.Join(folder, "libreoffice-pdfa.pdf")}, 0, []string{"Times-Roman, a standard font", "missing:         0 1 2 3 4 5 6 7 8 9 - : T +", "PDF/A-2b is claimed, and no longer holds", "warning:"}},
		{[]string{"check", filepath.Join(folder, "hybrid.pdf")}, 0, []string{"hybrid", "PDF/A:           not claimed"}},
		{[]string{"check", filepath.Join(folder, "encrypted.pdf")}, 1, []string{"can't be used", "encrypted.pdf", "without a password"}},
		{[]string{"check", filepath.Join(folder, "none.pdf")}, 1, []string{"no such file"}},
		{[]string{"check"}, 2, []string{"one PDF"}},
		{[]string{"check", "a.pdf", "b.pdf"}, 2, []string{"one PDF"}},
		{[]string{"check", "-h"}, 0, []string{"Usage: homepage check FILE"}},
	} {
		var out bytes.Buffer
		status := exitStatus(run(t.Context(), test.args, env(nil), &out, io.Discard), &out)
		if status != test.status {
			t.Errorf("%v: exit status %d, want %d", test.args, status, test.status)
		}
		for _, want := range test.want {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%v: %q does not say %q", test.args, out.String(), want)
			}
		}
	}
}
