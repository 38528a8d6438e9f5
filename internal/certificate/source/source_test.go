package source_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"homepage/internal/certificate"
	"homepage/internal/certificate/source"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func path(name string) string { return filepath.Join("..", "testdata", name+".pdf") }

func fixture(t *testing.T, name string) []byte {
	t.Helper()
	file, err := os.ReadFile(path(name))
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// lines are those of a log as they come.
type lines chan map[string]any

func newLog() (*slog.Logger, lines) {
	l := make(lines, 100)
	return slog.New(slog.NewJSONHandler(l, nil)), l
}

func (l lines) Write(line []byte) (int, error) {
	var parsed map[string]any
	err := json.Unmarshal(line, &parsed)
	l <- parsed
	return len(line), err
}

// open opens a source without a template built in.
func open(ctx context.Context, location string, timeout time.Duration) (*source.Source, error) {
	return source.Open(ctx, location, nil, nil, timeout, slog.New(slog.DiscardHandler))
}

// serves tells whether the template in service is the file.
func serves(t *testing.T, s *source.Source, file []byte) {
	t.Helper()
	var b bytes.Buffer
	if err := s.Template().Issue(&b, time.Now()); err != nil || !bytes.HasPrefix(b.Bytes(), file) {
		t.Errorf("error %v, or a certificate of another template", err)
	}
}

func TestFromAFileOrBuiltIn(t *testing.T) {
	builtIn := fixture(t, "ghostscript")
	for location, want := range map[string]struct {
		file []byte
		name string
	}{
		"":             {builtIn, "built in"},
		path("none"):   {nil, ""},
		path("hybrid"): {fixture(t, "hybrid"), path("hybrid")},
	} {
		s, err := source.Open(t.Context(), location, builtIn, nil, time.Second, slog.New(slog.DiscardHandler))
		if want.file == nil {
			if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), location) {
				t.Errorf("%s: error %v, want that it does not exist", location, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		serves(t, s, want.file)
		if s.String() != want.name {
			t.Errorf("it is named %q, want %q", s, want.name)
		}
	}
}

func TestWarningsAreLogged(t *testing.T) {
	log, lines := newLog()
	if _, err := source.Open(t.Context(), path("chromium"), nil, nil, time.Second, log); err != nil {
		t.Fatal(err)
	}
	if line := <-lines; line["level"] != "WARN" || !strings.Contains(fmt.Sprint(line["warning"]), "not embedded") {
		t.Errorf("the log line %v does not warn of the font", line)
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

func TestReloadsFromAURL(t *testing.T) {
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
			log, lines := newLog()
			location := strings.Replace(server.URL, "http://", "http://reader:secret@", 1) + "/?api_key=secret"
			s, err := source.Open(t.Context(), location, nil, nil, 10*time.Second, log)
			if err != nil {
				t.Fatal(err)
			}
			hangups := make(chan os.Signal)
			defer s.ReloadOn(t.Context(), hangups)()
			reload := func(message string) map[string]any {
				t.Helper()
				hangups <- syscall.SIGHUP
				for line := range lines {
					if strings.Contains(fmt.Sprint(line), "secret") {
						t.Errorf("the log tells a secret: %v", line)
					}
					if line["warning"] == nil {
						if line["msg"] != message {
							t.Errorf("log line %v, want %q", line, message)
						}
						return line
					}
				}
				return nil
			}
			serves(t, s, old)
			reload("certificate template unchanged")
			lib.put(newer, versions[1])
			reload("certificate template reloaded")
			serves(t, s, newer)
			lib.put(fixture(t, "encrypted"), versions[2])
			for range 2 { // a bad one is asked for again, as it may have been mended
				line := reload("certificate template not reloaded; the old one stays in service")
				if err := fmt.Sprint(line["err"]); !strings.Contains(err, "encrypted") {
					t.Errorf("log line %v, want the reason", line)
				}
				serves(t, s, newer)
			}
			want := []string{"", versions[0], versions[0], versions[1], versions[1]}
			if got := lib.asked; fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("it asked for newer ones than %q, want %q", got, want)
			}
		})
	}
}

func TestURLsThatFail(t *testing.T) {
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
	for path, location := range map[string]string{
		"/bad.pdf":    "http://example.com:secret/?token=secret",
		"/escape.pdf": "/%zz?token=secret",
		"/ftp.pdf":    "ftp://reader:secret@example.com/?token=secret",
		"/loop.pdf":   "/loop.pdf?token=secret",
	} {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", location)
			w.WriteHeader(http.StatusFound)
		})
	}
	server := httptest.NewServer(mux)
	defer server.Close()
	defer close(hanging)
	for path, want := range map[string]string{
		"/none.pdf":   "status 404",
		"/slow.pdf":   "no complete answer within 50ms",
		"/large.pdf":  "more than the 32 MiB",
		"/page.pdf":   "no PDF",
		"/bad.pdf":    "redirected to what is not a URL",
		"/escape.pdf": "redirected to what is not a URL",
		"/ftp.pdf":    "redirected to what is not an http or https URL",
		"/loop.pdf":   "redirected more than 3 times",
	} {
		timeout := time.Minute
		if path == "/slow.pdf" {
			timeout = 50 * time.Millisecond
		}
		location := strings.Replace(server.URL, "http://", "http://reader:secret@", 1) + path + "?api_key=secret"
		shown := strings.Replace(server.URL, "http://", "http://xxxxx@", 1) + path + "?api_key=xxxxx"
		_, err := open(t.Context(), location, timeout)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), shown) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: error %v, want %s and %q, and no secret", path, err, shown, want)
		}
	}
	if got := sent.Load(); got > 2*certificate.MaxTemplate {
		t.Errorf("it took %d bytes of a template that is too large", got)
	}
}

// A redirect is followed, and where it leads does not learn how to get there.
func TestRedirect(t *testing.T) {
	file := fixture(t, "hybrid")
	referer := ""
	mux := http.NewServeMux()
	mux.Handle("/old.pdf", http.RedirectHandler("/new.pdf", http.StatusFound))
	mux.HandleFunc("/new.pdf", func(w http.ResponseWriter, r *http.Request) {
		referer = r.Header.Get("Referer")
		_, _ = w.Write(file)
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	s, err := open(t.Context(), server.URL+"/old.pdf?api_key=secret", 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	serves(t, s, file)
	if referer != "" {
		t.Errorf("the redirect told %q", referer)
	}
}

// Whoever answers can't send the program to its neighbours.
func TestARedirectElsewhereIsNotFollowed(t *testing.T) {
	asked := false
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }))
	defer elsewhere.Close()
	server := httptest.NewServer(http.RedirectHandler(elsewhere.URL+"/?token=secret", http.StatusFound))
	defer server.Close()
	_, err := open(t.Context(), server.URL, 10*time.Second)
	if err == nil || !strings.Contains(err.Error(), "redirected to another host, which is not followed") || strings.Contains(err.Error(), "secret") {
		t.Errorf("error %v, want that it was redirected to another host", err)
	}
	if asked {
		t.Error("the other host was asked")
	}
}

func TestWhatIsNeitherAPathNorAURL(t *testing.T) {
	for _, location := range []string{
		"ftp://reader:secret@example.com/a.pdf?api_key=secret",
		"http://reader:sec ret@example.com/?api_key=secret",
		"http://example.com:secret/",
		"http:///a.pdf?secret",
	} {
		_, err := open(t.Context(), location, time.Second)
		if err == nil || !strings.Contains(err.Error(), "neither a path nor an http or https URL") || strings.Contains(err.Error(), "sec") {
			t.Errorf("%s: error %v, want what a location is, and no secret", location, err)
		}
	}
}
