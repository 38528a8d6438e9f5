package main

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"homepage/internal/certificate/signature/testca"
)

// The page that verifies certificates works without JavaScript. What it says has
// the focus, so that it is read out first.
func TestVerifyInABrowser(t *testing.T) {
	t.Parallel()
	p, tab := start(t, newPair(t, testca.New(t), testca.P256(t)).settings()), openTab(t)
	setScript(t, tab, false)
	_, issued := get(t, p.url+"/certificate")
	for _, test := range []struct{ file, title, says string }{
		{issued, "Yes, this one is ours · Lamplight Library", "It is stamped 20"},
		{strings.Replace(issued, "(Issued at 2", "(Issued at 1", 1), "We can’t vouch for this one · Lamplight Library", "It was changed after it was issued."},
		{"", "Error: Check a certificate · Lamplight Library", ""},
	} {
		drive(t, tab, chromedp.Navigate(p.url+"/verify"),
			chromedp.SetUploadFiles(chromedp.CSS("#file"), []string{write(t, "certificate.pdf", []byte(test.file))}),
			chromedp.Click(chromedp.CSS("button[type=submit]")))
		await(t, tab, `document.title !== "Check a certificate · Lamplight Library" && document.querySelector(".colophon") !== null`)
		focus := "#verdict"
		if test.says == "" {
			focus = "#file"
		}
		await(t, tab, `document.activeElement === document.querySelector("`+focus+`")`)
		if got := evaluate[string](t, tab, "document.title"); got != test.title {
			t.Errorf("the title is %q, want %q", got, test.title)
		}
		if test.says == "" {
			continue
		}
		if got := text(t, tab, chromedp.CSS("#verdict")); !strings.Contains(got, test.says) {
			t.Errorf("the page says %q, want %q", got, test.says)
		}
	}
}
