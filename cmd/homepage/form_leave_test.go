package main

import (
	"context"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// leaveWhenAsked answers the question whether to leave a page, and tells how
// often it was asked so far.
func leaveWhenAsked(t *testing.T, tab context.Context) (asked func() int32) {
	t.Helper()
	var times atomic.Int32
	dialogs := chromedp.Events(tab, page.JavascriptDialogOpening)
	go func() {
		for dialog, err := range dialogs {
			if err != nil {
				return // the tab is closed
			}
			if dialog.Type == page.DialogTypeBeforeunload {
				times.Add(1)
			}
			if _, err := chromedp.Call(tab, page.HandleJavaScriptDialog, page.HandleJavaScriptDialogParams{Accept: true}); err != nil && tab.Err() == nil {
				t.Error(err)
			}
		}
	}()
	return times.Load
}

// listens is an expression for whether the page wants to be asked before it is
// left, which keeps it from being kept.
const listens = `"beforeunload" in getEventListeners(window)`

// Who leaves is asked while something would be lost, and only then.
func TestLeavingIsAskedWhileSomethingIsUnsent(t *testing.T) {
	t.Parallel()
	p, tab := start(t, nil), openTab(t)
	asked := leaveWhenAsked(t, tab)
	hold := make(chan struct{})
	var fails atomic.Bool
	front := inFront(t, p, func(w http.ResponseWriter, r *http.Request, pass http.Handler) {
		if fails.Load() {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		select {
		case <-hold:
		case <-r.Context().Done():
		case <-t.Context().Done():
		}
		pass.ServeHTTP(w, r)
	})
	file := write(t, "a.txt", []byte("a"))
	for _, step := range []struct {
		name string
		take func()
		want bool
	}{
		{"nothing chosen", func() {}, false},
		{"an empty file alone", func() { choose(t, tab, write(t, "empty.txt", nil)) }, false},
		{"chosen", func() { choose(t, tab, file) }, true},
		{"removed", func() {
			choose(t, tab, file)
			press(t, tab, "a.txt", "remove")
			await(t, tab, `document.querySelector("#queue").hidden`)
		}, false},
		{"sending", func() {
			choose(t, tab, file)
			click(t, tab, "#send")
			await(t, tab, `document.querySelector("#queue li:not([data-state=chosen])") !== null`)
		}, true},
		{"failed", func() {
			fails.Store(true)
			choose(t, tab, file)
			click(t, tab, "#send")
			await(t, tab, rowIs("a.txt", "failed"))
		}, true},
		{"stored", func() {
			fails.Store(false)
			close(hold)
			choose(t, tab, file)
			click(t, tab, "#send")
			await(t, tab, isDone)
		}, false},
	} {
		openForm(t, tab, front)
		click(t, tab, "h1") // browsers do not ask who has done nothing
		before := asked()
		step.take()
		if got := read(t, tab, chromedp.EvaluateAsDevTools[bool](listens)); got != step.want {
			t.Errorf("%s: the page listens: %v, want %v", step.name, got, step.want)
		}
		drive(t, tab, chromedp.Navigate(front))
		if got := asked() > before; got != step.want {
			t.Errorf("%s: asked: %v, want %v", step.name, got, step.want)
		}
	}
}

// Who comes back after an upload finds an empty form, whether the browser has
// kept the page or loads it again.
func TestComingBackToTheFormAfterAnUpload(t *testing.T) {
	t.Parallel()
	p, tab := start(t, nil), openTab(t)
	openForm(t, tab, p.url)
	upload := func(name string) {
		t.Helper()
		choose(t, tab, write(t, name, []byte(name)))
		click(t, tab, "#send")
		await(t, tab, isDone)
	}
	wantEmpty := func() {
		t.Helper()
		const got = `JSON.stringify([document.querySelector("#upload.done"), document.querySelectorAll("#queue li").length, document.getElementById("file").files.length, document.title])`
		if got, want := evaluate[string](t, tab, got), `[null,0,0,"Send files · Lamplight Library"]`; got != want {
			t.Errorf("the form has %s, want %s", got, want)
		}
	}

	upload("a.txt")
	reasons := chromedp.Events(tab, page.BackForwardCacheNotUsed)
	drive(t, tab,
		chromedp.Click(chromedp.CSS(".after a")),
		chromedp.WaitVisible(chromedp.CSS(".tagline")),
		chromedp.NavigateBack(),
		chromedp.WaitVisible(chromedp.CSS("#file")))
	await(t, tab, `document.querySelector("#upload.scripted") !== null`)
	wantEmpty()
	// The headless browser keeps no pages. But for that, it would keep this one.
	for event, err := range reasons {
		if err != nil {
			t.Fatal(err)
		}
		for _, reason := range event.NotRestoredExplanations {
			if reason.Type != page.BackForwardCacheNotRestoredReasonTypeCircumstantial {
				t.Errorf("the page is not kept: %s", reason.Reason)
			}
		}
		break
	}

	upload("b.txt")
	drive(t, tab, chromedp.Evaluate[chromedp.Void](`void dispatchEvent(new PageTransitionEvent("pageshow", {persisted: true}))`))
	wantEmpty()
	upload("c.txt")
	for _, name := range []string{"a.txt", "b.txt", "c.txt"} {
		checkStored(t, p, name, []byte(name))
	}
}

// A reload that the visitor has agreed to begins anew, and what the browser puts
// back into the form is in the queue too.
func TestReloadingTheForm(t *testing.T) {
	t.Parallel()
	p, tab := start(t, nil), openTab(t)
	asked := leaveWhenAsked(t, tab)
	openForm(t, tab, p.url)
	click(t, tab, "h1")
	choose(t, tab, write(t, "a.txt", []byte("a")))
	await(t, tab, rowIs("a.txt", "chosen"))
	drive(t, tab, chromedp.Reload())
	await(t, tab, `document.querySelector("#upload.scripted") !== null && document.querySelectorAll("#queue li").length === document.getElementById("file").files.length`)
	if asked() != 1 {
		t.Errorf("asked %d times, want once", asked())
	}
}
