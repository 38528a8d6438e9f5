package main

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/animation"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// onBothThankYous sends files by the form without its script, and checks the
// homepage that thanks for them, once whole and once while it waits for its
// sections.
func onBothThankYous(t *testing.T, files []string, check func(t *testing.T, tab context.Context)) {
	t.Helper()
	thankYou := func(t *testing.T, url string) {
		t.Helper()
		tab := openTab(t)
		setScript(t, tab, false)
		drive(t, tab,
			chromedp.Navigate(url+"/upload"),
			chromedp.SetUploadFiles(chromedp.CSS("#file"), files),
			chromedp.Click(chromedp.CSS("#send")))
		await(t, tab, styled+` && document.querySelector(".notice") !== null && document.querySelector(".desk") !== null`)
		check(t, tab)
	}
	t.Run("whole", func(t *testing.T) { thankYou(t, start(t, map[string]string{"HOMEPAGE_GRACE": "1m"}).url) })
	t.Run("streamed", func(t *testing.T) {
		p, promo, recco := slowly(t)
		t.Cleanup(promo.open) // before the program drains, which would wait for the page
		t.Cleanup(recco.open)
		thankYou(t, p.url)
	})
}

// The page that thanks says so in its title and has the focus where it begins.
// It leads on, and its notice can be closed.
func TestTheThankYou(t *testing.T) {
	t.Parallel()
	files := []string{write(t, "a.txt", []byte("a")), write(t, "a.txt", []byte("b")), write(t, "c.txt", []byte("c"))}
	onBothThankYous(t, files, func(t *testing.T, tab context.Context) {
		t.Helper()
		await(t, tab, `document.activeElement.id === "notice-title"`)
		if got, want := evaluate[string](t, tab, `document.title`), "Stored: 3 files · Lamplight Library"; got != want {
			t.Errorf("the title is %q, want %q", got, want)
		}
		if got, want := text(t, tab, ".notice"), "a.txt already existed, stored as a-1.txt 1 byte"; !strings.Contains(got, want) {
			t.Errorf("the notice %q does not say %q", got, want)
		}
		const digestSeen = `document.querySelector(".notice code").checkVisibility()`
		if evaluate[bool](t, tab, digestSeen) {
			t.Error("the digests are not folded")
		}
		drive(t, tab, chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent(kb.Enter))
		await(t, tab, digestSeen)
		if got := text(t, tab, ".notice details"); !strings.Contains(got, digest([]byte("b"))) {
			t.Errorf("the details %q do not have the digest of the second file", got)
		}
		if got, want := tabThrough(t, tab)[:2], []string{"/upload", "/"}; !slices.Equal(got, want) {
			t.Errorf("the notice leads to %q, want %q", got, want)
		}
		drive(t, tab, chromedp.Click(chromedp.CSS(`.notice a[href="/"]`)))
		await(t, tab, `document.title === "Lamplight Library" && document.querySelector(".desk") !== null && document.querySelector(".notice") === null`)
	})
}

// Names without a space and digests fit on any screen.
func TestLongNamesWrapInTheThankYou(t *testing.T) {
	t.Parallel()
	onBothThankYous(t, []string{write(t, strings.Repeat("n", 200), []byte("a"))}, func(t *testing.T, tab context.Context) {
		t.Helper()
		drive(t, tab, chromedp.Click(chromedp.CSS(".notice summary")))
		await(t, tab, `document.querySelector(".notice code").checkVisibility()`)
		checkNothingIsCutOff(t, tab)
	})
}

// The digests are a part of the receipt that is printed.
func TestTheThankYouOnPaper(t *testing.T) {
	t.Parallel()
	onBothThankYous(t, []string{write(t, "a.txt", []byte("a"))}, func(t *testing.T, tab context.Context) {
		t.Helper()
		emulateMedia(t, tab, "print")
		await(t, tab, `document.querySelector(".notice code").checkVisibility() && !document.querySelector(".notice .actions").checkVisibility()`)
	})
}

// A page that is printed before its sections have come says so on one sheet.
func TestAWaitingPageOnPaper(t *testing.T) {
	t.Parallel()
	tab := openTab(t)
	openWaiting(t, tab, offer, books)
	sheet, err := chromedp.Call(tab, page.PrintToPDF, page.PrintToPDFParams{})
	if err != nil {
		t.Fatal(err)
	}
	if got := bytes.Count(sheet.Data, []byte("/Type /Page\n")); got != 1 {
		t.Errorf("%d sheets, want 1", got)
	}
	emulateMedia(t, tab, "print")
	for selector, want := range map[string]bool{".hero .late": true, ".shelf .late": true, ".waiting": false, ".late a": false, "i": false} {
		await(t, tab, fmt.Sprintf("%s === %v", seen(selector), want))
	}
}

// Whatever could not be fetched can be tried again where that is said.
func TestTryAgain(t *testing.T) {
	t.Parallel()
	onBothPages(t, "<html>", "<html>", func(t *testing.T, tab context.Context) {
		t.Helper()
		for _, section := range []string{".hero", ".shelf"} {
			drive(t, tab, chromedp.Evaluate[chromedp.Void](`void (document.title = "before")`), chromedp.Click(chromedp.CSS(section+".failed a, "+section+" .failed a")))
			await(t, tab, `document.title === "Lamplight Library" && document.querySelector(".colophon") !== null`)
		}
	})
}

// What stands in for a section that does not come offers the same, in words that
// screen readers have too, and not before.
func TestTryAgainWhatDidNotCome(t *testing.T) {
	t.Parallel()
	tab := openTab(t)
	openWaiting(t, tab, offer, books)
	if evaluate[bool](t, tab, seen(".late a")) {
		t.Error("the page gives up at once")
	}
	// The page's clock, not ours: ten seconds take a tenth of one.
	if _, err := chromedp.Call(tab, animation.Enable, cdp.Empty{}); err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Call(tab, animation.SetPlaybackRate, animation.SetPlaybackRateParams{PlaybackRate: 100}); err != nil {
		t.Fatal(err)
	}
	for _, selector := range []string{".hero .late a", ".shelf .late a"} {
		await(t, tab, seen(selector))
	}
	tree, err := chromedp.Call(tab, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{})
	if err != nil {
		t.Fatal(err)
	}
	links := 0
	for _, node := range tree.Nodes {
		if axValue(node.Role) == "link" && axValue(node.Name) == "Try again" {
			links++
		}
	}
	if links != 2 {
		t.Errorf("%d links to try again, want 2", links)
	}
	drive(t, tab, chromedp.Evaluate[chromedp.Void](`void (document.title = "before", document.querySelector("main").shadowRoot.querySelector(".hero .late a").click())`))
	await(t, tab, `document.title === "Lamplight Library"`)
}

// emulateMedia shows the page as on another medium.
func emulateMedia(t *testing.T, tab context.Context, media string) {
	t.Helper()
	if _, err := chromedp.Call(tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: media}); err != nil {
		t.Fatal(err)
	}
}

// The offer's button is one line from tablets on, and with forced colours no
// large frame of nothing stands in for its picture.
func TestTheOffersRoom(t *testing.T) {
	t.Parallel()
	p, tab := start(t, nil), openTab(t)
	for _, width := range []int64{360, 768, 820, 1280} {
		drive(t, tab, chromedp.EmulateViewport(width, 900), chromedp.Navigate(p.url))
		if got := evaluate[float64](t, tab, `document.querySelector(".hero .button").getBoundingClientRect().height`); got > 60 {
			t.Errorf("at %d px the button is %v px high", width, got)
		}
	}
	emulate(t, tab, "forced-colors", "active")
	drive(t, tab, chromedp.EmulateViewport(360, 800))
	openWaiting(t, tab, offer, books)
	if got := evaluate[float64](t, tab, `document.querySelector("main").shadowRoot.querySelector(".hero").getBoundingClientRect().height`); got > 400 {
		t.Errorf("with forced colours what stands in for the offer is %v px high", got)
	}
}
