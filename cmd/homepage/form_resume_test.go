package main

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"
)

// fallsOfBars counts how often a bar of the queue goes back.
const fallsOfBars = `{
	window.falls = 0;
	new MutationObserver((changes) => {
		for (const { target, oldValue } of changes) {
			if (target.hasAttribute("value") && Number(target.getAttribute("value")) < Number(oldValue)) falls++;
		}
	}).observe(document, { subtree: true, attributeFilter: ["value"], attributeOldValue: true });
}`

// arrived is an expression for whether so many bytes of the only file are said
// to be sent.
func arrived(part float64) string {
	return fmt.Sprintf(`document.querySelector("#queue progress").value > %v`, part)
}

// The program is killed amid a file and started again, and the form goes on
// where it was, by itself.
func TestTheFormOutlivesAKill(t *testing.T) {
	t.Parallel()
	tab, folder := openTab(t), t.TempDir()
	content := bytes.Repeat([]byte("A kill costs seconds, not the upload. "), 400_000) // 15 MB
	cmd, p := spawn(t, folder)
	l := newLine(t, p.url)
	l.slow(8 << 20)
	hasten(t, tab, 4)
	beforehand(t, tab, fallsOfBars)
	openForm(t, tab, l.url)
	choose(t, tab, write(t, "film.bin", content))
	click(t, tab, "#send")
	await(t, tab, arrived(0.6))
	kill(t, cmd)
	await(t, tab, rowSays("film.bin", "network", "Waiting for the network…"))
	cmd, p = spawn(t, folder)
	defer kill(t, cmd)
	l.lead(p.url)
	await(t, tab, isDone)
	checkStored(t, p, "film.bin", content)
	wantFiles(t, p, 1)
	if falls := evaluate[int](t, tab, `falls`); falls > 0 {
		t.Errorf("a bar went back %d times", falls)
	}
	// What lay on the way was sent again, and at most 4 MiB that had arrived.
	if extra := l.bytes() - int64(len(content)); extra > 10<<20 {
		t.Errorf("%d bytes were sent twice", extra)
	}
}

// A page that is reloaded has lost its files. The same one, chosen again, goes on
// where it was, or anew if the visitor says so.
func TestTheFormGoesOnAfterAReload(t *testing.T) {
	t.Parallel()
	for _, startOver := range []bool{false, true} {
		t.Run(fmt.Sprint("start over ", startOver), func(t *testing.T) {
			t.Parallel()
			p, tab := start(t, nil), openTab(t)
			leaveWhenAsked(t, tab)
			content := bytes.Repeat([]byte("It is here already. "), 600_000) // 12 MB
			file := write(t, "film.bin", content)
			l := newLine(t, p.url)
			l.slow(4 << 20)
			openForm(t, tab, l.url)
			choose(t, tab, file)
			click(t, tab, "#send")
			await(t, tab, arrived(0.7))
			drive(t, tab, chromedp.Reload())
			await(t, tab, `document.querySelector("#upload.scripted") !== null && document.querySelectorAll("#queue li").length === 0`)
			l.restore()
			before := l.bytes()
			choose(t, tab, file)
			await(t, tab, row("film.bin")+`.querySelector(".state").textContent.endsWith("of it are here already")`)
			if startOver {
				press(t, tab, "film.bin", "over")
				await(t, tab, rowSays("film.bin", "chosen", "11.4 MiB"))
			}
			click(t, tab, "#send")
			await(t, tab, isDone)
			checkStored(t, p, "film.bin", content)
			wantFiles(t, p, 1)
			if again := l.bytes() - before; (again > int64(len(content))) != startOver {
				t.Errorf("%d of %d bytes were sent after the reload", again, len(content))
			}
			if kept := evaluate[int](t, tab, `Object.keys(localStorage).length`); kept != 0 {
				t.Errorf("%d keys are left in the storage", kept)
			}
		})
	}
}

// Of another file of the same name and size nothing is here.
func TestAnotherFileIsNotGoneOnWith(t *testing.T) {
	t.Parallel()
	p, tab := start(t, nil), openTab(t)
	leaveWhenAsked(t, tab)
	l := newLine(t, p.url)
	l.slow(4 << 20)
	openForm(t, tab, l.url)
	choose(t, tab, write(t, "film.bin", bytes.Repeat([]byte("one"), 4<<20)))
	click(t, tab, "#send")
	await(t, tab, arrived(0.5))
	drive(t, tab, chromedp.Reload())
	await(t, tab, `document.querySelector("#upload.scripted") !== null && document.querySelectorAll("#queue li").length === 0`)
	l.restore()
	another := bytes.Repeat([]byte("two"), 4<<20)
	choose(t, tab, write(t, "film.bin", another))
	click(t, tab, "#send")
	await(t, tab, isDone)
	checkStored(t, p, "film.bin", another)
}
