package web_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"homepage/internal/web"
)

const stored1, storedMany = "your file is safely stored", "files are safely stored"

// flash returns the cookie that an upload of the files sets.
func flash(t *testing.T, s *site, files ...file) *http.Cookie {
	t.Helper()
	body, contentType := form(t, files...)
	got := do(t, visitor(t), http.MethodPost, s.url+"/upload", body, "Content-Type", contentType)
	if got.status != http.StatusSeeOther {
		t.Fatalf("status %d, want 303", got.status)
	}
	cookie, err := http.ParseSetCookie(got.header.Get("Set-Cookie"))
	if err != nil {
		t.Fatal(err)
	}
	return cookie
}

// showing fetches the homepage with a cookie, and tells whether it has a notice.
func showing(t *testing.T, s *site, value string) bool {
	t.Helper()
	got := get(t, s, "/", "Cookie", "flash="+value)
	if got.status != http.StatusOK {
		t.Errorf("cookie %q: status %d", value, got.status)
	}
	if deleted, err := http.ParseSetCookie(got.header.Get("Set-Cookie")); err != nil || deleted.Name != "flash" || deleted.MaxAge >= 0 {
		t.Errorf("cookie %q is not deleted: %v, %v", value, deleted, err)
	}
	return strings.Contains(got.body, "safely stored")
}

func TestTheCookieOfANotice(t *testing.T) {
	cookie := flash(t, newSite(t), file{"a.txt", "a"})
	if cookie.Name != "flash" || cookie.Path != "/" || cookie.MaxAge != 3600 || !cookie.HttpOnly || cookie.SameSite != http.SameSiteStrictMode {
		t.Errorf("cookie %v", cookie)
	}
}

// Uploads made one after another, before the homepage is seen, share a notice.
func TestANoticeGathers(t *testing.T) {
	s, ann := newSite(t), visitor(t)
	for _, name := range []string{"a.txt", "b.txt"} {
		body, contentType := form(t, file{name, "content"})
		do(t, ann, http.MethodPost, s.url+"/upload", body, "Content-Type", contentType)
	}
	page := do(t, ann, http.MethodGet, s.url+"/", nil).body
	for _, want := range []string{"your 2 files are safely stored", "a.txt", "b.txt"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	body, contentType := form(t, file{"c.txt", "content"})
	do(t, ann, http.MethodPost, s.url+"/upload", body, "Content-Type", contentType)
	if page := do(t, ann, http.MethodGet, s.url+"/", nil).body; !strings.Contains(page, stored1) {
		t.Error("what was shown is gathered again")
	}
}

func TestANoticeExpires(t *testing.T) {
	now := noon
	s := newSite(t, func(d *web.Deps) { d.Now = func() time.Time { return now } })
	cookie := flash(t, s, file{"a.txt", "a"})
	now = noon.Add(time.Hour)
	if !showing(t, s, cookie.Value) {
		t.Error("the notice is not shown after an hour")
	}
	now = noon.Add(time.Hour + time.Second)
	if showing(t, s, cookie.Value) {
		t.Error("the notice is shown after more than an hour")
	}
}

// Every replica with the same key shows a notice, and so does one started later.
func TestTheKeyDecidesWhoShowsANotice(t *testing.T) {
	cookie := flash(t, newSite(t), file{"a.txt", "a"})
	if !showing(t, newSite(t), cookie.Value) {
		t.Error("a replica with the same key does not show it")
	}
	other := newSite(t, func(d *web.Deps) { d.CookieKey = []byte(strings.Repeat("K", 32)) })
	if showing(t, other, cookie.Value) {
		t.Error("a replica with another key shows it")
	}
}

func TestATamperedNoticeIsIgnored(t *testing.T) {
	s := newSite(t)
	cookie := flash(t, s, file{"a.txt", "a"})
	value, mac, _ := strings.Cut(cookie.Value, ".")
	for i := range cookie.Value {
		changed := cookie.Value[:i] + "-" + cookie.Value[i+1:]
		if changed != cookie.Value && showing(t, s, changed) {
			t.Errorf("%q is shown", changed)
		}
	}
	for _, other := range []string{"", ".", value, value + ".", "." + mac, mac + "." + value, cookie.Value + ".", cookie.Value + "A", cookie.Value + cookie.Value, strings.Repeat("A", 100_000)} {
		if showing(t, s, other) {
			t.Errorf("%q is shown", other)
		}
	}
	if !showing(t, s, cookie.Value) {
		t.Error("the untouched cookie is not shown")
	}
}

// A cookie has room for all files of an ordinary form, and for the first few
// whose names are very long.
func TestANoticeOfManyFiles(t *testing.T) {
	for _, test := range []struct {
		name   string
		files  int
		file   string // its name
		listed int
	}{
		{"ordinary names", 20, "reading list %02d.txt", 20},
		{"many", 200, "%03d.txt", 25},
		{"the longest names", 16, strings.Repeat("ü", 200) + "%02d.txt", 3},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newSite(t, func(d *web.Deps) { d.Limits.Files = 200 })
			var files []file
			for i := range test.files {
				files = append(files, file{fmt.Sprintf(test.file, i), "content"})
			}
			cookie := flash(t, s, files...)
			if got := len(cookie.Value); got > 2<<10 {
				t.Errorf("the cookie has %d bytes", got)
			}
			page := get(t, s, "/", "Cookie", "flash="+cookie.Value).body
			if want := fmt.Sprintf("your %d %s", test.files, storedMany); !strings.Contains(page, want) {
				t.Errorf("the page does not say %q", want)
			}
			listed := strings.Count(page, "<code>")
			if listed < test.listed {
				t.Errorf("%d files are listed, want at least %d", listed, test.listed)
			}
			if want := fmt.Sprintf("<li>and %d more</li>", test.files-listed); strings.Contains(page, want) != (listed < test.files) {
				t.Errorf("%d of %d files are listed, and %q is said or not", listed, test.files, want)
			}
			t.Logf("%d of %d files in %d bytes", listed, test.files, len(cookie.Value))
		})
	}
}

// Visitors who never come back for their notices cost nothing.
func TestNoticesTakeNoMemory(t *testing.T) {
	all, _ := deps(t, io.Discard)
	handler, err := web.New(all)
	if err != nil {
		t.Fatal(err)
	}
	name := strings.Repeat("x", 60<<10)
	body, contentType := form(t, file{name + "1", "a"}, file{name + "2", "b"}, file{name + "3", "c"})
	post := func() {
		request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/upload", bytes.NewReader(body.Bytes()))
		request.Header.Set("Content-Type", contentType)
		got := recorder{httptest.NewRecorder()}
		handler.ServeHTTP(got, request)
		if got.Code != http.StatusSeeOther {
			t.Fatalf("status %d, want 303", got.Code)
		}
	}
	heap := func() int64 {
		runtime.GC()
		runtime.GC() // the second empties pools
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		return int64(stats.HeapAlloc)
	}
	post()
	before := heap()
	for range 40 { // of 180 KiB of names each
		post()
	}
	held := heap() - before
	t.Logf("%d KiB are held after 40 posts", held>>10)
	if held > 1<<20 {
		t.Errorf("%d KiB are held after 40 posts", held>>10)
	}
}

// A cookie that is not ours shows nothing, whatever is in it.
func FuzzFlashCookie(f *testing.F) {
	for _, seed := range []string{"", ".", "MAA.MAA", "MAkCAQAwAAIBAA.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", strings.Repeat("A", 3000)} {
		f.Add(seed)
	}
	all, _ := deps(f, io.Discard)
	handler, err := web.New(all)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, value string) {
		request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		request.Header.Set("Cookie", "flash="+value)
		got := recorder{httptest.NewRecorder()}
		handler.ServeHTTP(got, request)
		if got.Code != http.StatusOK || strings.Contains(got.Body.String(), "safely stored") {
			t.Errorf("status %d:\n%s", got.Code, got.Body)
		}
	})
}
