package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// chromium is a real browser, which the tests share since it takes seconds to
// start. Its headless shell is the same engine as Chromium's, without the windows
// that a headless Chromium still keeps: that halves the time of these tests.
var chromium = sync.OnceValues(func() (context.Context, error) {
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath("chromium-headless-shell"),
		chromedp.DisableGPU, chromedp.Flag("disable-component-update", true))
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox) // Chromium's sandbox refuses root
	}
	allocator, cancelAllocator := chromedp.NewExecAllocator(context.Background(), options...)
	browser, cancelBrowser := chromedp.NewContext(allocator)
	atEnd(func() error {
		err := chromedp.Cancel(browser)
		cancelBrowser()
		cancelAllocator()
		return err
	})
	return browser, chromedp.Do(browser) // starts it
})

// openTab opens a tab of the browser with a profile of its own, so that no test
// sees another's cookies or cache.
func openTab(t *testing.T) context.Context {
	t.Helper()
	browser, err := chromium()
	if err != nil {
		t.Fatal(err)
	}
	tab, closeTab := chromedp.NewContext(browser, chromedp.WithNewBrowserContext())
	limited, cancel := context.WithTimeout(tab, time.Minute)
	t.Cleanup(func() {
		cancel()
		if err := chromedp.Cancel(tab); err != nil {
			t.Error(err)
		}
		closeTab()
	})
	if err := chromedp.Do(tab); err != nil { // opens it
		t.Fatal(err)
	}
	return limited
}

// drive carries out actions in the browser.
func drive(t *testing.T, tab context.Context, actions ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(tab, actions...); err != nil {
		t.Fatal(err)
	}
}

// read carries out an action that returns something.
func read[T any](t *testing.T, tab context.Context, action chromedp.Action[T]) T {
	t.Helper()
	got, err := chromedp.Run(tab, action)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// text returns the visible text of the first element that matches.
func text(t *testing.T, tab context.Context, selector chromedp.CSS) string {
	t.Helper()
	return read(t, tab, chromedp.Text(selector))
}

// evaluate returns what an expression gives in the page.
func evaluate[T any](t *testing.T, tab context.Context, expression string) T {
	t.Helper()
	return read(t, tab, chromedp.Evaluate[T](expression))
}

// setScript lets pages run JavaScript, or not.
func setScript(t *testing.T, tab context.Context, on bool) {
	t.Helper()
	if _, err := chromedp.Call(tab, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !on}); err != nil {
		t.Fatal(err)
	}
}

// write makes a file for an upload.
func write(t *testing.T, name string, content []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func checkStored(t *testing.T, p *program, name string, want []byte) {
	t.Helper()
	got, err := os.ReadFile(filepath.Join(p.folder, name))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s holds %d bytes that are not the %d sent", name, len(got), len(want))
	}
}

// complain collects what the browser has to complain of, such as what the
// content security policy kept out.
func complain(t *testing.T, tab context.Context) (complaints func() []string) {
	t.Helper()
	var mu sync.Mutex
	var list []string
	if err := chromedp.Listen(tab, func(event any) {
		mu.Lock()
		defer mu.Unlock()
		switch e := event.(type) {
		case *log.EventEntryAdded:
			list = append(list, e.Entry.Text)
		case *runtime.EventExceptionThrown:
			list = append(list, e.ExceptionDetails.Text)
		}
	}); err != nil {
		t.Fatal(err)
	}
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(list)
	}
}

func TestBrowseTheHomepage(t *testing.T) {
	t.Parallel()
	p, tab := start(t, nil), openTab(t)
	complaints := complain(t, tab)
	for _, width := range []int64{360, 1280, 2560} {
		drive(t, tab, chromedp.EmulateViewport(width, 800), chromedp.Navigate(p.url))
		if got := text(t, tab, "#promo-title"); got != "The Winter Reading Challenge" {
			t.Errorf("the offer is %q", got)
		}
		if got := evaluate[int](t, tab, `document.querySelectorAll(".book").length`); got != 6 {
			t.Errorf("%d recommendations, want 6", got)
		}
		if got := evaluate[int](t, tab, `[...document.images].filter((i) => !i.complete || i.naturalWidth === 0).length`); got != 0 {
			t.Errorf("%d pictures are broken", got)
		}
		for _, path := range []string{"/", "/upload", "/nothing"} {
			drive(t, tab, chromedp.Navigate(p.url+path))
			if got := evaluate[int64](t, tab, "document.documentElement.scrollWidth"); got > width {
				t.Errorf("%s is %d wide in a window of %d", path, got, width)
			}
		}
	}
	for _, complaint := range complaints() {
		if !strings.Contains(complaint, "404 (Not Found)") {
			t.Errorf("the browser complains: %s", complaint)
		}
	}
}

func TestDownloadTheCertificate(t *testing.T) {
	t.Parallel()
	p, tab, folder := start(t, nil), openTab(t), t.TempDir()
	if _, err := chromedp.CallBrowser(tab, browser.SetDownloadBehavior, browser.SetDownloadBehaviorParams{
		Behavior: browser.SetDownloadBehaviorBehaviorAllow, BrowserContextID: chromedp.FromContext(tab).BrowserContextID,
		DownloadPath: folder, EventsEnabled: new(true),
	}); err != nil {
		t.Fatal(err)
	}
	downloads := chromedp.BrowserEvents(tab, browser.DownloadProgress)
	drive(t, tab, chromedp.Navigate(p.url), chromedp.Click(chromedp.CSS(`.card a[href="/certificate"]`)))
	for download, err := range downloads {
		if err != nil {
			t.Fatal(err)
		}
		if download.State != browser.DownloadProgressStateInProgress {
			if download.State != browser.DownloadProgressStateCompleted {
				t.Fatalf("the download was %s", download.State)
			}
			break
		}
	}
	checkCertificate(t, filepath.Join(folder, "certificate.pdf"))
}

func TestUploadByTheForm(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		script bool
		thanks chromedp.CSS // the form itself says it, or the homepage to which the plain one leads
	}{
		{"JavaScript true", true, "#upload.done"},
		{"JavaScript false", false, ".notice"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, tab := start(t, nil), openTab(t)
			content := bytes.Repeat([]byte("a book a week\n"), 10_000)
			setScript(t, tab, test.script)
			drive(t, tab,
				chromedp.Navigate(p.url+"/upload"),
				chromedp.SetUploadFiles(chromedp.CSS("#file"), []string{write(t, "list.txt", content), write(t, "list.txt", []byte("two"))}),
				chromedp.Click(chromedp.CSS("#send")),
				chromedp.WaitVisible(test.thanks))
			thanks := unmarked(evaluate[string](t, tab, fmt.Sprintf(`document.querySelector(%q).textContent`, test.thanks)))
			for _, want := range []string{"your 2 files are safely stored", "136.7 KiB", digest(content), "list.txt already existed, stored as list-1.txt", "3 bytes"} {
				if !strings.Contains(thanks, want) {
					t.Errorf("the thanks %q do not say %q", thanks, want)
				}
			}
			checkStored(t, p, "list.txt", content)
			checkStored(t, p, "list-1.txt", []byte("two"))
			drive(t, tab, chromedp.Reload(), chromedp.WaitNotPresent(test.thanks))
		})
	}
}

// unmarked is a text without the marks that isolate names in it.
func unmarked(text string) string {
	return strings.NewReplacer("\u2068", "", "\u2069", "").Replace(strings.Join(strings.Fields(text), " "))
}

// A mistake is said at the field, to eyes and to screen readers, whoever found it.
func TestAMistakeInTheForm(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		script bool
		says   string
	}{
		{true, "Please choose a file first."},
		{false, "empty.txt: The submitted file is empty."},
	} {
		t.Run(fmt.Sprintf("JavaScript %v", test.script), func(t *testing.T) {
			p, tab := start(t, nil), openTab(t)
			setScript(t, tab, test.script)
			drive(t, tab, chromedp.Navigate(p.url+"/upload"))
			if !test.script {
				drive(t, tab, chromedp.SetUploadFiles(chromedp.CSS("#file"), []string{write(t, "empty.txt", nil)}))
			}
			drive(t, tab, chromedp.Click(chromedp.CSS("#send")), chromedp.WaitVisible(chromedp.CSS("#file-error")))
			if got := text(t, tab, "#file-error"); got != test.says {
				t.Errorf("the error says %q, want %q", got, test.says)
			}
			field := read(t, tab, chromedp.Attributes(chromedp.CSS("#file")))
			if !strings.Contains(field["aria-describedby"], "file-error") || field["aria-invalid"] != "true" {
				t.Errorf("the field's attributes are %v", field)
			}
			if !evaluate[bool](t, tab, `document.activeElement.id === "file"`) {
				t.Error("the field does not have the focus")
			}
		})
	}
}

// inFront serves what the program serves, but for posts, which it hands to
// the function.
func inFront(t *testing.T, p *program, post func(w http.ResponseWriter, r *http.Request, pass http.Handler)) string {
	t.Helper()
	return inFrontOf(t, p, http.MethodPost, post)
}

// inFrontOf is inFront for the requests of another method.
func inFrontOf(t *testing.T, p *program, method string, handle func(w http.ResponseWriter, r *http.Request, pass http.Handler)) string {
	t.Helper()
	u, err := url.Parse(p.url)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(u)
	proxy.Transport = &http.Transport{DisableKeepAlives: true}
	proxy.ErrorHandler = func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) } // the browser has cancelled
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == method {
			handle(w, r, proxy)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

const big = 16 << 20 // bytes, more than all buffers on the way

// The bars are seen to move while the upload is held back half-way.
func TestProgressIsShown(t *testing.T) {
	t.Parallel()
	p, tab := start(t, nil), openTab(t)
	content := make([]byte, big)
	goOn := make(chan struct{})
	front := inFrontOf(t, p, http.MethodPatch, func(w http.ResponseWriter, r *http.Request, pass http.Handler) {
		select {
		case <-goOn:
		case <-t.Context().Done(): // the test has failed
		}
		pass.ServeHTTP(w, r)
	})
	drive(t, tab,
		chromedp.Navigate(front+"/upload"),
		chromedp.SetUploadFiles(chromedp.CSS("#file"), []string{write(t, "big.bin", content), write(t, "small.txt", []byte("small"))}),
		chromedp.Click(chromedp.CSS("#send")))
	read(t, tab, chromedp.Poll[bool](`document.getElementById("progress").value > 0`))
	for _, bar := range []string{"#progress", "#queue progress"} {
		if got := evaluate[float64](t, tab, fmt.Sprintf(`document.querySelector(%q).value`, bar)); got <= 0 || got >= 1 {
			t.Errorf("the bar %s stands at %v while the upload is held back", bar, got)
		}
	}
	if got := text(t, tab, "#sum"); got != "Sending 1 of 2 files" {
		t.Errorf("the sum says %q", got)
	}
	if got := text(t, tab, "#pace"); !strings.Contains(got, "of 16.0 MiB") {
		t.Errorf("the pace says %q", got)
	}
	if got := text(t, tab, "#queue li:last-child .state"); got != "5 bytes, waiting for its turn" {
		t.Errorf("the file that waits says %q", got)
	}
	if got := evaluate[string](t, tab, `document.getElementById("send").ariaDisabled`); got != "true" {
		t.Errorf("the button that has nothing to do is disabled: %q", got)
	}
	close(goOn)
	drive(t, tab, chromedp.WaitVisible(chromedp.CSS("#upload.done")))
	checkStored(t, p, "big.bin", content)
	checkStored(t, p, "small.txt", []byte("small"))
}

// On a slow line the form says how fast it goes and how long it will take.
func TestASlowLine(t *testing.T) {
	t.Parallel()
	p, tab := start(t, nil), openTab(t)
	content := make([]byte, 600<<10)
	drive(t, tab, chromedp.Navigate(p.url+"/upload"))
	if _, err := chromedp.Call(tab, network.EmulateNetworkConditionsByRule, network.EmulateNetworkConditionsByRuleParams{
		MatchedNetworkConditions: []*network.Conditions{{Latency: 20, DownloadThroughput: -1, UploadThroughput: 300 << 10}},
	}); err != nil {
		t.Fatal(err)
	}
	drive(t, tab,
		chromedp.SetUploadFiles(chromedp.CSS("#file"), []string{write(t, "slow.bin", content)}),
		chromedp.Click(chromedp.CSS("#send")))
	read(t, tab, chromedp.Poll[bool](`/^[\d.]+ KiB of 600\.\d KiB, [\d.]+ [KM]iB\/s, about \d+ s left$|of 600 KiB, [\d.]+ [KM]iB\/s, about \d+ s left$/.test(document.querySelector("#queue .state").textContent)`))
	drive(t, tab, chromedp.WaitVisible(chromedp.CSS("#upload.done")))
	checkStored(t, p, "slow.bin", content)
}

// What was cancelled, or failed on the way, can be sent again as it is.
func TestSendAgain(t *testing.T) {
	t.Parallel()
	p, tab := start(t, nil), openTab(t)
	content := make([]byte, big)
	failures := []struct {
		says string
		fail func(w http.ResponseWriter, r *http.Request)
	}{
		// Never reads the body, so it has to be cancelled.
		{"Cancelled. You can send it again.", func(http.ResponseWriter, *http.Request) { <-t.Context().Done() }},
		// A proxy that has rules of its own.
		{"Something on the way to us refused it (413). Please try another network.", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusRequestEntityTooLarge)
		}},
	}
	var step atomic.Int32 // not counted by requests, as browsers repeat some
	front := inFront(t, p, func(w http.ResponseWriter, r *http.Request, pass http.Handler) {
		if i := int(step.Load()); i < len(failures) {
			failures[i].fail(w, r)
			return
		}
		pass.ServeHTTP(w, r)
	})
	drive(t, tab,
		chromedp.Navigate(front+"/upload"),
		chromedp.SetUploadFiles(chromedp.CSS("#file"), []string{write(t, "big.bin", content)}),
		chromedp.Click(chromedp.CSS("#send")),
		chromedp.Click(chromedp.CSS("#queue .cancel"), chromedp.NodeVisible))
	for _, failure := range failures {
		await(t, tab, rowSays("big.bin", "failed", failure.says))
		step.Add(1)
		drive(t, tab, chromedp.Click(chromedp.CSS("#queue .again"), chromedp.NodeVisible))
	}
	drive(t, tab, chromedp.WaitVisible(chromedp.CSS("#upload.done")))
	checkStored(t, p, "big.bin", content)
	wantFiles(t, p, 1)
}

// Files can be dropped on the form and pasted into it, and taken out again.
func TestDropAndPaste(t *testing.T) {
	t.Parallel()
	p, tab := start(t, nil), openTab(t)
	give := func(name, event string) chromedp.Action[chromedp.Void] {
		return chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`{
			const given = new DataTransfer();
			given.items.add(new File(["content"], %q));
			const options = {dataTransfer: given, clipboardData: given, bubbles: true, cancelable: true};
			document.querySelector(".drop").dispatchEvent(new %s);
		}`, name, event))
	}
	drive(t, tab,
		chromedp.Navigate(p.url+"/upload"),
		give("dropped.txt", `DragEvent("drop", options)`),
		give("pasted.txt", `ClipboardEvent("paste", options)`),
		give("regretted.txt", `DragEvent("drop", options)`),
		chromedp.Click(chromedp.CSS("#queue li:last-child .remove")),
		chromedp.Click(chromedp.CSS("#send")),
		chromedp.WaitVisible(chromedp.CSS("#upload.done")))
	checkStored(t, p, "dropped.txt", []byte("content"))
	checkStored(t, p, "pasted.txt", []byte("content"))
	wantFiles(t, p, 2)
}

// A refusal that only the server can know of is said on the form.
func TestARefusalIsSaidOnTheForm(t *testing.T) {
	t.Parallel()
	p, tab := start(t, map[string]string{"UPLOAD_MAX_BYTES": "1KiB"}), openTab(t)
	// As if the limit had been lowered since the form was fetched.
	beforehand(t, tab, `new MutationObserver(() => document.getElementById("upload")?.setAttribute("data-max-bytes", "1e9")).observe(document, {childList: true, subtree: true})`)
	drive(t, tab,
		chromedp.Navigate(p.url+"/upload"),
		chromedp.SetUploadFiles(chromedp.CSS("#file"), []string{write(t, "big.bin", make([]byte, 3<<20))}),
		chromedp.Click(chromedp.CSS("#send")),
		chromedp.WaitVisible(chromedp.CSS(`#queue [data-state="failed"]`)))
	if got := text(t, tab, `#queue [data-state="failed"] .state`); !strings.Contains(got, "more than we can take at once") {
		t.Errorf("the form says %q", got)
	}
}

// The keyboard alone reaches everything, and what has the focus is seen.
func TestTheKeyboardReachesEverything(t *testing.T) {
	t.Parallel()
	p, tab := start(t, nil), openTab(t)
	drive(t, tab, chromedp.Navigate(p.url))
	want := evaluate[int](t, tab, `document.querySelectorAll("a[href]").length`)
	seen := 0
	for range want {
		drive(t, tab, chromedp.KeyEvent(kb.Tab))
		outlined := evaluate[bool](t, tab, `[null, "::after"].some((part) => getComputedStyle(document.activeElement, part).outlineStyle !== "none")`)
		if !outlined {
			t.Errorf("no outline on %q", evaluate[string](t, tab, "document.activeElement.outerHTML"))
		}
		if evaluate[bool](t, tab, `document.activeElement.matches("a[href]")`) {
			seen++
		}
	}
	if seen != want {
		t.Errorf("the keyboard reached %d of %d links", seen, want)
	}
}
