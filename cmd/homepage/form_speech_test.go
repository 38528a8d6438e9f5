package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/chromedp"
)

// heard is what a screen reader is given to say, and when, in ms.
type heard struct {
	At   float64 `json:"at"`
	Says string  `json:"says"`
}

// listen writes down what the form's live region says, from the beginning.
func listen(t *testing.T, tab context.Context) (said func() []heard) {
	t.Helper()
	beforehand(t, tab, `
		const heard = [];
		addEventListener("DOMContentLoaded", () => {
			const status = document.getElementById("status");
			new MutationObserver(() => {
				if (status.textContent) heard.push({at: performance.now(), says: status.textContent});
			}).observe(status, {childList: true, characterData: true, subtree: true});
		});`)
	return func() []heard {
		t.Helper()
		return evaluate[[]heard](t, tab, "heard")
	}
}

// However much happens at once, no more is said than can be listened to, and
// what went wrong is said with its name and reason.
func TestTheFormSpeaksAtMostEveryThreeSeconds(t *testing.T) {
	t.Parallel()
	p, tab := start(t, nil), openTab(t)
	hasten(t, tab, 10)
	said := listen(t, tab)
	openForm(t, tab, p.url)
	var files []string
	for i := range 20 {
		files = append(files, write(t, fmt.Sprintf("%d.txt", i), []byte("content")))
	}
	files = append(files, write(t, "empty.txt", nil))
	choose(t, tab, files...)
	if err := os.Remove(files[3]); err != nil {
		t.Fatal(err)
	}
	click(t, tab, "#send")
	await(t, tab, `document.title.startsWith("Not sent: 2 files · ")`)
	const last = "19 files stored, 2 not sent."
	await(t, tab, fmt.Sprintf(`document.getElementById("status").textContent.includes(%q)`, last))
	all := said()
	for i, next := range all[1:] {
		if pause := next.At - all[i].At; pause < 2950 {
			t.Errorf("%q comes %.0f ms after %q", next.Says, pause, all[i].Says)
		}
	}
	var words strings.Builder
	for _, each := range all {
		words.WriteString(each.Says + " ")
	}
	for _, want := range []string{
		"empty.txt: This file is empty. Please choose another one.",
		"3.txt: 3.txt was changed or deleted since you chose it. Please choose it again.",
		last,
	} {
		if strings.Count(words.String(), want) != 1 {
			t.Errorf("%q is not said once in %+v", want, all)
		}
	}
}

// The title tells how far it is, and how it ended.
func TestTheTitleTellsTheOutcome(t *testing.T) {
	t.Parallel()
	p, tab := start(t, nil), openTab(t)
	release := held(t, p, tab)
	const title = "Send files · Lamplight Library"
	await(t, tab, fmt.Sprintf(`document.title === %q`, title))
	choose(t, tab, write(t, "a.bin", make([]byte, big)), write(t, "b.txt", []byte("b")), write(t, "c.txt", []byte("c")))
	click(t, tab, "#send")
	await(t, tab, `/^[1-9]\d? % sent · `+title+`$/.test(document.title)`)
	press(t, tab, "a.bin", "cancel")
	press(t, tab, "b.txt", "cancel")
	release()
	await(t, tab, fmt.Sprintf(`document.title === %q`, "Not sent: 2 files · "+title))
	click(t, tab, "#send")
	await(t, tab, fmt.Sprintf(`document.title === %q`, "Stored: 3 files · "+title))
	if got := text(t, tab, "#done-title"); !strings.HasSuffix(got, "Thank you, your 3 files are safely stored") {
		t.Errorf("the heading is %q", got)
	}
	click(t, tab, "#more")
	await(t, tab, fmt.Sprintf(`document.title === %q`, title))
}

// controls lists what can be used or tells how far something is, as screen
// readers have it: role, name and state.
func controls(t *testing.T, tab context.Context) (list []string) {
	t.Helper()
	tree, err := chromedp.Call(tab, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{})
	if err != nil {
		t.Fatal(err)
	}
	for _, node := range tree.Nodes {
		role := axValue(node.Role)
		if node.Ignored || !slices.Contains([]string{"button", "progressbar", "DisclosureTriangle"}, role) {
			continue
		}
		control := role + " " + axValue(node.Name)
		if value := axValue(node.Value); value != "" && role == "button" {
			control += ", " + value
		}
		if slices.ContainsFunc(node.Properties, func(property *accessibility.Property) bool {
			return property.Name == accessibility.PropertyNameDisabled && string(property.Value.Value) == "true"
		}) {
			control += ", disabled"
		}
		list = append(list, control)
	}
	return list
}

// Each control has a name of its own, and its state is true.
func TestControlsHaveNamesAndStates(t *testing.T) {
	t.Parallel()
	p, tab := start(t, nil), openTab(t)
	release := held(t, p, tab)
	want := func(when string, want ...string) {
		t.Helper()
		got := controls(t, tab)
		slices.Sort(got) // the tree has an order of its own
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s: there are\n%q, want\n%q", when, got, want)
		}
	}
	want("at first", "button Files, No file chosen", "button Send files")
	choose(t, tab, write(t, "a.txt", []byte("a")), write(t, "b.txt", []byte("b")))
	await(t, tab, rowIs("b.txt", "chosen"))
	want("chosen", "button Files, 2 files", "button Send files", "button Remove all", "button Remove: a.txt", "button Remove: b.txt")
	click(t, tab, "#send")
	await(t, tab, rowIs("a.txt", "storing"))
	want("sending", "button Files, b.txt", "button Send files, disabled", "progressbar Sending 1 of 2 files", "progressbar Progress of a.txt", "button Cancel: a.txt", "button Remove: b.txt")
	press(t, tab, "a.txt", "cancel")
	await(t, tab, rowIs("b.txt", "storing"))
	want("failed", "button Files, a.txt", "button Send files", "progressbar Sending 1 file", "button Send again: a.txt", "button Remove: a.txt", "progressbar Progress of b.txt", "button Cancel: b.txt")
	release()
	press(t, tab, "a.txt", "again")
	await(t, tab, isDone)
	want("stored", "DisclosureTriangle SHA-256", "DisclosureTriangle SHA-256", "button Send more")
}
