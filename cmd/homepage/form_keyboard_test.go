package main

import (
	"context"
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// at is an expression for whether a button of a file's row has the focus, by its
// class.
func at(name, button string) string {
	return fmt.Sprintf(`document.activeElement === %s?.querySelector(".%s")`, row(name), button)
}

// atID is an expression for whether an element has the focus.
func atID(id string) string {
	return fmt.Sprintf(`document.activeElement.id === %q`, id)
}

// enter goes to an element, which an expression gives, and presses a key there.
func enter(t *testing.T, tab context.Context, element string) {
	t.Helper()
	drive(t, tab, chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`void %s.focus()`, element)), chromedp.KeyEvent(kb.Enter))
}

// wantFocus waits for a state, and sees whether the focus is where it should be.
func wantFocus(t *testing.T, tab context.Context, state, focus string) {
	t.Helper()
	await(t, tab, state)
	if !evaluate[bool](t, tab, focus) {
		t.Errorf("the focus is at %s, want %s", evaluate[string](t, tab, `document.activeElement.outerHTML.slice(0, 100)`), focus)
	}
}

// Whatever is pressed, the focus stays where the visitor is, and never falls to
// the body.
func TestTheFocusStaysInTheForm(t *testing.T) {
	t.Parallel()
	p, tab := start(t, nil), openTab(t)
	release := held(t, p, tab)
	var (
		files = []string{write(t, "a.txt", []byte("a")), write(t, "b.txt", []byte("b"))}
		gone  = func(name string) string { return row(name) + " === undefined" }
		of    = func(name, button string) string {
			return fmt.Sprintf(`%s.querySelector(".%s")`, row(name), button)
		}
	)
	choose(t, tab, files...)
	enter(t, tab, `document.getElementById("send")`)
	wantFocus(t, tab, rowIs("a.txt", "storing"), atID("send"))
	if got := evaluate[string](t, tab, `document.getElementById("send").ariaDisabled`); got != "true" {
		t.Errorf("the button with nothing to do is disabled: %q", got)
	}
	drive(t, tab, chromedp.KeyEvent(kb.Enter)) // does nothing
	enter(t, tab, of("a.txt", "cancel"))
	wantFocus(t, tab, rowIs("a.txt", "failed")+" && "+rowIs("b.txt", "storing"), at("a.txt", "again"))
	drive(t, tab, chromedp.KeyEvent(kb.Enter))
	wantFocus(t, tab, rowIs("a.txt", "waiting"), at("a.txt", "remove"))
	drive(t, tab, chromedp.KeyEvent(kb.Enter))
	wantFocus(t, tab, gone("a.txt"), at("b.txt", "cancel"))
	drive(t, tab, chromedp.KeyEvent(kb.Enter))
	wantFocus(t, tab, rowIs("b.txt", "failed"), at("b.txt", "again"))
	enter(t, tab, of("b.txt", "remove"))
	wantFocus(t, tab, gone("b.txt"), atID("file"))

	choose(t, tab, files...)
	enter(t, tab, of("b.txt", "remove"))
	wantFocus(t, tab, gone("b.txt"), at("a.txt", "remove"))
	choose(t, tab, files[0], files[1])
	await(t, tab, rowIs("b.txt", "chosen"))
	enter(t, tab, `document.getElementById("remove-all")`)
	wantFocus(t, tab, gone("a.txt")+" && "+gone("b.txt"), atID("file"))

	// A file that is stored has no button any more, and is the place itself.
	choose(t, tab, write(t, "empty.txt", nil), files[0])
	enter(t, tab, `document.getElementById("send")`)
	await(t, tab, rowIs("a.txt", "storing"))
	drive(t, tab, chromedp.Evaluate[chromedp.Void](`void `+of("a.txt", "cancel")+`.focus()`))
	release()
	wantFocus(t, tab, rowIs("a.txt", "stored"), `document.activeElement === `+row("a.txt"))
	enter(t, tab, of("empty.txt", "remove"))
	wantFocus(t, tab, isDone, atID("done-title"))
	enter(t, tab, `document.getElementById("more")`)
	wantFocus(t, tab, `!(`+isDone+`)`, atID("file"))

	// What is dropped or pasted on the list of what was stored begins a new form.
	choose(t, tab, files[0])
	enter(t, tab, `document.getElementById("send")`)
	wantFocus(t, tab, isDone, atID("done-title"))
	drop(t, tab, 5, 5, files[1])
	wantFocus(t, tab, rowIs("b.txt", "chosen"), `document.activeElement !== document.body`)
}

// The tab key goes through a row's buttons, and not to the rows themselves.
func TestTheTabKeyGoesThroughTheForm(t *testing.T) {
	t.Parallel()
	p, tab := start(t, nil), openTab(t)
	openForm(t, tab, p.url)
	choose(t, tab, write(t, "a.txt", []byte("a")), write(t, "b.txt", []byte("b")))
	await(t, tab, rowIs("b.txt", "chosen"))
	drive(t, tab, chromedp.Evaluate[chromedp.Void](`void document.getElementById("file").focus()`))
	for _, want := range []string{atID("send"), atID("remove-all"), at("a.txt", "remove"), at("b.txt", "remove")} {
		drive(t, tab, chromedp.KeyEvent(kb.Tab))
		wantFocus(t, tab, "true", want)
	}
}
