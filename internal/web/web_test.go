package web_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"io/fs"
	"log/slog"
	"mime"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzhttp"
	"go.uber.org/goleak"

	"homepage/internal/certificate"
	"homepage/internal/home"
	"homepage/internal/resumable"
	"homepage/internal/upload"
	"homepage/internal/upload/disk"
	"homepage/internal/web"
	"homepage/pdfs"
	"homepage/static"
	"homepage/templates"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type (
	promoSection = home.Section[home.Promo]
	reccoSection = home.Section[home.Recommendations]
)

var (
	noon  = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	promo = newPromo(home.Promo{Title: "An offer", Text: "Of great value.", URL: "/upload", Action: "Take it", Image: "/static/offer.svg"})
	recco = newRecco(home.Recommendations{
		{Title: "A book", URL: "https://books.example/a", Reason: "You like books", Image: "https://books.example/a.png"},
		{Title: "Another"},
	})
	promoEmpty  = &promoSection{State: home.Empty}
	reccoEmpty  = &reccoSection{State: home.Empty}
	promoFailed = &promoSection{State: home.Failed, Err: errors.New("GET http://promo.example: refused")}
	reccoFailed = &reccoSection{State: home.Failed, Err: errors.New("GET http://recco.example: refused")}
)

// site is the site under test, its log, and the folder of its uploads.
type site struct {
	url    string
	log    *logBuffer
	folder string
}

// logBuffer holds JSON lines.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

// lines returns the lines with the given message.
func (b *logBuffer) lines(t *testing.T, message string) []map[string]any {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	var found []map[string]any
	for line := range strings.Lines(b.buf.String()) {
		var fields map[string]any
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			t.Fatalf("log line %q: %v", line, err)
		}
		if fields["msg"] == message {
			found = append(found, fields)
		}
	}
	return found
}

func newPromo(content home.Promo) *promoSection {
	return &promoSection{State: home.Fresh, Content: content, At: noon}
}

func newRecco(content home.Recommendations) *reccoSection {
	return &reccoSection{State: home.Fresh, Content: content, At: noon}
}

// gather is how the site asks for its sections.
type gather = func(context.Context, home.Visit) home.Page

// sections are there in time, but for those that are nil, which never come.
func sections(promo *promoSection, recco *reccoSection) gather {
	return func(context.Context, home.Visit) home.Page {
		page := newHomePage()
		if promo != nil {
			page.Promo.Resolve(promo)
		}
		if recco != nil {
			page.Recommendations.Resolve(recco)
		}
		return page
	}
}

// newHomePage is a homepage without sections.
func newHomePage() home.Page {
	return home.Page{Promo: home.NewFuture[home.Promo](), Recommendations: home.NewFuture[home.Recommendations]()}
}

// shippedTemplate is linked once: that takes longer than all else that a site
// needs.
var shippedTemplate = sync.OnceValues(func() (*certificate.Template, error) { return certificate.Link(pdfs.CertificateTemplate) })

// deps is a healthy site with the real templates, assets and upload folder.
func deps(tb testing.TB, log io.Writer) (web.Deps, string) {
	tb.Helper()
	assets, err := web.NewAssets(static.FS)
	if err != nil {
		tb.Fatal(err)
	}
	template, err := shippedTemplate()
	if err != nil {
		tb.Fatal(err)
	}
	logger := slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	look, err := web.NewLook(templates.FS, assets, "Lamplight Library", logger)
	if err != nil {
		tb.Fatal(err)
	}
	folder := tb.TempDir()
	uploads, err := disk.Open(folder, 0)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := uploads.Close(); err != nil {
			tb.Error(err)
		}
	})
	return web.Deps{
		Look:        look,
		Gather:      sections(promo, recco),
		Certificate: func() *certificate.Template { return template },
		Receive:     uploads.Receive,
		Resumable:   resumable.New(uploads, 1<<20, time.Hour),
		Limits:      web.Limits{Bytes: 1 << 20, Files: 3, Concurrent: 4, PerClient: 3},
		CookieKey:   bytes.Repeat([]byte("k"), 32),
		Now:         func() time.Time { return noon },
		Draining:    func() bool { return false },
		Unready:     func(context.Context) string { return "" },
		Log:         logger,
	}, folder
}

// withLook gives the site another look.
func withLook(t *testing.T, templates fs.FS, assets fs.FS, name string) func(*web.Deps) {
	t.Helper()
	all, err := web.NewAssets(assets)
	if err != nil {
		t.Fatal(err)
	}
	look, err := web.NewLook(templates, all, name, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return func(d *web.Deps) { d.Look = look }
}

// newSite serves a healthy site that changes have been made to.
func newSite(t *testing.T, changes ...func(*web.Deps)) *site {
	t.Helper()
	s := &site{log: &logBuffer{}}
	all, folder := deps(t, s.log)
	for _, change := range changes {
		change(&all)
	}
	handler, err := web.New(all)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	s.url, s.folder = server.URL, folder
	return s
}

// visitor is a browser without a screen: it keeps cookies and follows no
// redirects.
func visitor(t *testing.T) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{DisableCompression: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{
		Jar: jar, Transport: transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// answer is a response that has been read whole.
type answer struct {
	status int
	header http.Header
	body   string
}

func do(t *testing.T, client *http.Client, method, url string, body io.Reader, headers ...string) answer {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{response.StatusCode, response.Header, string(content)}
}

func get(t *testing.T, s *site, path string, headers ...string) answer {
	t.Helper()
	return do(t, visitor(t), http.MethodGet, s.url+path, nil, headers...)
}

var fingerprint = regexp.MustCompile(`\.[0-9a-f]{12}\.`)

// checkGolden compares a page with the file of that name. The request's id
// differs each time, an asset's fingerprint whenever the asset does.
func checkGolden(t *testing.T, name string, got answer) {
	t.Helper()
	body := strings.ReplaceAll(got.body, got.header.Get("X-Request-Id"), "REQUEST-ID")
	body = fingerprint.ReplaceAllString(body, ".FINGERPRINT.")
	file := filepath.Join("testdata", "golden", name+".html")
	if *update {
		if err := os.WriteFile(file, []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), body); diff != "" {
		t.Errorf("%s (-want +got; `make golden` takes it over):\n%s", file, diff)
	}
}

func TestGoldenPages(t *testing.T) {
	for _, test := range []struct {
		name   string
		path   string
		gather gather
	}{
		{"home", "/", sections(promo, recco)},
		{"home-without-promo", "/", sections(promoFailed, recco)},
		{"home-without-recommendations", "/", sections(promo, reccoFailed)},
		{"home-without-both", "/", sections(promoFailed, reccoFailed)},
		{"home-with-nothing-today", "/", sections(promoEmpty, reccoEmpty)},
		{"home-without-titles", "/", sections(newPromo(home.Promo{Text: "Words."}), newRecco(home.Recommendations{{Reason: "Because."}}))},
		{"home-stale", "/", sections(standIn(promo), standIn(recco))},
		{"upload", "/upload", sections(nil, nil)},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newSite(t, func(d *web.Deps) { d.Gather = test.gather })
			got := get(t, s, test.path)
			if got.status != http.StatusOK {
				t.Errorf("status %d, want 200", got.status)
			}
			checkGolden(t, test.name, got)
		})
	}
}

func TestCertificate(t *testing.T) {
	got := get(t, newSite(t), "/certificate", "Accept-Encoding", "gzip", "Range", "bytes=0-99")
	template, err := certificate.Link(pdfs.CertificateTemplate)
	if err != nil {
		t.Fatal(err)
	}
	var want bytes.Buffer
	if err := template.Issue(&want, noon); err != nil {
		t.Fatal(err)
	}
	if got.body != want.String() {
		t.Error("not the certificate of noon")
	}
	for name, want := range map[string]string{
		"Content-Type":        "application/pdf",
		"Content-Disposition": `attachment; filename="certificate.pdf"`,
		"Cache-Control":       "no-store",
		"Accept-Ranges":       "none",
		"Content-Encoding":    "",
	} {
		if got := got.header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

// Whatever is answered, and whoever answers it, a browser is told what it may do.
func TestSecurityHeaders(t *testing.T) {
	s := newSite(t)
	for _, request := range [][]string{
		{"GET", "/"},
		{"GET", "/upload"},
		{"GET", "/nothing"},
		{"POST", "/certificate"},
		{"DELETE", "/upload"},
		{"POST", "/upload"},
		{"POST", "/upload", "Sec-Fetch-Site", "cross-site"},
		{"GET", assetURL(t, "style.css")},
		{"GET", "/static/"},
	} {
		got := do(t, visitor(t), request[0], s.url+request[1], nil, request[2:]...)
		checkEveryAnswer(t, request, got)
		policy := got.header.Get("Content-Security-Policy")
		for _, part := range []string{"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"} {
			if !strings.Contains(policy, part) {
				t.Errorf("%v: policy %q lacks %q", request, policy, part)
			}
		}
		if strings.Contains(policy, "unsafe") {
			t.Errorf("%v: policy %q is unsafe", request, policy)
		}
		for name, want := range map[string]string{
			"Referrer-Policy":            "strict-origin-when-cross-origin",
			"Cross-Origin-Opener-Policy": "same-origin",
			"Permissions-Policy":         "camera=(), geolocation=(), microphone=()",
		} {
			if got := got.header.Get(name); got != want {
				t.Errorf("%v: %s %q, want %q", request, name, got, want)
			}
		}
	}
	for _, path := range []string{"/certificate", "/healthz", "/readyz"} { // no browser shows them as pages
		checkEveryAnswer(t, []string{"GET", path}, do(t, visitor(t), "GET", s.url+path, nil))
	}
}

// checkEveryAnswer checks the headers that every answer has, and that none
// shows what the site tells its own middleware.
func checkEveryAnswer(t *testing.T, request []string, got answer) {
	t.Helper()
	for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", gzhttp.HeaderNoCompression: ""} {
		if got := got.header.Get(name); got != want {
			t.Errorf("%v: %s %q, want %q", request, name, got, want)
		}
	}
	if got.header.Get("X-Request-Id") == "" {
		t.Errorf("%v: no request id", request)
	}
}

func assetURL(t *testing.T, name string) string {
	t.Helper()
	assets, err := web.NewAssets(static.FS)
	if err != nil {
		t.Fatal(err)
	}
	u, err := assets.URL(name)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestAssets(t *testing.T) {
	s := newSite(t)
	style := assetURL(t, "style.css")
	got := get(t, s, style)
	want, err := fs.ReadFile(static.FS, "style.css")
	if err != nil {
		t.Fatal(err)
	}
	if got.status != http.StatusOK || got.body != string(want) {
		t.Errorf("status %d and %d bytes, want the %d of style.css", got.status, len(got.body), len(want))
	}
	if got := got.header.Get("Cache-Control"); got != "public, max-age=31536000, immutable" {
		t.Errorf("Cache-Control %q", got)
	}
	if got := got.header.Get("Content-Type"); got != "text/css; charset=utf-8" {
		t.Errorf("Content-Type %q", got)
	}
	for _, path := range []string{"/static", "/static/", "/static/pictures", "/static/pictures/", "/static/style.css", "/static/fs.go", strings.Replace(style, ".", ".0", 1), "/static/../go.mod"} {
		if got := get(t, s, path); got.status != http.StatusNotFound {
			t.Errorf("%s: status %d, want 404", path, got.status)
		}
	}
}

// A browser that may not sniff runs no script of another type, so the types
// must not depend on what the machine believes.
func TestTheMachineDoesNotDecideTypes(t *testing.T) {
	before := mime.TypeByExtension(".js")
	if err := mime.AddExtensionType(".js", "text/plain"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := mime.AddExtensionType(".js", before); err != nil {
			t.Error(err)
		}
	})
	got := get(t, newSite(t), assetURL(t, "upload.js")).header.Get("Content-Type")
	if got != "text/javascript; charset=utf-8" {
		t.Errorf("Content-Type %q", got)
	}
}

func TestCompression(t *testing.T) {
	s := newSite(t)
	for path, want := range map[string]string{"/": "gzip", "/upload": "gzip", assetURL(t, "style.css"): "gzip", assetURL(t, "pictures/challenge.svg"): "gzip", assetURL(t, "pictures/share.png"): "", "/certificate": ""} {
		if got := get(t, s, path, "Accept-Encoding", "gzip").header.Get("Content-Encoding"); got != want {
			t.Errorf("%s: Content-Encoding %q, want %q", path, got, want)
		}
	}
}

func TestProbes(t *testing.T) {
	ready := true
	s := newSite(t, func(d *web.Deps) {
		d.Unready = func(context.Context) string {
			if ready {
				return ""
			}
			return "draining"
		}
	})
	for _, test := range []struct {
		path   string
		ready  bool
		status int
		body   string
	}{
		{"/healthz", true, 200, "alive\n"},
		{"/readyz", true, 200, "ready\n"},
		{"/healthz", false, 200, "alive\n"},
		{"/readyz", false, 503, "draining\n"},
	} {
		ready = test.ready
		if got := get(t, s, test.path); got.status != test.status || got.body != test.body {
			t.Errorf("%s with ready %v: %d %q, want %d %q", test.path, test.ready, got.status, got.body, test.status, test.body)
		}
	}
}

func TestOneAccessLineARequest(t *testing.T) {
	s := newSite(t)
	got := get(t, s, "/nothing?secret=1", "X-Request-Id", "forged")
	lines := s.log.lines(t, "request")
	if len(lines) != 1 {
		t.Fatalf("%d lines, want 1", len(lines))
	}
	line := lines[0]
	id := got.header.Get("X-Request-Id")
	if line["method"] != "GET" || line["path"] != "/nothing" || line["status"] != 404.0 || line["bytes"] != float64(len(got.body)) || line["request"] != id || line["aborted"] != false {
		t.Errorf("log line %v for request %s", line, id)
	}
	if id == "forged" {
		t.Error("the visitor named the request")
	}
}

// copyTemplates returns the site's templates, to be changed.
func copyTemplates(t *testing.T) fstest.MapFS {
	t.Helper()
	files := fstest.MapFS{}
	names, err := fs.Glob(templates.FS, "*")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		content, err := fs.ReadFile(templates.FS, name)
		if err != nil {
			t.Fatal(err)
		}
		files[name] = &fstest.MapFile{Data: content}
	}
	return files
}

// tryTemplates returns why no site can be made of the templates.
func tryTemplates(t *testing.T, files fs.FS) error {
	t.Helper()
	all, _ := deps(t, io.Discard)
	assets, err := web.NewAssets(static.FS)
	if err != nil {
		t.Fatal(err)
	}
	if all.Look, err = web.NewLook(files, assets, "", all.Log); err != nil {
		return err
	}
	_, err = web.New(all)
	return err
}

// A mistake in a template is found when the program starts.
func TestNewRefusesABrokenTemplate(t *testing.T) {
	for _, test := range []struct{ name, file, broken string }{
		{"a field that is not there", "home.html", `{{define "begin-whole"}}{{.Data.Nope}}{{end}}`},
		{"a field that is not there in a with", "home.html", `{{define "top"}}{{with .Data.Flash}}{{.Nope}}{{end}}{{end}}`},
		{"a field that is not there in a streamed page", "home.html", `{{define "begin-streamed"}}{{.Nope}}{{end}}`},
		{"a field that is not there in a section", "promo.html", `{{define "promo"}}{{if not .Failed}}{{.Content.Nope}}{{end}}{{end}}`},
		{"a field that is not there in a failed section", "recommendations.html", `{{define "recommendations"}}{{if .Failed}}{{.Nope}}{{end}}{{end}}`},
		{"a field of the other section", "promo.html", `{{define "promo"}}{{range .Content.Items}}{{end}}{{end}}`},
		{"a field that is not there when a section arrives", "promo.html", `{{define "promo-arrives"}}{{if .Failed}}{{.Content}}{{end}}{{end}}`},
		{"an asset that is not there", "home.html", `{{define "end-whole"}}{{asset "nope.css"}}{{end}}`},
		{"half a tag", "home.html", `{{define "begin-whole"}}<a href="{{end}}`},
		{"half a template", "home.html", `{{define "begin-whole"`},
		{"no file", "skeleton.css", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			files := copyTemplates(t)
			if test.broken == "" {
				delete(files, test.file)
			} else {
				files[test.file].Data = append(files[test.file].Data, test.broken...) // the last of a name counts
			}
			if err := tryTemplates(t, files); err == nil || !strings.Contains(err.Error(), test.file) {
				t.Errorf("error %v, want one that names %s", err, test.file)
			}
		})
	}
}

// receive makes every upload end with err, after its body is read.
func receive(err error) func(*web.Deps) {
	return func(d *web.Deps) {
		d.Receive = func(form upload.Form) ([]upload.Receipt, error) {
			for file, broken := range form.Files {
				if broken != nil {
					return nil, broken
				}
				if _, broken := io.Copy(io.Discard, file.Body); broken != nil {
					return nil, broken
				}
			}
			return nil, err
		}
	}
}
