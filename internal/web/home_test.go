package web_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"iter"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"

	"homepage/internal/home"
	"homepage/internal/upload"
	"homepage/internal/web"
)

// standIn is the section when its last load has failed.
func standIn(section *home.Section) *home.Section {
	old := *section
	old.State, old.Err = home.Stale, errors.New("refused")
	return &old
}

// late makes sections arrive when the test sends them, but for the early ones.
func late(early ...*home.Section) (chan<- *home.Section, func(*web.Deps)) {
	arriving := make(chan *home.Section)
	return arriving, func(d *web.Deps) {
		d.Gather = func(context.Context) ([]*home.Section, iter.Seq2[*home.Section, bool]) {
			return early, func(yield func(*home.Section, bool) bool) {
				for section := range arriving {
					if !yield(section, true) {
						return
					}
				}
			}
		}
	}
}

// stream is a page that is read while it is written.
type stream struct {
	header http.Header
	body   io.Reader
	read   strings.Builder
}

func open(t *testing.T, s *site, encoding string) *stream {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Accept-Encoding", encoding)
	response, err := visitor(t).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = response.Body.Close() })
	page := &stream{header: response.Header, body: response.Body}
	if encoding == "gzip" {
		if page.body, err = gzip.NewReader(response.Body); err != nil {
			t.Fatal(err)
		}
	}
	return page
}

// until reads on until the page has the text, and no further than it must.
func (s *stream) until(t *testing.T, text string) {
	t.Helper()
	for piece := make([]byte, 1); !strings.Contains(s.read.String(), text); {
		n, err := s.body.Read(piece)
		s.read.Write(piece[:n])
		if err != nil && !strings.Contains(s.read.String(), text) {
			t.Fatalf("the page ends (%v) without %q:\n%s", err, text, &s.read)
		}
	}
}

// whole reads the rest and returns all.
func (s *stream) whole(t *testing.T) string {
	t.Helper()
	rest, err := io.ReadAll(s.body)
	if err != nil {
		t.Fatal(err)
	}
	s.read.Write(rest)
	return s.read.String()
}

const (
	endOfShell = `</template>`
	promoHTML  = `<h2 id="promo-title">An offer</h2>`
	reccoHTML  = `<h2 id="recco-title">Chosen for you</h2>`
)

// The page begins without its sections, and each goes out when it arrives,
// whatever the order and the encoding.
func TestThePageStartsAtOnce(t *testing.T) {
	for _, encoding := range []string{"identity", "gzip"} {
		for _, test := range []struct {
			name   string
			first  *home.Section
			second *home.Section
			marks  []string
		}{
			{"promo first", promo, recco, []string{promoHTML, reccoHTML}},
			{"recommendations first", recco, promo, []string{reccoHTML, promoHTML}},
			{"a failed one last", promo, reccoFailed, []string{promoHTML, "could not fetch your recommendations"}},
		} {
			t.Run(encoding+" "+test.name, func(t *testing.T) {
				arriving, slow := late()
				page := open(t, newSite(t, slow), encoding)
				page.until(t, endOfShell)
				page.until(t, "At the desk")
				if strings.Contains(page.read.String(), "</html>") {
					t.Fatal("the page did not wait")
				}
				arriving <- test.first
				page.until(t, test.marks[0])
				arriving <- test.second
				page.until(t, test.marks[1])
				close(arriving)
				whole := page.whole(t)
				if !strings.HasSuffix(whole, "</html>\n") {
					t.Errorf("the page ends with %q", whole[len(whole)-20:])
				}
				for _, slot := range []string{`slot="promo"`, `slot="recommendations"`} {
					if got := strings.Count(whole, slot); got != 1 {
						t.Errorf("%s is filled %d times", slot, got)
					}
				}
				for name, want := range map[string]string{"Content-Length": "", "ETag": "", "X-Accel-Buffering": "no", "Cache-Control": "private, no-cache"} {
					if got := page.header.Get(name); got != want {
						t.Errorf("%s %q, want %q", name, got, want)
					}
				}
			})
		}
	}
}

// What is there at the end of the grace goes out with the beginning.
func TestSectionsInTimeGoOutWithTheShell(t *testing.T) {
	arriving, slow := late(recco)
	page := open(t, newSite(t, slow), "identity")
	page.until(t, reccoHTML)
	arriving <- promo
	close(arriving)
	got := answer{http.StatusOK, page.header, page.whole(t)}
	checkGolden(t, "home-streamed", got)
}

// What goes out with the shell is the newest there is.
func TestTheShellChangesWithItsSections(t *testing.T) {
	other := newPromo(home.Promo{Title: "Another offer"})
	var early []*home.Section
	s := newSite(t, func(d *web.Deps) {
		d.Gather = func(context.Context) ([]*home.Section, iter.Seq2[*home.Section, bool]) {
			return early, func(yield func(*home.Section, bool) bool) { yield(recco, false) }
		}
	})
	for _, early = range [][]*home.Section{{promo}, {promo}, {other}, {}} {
		page := get(t, s, "/").body
		for title, shown := range map[string]*home.Section{"An offer": promo, "Another offer": other} {
			if want := slices.Contains(early, shown); strings.Contains(page, title+"</h2>") != want {
				t.Errorf("%q is shown: %v, want %v", title, !want, want)
			}
		}
	}
}

// What a visitor has just stored is said at once, whatever it is called.
func TestANoticeGoesOutWithTheShell(t *testing.T) {
	const name = "<sections><figures>"
	s := newSite(t, func(d *web.Deps) {
		d.Gather = func(context.Context) ([]*home.Section, iter.Seq2[*home.Section, bool]) {
			return nil, func(yield func(*home.Section, bool) bool) { _ = yield(recco, false) && yield(promo, false) }
		}
		d.Receive = func(int64, iter.Seq2[upload.File, error]) ([]upload.Receipt, error) {
			return []upload.Receipt{{Name: name, Original: name}}, nil
		}
	})
	ann := visitor(t)
	body, contentType := form(t, file{"a.txt", "content"})
	do(t, ann, http.MethodPost, s.url+"/upload", body, "Content-Type", contentType)
	for _, noticed := range []bool{true, false} {
		page := do(t, ann, http.MethodGet, s.url+"/", nil)
		at := -1
		want := []string{endOfShell, "<strong>" + html.EscapeString(name) + "</strong>", reccoHTML, promoHTML, "The services took", "</html>"}
		if !noticed {
			want = slices.Delete(want, 1, 2)
		}
		for _, text := range want {
			next := strings.Index(page.body, text)
			if next <= at || strings.Count(page.body, text) != 1 {
				t.Errorf("%q is not there once, and after what comes before it:\n%s", text, page.body)
			}
			at = next
		}
		if strings.Contains(page.body, "safely stored") != noticed {
			t.Errorf("a notice: %v, want %v", !noticed, noticed)
		}
		if got, want := page.header.Get("Cache-Control"), map[bool]string{true: "no-store", false: "private, no-cache"}[noticed]; got != want {
			t.Errorf("Cache-Control %q, want %q", got, want)
		}
	}
}

// Sections that are all there in time make a whole page. It says how long the
// visitor has waited for each.
func TestAWholePage(t *testing.T) {
	s := newSite(t, func(d *web.Deps) {
		d.Gather = func(context.Context) ([]*home.Section, iter.Seq2[*home.Section, bool]) {
			kept, loaded := *standIn(promo), *recco
			kept.Arrived, loaded.Arrived = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
			return []*home.Section{&kept, &loaded}, nil
		}
	})
	got := get(t, s, "/")
	if got.header.Get("Content-Length") != strconv.Itoa(len(got.body)) {
		t.Errorf("Content-Length %q, the page has %d bytes", got.header.Get("Content-Length"), len(got.body))
	}
	if strings.Index(got.body, promoHTML) > strings.Index(got.body, reccoHTML) || strings.Contains(got.body, "<template") {
		t.Errorf("not a plain page in its order:\n%s", got.body)
	}
	want := regexp.MustCompile(`^promo;dur=0\.0;desc=stale, recommendations;dur=3600\d\d\d\.\d;desc=fresh$`)
	if timing := got.header.Get("Server-Timing"); !want.MatchString(timing) {
		t.Errorf("Server-Timing %q", timing)
	}
}

// A whole page goes out in the coding that the client takes, and is the same
// page in each, whatever the services took and however long its end is.
func TestCodingsOfAWholePage(t *testing.T) {
	var took time.Duration
	s := newSite(t, func(d *web.Deps) {
		d.Gather = func(ctx context.Context) ([]*home.Section, iter.Seq2[*home.Section, bool]) {
			again := *promo
			again.Took = took
			return sections(&again, recco)(ctx)
		}
		files := copyTemplates(t)
		files["base.html"].Data = bytes.Replace(files["base.html"].Data, []byte("</body>"), []byte(strings.Repeat("<p>More to read.</p>", 5000)+"</body>"), 1)
		d.Templates = files
	})
	for said, of := range map[string]time.Duration{"1.0 ms for the offer": time.Millisecond, "1.00 s for the offer": time.Second} {
		took = of
		plain := get(t, s, "/")
		for field, want := range map[string]string{
			"":                        "",
			"identity":                "",
			"br, deflate":             "",
			"gzip, deflate":           "gzip",
			"gzip, deflate, br, zstd": "gzip",
			"zstd, GZIP ; Q=0.3":      "gzip",
			"gzip;level=9;q=0.1":      "gzip",
			"br, gzip;q=0.000, *":     "",
			"gzip;q=-1":               "",
			"gzip;q=NaN":              "",
		} {
			got := get(t, s, "/", "Accept-Encoding", field)
			page := got.body
			if got.header.Get("Content-Encoding") == "gzip" {
				page = gunzip(t, got.body)
			}
			if page != plain.body || !strings.Contains(page, said) {
				t.Errorf("Accept-Encoding %q: another page, of %d bytes", field, len(page))
			}
			for name, want := range map[string]string{
				"Content-Encoding": want, "Content-Length": strconv.Itoa(len(got.body)), "ETag": plain.header.Get("ETag"), "Vary": "Accept-Encoding",
			} {
				if got := got.header.Get(name); got != want {
					t.Errorf("Accept-Encoding %q: %s %q, want %q", field, name, got, want)
				}
			}
		}
	}
}

// gunzip also finds out whether the length and the check sum are right.
func gunzip(tb testing.TB, body string) string {
	tb.Helper()
	reader, err := gzip.NewReader(strings.NewReader(body))
	if err != nil {
		tb.Fatal(err)
	}
	plain, err := io.ReadAll(reader)
	if err != nil {
		tb.Fatal(err)
	}
	return string(plain)
}

// A page that a visitor has is not sent again, until it changes.
func TestNotModified(t *testing.T) {
	now := sections(promo, recco)
	s := newSite(t, func(d *web.Deps) {
		d.Gather = func(ctx context.Context) ([]*home.Section, iter.Seq2[*home.Section, bool]) { return now(ctx) }
	})
	first := get(t, s, "/")
	tag := first.header.Get("ETag")
	if !strings.HasPrefix(tag, `W/"`) {
		t.Fatalf("ETag %q is not a weak one", tag)
	}
	again := *promo
	again.Took = time.Hour
	for _, test := range []struct {
		name     string
		field    string
		sections gather
		status   int
	}{
		{"the same", tag, sections(promo, recco), 304},
		{"the same, compared strongly", strings.TrimPrefix(tag, "W/"), sections(promo, recco), 304},
		{"one of several", `"a", ` + tag + `,"b"`, sections(promo, recco), 304},
		{"any", "*", sections(promo, recco), 304},
		{"the same from another load", tag, sections(&again, recco), 304},
		{"another", `W/"another"`, sections(promo, recco), 200},
		{"none", "", sections(promo, recco), 200},
		{"other content", tag, sections(newPromo(home.Promo{Title: "Another"}), recco), 200},
		{"another state", tag, sections(standIn(promo), recco), 200},
	} {
		t.Run(test.name, func(t *testing.T) {
			now = test.sections
			got := get(t, s, "/", "If-None-Match", test.field)
			if got.status != test.status || (got.body == "") != (test.status == 304) {
				t.Errorf("status %d and %d bytes, want %d", got.status, len(got.body), test.status)
			}
			if got.header.Get("ETag") == "" || got.header.Get("Cache-Control") != "private, no-cache" {
				t.Errorf("headers %v", got.header)
			}
		})
	}
}

// A new release is another page, even if the services say the same.
func TestAnotherFrameIsAnotherPage(t *testing.T) {
	tag := get(t, newSite(t), "/").header.Get("ETag")
	for _, before := range []string{"<main", "</body>"} {
		changed := newSite(t, func(d *web.Deps) {
			files := copyTemplates(t)
			files["base.html"].Data = bytes.Replace(files["base.html"].Data, []byte(before), []byte("<p>News!</p>"+before), 1)
			d.Templates = files
		})
		if got := get(t, changed, "/", "If-None-Match", tag); got.status != http.StatusOK {
			t.Errorf("news before %s: status %d, want the new page", before, got.status)
		}
	}
}

// A section is rendered for the first of those who share it, and the page too.
func TestTheSameSectionsAreTheSamePage(t *testing.T) {
	s := newSite(t)
	first := get(t, s, "/")
	if second := get(t, s, "/"); second.body != first.body {
		t.Error("the same sections make another page")
	}
	other := get(t, newSite(t, func(d *web.Deps) { d.Gather = sections(promoFailed, recco) }), "/")
	if other.body == first.body || strings.Contains(other.body, "refused") {
		t.Errorf("another section makes this page:\n%s", other.body)
	}
}

func TestFigures(t *testing.T) {
	want := "The services took 2.00 s for the offer and 0.4 ms for the recommendations; one after the other that makes 2.00 s."
	if got := get(t, newSite(t, func(d *web.Deps) { d.Gather = sections(promoFailed, recco) }), "/").body; !strings.Contains(got, want) {
		t.Errorf("the page does not say %q:\n%s", want, got)
	}
	arriving, slow := late()
	page := open(t, newSite(t, slow), "identity")
	arriving <- recco
	arriving <- promoFailed
	close(arriving)
	if got := page.whole(t); !strings.Contains(got, want) {
		t.Errorf("the streamed page does not say %q:\n%s", want, got)
	}
}

// The deadlines for a visitor's own sending and reading don't end a page whose
// services take longer than these.
func TestAPageOutlivesItsConnectionsDeadlines(t *testing.T) {
	const deadline = 50 * time.Millisecond
	arriving, slow := late()
	left := make(chan error, 1)
	all, _ := deps(t, io.Discard)
	slow(&all)
	waiting := all.Gather
	all.Gather = func(ctx context.Context) ([]*home.Section, iter.Seq2[*home.Section, bool]) {
		context.AfterFunc(ctx, func() { left <- ctx.Err() })
		return waiting(ctx)
	}
	handler, err := web.New(all)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(handler)
	server.Config.ReadTimeout, server.Config.WriteTimeout = deadline, deadline
	server.Start()
	t.Cleanup(server.Close)
	page := open(t, &site{url: server.URL}, "identity")
	page.until(t, endOfShell)
	select {
	case err := <-left:
		t.Fatalf("the visitor is taken to have left: %v", err)
	case <-time.After(4 * deadline):
	}
	arriving <- promo
	arriving <- recco
	close(arriving)
	if got := page.whole(t); !strings.HasSuffix(got, "</html>\n") {
		t.Errorf("the page ends with %q", got[len(got)-20:])
	}
}

// Links of services are shown if a browser can follow them from a page.
func TestLinks(t *testing.T) {
	for link, want := range map[string]string{
		"https://example.com:8080/a?b=c#d": "https://example.com:8080/a?b=c#d",
		"HTTP://ann:secret@example.com":    "http://ann:secret@example.com",
		"//bücher.example/":                "//b%C3%BCcher.example/",
		"http://[fe80::1%25eth0]:80/":      "http://[fe80::1%25eth0]:80/",
		"/path":                            "/path",
		"path (1)":                         "path%20%281%29",
		"?q":                               "?q",
		"mailto:ann@example.com":           "",
		"//example>/":                      "",
		"http://a b/":                      "",
		"http://a(b)/":                     "",
	} {
		page := get(t, newSite(t, func(d *web.Deps) { d.Gather = sections(newPromo(home.Promo{URL: link}), recco) }), "/").body
		got := regexp.MustCompile(`<a class="button" href="([^"]*)"`).FindStringSubmatch(page)
		if (want == "") != (got == nil) || got != nil && html.UnescapeString(got[1]) != want {
			t.Errorf("%q leads to %q, want %q", link, got, want)
		}
	}
}

// A visitor who leaves is not waited for.
func TestAVisitorLeavesAmidThePage(t *testing.T) {
	gone := make(chan struct{})
	s := newSite(t, func(d *web.Deps) {
		d.Gather = func(ctx context.Context) ([]*home.Section, iter.Seq2[*home.Section, bool]) {
			return nil, func(func(*home.Section, bool) bool) {
				<-ctx.Done()
				close(gone)
			}
		}
	})
	ctx, leave := context.WithCancel(t.Context())
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := visitor(t).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	leave()
	<-gone
}

func TestHead(t *testing.T) {
	s := newSite(t, func(d *web.Deps) {
		d.Gather = func(context.Context) ([]*home.Section, iter.Seq2[*home.Section, bool]) {
			panic("HEAD called the services")
		}
	})
	for _, path := range []string{"/", "/upload", "/certificate", "/healthz", "/readyz"} {
		got := do(t, visitor(t), http.MethodHead, s.url+path, nil)
		if got.status != http.StatusOK || got.body != "" {
			t.Errorf("HEAD %s: status %d and %q", path, got.status, got.body)
		}
		if path == "/" {
			if got.header.Get("Cache-Control") != "private, no-cache" || got.header.Get("Content-Type") != "text/html; charset=utf-8" {
				t.Errorf("HEAD /: headers %v", got.header)
			}
			continue
		}
		if want := get(t, s, path).header.Get("Content-Length"); got.header.Get("Content-Length") != want {
			t.Errorf("HEAD %s: Content-Length %q, GET says %q", path, got.header.Get("Content-Length"), want)
		}
	}
}

// shape is what a page is made of: its elements with the names of their
// attributes. links are where it leads and what it loads.
func shape(t *testing.T, page string) (elements, links []string) {
	t.Helper()
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	for node := range root.Descendants() {
		if node.Type != html.ElementNode {
			continue
		}
		element := []string{node.Data}
		for _, attribute := range node.Attr {
			element = append(element, attribute.Key)
			if attribute.Key == "href" || attribute.Key == "src" {
				links = append(links, attribute.Val)
			}
		}
		elements = append(elements, strings.Join(element, " "))
	}
	return elements, links
}

// Whatever a service says, the page has the elements of its template and no
// others, and leads nowhere but to the web.
func FuzzServicesCantInject(f *testing.F) {
	const script = `<script>alert("promo")</script>`
	for _, seed := range []string{
		script, "</section><div>", "</template></main>", "<!--", `" onmouseover="alert(1)`, "{{.}}", "\x00", "\xff", "<b slot=promo>",
		"javascript:alert(1)", " javascript:alert(1)", "JaVaScRiPt:alert(1)", "data:text/html,x", "vbscript:x", "\x01javascript:x", "java\nscript:x", "file:///etc/passwd",
		"https://example.com/?a=b&c=d#e", "//example.com", "//example>", "//ex(am)ple\xf7", "//[::1]:80/", "/path", "?", "#", "http:", "",
	} {
		f.Add(seed, seed, seed)
		f.Add("A title", "Words", seed)
	}
	var now gather
	all, _ := deps(f, io.Discard)
	all.Gather = func(ctx context.Context) ([]*home.Section, iter.Seq2[*home.Section, bool]) { return now(ctx) }
	handler, err := web.New(all)
	if err != nil {
		f.Fatal(err)
	}
	show := func(title, text, link, image string) string {
		now = sections(
			newPromo(home.Promo{Title: title, Text: text, URL: link, Action: text, Image: image}),
			newRecco(home.Recommendations{{Title: title, URL: link, Reason: text, Image: image}}))
		got := httptest.NewRecorder()
		handler.ServeHTTP(got, httptest.NewRequest(http.MethodGet, "/", nil))
		return got.Body.String()
	}
	harmless := func(s, instead string) string {
		if s == "" {
			return ""
		}
		return instead
	}
	f.Fuzz(func(t *testing.T, title, text, link string) {
		page := show(title, text, link, link)
		got, links := shape(t, page)
		title, text, link = harmless(title, "x"), harmless(text, "x"), harmless(link, "/x")
		want, _ := shape(t, show(title, text, link, link))
		without, _ := shape(t, show(title, text, "", ""))
		if !slices.Equal(got, want) && !slices.Equal(got, without) {
			t.Errorf("the page has other elements:\n%s", cmp.Diff(want, got))
		}
		for _, link := range links {
			u, err := url.Parse(link)
			if err != nil || u.Scheme != "" && u.Scheme != "http" && u.Scheme != "https" {
				t.Errorf("the page leads to %q", link)
			}
		}
	})
}

func BenchmarkHome(b *testing.B) {
	for _, bench := range []struct {
		name   string
		gather gather
	}{
		{"Kept", sections(promo, recco)},
		{"New", func(ctx context.Context) ([]*home.Section, iter.Seq2[*home.Section, bool]) {
			promo, recco := *promo, *recco
			return sections(&promo, &recco)(ctx)
		}},
		{"Streamed", func(context.Context) ([]*home.Section, iter.Seq2[*home.Section, bool]) {
			return nil, func(yield func(*home.Section, bool) bool) { _ = yield(recco, true) && yield(promo, false) }
		}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			all, _ := deps(b, io.Discard)
			all.Gather = bench.gather
			handler, err := web.New(all)
			if err != nil {
				b.Fatal(err)
			}
			request := httptest.NewRequest(http.MethodGet, "/", nil)
			request.Header.Set("Accept-Encoding", "gzip")
			visit := func() *httptest.ResponseRecorder {
				got := httptest.NewRecorder()
				handler.ServeHTTP(got, request)
				return got
			}
			whole := visit().Body.Bytes()
			if !strings.HasSuffix(gunzip(b, string(whole)), "</html>\n") {
				b.Fatal("the page is not whole")
			}
			b.ReportAllocs()
			for b.Loop() {
				if got := visit(); got.Code != http.StatusOK || !bytes.Equal(got.Body.Bytes(), whole) {
					b.Fatal(got.Code)
				}
			}
		})
	}
}
