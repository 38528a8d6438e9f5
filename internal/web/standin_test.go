package web_test

import (
	"net/http"
	"testing"
	"testing/fstest"

	"homepage/templates"
)

// What a page of another release asks for under a name that is not known here.
func TestFilesOfAnotherRelease(t *testing.T) {
	assets := fstest.MapFS{
		"favicon.svg":        {Data: []byte("an icon")},
		"style.css":          {Data: []byte("a style")},
		"upload.js":          {Data: []byte("a script")},
		"queue.js":           {},
		"sending.js":         {},
		"drawing.js":         {},
		"memory.js":          {},
		"pictures/cat.webp":  {Data: []byte("a picture")},
		"pictures/share.png": {Data: []byte("another")},
	}
	s := newSite(t, withLook(t, templates.FS, assets, ""))
	for path, want := range map[string]string{
		"/static/style.0123456789ab.css":         "a style",
		"/static/pictures/cat.0123456789ab.webp": "a picture",
		"/static/upload.0123456789ab.js":         "", // a script for another page
		"/static/gone.0123456789ab.css":          "",
		"/static/cat.0123456789ab.webp":          "", // in another folder
		"/static/style.0123456789.css":           "", // no fingerprint
		"/static/style.0123456789xy.css":         "",
		"/static/style.css":                      "",
		"/static/.0123456789ab.css":              "",
	} {
		got := get(t, s, path)
		if want == "" && got.status != http.StatusNotFound || want != "" && (got.status != http.StatusOK || got.body != want) {
			t.Errorf("%s is %d %.20q, want %q", path, got.status, got.body, want)
		}
		if got := got.header.Get("Cache-Control"); got != "no-store" {
			t.Errorf("%s has Cache-Control %q: it must not be kept", path, got)
		}
	}
}
