package resumable_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"homepage/internal/resumable"
	"homepage/internal/upload"
	"homepage/internal/upload/disk"
)

const life = 24 * time.Hour

func open(tb testing.TB, folder string) *resumable.Uploads {
	tb.Helper()
	store, err := disk.Open(folder, 0)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = store.Close() })
	return resumable.New(store, 1<<30, life)
}

func part(offset int64, content string, last bool) resumable.Part {
	return resumable.Part{Offset: offset, Size: int64(len(content)), Length: -1, Last: last, Body: strings.NewReader(content), Stop: func() {}}
}

func begin(tb testing.TB, uploads *resumable.Uploads) string {
	tb.Helper()
	id, _, err := uploads.Create(tb.Context(), "a.txt", part(0, "", false))
	if err != nil {
		tb.Fatal(err)
	}
	return id
}

func add(tb testing.TB, uploads *resumable.Uploads, id string, p resumable.Part) upload.State {
	tb.Helper()
	state, err := uploads.Append(tb.Context(), id, p)
	if err != nil {
		tb.Fatal(err)
	}
	return state
}

// files lists the hidden files of uploads in parts.
func files(tb testing.TB, folder string) []os.DirEntry {
	tb.Helper()
	entries, err := os.ReadDir(filepath.Join(folder, ".resumable"))
	if err != nil {
		tb.Fatal(err)
	}
	return entries
}

// An upload lives for its time after the last byte, and then leaves nothing. What
// it was published as stays.
func TestUploadsExpire(t *testing.T) {
	folder := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		uploads := open(t, folder)
		abandoned, kept, finished := begin(t, uploads), begin(t, uploads), begin(t, uploads)
		add(t, uploads, finished, part(0, "done", true))
		time.Sleep(life - time.Second)
		add(t, uploads, kept, part(0, "x", false))
		if state, err := uploads.State(t.Context(), abandoned); err != nil || uploads.Left(state) != time.Second {
			t.Errorf("%v left: %v", uploads.Left(state), err)
		}
		time.Sleep(2 * time.Second)
		for _, id := range []string{abandoned, finished} {
			if _, err := uploads.State(t.Context(), id); !errors.Is(err, upload.ErrUnknown) {
				t.Errorf("an expired upload: %v", err)
			}
			if _, err := uploads.Append(t.Context(), id, part(0, "x", true)); !errors.Is(err, upload.ErrUnknown) {
				t.Errorf("a part of an expired upload: %v", err)
			}
		}
		ctx, stop := context.WithCancel(t.Context())
		go uploads.Sweep(ctx, slog.New(slog.DiscardHandler))
		time.Sleep(time.Second)
		synctest.Wait()
		if got := files(t, folder); len(got) != 2 || !strings.HasPrefix(got[0].Name(), kept) {
			t.Errorf("%v are left after a sweep, want those of %s", got, kept)
		}
		time.Sleep(2 * life)
		synctest.Wait()
		if got := files(t, folder); len(got) > 0 {
			t.Errorf("%v are left at last", got)
		}
		stop()
		synctest.Wait()
		if content, err := os.ReadFile(filepath.Join(folder, "a.txt")); err != nil || string(content) != "done" {
			t.Errorf("the file of the finished one: %q, %v", content, err)
		}
	})
}

// waiting is a body that brings a letter and then waits until it is stopped.
type waiting struct {
	letter  string
	begun   chan struct{}
	stopped chan struct{}
}

var errStopped = errors.New("stopped")

func (w *waiting) Read(p []byte) (int, error) {
	if w.letter != "" {
		n := copy(p, w.letter)
		w.letter = ""
		return n, nil
	}
	close(w.begun)
	<-w.stopped
	return 0, errStopped
}

// Whoever comes last has the upload: those before are stopped, and what they
// brought is kept.
func TestTheNewestHasTheUpload(t *testing.T) {
	uploads := open(t, t.TempDir())
	id := begin(t, uploads)
	const rounds = 5
	for n := range int64(rounds) {
		w := &waiting{letter: "x", begun: make(chan struct{}), stopped: make(chan struct{})}
		ended := make(chan error)
		go func() {
			_, err := uploads.Append(t.Context(), id, resumable.Part{Offset: n, Size: -1, Length: -1, Body: w, Stop: func() { close(w.stopped) }})
			ended <- err
		}()
		<-w.begun
		state, err := uploads.State(t.Context(), id)
		if err != nil || state.Offset != n+1 {
			t.Errorf("round %d: offset %d, %v", n, state.Offset, err)
		}
		if err := <-ended; !errors.Is(err, resumable.ErrEvicted) {
			t.Errorf("round %d: the older one ended with %v", n, err)
		}
	}
	if state := add(t, uploads, id, part(rounds, "", true)); state.Receipt == nil || state.Receipt.Bytes != rounds {
		t.Errorf("the receipt is %+v", state.Receipt)
	}
}

// A body that fails is kept as far as it came, also where the digest is in the
// midst of a block.
func TestPartsOfAnyLengthMakeOneDigest(t *testing.T) {
	folder := t.TempDir()
	content := bytes.Repeat([]byte("0123456789"), 500_000)
	uploads := open(t, folder)
	id, state, err := uploads.Create(t.Context(), "a.bin", resumable.Part{Size: 0, Length: int64(len(content))})
	if err != nil {
		t.Fatal(err)
	}
	failed := errors.New("cut off")
	for n := int64(1); state.Offset < int64(len(content)); n = n*3 + 1 {
		rest := content[state.Offset:]
		body := io.MultiReader(bytes.NewReader(rest[:min(n, int64(len(rest)))]), failing{failed})
		p := resumable.Part{Offset: state.Offset, Size: int64(len(rest)), Length: -1, Last: true, Body: body, Stop: func() {}}
		uploads = open(t, folder) // as after a restart
		if state, err = uploads.Append(t.Context(), id, p); !errors.Is(err, failed) || state.Receipt != nil {
			t.Fatalf("%+v, %v", state, err)
		}
	}
	state = add(t, uploads, id, part(state.Offset, "", true))
	stored, err := os.ReadFile(filepath.Join(folder, "a.bin"))
	if err != nil || !bytes.Equal(stored, content) {
		t.Errorf("%d bytes are stored, want %d: %v", len(stored), len(content), err)
	}
	if other := add(t, open(t, folder), id, part(state.Offset, "", true)); *other.Receipt != *state.Receipt {
		t.Errorf("then the receipt is %+v, and was %+v", other.Receipt, state.Receipt)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// BenchmarkUnfinished tells what an upload that waits to be gone on with takes of
// the memory.
func BenchmarkUnfinished(b *testing.B) {
	uploads := open(b, b.TempDir())
	before := heap()
	for b.Loop() {
		add(b, uploads, begin(b, uploads), part(0, "x", false))
	}
	b.ReportMetric((heap()-before)/float64(b.N), "heap-B/upload")
}

func heap() float64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return float64(stats.HeapAlloc)
}
