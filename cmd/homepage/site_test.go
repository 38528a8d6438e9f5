package main

import (
	"bytes"
	"context"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"homepage/static"
	"homepage/templates"
)

// siteFolder makes a SITE_FOLDER of files by their paths.
func siteFolder(t *testing.T, files map[string]string) (folder string) {
	t.Helper()
	folder = t.TempDir()
	for name, content := range files {
		file := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// ownSite is the words of another site.
func ownSite(t *testing.T) string {
	t.Helper()
	words, err := fs.ReadFile(templates.FS, "site.html")
	if err != nil {
		t.Fatal(err)
	}
	return regexp.MustCompile(`(?s)\{\{define "(site-[a-z-]+)"[^}]*\}\}.*?\{\{-? ?end\}\}`).ReplaceAllString(string(words), `{{define "$1"}}Our $1.{{end}}`)
}

var stylesheet = regexp.MustCompile(`href="(/static/style\.[0-9a-f]{12}\.css)"`)

// Files of the folder stand in for the built-in ones of their name, and all
// others stay. A file that has changed has another name after a restart.
func TestYourOwnLook(t *testing.T) {
	t.Parallel()
	folder := siteFolder(t, map[string]string{
		"templates/site.html": ownSite(t), "static/style.css": "body { color: red; }", "static/pictures/own/cat.jpg": "a cat",
		".DS_Store": "x", "templates/.error.html.swp": "x", "static/.hidden/x": "x",
	})
	if err := os.Symlink(write(t, "skeleton.css", []byte(".hero { color: green; }")), filepath.Join(folder, "templates", "skeleton.css")); err != nil {
		t.Fatal(err)
	}
	variables := map[string]string{"SITE_FOLDER": folder, "SITE_NAME": "Brown & Sons"}
	p := start(t, variables)
	_, page := get(t, p.url+"/")
	for _, want := range []string{"Our site-tagline.", "Our site-footer.", "Our site-upload-invitation.", `content="Our site-description."`, "<title>Brown &amp; Sons</title>", "Frankenstein"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	for _, left := range []string{"Lamplight", "librar", "Chosen for you", "At the desk"} {
		if strings.Contains(page, left) {
			t.Errorf("the page still says %q", left)
		}
	}
	sheet := stylesheet.FindStringSubmatch(page)[1]
	if status, css := get(t, p.url+sheet); status != http.StatusOK || css != "body { color: red; }" {
		t.Errorf("the style is %d, %q", status, css)
	}
	if err := p.stop(); err != nil {
		t.Fatal(err)
	}

	if err := os.WriteFile(filepath.Join(folder, "static", "style.css"), []byte("body { color: blue; }"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, page = get(t, start(t, variables).url+"/")
	if again := stylesheet.FindStringSubmatch(page)[1]; again == sheet {
		t.Errorf("the changed style is still %s", again)
	}
}

// A streamed page shows the style of the folder, which the browser holds
// against the policy's digest.
func TestTheBrowserTakesYourOwnStyleInAPage(t *testing.T) {
	t.Parallel()
	promo, tab := newGate(t, offer), openTab(t)
	complaints := complain(t, tab)
	folder := siteFolder(t, map[string]string{"templates/skeleton.css": ".hero {\r\n  color: rgb(1, 2, 3);\r\n}\r\n"})
	p := start(t, map[string]string{"SITE_FOLDER": folder, "PROMO_SERVICE_URL": promo.url, "SERVICE_TIMEOUT": "1m"})
	t.Cleanup(promo.open)
	begin(t, tab, p.url)
	await(t, tab, `document.querySelector("main")?.shadowRoot?.querySelector(".hero") != null`)
	if got := evaluate[string](t, tab, `getComputedStyle(document.querySelector("main").shadowRoot.querySelector(".hero")).color`); got != "rgb(1, 2, 3)" {
		t.Errorf("the placeholder's colour is %s; the browser complains: %q", got, complaints())
	}
}

// What would not come into use, and what has a mistake, stops the start.
func TestABadSiteFolderStopsTheStart(t *testing.T) {
	for _, test := range []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"an empty folder", nil, "has neither a folder templates nor a folder static"},
		{"another folder", map[string]string{"static/style.css": "", "images/a.png": ""}, "images: only templates and static are used"},
		{"a file beside them", map[string]string{"static/style.css": "", "style.css": ""}, "style.css: only templates and static are used"},
		{"an unknown template", map[string]string{"templates/about.html": ""}, "templates/about.html is none of the site's templates"},
		{"a template in a folder", map[string]string{"templates/old/home.html": ""}, "templates/old/home.html is none of the site's templates"},
		{"a file without a media type", map[string]string{"static/notes.txt": ""}, `static file notes.txt: no media type is known for ".txt"`},
		{"an editor's copy", map[string]string{"static/style.css~": ""}, `static file style.css~: no media type`},
		{"a file instead of a folder", map[string]string{"static": ""}, "not a directory"},
		{"a mistake in the syntax", map[string]string{"templates/error.html": "\n\n{{define}}"}, "error.html:3:"},
		{"a field that is not there", map[string]string{"templates/upload.html": "{{define \"main\"}}\n{{.Data.Nope}}{{end}}"}, "upload.html:2:"},
		{"a field on one page alone", map[string]string{"templates/error.html": "{{define \"main\"}}\n{{if eq .Path \"/upload\"}}{{.Data.Nope}}{{end}}{{end}}"}, "error.html:2:"},
		{"an asset that is not there", map[string]string{"templates/error.html": "{{define \"main\"}}\n{{asset \"nope.png\"}}{{end}}"}, "error.html:2:"},
		{"words that are missing", map[string]string{"templates/site.html": "{{define \"site-tagline\"}}Ours{{end}}"}, `no such template "site-`},
	} {
		t.Run(test.name, func(t *testing.T) {
			folder := siteFolder(t, test.files)
			var stderr bytes.Buffer
			ctx, cancel := context.WithCancel(t.Context())
			cancel() // should the folder be accepted
			err := run(ctx, new(orders), nil, env(map[string]string{"ADDR": "127.0.0.1:0", "UPLOADS": t.TempDir(), "SITE_FOLDER": folder}), io.Discard, &stderr)
			if got := exitStatus(err, &stderr); got != 1 {
				t.Errorf("exit status %d, want 1", got)
			}
			for _, want := range []string{"SITE_FOLDER", folder, test.want} {
				if !strings.Contains(stderr.String(), want) {
					t.Errorf("%q does not say %q", stderr.String(), want)
				}
			}
		})
	}
	if _, err := openSite(filepath.Join(t.TempDir(), "none")); err == nil || !strings.Contains(err.Error(), "none: no such file") {
		t.Errorf("without the folder: %v", err)
	}
}

// What is exported is the site's own files: with them it looks as without.
func TestSiteExport(t *testing.T) {
	t.Parallel()
	export := func(args ...string) (status int, said string) {
		var out bytes.Buffer
		status = exitStatus(run(t.Context(), new(orders), append([]string{"site"}, args...), nil, &out, io.Discard), &out)
		return status, out.String()
	}
	folder := filepath.Join(t.TempDir(), "new", "look")
	if status, said := export("export", folder); status != 0 || !strings.Contains(said, "SITE_FOLDER="+folder) {
		t.Fatalf("exit status %d and %q", status, said)
	}
	for part, files := range map[string]fs.FS{"templates": templates.FS, "static": static.FS} {
		if err := fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			want, err := fs.ReadFile(files, name)
			if err != nil {
				return err
			}
			if got, err := os.ReadFile(filepath.Join(folder, part, name)); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s/%s: %v, or other bytes", part, name, err)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	_, own := get(t, start(t, map[string]string{"SITE_FOLDER": folder}).url+"/upload")
	if _, built := get(t, start(t, nil).url+"/upload"); own != built {
		t.Error("with the exported files the site looks different")
	}

	taken := siteFolder(t, map[string]string{"static/upload.js": "mine"})
	for _, test := range []struct {
		args   []string
		status int
		want   string
	}{
		{[]string{"export", taken}, 1, filepath.Join(taken, "static", "upload.js") + " is there already; nothing was written"},
		{[]string{"export", filepath.Join(taken, "static", "upload.js")}, 1, "not a directory"},
		{[]string{"export"}, 2, "homepage site export FOLDER"},
		{[]string{"export", ""}, 2, "homepage site export FOLDER"},
		{[]string{"export", "a", "b"}, 2, "homepage site export FOLDER"},
		{[]string{"import", "a"}, 2, "homepage site export FOLDER"},
		{nil, 2, "homepage site export FOLDER"},
		{[]string{"export", "--force", "a"}, 2, "no flag --force"},
		{[]string{"-h"}, 0, "Usage: homepage site export FOLDER"},
		{[]string{"export", "--help"}, 0, "Usage: homepage site export FOLDER"},
	} {
		if status, said := export(test.args...); status != test.status || !strings.Contains(said, test.want) {
			t.Errorf("site %v: exit status %d and %q, want %d and %q", test.args, status, said, test.status, test.want)
		}
	}
	if entries, err := os.ReadDir(taken); err != nil || len(entries) != 1 {
		t.Errorf("%v, %v: something was written", err, entries)
	}
}
