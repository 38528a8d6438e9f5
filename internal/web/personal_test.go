package web_test

import (
	"compress/gzip"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"homepage/internal/home"
	"homepage/internal/web"
)

// personal has pages show sections that are for some visitors alone.
func personal(title string) func(*web.Deps) {
	return func(d *web.Deps) {
		look := d.Look
		d.Gather = func(ctx context.Context, visit home.Visit) home.Page {
			promo, recco := *promo, *recco
			promo.Content.Title, promo.Personal, recco.Personal = title, true, true
			promo.HTML = look.Promo(&promo) // as it has when it comes from its source
			return sections(&promo, &recco)(ctx, visit)
		}
	}
}

// A page for some visitors alone is joined from pieces that were compressed
// before. It is the same in both codings and under one tag, and but for its
// sections the page that everyone gets.
func TestPersonalPages(t *testing.T) {
	s := newSite(t, personal("An offer of Ann’s"))
	plain := get(t, s, "/")
	packed := get(t, s, "/", "Accept-Encoding", "gzip")
	if packed.header.Get("Content-Encoding") != "gzip" || len(packed.body) >= len(plain.body) {
		t.Fatalf("%d bytes are sent as %d, in the coding %q", len(plain.body), len(packed.body), packed.header.Get("Content-Encoding"))
	}
	sent := strings.NewReader(packed.body)
	unpacked, err := gzip.NewReader(sent)
	if err != nil {
		t.Fatal(err)
	}
	unpacked.Multistream(false)
	body, err := io.ReadAll(unpacked) // checks the sum and the length
	if err != nil || string(body) != plain.body {
		t.Errorf("%v; both codings are not the same:\n%s", err, body)
	}
	if sent.Len() > 0 {
		t.Errorf("%d bytes are behind the page", sent.Len())
	}
	everyone := get(t, newSite(t), "/")
	if want := strings.Replace(everyone.body, promo.Content.Title, "An offer of Ann’s", 1); plain.body != want {
		t.Errorf("the page is not everyone's with another offer:\n%s", plain.body)
	}
	tag := plain.header.Get("ETag")
	if tag == "" || tag != packed.header.Get("ETag") || tag == everyone.header.Get("ETag") {
		t.Errorf("the tags are %s, %s, and everyone's %s", tag, packed.header.Get("ETag"), everyone.header.Get("ETag"))
	}
	if got := get(t, s, "/", "If-None-Match", tag); got.status != http.StatusNotModified || got.body != "" {
		t.Errorf("status %d for who has the page", got.status)
	}
	if got := get(t, newSite(t, personal("An offer of Bob’s")), "/", "If-None-Match", tag); got.status != http.StatusOK || strings.Contains(got.body, "Ann") {
		t.Errorf("status %d for who has another's page", got.status)
	}
}

// Visitors in turn never get the page before theirs.
func TestPersonalPagesInTurn(t *testing.T) {
	var title string
	var look *web.Look
	s := newSite(t, func(d *web.Deps) {
		look = d.Look
		d.Gather = func(ctx context.Context, visit home.Visit) home.Page {
			promo := *promo
			promo.Content.Title, promo.Personal = title, title != "everyone’s"
			promo.HTML = look.Promo(&promo)
			return sections(&promo, recco)(ctx, visit)
		}
	})
	for _, title = range []string{"Ann’s", "Bob’s", "everyone’s", "Ann’s", "everyone’s", "everyone’s", "Bob’s"} {
		for _, coding := range []string{"identity", "gzip"} {
			got := get(t, s, "/", "Accept-Encoding", coding)
			body := io.Reader(strings.NewReader(got.body))
			if coding == "gzip" {
				unpacked, err := gzip.NewReader(body)
				if err != nil {
					t.Fatal(err)
				}
				body = unpacked
			}
			page, err := io.ReadAll(body)
			if err != nil || !strings.Contains(string(page), title) {
				t.Errorf("%v; not %s page:\n%s", err, title, page)
			}
		}
	}
}
