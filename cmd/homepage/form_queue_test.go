package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
)

// held opens the form of a site that takes no file before release is called.
func held(t *testing.T, p *program, tab context.Context) (release func()) {
	t.Helper()
	goOn := make(chan struct{})
	front := inFrontOf(t, p, http.MethodPatch, func(w http.ResponseWriter, r *http.Request, pass http.Handler) {
		select {
		case <-goOn:
		case <-r.Context().Done():
		case <-t.Context().Done(): // the test has failed
		}
		pass.ServeHTTP(w, r)
	})
	openForm(t, tab, front)
	return func() { close(goOn) }
}

// drop drops files and folders on the page, at a place in the window.
func drop(t *testing.T, tab context.Context, x, y float64, paths ...string) {
	t.Helper()
	for _, kind := range []input.DispatchDragEventType{input.DispatchDragEventTypeDragEnter, input.DispatchDragEventTypeDragOver, input.DispatchDragEventTypeDrop} {
		drag(t, tab, kind, x, y, paths...)
	}
}

func drag(t *testing.T, tab context.Context, kind input.DispatchDragEventType, x, y float64, paths ...string) {
	t.Helper()
	if _, err := chromedp.Call(tab, input.DispatchDragEvent, input.DispatchDragEventParams{
		Type: kind, X: x, Y: y, Data: &input.DragData{Items: []*input.DragDataItem{}, Files: paths, DragOperationsMask: 1},
	}); err != nil {
		t.Fatal(err)
	}
}

// dropMany drops that many small files at once, as a script can.
func dropMany(t *testing.T, tab context.Context, n int) {
	t.Helper()
	drive(t, tab, chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`{
		const given = new DataTransfer();
		for (let i = 1; i <= %d; i++) given.items.add(new File(["file " + i], i + ".txt"));
		document.body.dispatchEvent(new DragEvent("drop", {dataTransfer: given, bubbles: true, cancelable: true}));
	}`, n)))
	await(t, tab, fmt.Sprintf(`document.querySelectorAll("#queue > li").length === %d`, n))
}

// Files that are added while others are sent join the queue, and the sum.
func TestFilesAddedWhileOthersAreSent(t *testing.T) {
	t.Parallel()
	p, tab := start(t, nil), openTab(t)
	release := held(t, p, tab)
	choose(t, tab, write(t, "first.txt", []byte("first")))
	click(t, tab, "#send")
	await(t, tab, rowIs("first.txt", "storing"))
	if got := text(t, tab, "#sum"); got != "Sending 1 file" {
		t.Errorf("the sum says %q", got)
	}
	choose(t, tab, write(t, "second.txt", []byte("second")))
	await(t, tab, rowIs("second.txt", "waiting"))
	drop(t, tab, 100, 100, write(t, "third.txt", []byte("third")), write(t, "empty.txt", nil))
	await(t, tab, rowIs("third.txt", "waiting")+" && "+rowIs("empty.txt", "failed"))
	if got := text(t, tab, "#sum"); got != "Sending 1 of 3 files" {
		t.Errorf("the sum says %q", got)
	}
	release()
	await(t, tab, rowIs("third.txt", "stored"))
	wantStates(t, tab, "stored", "stored", "stored", "failed")
	for _, name := range []string{"first", "second", "third"} {
		checkStored(t, p, name+".txt", []byte(name))
	}
}

// A waiting file that is removed is not sent, and the sum is of what is left.
func TestAWaitingFileIsRemoved(t *testing.T) {
	t.Parallel()
	p, tab := start(t, nil), openTab(t)
	release := held(t, p, tab)
	content := make([]byte, big)
	choose(t, tab, write(t, "first.bin", content), write(t, "regretted.bin", content), write(t, "last.bin", content))
	click(t, tab, "#send")
	await(t, tab, `document.getElementById("progress").value > 0`)
	await(t, tab, `/ of 48 MiB/.test(document.getElementById("pace").textContent)`)
	press(t, tab, "regretted.bin", "remove")
	await(t, tab, `/ of 32 MiB/.test(document.getElementById("pace").textContent)`)
	if got := text(t, tab, "#sum"); got != "Sending 1 of 2 files" {
		t.Errorf("the sum says %q", got)
	}
	press(t, tab, "last.bin", "remove")
	await(t, tab, `/ of 16 MiB/.test(document.getElementById("pace").textContent)`)
	if !evaluate[bool](t, tab, `Math.abs(document.getElementById("progress").value - document.querySelector("#queue progress").value) < 1e-9`) {
		t.Error("the bar of all files is not that of the one that is left")
	}
	release()
	await(t, tab, isDone)
	checkStored(t, p, "first.bin", content)
	wantFiles(t, p, 1)
}

// What failed leaves the sum. Sent again while another is sent, it joins those
// that wait, and the sum.
func TestSendAgainWhileAnotherIsSent(t *testing.T) {
	t.Parallel()
	p, tab := start(t, nil), openTab(t)
	var posts atomic.Int32
	goOn := make(chan struct{})
	front := inFront(t, p, func(w http.ResponseWriter, r *http.Request, pass http.Handler) {
		switch posts.Add(1) {
		case 1:
			w.WriteHeader(http.StatusForbidden)
			return
		case 2:
			select {
			case <-goOn:
			case <-t.Context().Done(): // the test has failed
			}
		}
		pass.ServeHTTP(w, r)
	})
	openForm(t, tab, front)
	choose(t, tab, write(t, "first.txt", []byte("first")), write(t, "second.txt", []byte("second")))
	click(t, tab, "#send")
	await(t, tab, rowIs("first.txt", "failed")+" && "+rowIs("second.txt", "sending"))
	if got := text(t, tab, "#sum"); got != "Sending 1 file" {
		t.Errorf("the sum says %q", got)
	}
	press(t, tab, "first.txt", "again")
	await(t, tab, rowIs("first.txt", "waiting"))
	if got := text(t, tab, "#sum"); got != "Sending 1 of 2 files" {
		t.Errorf("the sum says %q", got)
	}
	close(goOn)
	await(t, tab, isDone)
	checkStored(t, p, "first.txt", []byte("first"))
	checkStored(t, p, "second.txt", []byte("second"))
}

// A file that is cancelled makes room for the next at once.
func TestCancelLetsTheNextGo(t *testing.T) {
	t.Parallel()
	p, tab := start(t, nil), openTab(t)
	var free atomic.Bool
	front := inFront(t, p, func(w http.ResponseWriter, r *http.Request, pass http.Handler) {
		if !free.Load() {
			select {
			case <-r.Context().Done():
			case <-t.Context().Done():
			}
			return
		}
		pass.ServeHTTP(w, r)
	})
	openForm(t, tab, front)
	choose(t, tab, write(t, "big.bin", make([]byte, big)), write(t, "small.txt", []byte("small")))
	click(t, tab, "#send")
	await(t, tab, rowIs("big.bin", "sending"))
	free.Store(true)
	press(t, tab, "big.bin", "cancel")
	await(t, tab, rowIs("small.txt", "stored"))
	wantStates(t, tab, "failed", "stored")
	click(t, tab, "#send") // sends what failed, too
	await(t, tab, isDone)
	wantFiles(t, p, 2)
}

// Three hundred files do not make the page long, and are removed at once.
func TestThreeHundredFiles(t *testing.T) {
	t.Parallel()
	p, tab := start(t, nil), openTab(t)
	drive(t, tab, chromedp.EmulateViewport(1000, 800))
	openForm(t, tab, p.url)
	if evaluate[bool](t, tab, `document.getElementById("remove-all").checkVisibility()`) {
		t.Error("all of nothing can be removed")
	}
	dropMany(t, tab, 300)
	if got := evaluate[int](t, tab, `document.documentElement.scrollHeight`); got > 2*800 {
		t.Errorf("the page is %d px long in a window of 800", got)
	}
	if got := evaluate[int](t, tab, `document.getElementById("file").files.length`); got != 300 {
		t.Errorf("the browser tells of %d files", got)
	}
	click(t, tab, "#remove-all")
	await(t, tab, `document.querySelectorAll("#queue > li").length === 0`)
	if !evaluate[bool](t, tab, `document.getElementById("queue").hidden && document.getElementById("file").files.length === 0 && document.activeElement.id === "file"`) {
		t.Error("the form is not as it was at first")
	}
}

// The limits are those of a request, and each file is one. So there may be more
// files than a form without script may have, and more bytes.
func TestTheLimitsAreOfEachFile(t *testing.T) {
	t.Parallel()
	p, tab := start(t, map[string]string{"UPLOAD_MAX_FILES": "2", "UPLOAD_MAX_BYTES": "1KiB"}), openTab(t)
	openForm(t, tab, p.url)
	choose(t, tab,
		write(t, "a.txt", make([]byte, 700)), write(t, "b.txt", make([]byte, 700)),
		write(t, "large.txt", make([]byte, 2<<10)), write(t, "c.txt", make([]byte, 700)))
	await(t, tab, rowSays("large.txt", "failed", "This file has 2 KiB, and we take at most 1 KiB. Please choose a smaller one."))
	click(t, tab, "#send")
	await(t, tab, rowIs("c.txt", "stored"))
	wantStates(t, tab, "stored", "stored", "failed", "stored")
	wantFiles(t, p, 3)
}

// An empty file says so in its row, and the nineteen others go.
func TestAnEmptyFileAmongTwenty(t *testing.T) {
	t.Parallel()
	p, tab := start(t, nil), openTab(t)
	openForm(t, tab, p.url)
	var files []string
	for i := range 20 {
		content := []byte("content")
		if i == 7 {
			content = nil
		}
		files = append(files, write(t, fmt.Sprintf("%d.txt", i), content))
	}
	choose(t, tab, files...)
	await(t, tab, rowSays("7.txt", "failed", "This file is empty. Please choose another one."))
	click(t, tab, "#send")
	await(t, tab, `document.title.startsWith("Not sent: 1 file · ")`)
	wantFiles(t, p, 19)
	if got := slices.DeleteFunc(states(t, tab), func(state string) bool { return state == "stored" }); !slices.Equal(got, []string{"failed"}) {
		t.Errorf("not stored are %q", got)
	}
	press(t, tab, "7.txt", "remove")
	await(t, tab, isDone)
	if got := evaluate[string](t, tab, `document.title`); !strings.HasPrefix(got, "Stored: 19 files · ") {
		t.Errorf("the title is %q", got)
	}
}

// Of a folder that is dropped, the files are taken, also those further in. It may
// be dropped anywhere on the page, which stays.
func TestAFolderIsDroppedBesideTheZone(t *testing.T) {
	t.Parallel()
	p, tab := start(t, nil), openTab(t)
	openForm(t, tab, p.url)
	folder := filepath.Join(t.TempDir(), "folder")
	if err := os.MkdirAll(filepath.Join(folder, "further", "in"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a.txt", "further/b.txt", "further/in/c.txt"} {
		if err := os.WriteFile(filepath.Join(folder, filepath.FromSlash(name)), []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	drag(t, tab, input.DispatchDragEventTypeDragEnter, 5, 5, folder)
	drag(t, tab, input.DispatchDragEventTypeDragOver, 5, 5, folder)
	await(t, tab, `document.querySelector(".drop.over") !== null`)
	// The headless browser tells no page that a drag has left it.
	drive(t, tab, chromedp.Evaluate[chromedp.Void](`void document.body.dispatchEvent(new DragEvent("dragleave", {bubbles: true}))`))
	await(t, tab, `document.querySelector(".drop.over") === null`)

	drop(t, tab, 5, 5, folder, write(t, "d.txt", []byte("d.txt")))
	await(t, tab, `document.querySelectorAll("#queue > li").length === 4 && document.querySelector(".drop.over") === null`)
	click(t, tab, "#send")
	await(t, tab, isDone)
	for name, content := range map[string]string{"a.txt": "a.txt", "b.txt": "further/b.txt", "c.txt": "further/in/c.txt", "d.txt": "d.txt"} {
		checkStored(t, p, name, []byte(content))
	}
	if got := evaluate[string](t, tab, `location.pathname`); got != "/upload" {
		t.Errorf("the tab shows %s", got)
	}

	// Another folder, on the list of what was stored: that is the next form.
	empty := filepath.Join(t.TempDir(), "nothing")
	if err := os.Mkdir(empty, 0o700); err != nil {
		t.Fatal(err)
	}
	drop(t, tab, 5, 5, empty)
	await(t, tab, `document.getElementById("file-error").textContent === "There are no files in what you dropped. Please choose others."`)
	if !evaluate[bool](t, tab, `document.getElementById("file-error").checkVisibility()`) {
		t.Error("the message is not to be seen")
	}
}
