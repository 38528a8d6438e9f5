package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// noise is content that takes its time on any line.
func noise(kib int) []byte {
	return []byte(strings.Repeat("0123456789abcde\n", kib<<6))
}

const noNetwork = "Waiting for the network…"

// All that was sent is on the page at the end, however long it took.
func TestTheFormListsWhatTookMinutes(t *testing.T) {
	t.Parallel()
	p, tab := start(t, nil), openTab(t)
	l := newLine(t, p.url)
	hasten(t, tab, 50) // so that it takes more than a minute of the page's time
	openForm(t, tab, l.url)
	l.slow(6 << 20)
	large := noise(12 << 10)
	choose(t, tab, write(t, "first.txt", []byte("first")), write(t, "large.txt", large), write(t, "last.txt", []byte("last")))
	click(t, tab, "#send")
	await(t, tab, `/^[\d.]+ MiB of 12 MiB, [\d.]+ [KM]iB\/s, about \d+ (s|min) left$/.test(`+row("large.txt")+`.querySelector(".state").textContent)`)
	if got := text(t, tab, "#sum"); got != "Sending 2 of 3 files" {
		t.Errorf("the sum says %q", got)
	}
	await(t, tab, isDone)
	if got := evaluate[float64](t, tab, `performance.now()`); got < 60_000 {
		t.Errorf("that took %.0f ms of the page's time, want more than a minute", got)
	}
	wantStates(t, tab, "stored", "stored", "stored")
	if got := text(t, tab, "#done-title"); !strings.HasSuffix(got, "your 3 files are safely stored") {
		t.Errorf("the thanks are %q", got)
	}
	checkStored(t, p, "first.txt", []byte("first"))
	checkStored(t, p, "large.txt", large)
	checkStored(t, p, "last.txt", []byte("last"))
}

// A line on which nothing moves is said to be so after five seconds, and given
// up after thirty. When things move again, the file is sent again.
func TestTheFormOnAStalledLine(t *testing.T) {
	t.Parallel()
	p, tab := start(t, nil), openTab(t)
	l := newLine(t, p.url)
	hasten(t, tab, 30)
	openForm(t, tab, l.url)
	content := make([]byte, big)
	choose(t, tab, write(t, "big.bin", content), write(t, "small.txt", []byte("small")))
	l.stall()
	click(t, tab, "#send")
	await(t, tab, rowSays("big.bin", "network", noNetwork))
	if got := text(t, tab, "#pace"); got != "0 bytes of 16.0 MiB. "+noNetwork {
		t.Errorf("the pace says %q", got)
	}
	await(t, tab, `document.getElementById("status").textContent.includes("big.bin waits for the network.")`)
	wantStates(t, tab, "network", "waiting")

	// It tries again, and once more.
	for range 2 {
		await(t, tab, rowIs("big.bin", "sending"))
		await(t, tab, rowIs("big.bin", "network"))
	}
	l.restore()
	await(t, tab, isDone)
	checkStored(t, p, "big.bin", content)
	checkStored(t, p, "small.txt", []byte("small"))
	wantFiles(t, p, 2)
}

// A pause of the line that is shorter than half a minute costs nothing: the file
// goes on where it was.
func TestTheFormOverALineThatPauses(t *testing.T) {
	t.Parallel()
	p, tab := start(t, nil), openTab(t)
	var posts atomic.Int32
	front := inFront(t, p, func(w http.ResponseWriter, r *http.Request, pass http.Handler) {
		posts.Add(1)
		pass.ServeHTTP(w, r)
	})
	l := newLine(t, front)
	hasten(t, tab, 5)
	openForm(t, tab, l.url)
	content := make([]byte, big)
	choose(t, tab, write(t, "big.bin", content))
	l.slow(4 << 20)
	click(t, tab, "#send")
	await(t, tab, `document.querySelector("#queue progress").value > 0`)
	l.stall()
	await(t, tab, rowSays("big.bin", "network", noNetwork))
	l.restore()
	await(t, tab, isDone)
	checkStored(t, p, "big.bin", content)
	if got := posts.Load(); got != 1 {
		t.Errorf("it was sent %d times, want once", got)
	}
}

// When the line is cut, the files wait for it, and go on when it is back.
func TestTheFormOnACutLine(t *testing.T) {
	t.Parallel()
	p, tab := start(t, nil), openTab(t)
	l := newLine(t, p.url)
	hasten(t, tab, 10)
	openForm(t, tab, l.url)
	content := make([]byte, big)
	choose(t, tab, write(t, "big.bin", content), write(t, "small.txt", []byte("small")))
	l.slow(4 << 20)
	click(t, tab, "#send")
	await(t, tab, `document.querySelector("#queue progress").value > 0`)
	l.cut()
	await(t, tab, rowSays("big.bin", "network", noNetwork))
	wantStates(t, tab, "network", "waiting")
	before := l.called()
	for l.called() == before { // until it tries in vain
		await(t, tab, `document.querySelector("#queue") !== null`)
	}
	l.restore()
	await(t, tab, isDone)
	checkStored(t, p, "big.bin", content)
	checkStored(t, p, "small.txt", []byte("small"))
	wantFiles(t, p, 2)
}

// A line that does not come back is given up in the end, with words, and each
// file can be sent again.
func TestTheFormGivesUpALineInTheEnd(t *testing.T) {
	t.Parallel()
	p, tab := start(t, nil), openTab(t)
	l := newLine(t, p.url)
	hasten(t, tab, 300)
	openForm(t, tab, l.url)
	content := make([]byte, big)
	choose(t, tab, write(t, "big.bin", content))
	l.cut()
	click(t, tab, "#send")
	await(t, tab, rowSays("big.bin", "failed", "The connection was lost again and again. Please send it again later, or on another network: it goes on where it was."))
	l.restore()
	press(t, tab, "big.bin", "again")
	await(t, tab, isDone)
	checkStored(t, p, "big.bin", content)
}

// setOffline takes the browser from the network, or lets it back.
func setOffline(t *testing.T, tab context.Context, offline bool) {
	t.Helper()
	if _, err := chromedp.Call(tab, network.EmulateNetworkConditionsByRule, network.EmulateNetworkConditionsByRuleParams{
		MatchedNetworkConditions: []*network.Conditions{{Offline: offline, DownloadThroughput: -1, UploadThroughput: -1}},
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Call(tab, network.OverrideNetworkState, network.OverrideNetworkStateParams{Offline: offline, DownloadThroughput: -1, UploadThroughput: -1}); err != nil {
		t.Fatal(err)
	}
}

// A browser that knows to be offline does not try, and goes on at once when it
// is back: no clock is hastened here.
func TestTheFormOffline(t *testing.T) {
	t.Parallel()
	p, tab := start(t, nil), openTab(t)
	openForm(t, tab, p.url)
	setOffline(t, tab, true)
	content := make([]byte, big)
	choose(t, tab, write(t, "big.bin", content), write(t, "small.txt", []byte("small")))
	click(t, tab, "#send")
	await(t, tab, rowSays("big.bin", "network", noNetwork))
	setOffline(t, tab, false)
	await(t, tab, isDone)
	wantStates(t, tab, "stored", "stored")
	checkStored(t, p, "big.bin", content)
	checkStored(t, p, "small.txt", []byte("small"))
}

// Who cancels while the line is down has cancelled.
func TestCancelWhileTheLineIsDown(t *testing.T) {
	t.Parallel()
	p, tab := start(t, nil), openTab(t)
	openForm(t, tab, p.url)
	setOffline(t, tab, true)
	choose(t, tab, write(t, "a.txt", []byte("a")), write(t, "b.txt", []byte("b")))
	click(t, tab, "#send")
	await(t, tab, rowIs("a.txt", "network"))
	press(t, tab, "a.txt", "cancel")
	await(t, tab, rowSays("a.txt", "failed", "Cancelled. You can send it again."))
	await(t, tab, rowIs("b.txt", "network"))
	setOffline(t, tab, false)
	await(t, tab, rowIs("b.txt", "stored"))
	wantFiles(t, p, 1)
}

// The answer to a file that is stored is lost on the way. The form asks for it
// again, and nothing is stored twice.
func TestTheLineIsCutWhileAFileIsStored(t *testing.T) {
	t.Parallel()
	p, tab := start(t, nil), openTab(t)
	stored := make(chan struct{}, 10)
	var isCut atomic.Bool // not counted by requests, as browsers repeat some
	front := inFrontOf(t, p, http.MethodPatch, func(w http.ResponseWriter, r *http.Request, pass http.Handler) {
		if isCut.Load() {
			pass.ServeHTTP(w, r)
			return
		}
		pass.ServeHTTP(httptest.NewRecorder(), r)
		stored <- struct{}{}
		select {
		case <-r.Context().Done():
		case <-t.Context().Done(): // the test has failed
		}
	})
	l := newLine(t, front)
	openForm(t, tab, l.url)
	choose(t, tab, write(t, "a.txt", []byte("a")), write(t, "big.bin", make([]byte, big)))
	click(t, tab, "#send")
	await(t, tab, rowSays("a.txt", "storing", "All sent, now being stored…"))
	if evaluate[bool](t, tab, `document.querySelector("#queue progress").hasAttribute("value")`) {
		t.Error("the bar stands still, as if it were known how long it takes")
	}
	<-stored
	isCut.Store(true)
	l.cut()
	await(t, tab, rowSays("a.txt", "network", noNetwork))
	l.restore()
	await(t, tab, isDone)
	wantFiles(t, p, 2)
}

// Without cookies the visitor is told all the same: on the form, and not on the
// homepage, which knows of nothing.
func TestTheFormNeedsNoCookies(t *testing.T) {
	t.Parallel()
	p, tab := start(t, nil), openTab(t)
	front := inFront(t, p, func(w http.ResponseWriter, r *http.Request, pass http.Handler) {
		pass.ServeHTTP(withoutCookies{w}, r)
	})
	openForm(t, tab, front)
	choose(t, tab, write(t, "a.txt", []byte("a")), write(t, "b.txt", []byte("bb")))
	click(t, tab, "#send")
	await(t, tab, isDone)
	for name, says := range map[string]string{"a.txt": "Stored, 1 byte", "b.txt": "Stored, 2 bytes"} {
		if !evaluate[bool](t, tab, rowSays(name, "stored", says)) {
			t.Errorf("%s does not say %q", name, says)
		}
	}
	drive(t, tab, chromedp.Navigate(front), chromedp.WaitVisible(chromedp.CSS(".tagline")), chromedp.WaitNotPresent(chromedp.CSS(".notice")))
}

// withoutCookies is what a browser gets that takes none.
type withoutCookies struct{ http.ResponseWriter }

func (w withoutCookies) WriteHeader(status int) {
	w.Header().Del("Set-Cookie")
	w.ResponseWriter.WriteHeader(status)
}

// A file that was changed or deleted since it was chosen is named, and the others
// go on. Chosen again, it is sent as it is now.
func TestAFileIsGoneWhenItsTurnComes(t *testing.T) {
	t.Parallel()
	p, tab := start(t, nil), openTab(t)
	openForm(t, tab, p.url)
	folder := t.TempDir()
	at := func(name string) string { return filepath.Join(folder, name) }
	put := func(name, content string) {
		t.Helper()
		if err := os.WriteFile(at(name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	names := []string{"deleted.txt", "changed.txt", "kept.txt"}
	for _, name := range names {
		put(name, "before")
	}
	choose(t, tab, at(names[0]), at(names[1]), at(names[2]))
	if err := os.Remove(at("deleted.txt")); err != nil {
		t.Fatal(err)
	}
	put("changed.txt", "afterwards")
	click(t, tab, "#send")
	for _, name := range names[:2] {
		await(t, tab, rowSays(name, "failed", name+" was changed or deleted since you chose it. Please choose it again."))
	}
	await(t, tab, rowIs("kept.txt", "stored"))
	if got := evaluate[int](t, tab, `[...document.querySelectorAll("#queue .again")].filter((b) => b.checkVisibility()).length`); got != 0 {
		t.Errorf("%d files offer to be sent again, which can't help", got)
	}
	press(t, tab, "deleted.txt", "remove")
	press(t, tab, "changed.txt", "remove")
	await(t, tab, isDone) // what is left is stored
	click(t, tab, "#more")
	choose(t, tab, at("changed.txt"))
	click(t, tab, "#send")
	await(t, tab, fmt.Sprintf(`%s && %s`, isDone, rowSays("changed.txt", "stored", "Stored, 10 bytes")))
	checkStored(t, p, "changed.txt", []byte("afterwards"))
	wantFiles(t, p, 2)
}

// A file that changes while it is sent is found out as well.
func TestAFileChangesWhileItIsSent(t *testing.T) {
	t.Parallel()
	p, tab := start(t, nil), openTab(t)
	l := newLine(t, p.url)
	openForm(t, tab, l.url)
	file := write(t, "big.bin", make([]byte, big))
	choose(t, tab, file, write(t, "small.txt", []byte("small")))
	l.slow(4 << 20)
	click(t, tab, "#send")
	await(t, tab, `document.querySelector("#queue progress").value > 0`)
	if err := os.WriteFile(file, []byte("other"), 0o600); err != nil {
		t.Fatal(err)
	}
	l.restore()
	await(t, tab, rowSays("big.bin", "failed", "big.bin was changed or deleted since you chose it. Please choose it again."))
	await(t, tab, rowIs("small.txt", "stored"))
	wantFiles(t, p, 1)
}

func wantFiles(t *testing.T, p *program, want int) {
	t.Helper()
	if stored, err := filepath.Glob(filepath.Join(p.folder, "[^.]*")); err != nil || len(stored) != want {
		t.Errorf("%d files are stored and %v, want %d", len(stored), err, want)
	}
}
