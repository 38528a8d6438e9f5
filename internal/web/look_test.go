package web_test

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"homepage/static"
	"homepage/templates"
)

// A name with all that HTML gives a meaning stands as it is wherever the site
// is named.
func TestTheSitesNameIsEscaped(t *testing.T) {
	const name = `Tom & Jerry's <b>"Books"</b> </title>`
	s := newSite(t, withLook(t, templates.FS, static.FS, name))
	for path, want := range map[string]int{"/": 6, "/upload": 6, "/nothing": 6} {
		page := get(t, s, path).body
		document, err := html.Parse(strings.NewReader(page))
		if err != nil {
			t.Fatal(err)
		}
		named := 0
		for node := range document.Descendants() {
			texts := []string{}
			if node.Type == html.TextNode {
				texts = append(texts, node.Data)
			}
			for _, attribute := range node.Attr {
				texts = append(texts, attribute.Val)
			}
			for _, text := range texts {
				named += strings.Count(text, name)
			}
		}
		if named != want || strings.Contains(page, "Lamplight") || strings.Contains(page, "<b>") {
			t.Errorf("%s: the name stands in %d places, want %d:\n%s", path, named, want, page)
		}
	}
}

// The policy admits the style inside a streamed page, also one that an editor
// of another system has written: browsers make line feeds of its line ends
// before they take the digest.
func TestThePolicyAdmitsAnotherStyle(t *testing.T) {
	files := copyTemplates(t)
	files["skeleton.css"].Data = []byte("\r\n.hero { color: red; }\r.late { color: blue; }\r\n")
	_, change := late()
	s := newSite(t, change, withLook(t, files, static.FS, ""))
	got := open(t, s, "identity")
	got.until(t, "</style>")
	page := got.read.String()
	_, style, _ := strings.Cut(page, "<style>")
	style, _, _ = strings.Cut(style, "</style>")
	digest := sha256.Sum256([]byte(style))
	if policy := got.header.Get("Content-Security-Policy"); !strings.Contains(policy, "'sha256-"+base64.StdEncoding.EncodeToString(digest[:])+"'") || strings.Contains(style, "\r") || !strings.Contains(style, "blue") {
		t.Errorf("the policy %s is not of the style %q", policy, style)
	}
	for name, broken := range map[string]string{"not UTF-8": "\xff", "with a NUL": "a\x00", "with the element's end": "/* </STYLE> */"} {
		files["skeleton.css"].Data = []byte(broken)
		if err := tryTemplates(t, files); err == nil || !strings.Contains(err.Error(), "skeleton.css") {
			t.Errorf("%s: error %v, want one that names the file", name, err)
		}
	}
}

// An error page leads on: home, and from what a form got, back to the form.
func TestErrorPagesLeadBack(t *testing.T) {
	s := newSite(t)
	for _, test := range []struct {
		method, path string
		toForm       bool
	}{
		{http.MethodGet, "/nothing", false},
		{http.MethodPost, "/upload", true}, // no form
		{http.MethodPut, "/upload", true},
	} {
		page := do(t, visitor(t), test.method, s.url+test.path, strings.NewReader("x")).body
		_, main, _ := strings.Cut(page, "<main>")
		main, _, _ = strings.Cut(main, "</main>")
		if !strings.Contains(main, `href="/"`) || strings.Contains(main, `href="/upload"`) != test.toForm {
			t.Errorf("%s %s: the page does not lead back: %s", test.method, test.path, main)
		}
	}
}
