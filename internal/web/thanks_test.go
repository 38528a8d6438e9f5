package web_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"homepage/internal/web"
)

// The title counts what was stored, and on the next page is the site's again.
func TestTheTitleThanks(t *testing.T) {
	s, ann := newSite(t), visitor(t)
	for _, test := range []struct {
		files []file
		want  string
	}{
		{[]file{{"a.txt", "a"}}, "<title>Stored: 1 file · Lamplight Library</title>"},
		{[]file{{"b.txt", "b"}, {"c.txt", "c"}}, "<title>Stored: 2 files · Lamplight Library</title>"},
		{nil, "<title>Lamplight Library</title>"},
	} {
		if test.files != nil {
			body, contentType := form(t, test.files...)
			do(t, ann, http.MethodPost, s.url+"/upload", body, "Content-Type", contentType)
		}
		if page := do(t, ann, http.MethodGet, s.url+"/", nil).body; !strings.Contains(page, test.want) {
			t.Errorf("the page has no %s", test.want)
		}
	}
}

// Each upload gives a notice that was not shown yet another hour, with all that
// was stored before.
func TestAnUploadRenewsTheNotice(t *testing.T) {
	now := noon
	s := newSite(t, func(d *web.Deps) { d.Now = func() time.Time { return now } })
	first := flash(t, s, file{"a.txt", "a"})
	now = noon.Add(50 * time.Minute)
	body, contentType := form(t, file{"b.txt", "b"})
	got := do(t, visitor(t), http.MethodPost, s.url+"/upload", body, "Content-Type", contentType, "Cookie", "flash="+first.Value)
	second, err := http.ParseSetCookie(got.header.Get("Set-Cookie"))
	if err != nil || second.MaxAge != 3600 {
		t.Fatalf("%v, cookie %v, want one for an hour", err, second)
	}
	now = noon.Add(110 * time.Minute)
	page := get(t, s, "/", "Cookie", "flash="+second.Value).body
	for _, want := range []string{"your 2 files are safely stored", "a.txt", "b.txt"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	now = noon.Add(110*time.Minute + time.Second)
	if showing(t, s, second.Value) {
		t.Error("the notice is shown more than an hour after the last upload")
	}
}

// Who asks for JSON has the receipts, and gets no notice too; one that waits to
// be shown stays. A receipt says if the name was taken.
func TestReceiptsLeaveNoNotice(t *testing.T) {
	s := newSite(t)
	waiting := flash(t, s, file{"a.txt", "first"})
	for _, cookie := range []string{"", "flash=" + waiting.Value} {
		body, contentType := form(t, file{"b.txt", "b"})
		got := do(t, visitor(t), http.MethodPost, s.url+"/upload", body, "Content-Type", contentType, "Accept", "application/json", "Cookie", cookie)
		if got.status != http.StatusCreated || got.header.Get("Set-Cookie") != "" {
			t.Errorf("status %d with the cookie %q, want 201 with none", got.status, got.header.Get("Set-Cookie"))
		}
	}
	body, contentType := form(t, file{"a.txt", "abc"})
	got := do(t, visitor(t), http.MethodPost, s.url+"/upload", body, "Content-Type", contentType, "Accept", "application/json")
	const want = `{"files":[{"name":"a-1.txt","original":"a.txt","existed":"a.txt","bytes":3,"sha256":"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"}]}` + "\n"
	if got.body != want {
		t.Errorf("receipt %s, want\n%s", got.body, want)
	}
}
