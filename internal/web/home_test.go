package web_test

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
	"homepage/static"
)

// standIn is the section when its last load has failed.
func standIn[T any](section *home.Section[T]) *home.Section[T] {
	old := *section
	old.State, old.Err = home.Stale, errors.New("refused")
	return &old
}

// late makes sections arrive when the test resolves them.
func late() (home.Page, func(*web.Deps)) {
	page := newHomePage()
	return page, func(d *web.Deps) { d.Gather = func(context.Context, home.Visit) home.Page { return page } }
}

// stream is a page that is read while it is written.
type stream struct {
	header http.Header
	body   io.Reader
	read   strings.Builder
}

func open(t *testing.T, s *site, encoding string) *stream {
	t.Helper()
	return openAs(t, visitor(t), s, encoding)
}

func openAs(t *testing.T, client *http.Client, s *site, encoding string) *stream {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Accept-Encoding", encoding)
	response, err := client.Do(request)
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
	promoHTML  = `<h2 id="promo-title" dir="auto">An offer</h2>`
	reccoHTML  = `<h2 id="recco-title">Chosen for you</h2>`
)

// The page begins without its sections, and each goes out when it arrives,
// whatever the order and the encoding.
func TestThePageStartsAtOnce(t *testing.T) {
	for _, encoding := range []string{"identity", "gzip"} {
		for _, test := range []struct {
			name   string
			first  func(home.Page)
			second func(home.Page)
			marks  []string
		}{
			{
				"promo first",
				func(page home.Page) { page.Promo.Resolve(promo) },
				func(page home.Page) { page.Recommendations.Resolve(recco) },
				[]string{promoHTML, reccoHTML},
			},
			{
				"recommendations first",
				func(page home.Page) { page.Recommendations.Resolve(recco) },
				func(page home.Page) { page.Promo.Resolve(promo) },
				[]string{reccoHTML, promoHTML},
			},
			{
				"a failed one last",
				func(page home.Page) { page.Promo.Resolve(promo) },
				func(page home.Page) { page.Recommendations.Resolve(reccoFailed) },
				[]string{promoHTML, "could not fetch your recommendations"},
			},
		} {
			t.Run(encoding+" "+test.name, func(t *testing.T) {
				arriving, slow := late()
				page := open(t, newSite(t, slow), encoding)
				page.until(t, endOfShell)
				page.until(t, "At the desk")
				if strings.Contains(page.read.String(), "</html>") {
					t.Fatal("the page did not wait")
				}
				test.first(arriving)
				page.until(t, test.marks[0])
				test.second(arriving)
				page.until(t, test.marks[1])
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

// What is there at the end of the grace goes out without waiting for the rest.
func TestSectionsInTimeGoOutWithTheShell(t *testing.T) {
	arriving, slow := late()
	arriving.Recommendations.Resolve(recco)
	page := open(t, newSite(t, slow), "identity")
	if got := page.header.Get("Server-Timing"); !strings.HasPrefix(got, "recommendations;dur=0.0;desc=fresh") {
		t.Errorf("Server-Timing %q", got)
	}
	page.until(t, reccoHTML)
	arriving.Promo.Resolve(promo)
	got := answer{http.StatusOK, page.header, page.whole(t)}
	checkGolden(t, "home-streamed", got)
}

// A section that has nothing to show is left out, on a streamed page too, where
// its placeholder goes when that is known.
func TestNothingToday(t *testing.T) {
	got := get(t, newSite(t, func(d *web.Deps) { d.Gather = sections(promoEmpty, recco) }), "/")
	if strings.Contains(got.body, `slot="promo"`) || !strings.Contains(got.body, reccoHTML) {
		t.Errorf("not the recommendations alone:\n%s", got.body)
	}
	if got := got.header.Get("Server-Timing"); !strings.HasPrefix(got, "promo;dur=0.0;desc=empty, ") {
		t.Errorf("Server-Timing %q", got)
	}
	arriving, slow := late()
	page := open(t, newSite(t, slow), "identity")
	arriving.Recommendations.Resolve(reccoEmpty)
	page.until(t, `<div slot="recommendations" data-state="empty" hidden></div>`)
	arriving.Promo.Resolve(promo)
	page.until(t, promoHTML)
	if got := page.whole(t); !strings.HasSuffix(got, "</html>\n") {
		t.Errorf("the page ends with %q", got[len(got)-20:])
	}
}

// A client that closes its sending side after the request gets a whole answer
// or none, on whole and on streamed pages.
func TestHalfClosedClients(t *testing.T) {
	for name, gather := range map[string]gather{
		"both there": sections(promo, recco), "one is late": sections(promo, nil), "both are late": sections(nil, nil),
		"none before the grace is over": func(ctx context.Context, _ home.Visit) home.Page {
			<-ctx.Done()
			return newHomePage()
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, func(d *web.Deps) { d.Gather = gather })
			conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(s.url, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
			if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
				t.Fatal(err)
			}
			response, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				return // none
			}
			defer response.Body.Close()
			if body, err := io.ReadAll(response.Body); err == nil && !bytes.HasSuffix(body, []byte("</html>\n")) {
				t.Errorf("%q looks whole", body)
			}
		})
	}
}

// Lists in headers are read from all of their lines.
func TestListsInSeveralLines(t *testing.T) {
	s := newSite(t)
	tag := get(t, s, "/").header.Get("ETag")
	send := func(path, name string, lines ...string) answer {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header[name] = lines
		response, err := visitor(t).Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return answer{response.StatusCode, response.Header, string(body)}
	}
	for _, path := range []string{"/", "/upload", assetURL(t, "style.css")} {
		if got := send(path, "Accept-Encoding", "br", "gzip").header.Get("Content-Encoding"); got != "gzip" {
			t.Errorf("%s: Content-Encoding %q, want gzip", path, got)
		}
	}
	if got := send("/", "If-None-Match", `"other"`, tag).status; got != http.StatusNotModified {
		t.Errorf("If-None-Match in two lines: status %d, want 304", got)
	}
	if got := send("/nothing", "Accept", "text/plain", "application/json").header.Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("Accept in two lines: Content-Type %q, want a problem", got)
	}
}

// Services are told which visit they are called for, and nothing of two at once.
func TestServicesAreToldOfTheVisit(t *testing.T) {
	var told home.Visit
	s := newSite(t, func(d *web.Deps) {
		d.Gather = func(ctx context.Context, visit home.Visit) home.Page {
			told = visit
			return sections(promo, recco)(ctx, visit)
		}
	})
	for _, test := range []struct {
		parents, states []string
		want            home.Visit
	}{
		{nil, nil, home.Visit{}},
		{[]string{"parent"}, []string{"a=1", "b=2"}, home.Visit{Traceparent: "parent", Tracestate: "a=1,b=2"}},
		{[]string{"parent", "another"}, []string{"a=1"}, home.Visit{Tracestate: "a=1"}},
	} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header["Traceparent"], request.Header["Tracestate"] = test.parents, test.states
		response, err := visitor(t).Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		test.want.RequestID = response.Header.Get("X-Request-Id")
		if told != test.want {
			t.Errorf("told %+v, want %+v", told, test.want)
		}
	}
}

// A section that failed on one page is not shown in another one's place.
func TestFailedSectionsKeepTheirPlaces(t *testing.T) {
	now := sections(promoFailed, recco)
	s := newSite(t, func(d *web.Deps) {
		d.Gather = func(ctx context.Context, _ home.Visit) home.Page { return now(ctx, home.Visit{}) }
	})
	for _, test := range []struct {
		gather   gather
		says     string
		saysNone string
	}{
		{sections(promoFailed, recco), "taking a nap", "could not fetch your"},
		{sections(promo, reccoFailed), "could not fetch your", "taking a nap"},
		{sections(promoFailed, recco), "taking a nap", "could not fetch your"},
	} {
		now = test.gather
		if page := get(t, s, "/").body; !strings.Contains(page, test.says) || strings.Contains(page, test.saysNone) {
			t.Errorf("the page says not %q but\n%s", test.says, page)
		}
	}
}

// What a visitor has just stored is said at once, whatever it is called.
func TestANoticeGoesOutWithTheShell(t *testing.T) {
	const name = "<promo><b>"
	pages := make(chan home.Page, 1)
	s := newSite(t, func(d *web.Deps) {
		d.Gather = func(context.Context, home.Visit) home.Page {
			page := newHomePage()
			pages <- page
			return page
		}
		d.Receive = func(upload.Form) ([]upload.Receipt, error) {
			return []upload.Receipt{{Name: name, Original: name}}, nil
		}
	})
	ann := visitor(t)
	body, contentType := form(t, file{"a.txt", "content"})
	do(t, ann, http.MethodPost, s.url+"/upload", body, "Content-Type", contentType)
	for _, noticed := range []bool{true, false} {
		page := openAs(t, ann, s, "identity")
		page.until(t, "At the desk")
		arriving := <-pages
		arriving.Recommendations.Resolve(recco)
		page.until(t, reccoHTML)
		arriving.Promo.Resolve(promo)
		whole := page.whole(t)
		at := -1
		want := []string{endOfShell, "<strong>" + html.EscapeString(name) + "</strong>", reccoHTML, promoHTML, "</html>"}
		if !noticed {
			want = slices.Delete(want, 1, 2)
		}
		for _, text := range want {
			next := strings.Index(whole, text)
			if next <= at || strings.Count(whole, text) != 1 {
				t.Errorf("%q is not there once, and after what comes before it:\n%s", text, whole)
			}
			at = next
		}
		if strings.Contains(whole, "safely stored") != noticed {
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
		d.Gather = func(ctx context.Context, _ home.Visit) home.Page {
			kept, loaded := *standIn(promo), *recco
			kept.Arrived, loaded.Arrived = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
			return sections(&kept, &loaded)(ctx, home.Visit{})
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
// page in each.
func TestCodingsOfAWholePage(t *testing.T) {
	s := newSite(t)
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
		if page != plain.body {
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
		d.Gather = func(ctx context.Context, _ home.Visit) home.Page { return now(ctx, home.Visit{}) }
	})
	first := get(t, s, "/")
	tag := first.header.Get("ETag")
	if !strings.HasPrefix(tag, `W/"`) {
		t.Fatalf("ETag %q is not a weak one", tag)
	}
	again := *promo
	again.Arrived = noon
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
		files := copyTemplates(t)
		files["base.html"].Data = bytes.Replace(files["base.html"].Data, []byte(before), []byte("<p>News!</p>"+before), 1)
		changed := newSite(t, withLook(t, files, static.FS, "Lamplight Library"))
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

// The deadlines for a visitor's own sending and reading don't end a page whose
// services take longer than these.
func TestAPageOutlivesItsConnectionsDeadlines(t *testing.T) {
	const deadline = 50 * time.Millisecond
	arriving, slow := late()
	left := make(chan error, 1)
	all, _ := deps(t, io.Discard)
	slow(&all)
	waiting := all.Gather
	all.Gather = func(ctx context.Context, _ home.Visit) home.Page {
		context.AfterFunc(ctx, func() { left <- ctx.Err() })
		return waiting(ctx, home.Visit{})
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
	arriving.Promo.Resolve(promo)
	arriving.Recommendations.Resolve(recco)
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
		d.Gather = func(ctx context.Context, _ home.Visit) home.Page {
			context.AfterFunc(ctx, func() { close(gone) })
			return newHomePage()
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
		d.Gather = func(context.Context, home.Visit) home.Page { panic("HEAD called the services") }
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
	all.Gather = func(ctx context.Context, _ home.Visit) home.Page { return now(ctx, home.Visit{}) }
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

// firstFlush calls a function when the answer is first flushed.
type firstFlush struct {
	*httptest.ResponseRecorder
	then func()
}

func (w *firstFlush) Flush() {
	w.ResponseRecorder.Flush()
	w.then()
	w.then = func() {}
}

func BenchmarkHome(b *testing.B) {
	for _, bench := range []struct {
		name    string
		gather  gather
		arrives func(home.Page) // once the page has begun
	}{
		{"Kept", sections(promo, recco), nil},
		{"New", func(ctx context.Context, _ home.Visit) home.Page {
			promo, recco := *promo, *recco
			return sections(&promo, &recco)(ctx, home.Visit{})
		}, nil},
		{"Streamed", sections(nil, nil), func(page home.Page) {
			page.Promo.Resolve(promo)
			page.Recommendations.Resolve(recco)
		}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			all, _ := deps(b, io.Discard)
			var page home.Page
			all.Gather = func(ctx context.Context, _ home.Visit) home.Page {
				page = bench.gather(ctx, home.Visit{})
				return page
			}
			handler, err := web.New(all)
			if err != nil {
				b.Fatal(err)
			}
			request := httptest.NewRequest(http.MethodGet, "/", nil)
			request.Header.Set("Accept-Encoding", "gzip")
			visit := func() *httptest.ResponseRecorder {
				got := &firstFlush{httptest.NewRecorder(), func() { bench.arrives(page) }}
				handler.ServeHTTP(got, request)
				return got.ResponseRecorder
			}
			if !strings.HasSuffix(gunzip(b, visit().Body.String()), "</html>\n") {
				b.Fatal("the page is not whole")
			}
			b.ReportAllocs()
			for b.Loop() {
				if got := visit(); got.Code != http.StatusOK {
					b.Fatal(got.Code)
				}
			}
		})
	}
}
