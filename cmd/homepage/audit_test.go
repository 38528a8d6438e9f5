//go:build audit

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// The auditors come from npm, which is why they have a target of their own,
// make audit, and are not among the tests that must run everywhere.
const (
	lighthouse = "lighthouse@13.5.0"
	axeCore    = "axe-core@4.14.1"
)

func TestAuditLighthouse(t *testing.T) {
	p := start(t, nil)
	for _, path := range []string{"/", "/upload"} {
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

func TestAuditAxe(t *testing.T) {
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

	healthy, broken, tab := start(t, nil), start(t, map[string]string{"PROMO_SERVICE_URL": "http://127.0.0.1:1", "RECCO_SERVICE_URL": "http://127.0.0.1:1"}), openTab(t)
	// A form with a file in each state that the queue knows, and one where all is
	// stored.
	const choose = `(async () => {
		const chosen = new DataTransfer();
		const states = ["chosen", "waiting", "sending", "network", "place", "storing", "stored", "failed"];
		for (const state of states) chosen.items.add(new File([state], state + ".txt"));
		const input = document.getElementById("file");
		input.files = chosen.files;
		input.dispatchEvent(new Event("change"));
		const part = (name) => import(document.querySelector("link[href*='" + name + "']").href);
		const [{queue}, {draw, showOutcome}] = [await part("queue"), await part("drawing")];
		const show = (item, state) => {
			const receipt = {name: "a-1.txt", original: "a.txt", existed: "a.txt", bytes: 5, sha256: "ab".repeat(32)};
			Object.assign(item, {state, receipt, reason: "Cancelled. You can send it again.", round: true, sent: 2});
			draw(item);
		};`
	const inEachState = choose + `queue.forEach((item, i) => show(item, states[i])); })()`
	const allStored = choose + `queue.forEach((item) => show(item, "stored")); showOutcome(); })()`
	for _, page := range []struct{ name, url, script string }{
		{"homepage", healthy.url + "/", ""},
		{"homepage without its services", broken.url + "/", ""},
		{"upload", healthy.url + "/upload", ""},
		{"upload in each state", healthy.url + "/upload", inEachState},
		{"upload when all is stored", healthy.url + "/upload", allStored},
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
					drive(t, tab, chromedp.EmulateViewport(width, 800), chromedp.Navigate(page.url), chromedp.Evaluate[chromedp.Void](page.script+";", chromedp.EvalAwaitPromise))
					drive(t, tab, chromedp.Evaluate[chromedp.Void]("{"+string(script)+"}"))
					found := read(t, tab, chromedp.Evaluate[[]string](
						`axe.run().then((r) => r.violations.flatMap((v) => v.nodes.map((n) => v.id + ": " + n.html + " " + n.failureSummary)))`, chromedp.EvalAwaitPromise))
					for _, violation := range found {
						t.Error(violation)
					}
				})
			}
		}
	}
}
