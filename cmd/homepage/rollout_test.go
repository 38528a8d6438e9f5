package main

import (
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/chromedp/chromedp"

	"homepage/static"
)

// newRelease is a SITE_FOLDER whose style and script are not the built-in ones,
// and say so in a browser.
func newRelease(t *testing.T) (folder string) {
	t.Helper()
	read := func(name string) string {
		content, err := fs.ReadFile(static.FS, name)
		if err != nil {
			t.Fatal(err)
		}
		return string(content)
	}
	return siteFolder(t, map[string]string{
		"static/style.css": read("style.css") + "\n:root { --release: new; }\n",
		"static/upload.js": read("upload.js") + "\ndocument.documentElement.dataset.release = \"new\";\n",
	})
}

// Amid a rollout, a page comes from a replica of the new release, and all that it
// asks for from one that is still of the old one. It has nearly its look, and its
// form works, without the script. Nothing of that is kept.
func TestAPageAmidARollout(t *testing.T) {
	t.Parallel()
	target := func(p *program) http.Handler {
		u, err := url.Parse(p.url)
		if err != nil {
			t.Fatal(err)
		}
		proxy := httputil.NewSingleHostReverseProxy(u)
		proxy.Transport = &http.Transport{DisableKeepAlives: true}
		return proxy
	}
	newer := start(t, map[string]string{"SITE_FOLDER": newRelease(t)})
	pages, files := target(newer), target(start(t, nil))
	var over atomic.Bool
	balancer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/static/") && !over.Load() {
			files.ServeHTTP(w, r)
			return
		}
		pages.ServeHTTP(w, r)
	}))
	t.Cleanup(balancer.Close)
	const (
		look   = `getComputedStyle(document.documentElement).getPropertyValue("--ground")`
		style  = `getComputedStyle(document.documentElement).getPropertyValue("--release").trim()`
		script = `document.documentElement.dataset.release ?? ""`
	)

	tab := openTab(t)
	drive(t, tab, chromedp.Navigate(balancer.URL+"/upload"))
	if evaluate[string](t, tab, look) == "" {
		t.Error("the page is bare")
	}
	if style, script := evaluate[string](t, tab, style), evaluate[string](t, tab, script); style != "" || script != "" {
		t.Errorf("the style %q and the script %q are not of the old release", style, script)
	}
	if got := evaluate[int](t, tab, `[...document.images].filter((i) => !i.complete || i.naturalWidth === 0).length`); got != 0 {
		t.Errorf("%d pictures are broken", got)
	}
	drive(t, tab,
		chromedp.SetUploadFiles(chromedp.CSS("#file"), []string{write(t, "list.txt", []byte("amid"))}),
		chromedp.Click(chromedp.CSS("#send")),
		chromedp.WaitVisible(chromedp.CSS(".notice")))
	checkStored(t, newer, "list.txt", []byte("amid"))

	over.Store(true)
	drive(t, tab, chromedp.Navigate(balancer.URL+"/upload"))
	if style, script := evaluate[string](t, tab, style), evaluate[string](t, tab, script); style != "new" || script != "new" {
		t.Errorf("after the rollout the style is %q and the script %q: what stood in for them was kept", style, script)
	}
}

// The example of a balancer asks the other replicas for a script that one of
// them does not know.
func TestTheBalancerFindsAScript(t *testing.T) {
	t.Parallel()
	f := startFleet(t, sharedFolder(t))
	kill(t, f.replicas["two"].cmd)
	f.sees(t, "two", "DOWN")
	f.variables = append(f.variables, "SITE_FOLDER="+newRelease(t))
	f.start(t, "two", f.replicas["two"].addr)
	f.sees(t, "two", "UP")
	scripts := map[string]bool{}
	for _, r := range f.replicas {
		_, page := get(t, r.url+"/upload")
		scripts[firstMatch(t, `src="(/static/upload\.[0-9a-f]{12}\.js)"`, page)] = true
	}
	if len(scripts) != 2 {
		t.Fatalf("the releases have the scripts %v, want two", scripts)
	}
	for script := range scripts {
		for range 30 {
			if status, _ := get(t, f.url+script); status != http.StatusOK {
				t.Errorf("%s is %d", script, status)
			}
		}
	}
}
