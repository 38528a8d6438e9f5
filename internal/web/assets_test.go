package web_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"

	"homepage/internal/web"
	"homepage/templates"
)

func mapFS(files map[string]string) fstest.MapFS {
	fsys := fstest.MapFS{}
	for name, content := range files {
		fsys[name] = &fstest.MapFile{Data: []byte(content)}
	}
	return fsys
}

// Scripts and style sheets name other files as they are called in the folder,
// and browsers are sent to where those are served.
func TestAssetsNameEachOther(t *testing.T) {
	deps, _ := deps(t, io.Discard)
	files := map[string]string{
		"a.js":               "// Comments on a line of their own are for readers of the source.\nimport \"./parts/b.js\"; // b\n",
		"parts/b.js":         "import \"./c.js\";\n",
		"parts/c.js":         "export const one = 1;\n",
		"look.css":           "p { background: url(\"./parts/d.svg\") }\n",
		"parts/d.svg":        "<svg/>",
		"favicon.svg":        "<svg/>",
		"style.css":          "",
		"upload.js":          "",
		"queue.js":           "",
		"sending.js":         "",
		"drawing.js":         "",
		"memory.js":          "",
		"pictures/share.png": "",
	}
	assets, err := web.NewAssets(mapFS(files))
	if err != nil {
		t.Fatal(err)
	}
	if deps.Look, err = web.NewLook(templates.FS, assets, "", deps.Log); err != nil {
		t.Fatal(err)
	}
	handler, err := web.New(deps)
	if err != nil {
		t.Fatal(err)
	}
	urlOf := func(name string) string {
		t.Helper()
		u, err := assets.URL(name)
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	for name, want := range map[string]string{
		"a.js":       "import \"" + urlOf("parts/b.js") + "\"; // b\n",
		"parts/b.js": "import \"" + urlOf("parts/c.js") + "\";\n",
		"look.css":   "p { background: url(\"" + urlOf("parts/d.svg") + "\") }\n",
	} {
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, urlOf(name), nil))
		if got := answer.Body.String(); got != want {
			t.Errorf("%s is served as %q, want %q", name, got, want)
		}
	}

	// A file that changes has another URL, and so has what names it.
	before := urlOf("a.js")
	files["parts/c.js"] = "export const one = 2;\n"
	if assets, err = web.NewAssets(mapFS(files)); err != nil {
		t.Fatal(err)
	}
	if after := urlOf("a.js"); after == before {
		t.Errorf("a.js is still %s, though what it imports has changed", after)
	}
}

func TestAssetsThatCantBeServed(t *testing.T) {
	for _, test := range []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"a missing file", map[string]string{"a.js": `import "./b.js"`}, "static file a.js: open b.js: file does not exist"},
		{"a circle", map[string]string{"a.js": `import "./b.js"`, "b.js": `import "./a.js"`}, "name each other in a circle"},
		{"a file of unknown type", map[string]string{"a.xyz": ""}, `no media type is known for ".xyz"`},
	} {
		_, err := web.NewAssets(mapFS(test.files))
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want %q in it", test.name, err, test.want)
		}
	}
}
