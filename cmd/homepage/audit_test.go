//go:build audit

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"

	"homepage/internal/certificate/signature/testca"
)

// The auditors come from npm, which is why they have a target of their own,
// make audit, and are not among the tests that must run everywhere.
const (
	lighthouse = "lighthouse@13.5.0"
	axeCore    = "axe-core@4.14.1"
)

func TestAuditLighthouse(t *testing.T) {
	p := start(t, newPair(t, testca.New(t), testca.P256(t)).settings())
	for _, path := range []string{"/", "/upload", "/verify"} {
		for _, preset := range []string{"mobile", "desktop"} {
			t.Run(path+" "+preset, func(t *testing.T) {
				report := filepath.Join(t.TempDir(), "report.json")
				args := []string{
					"--yes", lighthouse, p.url + path, "--quiet", "--output=json", "--output-path=" + report,
					"--chrome-flags=--headless --no-sandbox --disable-gpu --disable-background-networking --disable-component-update",
				}
				if preset == "desktop" {
					args = append(args, "--preset=desktop")
				}
				cmd := exec.CommandContext(t.Context(), "npx", args...)
				cmd.Env = append(os.Environ(), "CHROME_PATH=/usr/bin/chromium-headless-shell")
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Fatalf("%v\n%s", err, out)
				}
				content, err := os.ReadFile(report)
				if err != nil {
					t.Fatal(err)
				}
				var result struct {
					Categories map[string]struct{ Score float64 }
				}
				if err := json.Unmarshal(content, &result); err != nil {
					t.Fatal(err)
				}
				for _, name := range []string{"performance", "accessibility", "best-practices", "seo"} {
					score := 100 * result.Categories[name].Score
					t.Logf("%s %.0f", name, score)
					if score < 95 {
						t.Errorf("%s is %.0f, want at least 95", name, score)
					}
				}
			})
		}
	}
}

// axe is the script of the auditor.
func axe(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	pack := exec.CommandContext(t.Context(), "npm", "pack", "--silent", axeCore)
	pack.Dir = folder
	name, err := pack.Output()
	if err != nil {
		t.Fatal(err)
	}
	unpack := exec.CommandContext(t.Context(), "tar", "-xf", strings.TrimSpace(string(name)), "package/axe.min.js")
	unpack.Dir = folder
	if out, err := unpack.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	script, err := os.ReadFile(filepath.Join(folder, "package", "axe.min.js"))
	if err != nil {
		t.Fatal(err)
	}
	return string(script)
}

// wantNoViolations audits the page as it is.
func wantNoViolations(t *testing.T, tab context.Context, axe string) {
	t.Helper()
	drive(t, tab, chromedp.Evaluate[chromedp.Void]("{"+axe+"}"))
	found := read(t, tab, chromedp.Evaluate[[]string](
		`axe.run().then((r) => r.violations.flatMap((v) => v.nodes.map((n) => v.id + ": " + n.html + " " + n.failureSummary)))`, chromedp.EvalAwaitPromise))
	for _, violation := range found {
		t.Error(violation)
	}
}

// The form has no violations in any state of its files, nor while files are
// dragged over it or where it is told that it was sent without any.
func TestAuditAxeOfTheFormsStates(t *testing.T) {
	script := axe(t)
	for _, scheme := range []string{"light", "dark"} {
		t.Run(scheme, func(t *testing.T) {
			tab := openTab(t)
			emulate(t, tab, "prefers-color-scheme", scheme)
			inEachState(t, tab, func(t *testing.T, _ string) {
				t.Helper()
				for _, width := range []int64{360, 1280} {
					drive(t, tab, chromedp.EmulateViewport(width, 800))
					wantNoViolations(t, tab, script)
				}
			})
			p := start(t, nil)
			openForm(t, tab, p.url)
			dropMany(t, tab, 300)
			drag(t, tab, input.DispatchDragEventTypeDragEnter, 5, 5, write(t, "a.txt", nil))
			drag(t, tab, input.DispatchDragEventTypeDragOver, 5, 5, write(t, "a.txt", nil))
			await(t, tab, `document.querySelector(".drop.over") !== null`)
			wantNoViolations(t, tab, script)
			click(t, tab, "#remove-all")
			click(t, tab, "#send")
			await(t, tab, `document.getElementById("file-error").checkVisibility()`)
			wantNoViolations(t, tab, script)
		})
	}
}

func TestAuditAxe(t *testing.T) {
	script := axe(t)
	healthy, broken, tab := start(t, newPair(t, testca.New(t), testca.P256(t)).settings()), start(t, map[string]string{"PROMO_SERVICE_URL": "http://127.0.0.1:1", "RECCO_SERVICE_URL": "http://127.0.0.1:1"}), openTab(t)
	const choose = `{
		const given = new DataTransfer();
		given.items.add(new File(["content"], "a.txt"));
		given.items.add(new File([], "empty.txt"));
		document.querySelector(".drop").dispatchEvent(new DragEvent("drop", {dataTransfer: given, cancelable: true}));
	}`
	for _, page := range []struct{ name, url, script string }{
		{"homepage", healthy.url + "/", ""},
		{"homepage without its services", broken.url + "/", ""},
		{"upload", healthy.url + "/upload", ""},
		{"upload with files and a mistake", healthy.url + "/upload", choose},
		{"verify", healthy.url + "/verify", ""},
		{"error", healthy.url + "/nothing", ""},
	} {
		for _, scheme := range []string{"light", "dark"} {
			for _, width := range []int64{360, 1280} {
				t.Run(fmt.Sprintf("%s %s %d", page.name, scheme, width), func(t *testing.T) {
					if _, err := chromedp.Call(tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
						Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
					}); err != nil {
						t.Fatal(err)
					}
					drive(t, tab, chromedp.EmulateViewport(width, 800), chromedp.Navigate(page.url), chromedp.Evaluate[chromedp.Void](page.script+";"))
					wantNoViolations(t, tab, script)
				})
			}
		}
	}
}
