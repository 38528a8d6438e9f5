package main

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// Steps and questions that the tests of the upload form share.

// openForm opens the upload form at a URL, which may be a line's.
func openForm(t *testing.T, tab context.Context, url string) {
	t.Helper()
	drive(t, tab, chromedp.Navigate(url+"/upload"))
	await(t, tab, `document.querySelector("#upload.scripted") !== null`)
}

// choose chooses files as a visitor does in the browser's own dialogue.
func choose(t *testing.T, tab context.Context, files ...string) {
	t.Helper()
	drive(t, tab, chromedp.SetUploadFiles(chromedp.CSS("#file"), files))
}

func click(t *testing.T, tab context.Context, selector chromedp.CSS) {
	t.Helper()
	drive(t, tab, chromedp.Click(selector, chromedp.NodeVisible))
}

// row is the expression for the row of a file.
func row(name string) string {
	return fmt.Sprintf(`[...document.querySelectorAll("#queue > li")].find((row) => row.querySelector(".name").textContent === %q)`, name)
}

// rowIs is an expression for whether a file is in a state.
func rowIs(name, state string) string {
	return fmt.Sprintf(`%s?.dataset.state === %q`, row(name), state)
}

// rowSays is an expression for whether a file is in a state and says so.
func rowSays(name, state, words string) string {
	return fmt.Sprintf(`%s && %s.querySelector(".state").textContent === %q`, rowIs(name, state), row(name), words)
}

// press clicks a button of a file's row, by its class.
func press(t *testing.T, tab context.Context, name, button string) {
	t.Helper()
	await(t, tab, fmt.Sprintf(`%s?.querySelector(".%s")?.checkVisibility() === true`, row(name), button))
	drive(t, tab, chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`void %s.querySelector(".%s").click()`, row(name), button)))
}

const isDone = `document.querySelector("#upload.done") !== null`

// states lists the states of all files, in the order of the page.
func states(t *testing.T, tab context.Context) []string {
	t.Helper()
	return evaluate[[]string](t, tab, `[...document.querySelectorAll("#queue > li")].map((row) => row.dataset.state)`)
}

func wantStates(t *testing.T, tab context.Context, want ...string) {
	t.Helper()
	if got := states(t, tab); !slices.Equal(got, want) {
		t.Errorf("the files are %q, want %q", got, want)
	}
}

// hasten lets the clock of pages run faster, so that half a minute is over soon.
// The network does not run faster.
func hasten(t *testing.T, tab context.Context, times int) {
	t.Helper()
	beforehand(t, tab, fmt.Sprintf(`{
		const now = performance.now.bind(performance), set = setTimeout;
		performance.now = () => %[1]d * now();
		setTimeout = (act, wait, ...more) => set(act, wait / %[1]d, ...more);
	}`, times))
}

// beforehand runs a script in every page before the page's own.
func beforehand(t *testing.T, tab context.Context, script string) {
	t.Helper()
	if _, err := chromedp.Call(tab, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: script}); err != nil {
		t.Fatal(err)
	}
}
