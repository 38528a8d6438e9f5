package main

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// inEachState shows the form in all that can become of a file, in turn: each
// time two files whose names have no place to break at.
func inEachState(t *testing.T, tab context.Context, look func(t *testing.T, state string)) {
	t.Helper()
	leaveWhenAsked(t, tab)
	p := start(t, nil)
	names := []string{longWord + ".txt", "ספרים" + longWord + ".txt"}
	for _, state := range []string{"chosen", "sending", "network", "place", "storing", "failed", "stored"} {
		t.Run(state, func(t *testing.T) {
			front := inFrontOf(t, p, http.MethodPatch, func(w http.ResponseWriter, r *http.Request, pass http.Handler) {
				switch state {
				case "stored":
					pass.ServeHTTP(w, r)
				case "failed":
					_, _ = io.Copy(io.Discard, r.Body)
					w.WriteHeader(http.StatusForbidden)
				case "place":
					busy(w, r, http.StatusServiceUnavailable, "300")
				default:
					select {
					case <-r.Context().Done():
					case <-t.Context().Done():
					}
				}
			})
			openForm(t, tab, front)
			content := []byte("content")
			if state == "sending" {
				content = make([]byte, big)
			}
			choose(t, tab, write(t, names[0], content), write(t, names[1], content))
			await(t, tab, rowIs(names[1], "chosen"))
			if state == "network" {
				setOffline(t, tab, true)
				defer setOffline(t, tab, false)
			}
			if state != "chosen" {
				click(t, tab, "#send")
			}
			await(t, tab, rowIs(names[0], state))
			if state == "stored" {
				await(t, tab, isDone)
				drive(t, tab, chromedp.Evaluate[chromedp.Void](`void document.querySelectorAll("details").forEach((d) => { d.open = true; })`))
			}
			look(t, state)
			if state == "sending" || state == "storing" || state == "network" || state == "place" {
				press(t, tab, names[0], "cancel") // and the other is sent, until the page is left
			}
		})
	}
}

// Whatever state the files are in, all of it can be read: at 320 px, which is
// also a window of 1280 px at 400 %, and with text of twice the size.
func TestTheFormIsNeverCutOff(t *testing.T) {
	t.Parallel()
	tab := openTab(t)
	inEachState(t, tab, func(t *testing.T, _ string) {
		t.Helper()
		checkNothingIsCutOff(t, tab)
	})
}

// On paper the form is what it says of the files: their names, how they are, and
// the whole digest of what was stored, and nothing that only a screen can do.
func TestTheFormOnPaper(t *testing.T) {
	t.Parallel()
	tab := openTab(t)
	inEachState(t, tab, func(t *testing.T, state string) {
		t.Helper()
		if state == "stored" {
			drive(t, tab, chromedp.Evaluate[chromedp.Void](`void document.querySelectorAll("details").forEach((d) => { d.open = false; })`))
		}
		setMedia(t, tab, "print")
		defer setMedia(t, tab, "")
		if got := evaluate[[]string](t, tab, `[...document.querySelectorAll("main :is(button, input, progress, .actions)")].filter((e) => e.checkVisibility()).map((e) => e.outerHTML)`); len(got) > 0 {
			t.Errorf("on paper there are %q", got)
		}
		says := evaluate[string](t, tab, `document.querySelector("main").innerText`)
		for _, want := range append([]string{longWord}, map[string][]string{
			"chosen": {"7 bytes"}, "network": {noNetwork}, "place": {waiting}, "storing": {"being stored…"},
			"failed": {"Something on the way to us refused it (403)."}, "stored": {"safely stored", digest([]byte("content"))},
		}[state]...) {
			if !strings.Contains(says, want) {
				t.Errorf("on paper it says\n%s\nwithout %q", says, want)
			}
		}
		if evaluate[bool](t, tab, `document.getElementById("queue").scrollHeight > document.getElementById("queue").clientHeight + 2`) {
			t.Error("on paper a part of the list can't be scrolled to")
		}
	})
}

func setMedia(t *testing.T, tab context.Context, media string) {
	t.Helper()
	if _, err := chromedp.Call(tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: media}); err != nil {
		t.Fatal(err)
	}
}

// The zone that takes drops can be seen to be one, and buttons to be buttons:
// their lines have a contrast of 3 to 1 (WCAG 2.2, 1.4.11) in every scheme.
func TestTheFormsLinesAreSeen(t *testing.T) {
	t.Parallel()
	p, tab := start(t, nil), openTab(t)
	leaveWhenAsked(t, tab)
	for _, scheme := range []struct{ name, value string }{{"prefers-color-scheme", "light"}, {"prefers-color-scheme", "dark"}, {"forced-colors", "active"}} {
		emulate(t, tab, scheme.name, scheme.value)
		openForm(t, tab, p.url)
		choose(t, tab, write(t, "a.txt", []byte("a")), write(t, "b.txt", []byte("b")))
		await(t, tab, rowIs("b.txt", "chosen"))
		faint := evaluate[[]string](t, tab, `(() => {`+contrasts+`
			return [...document.querySelectorAll("main :is(.drop, button, input::file-selector-button)")].filter((e) => e.checkVisibility()).filter((e) => {
				const style = getComputedStyle(e), around = ground(e.parentElement);
				const line = parseFloat(style.borderTopWidth) >= 1 && contrast(style.borderTopColor, around) >= 3;
				return !line && contrast(style.backgroundColor, around) < 3;
			}).map((e) => e.outerHTML.slice(0, 80));
		})()`)
		if len(faint) > 0 {
			t.Errorf("%s: these are hardly seen: %q", scheme.value, faint)
		}
	}
}

// Nothing in the form moves for those who asked for that.
func TestTheFormIsStillWithReducedMotion(t *testing.T) {
	t.Parallel()
	p, tab := start(t, nil), openTab(t)
	emulate(t, tab, "prefers-reduced-motion", "reduce")
	release := held(t, p, tab)
	choose(t, tab, write(t, "a.txt", []byte("a")))
	click(t, tab, "#send")
	await(t, tab, rowIs("a.txt", "storing"))
	const moving = `[...document.querySelectorAll("main *")].filter((e) => { const style = getComputedStyle(e); return style.animationName !== "none" || parseFloat(style.transitionDuration) > 0; }).map((e) => e.outerHTML.slice(0, 80))`
	if got := evaluate[[]string](t, tab, moving); len(got) > 0 {
		t.Errorf("these move: %q", got)
	}
	release()
	await(t, tab, isDone)
	if got := evaluate[[]string](t, tab, moving); len(got) > 0 {
		t.Errorf("these move: %q", got)
	}
}

// Who has no mouse is not told to drop files; the headless browser has none.
func TestNobodyIsToldToDropWithoutAMouse(t *testing.T) {
	t.Parallel()
	p, tab := start(t, nil), openTab(t)
	openForm(t, tab, p.url)
	if evaluate[bool](t, tab, `matchMedia("(any-pointer: fine)").matches || document.querySelector("#file-hint .pointer").checkVisibility()`) {
		t.Errorf("the hint is %q", text(t, tab, "#file-hint"))
	}
	if got := evaluate[string](t, tab, `document.querySelector("#file-hint .pointer").textContent`); !strings.Contains(got, "drop files and folders anywhere on this page") {
		t.Errorf("those who have one are told %q", got)
	}
}
