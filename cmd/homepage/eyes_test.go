package main

import (
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// contrasts is the beginning of a script: the contrast of two colours (WCAG 2,
// contrast ratio), and the ground that an element lies on.
const contrasts = `
	const light = (colour) => {
		const [r, g, b] = colour.match(/[\d.]+/g).map((c) => c / 255).map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
		return 0.2126 * r + 0.7152 * g + 0.0722 * b;
	};
	const contrast = (a, b) => (Math.max(light(a), light(b)) + 0.05) / (Math.min(light(a), light(b)) + 0.05);
	const ground = (e) => {
		for (; e; e = e.parentElement) {
			const colour = getComputedStyle(e).backgroundColor;
			if (!/, 0\)$/.test(colour)) return colour;
		}
		return matchMedia("(prefers-color-scheme: dark)").matches ? "rgb(0, 0, 0)" : "rgb(255, 255, 255)";
	};
`

// focused describes what has the focus if its outline can't be seen, that is,
// if it has no line of two pixels with a contrast of 3 to 1 (WCAG 2.2, 2.4.13)
// within the window.
const focused = `(() => {` + contrasts + `
	const e = document.activeElement, box = e.getBoundingClientRect();
	const seen = [null, "::after"].some((part) => {
		const style = getComputedStyle(e, part);
		return style.outlineStyle === "solid" && parseFloat(style.outlineWidth) >= 2 && contrast(style.outlineColor, ground(e.parentElement)) >= 3;
	});
	const inside = box.width > 0 && box.height > 0 && box.top >= 0 && box.bottom <= innerHeight;
	return {at: e.outerHTML.slice(0, 80), end: e === document.body, seen: seen && inside, outline: getComputedStyle(e).outline, ground: ground(e.parentElement)};
})()`

type focus struct {
	At      string `json:"at"`
	End     bool   `json:"end"`
	Seen    bool   `json:"seen"`
	Outline string `json:"outline"`
	Ground  string `json:"ground"`
}

// Whatever the tab key stops at can be seen to have the focus, in every scheme
// of colours.
func TestTheFocusIsSeen(t *testing.T) {
	t.Parallel()
	p, tab := start(t, map[string]string{"UPLOAD_MAX_FILES": "2"}), openTab(t)
	leaveWhenAsked(t, tab)
	drive(t, tab, chromedp.EmulateViewport(1000, 800))
	pages := []struct {
		name  string
		open  func()
		stops int
	}{
		{"homepage", func() { drive(t, tab, chromedp.Navigate(p.url)) }, 14},
		{"form", func() {
			drive(t, tab, chromedp.Navigate(p.url+"/upload"),
				chromedp.SetUploadFiles(chromedp.CSS("#file"), []string{write(t, "a.txt", []byte("a")), write(t, "b.txt", []byte("b"))}))
			await(t, tab, seen("#queue li"))
			drive(t, tab, chromedp.Evaluate[chromedp.Void](`void document.activeElement.blur()`))
		}, 8},
		{"error of a form", func() {
			drive(t, tab, chromedp.Navigate(p.url+"/upload"),
				chromedp.Evaluate[chromedp.Void](`void (document.body.innerHTML = "<form method=post action=/upload><button id=empty>Send</button></form>")`),
				chromedp.Click(chromedp.CSS("#empty")),
				chromedp.WaitVisible(chromedp.CSS(`.sheet a[href="/upload"]`)))
		}, 7},
	}
	for _, scheme := range []struct{ name, value string }{{"prefers-color-scheme", "light"}, {"prefers-color-scheme", "dark"}, {"forced-colors", "active"}} {
		emulate(t, tab, scheme.name, scheme.value)
		for _, page := range pages {
			page.open()
			stops := 0
			for ; stops < 50; stops++ {
				drive(t, tab, chromedp.KeyEvent(kb.Tab))
				at := evaluate[focus](t, tab, focused)
				if at.End {
					break
				}
				if !at.Seen {
					t.Errorf("%s, %s: the focus is not seen: %+v", scheme.value, page.name, at)
				}
			}
			if stops < page.stops {
				t.Errorf("%s, %s: %d stops, want at least %d", scheme.value, page.name, stops, page.stops)
			}
		}
	}
}

// On paper there is dark text on white, whatever scheme the screen has, and no
// links to click on.
func TestPagesOnPaper(t *testing.T) {
	t.Parallel()
	p, tab := start(t, nil), openTab(t)
	const unreadable = `(() => {` + contrasts + `
		const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), found = [];
		while (texts.nextNode()) {
			const e = texts.currentNode.parentElement;
			if (!texts.currentNode.data.trim() || !e.checkVisibility()) continue;
			if (contrast(getComputedStyle(e).color, "rgb(255, 255, 255)") < 4.5 || contrast(getComputedStyle(e).color, ground(e)) < 4.5) found.push(texts.currentNode.data.trim());
		}
		return found;
	})()`
	check := func(name string) {
		t.Helper()
		if got := evaluate[[]string](t, tab, unreadable); len(got) > 0 {
			t.Errorf("%s: these can't be read on paper: %q", name, got)
		}
		if got := evaluate[[]string](t, tab, `[...document.querySelectorAll("nav, .button, .actions, .skip")].filter((e) => e.checkVisibility()).map((e) => e.textContent)`); len(got) > 0 {
			t.Errorf("%s: on paper it offers %q", name, got)
		}
	}
	setScript(t, tab, false)
	drive(t, tab,
		chromedp.Navigate(p.url+"/upload"),
		chromedp.SetUploadFiles(chromedp.CSS("#file"), []string{write(t, "a.txt", []byte("a"))}),
		chromedp.Click(chromedp.CSS("#send")),
		chromedp.WaitVisible(chromedp.CSS(".notice")))
	if _, err := chromedp.Call(tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Media: "print", Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}},
	}); err != nil {
		t.Fatal(err)
	}
	check("homepage with a notice")
	for _, path := range []string{"/upload", "/nothing"} {
		drive(t, tab, chromedp.Navigate(p.url+path))
		check(path)
	}
}
