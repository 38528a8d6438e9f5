package upload_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"iter"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"homepage/internal/upload"
)

func open(tb testing.TB) (*upload.Store, string) {
	tb.Helper()
	return openWith(tb, func(folder string) (*upload.Store, error) { return upload.Open(folder, 0) })
}

func openWith(tb testing.TB, opener func(folder string) (*upload.Store, error)) (*upload.Store, string) {
	tb.Helper()
	folder := tb.TempDir()
	store, err := opener(folder)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := store.Close(); err != nil {
			tb.Error(err)
		}
	})
	return store, folder
}

// text is a file of the given name and content.
func text(name, content string) upload.File {
	return upload.File{Name: name, Body: strings.NewReader(content)}
}

// sequence yields the files and then, if there is one, the error.
func sequence(err error, files ...upload.File) iter.Seq2[upload.File, error] {
	return func(yield func(upload.File, error) bool) {
		for _, file := range files {
			if !yield(file, nil) {
				return
			}
		}
		if err != nil {
			yield(upload.File{}, err)
		}
	}
}

// contents maps the name of every file in the folder, hidden ones included, to
// its content.
func contents(tb testing.TB, folder string) map[string]string {
	tb.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		tb.Fatal(err)
	}
	found := map[string]string{}
	for _, entry := range entries {
		content, err := os.ReadFile(filepath.Join(folder, entry.Name()))
		if err != nil {
			tb.Fatal(err)
		}
		found[entry.Name()] = string(content)
	}
	return found
}

func TestReceive(t *testing.T) {
	store, folder := open(t)
	receipts, err := store.Receive(0, sequence(nil, text("a.txt", "one"), text("../b.txt", "three"), text("a.txt", "two")))
	if err != nil {
		t.Fatal(err)
	}
	want := []upload.Receipt{
		{Name: "a.txt", Original: "a.txt", Bytes: 3, SHA256: sha256.Sum256([]byte("one"))},
		{Name: "b.txt", Original: "../b.txt", Bytes: 5, SHA256: sha256.Sum256([]byte("three"))},
		{Name: "a-1.txt", Original: "a.txt", Bytes: 3, SHA256: sha256.Sum256([]byte("two"))},
	}
	if diff := cmp.Diff(want, receipts); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]string{"a.txt": "one", "b.txt": "three", "a-1.txt": "two"}, contents(t, folder)); diff != "" {
		t.Error(diff)
	}
	info, err := os.Stat(filepath.Join(folder, "a.txt"))
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode()&0o111 != 0 {
		t.Errorf("mode %v: an upload is executable", info.Mode())
	}
}

func TestReceiveStoresAllOrNothing(t *testing.T) {
	errCut := errors.New("the sender went away")
	for _, test := range []struct {
		name  string
		files iter.Seq2[upload.File, error]
		want  error
	}{
		{"the sequence fails", sequence(errCut, text("a.txt", "one"), text("b.txt", "two")), errCut},
		{"a body fails midway", sequence(nil, text("a.txt", "one"), upload.File{Name: "b.txt", Body: io.MultiReader(strings.NewReader("tw"), iotest.ErrReader(errCut))}), errCut},
	} {
		t.Run(test.name, func(t *testing.T) {
			store, folder := open(t)
			receipts, err := store.Receive(0, test.files)
			if !errors.Is(err, test.want) || receipts != nil {
				t.Errorf("receipts %v and error %v, want none and %v", receipts, err, test.want)
			}
			if diff := cmp.Diff(map[string]string{}, contents(t, folder)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Temporary files that must have names are hidden; everything else is the same.
func TestNamedTemporaryFiles(t *testing.T) {
	store, folder := openWith(t, upload.OpenNamed)
	_, err := store.Receive(0, func(yield func(upload.File, error) bool) {
		yield(text("a.txt", "one"), nil)
		yield(text("a.txt", "two"), nil)
		found := contents(t, folder)
		for name := range found {
			if !strings.HasPrefix(name, ".part-") {
				t.Errorf("%s is visible before the end of the sequence", name)
			}
		}
		if len(found) != 2 {
			t.Errorf("%d temporary files, want 2", len(found))
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	errCut := errors.New("the sender went away")
	if _, err := store.Receive(0, sequence(errCut, text("b.txt", "three"))); !errors.Is(err, errCut) {
		t.Errorf("error %v, want the sequence's", err)
	}
	if diff := cmp.Diff(map[string]string{"a.txt": "one", "a-1.txt": "two"}, contents(t, folder)); diff != "" {
		t.Error(diff)
	}
}

// A body's panic reaches the caller, who can recover, and leaves nothing behind.
func TestABodyThatPanics(t *testing.T) {
	store, folder := open(t)
	defer func() {
		if recover() == nil {
			t.Error("the panic was lost")
		}
		if diff := cmp.Diff(map[string]string{}, contents(t, folder)); diff != "" {
			t.Error(diff)
		}
	}()
	_, _ = store.Receive(0, sequence(nil, upload.File{Name: "a.txt", Body: panicReader{}}))
}

type panicReader struct{}

func (panicReader) Read([]byte) (int, error) { panic("oh") }

func TestManySendersOfOneName(t *testing.T) {
	const senders = 48
	store, folder := open(t)
	var group sync.WaitGroup
	for i := range senders {
		group.Go(func() {
			if _, err := store.Receive(0, sequence(nil, text("same.txt", strconv.Itoa(i)))); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	seen := map[string]bool{}
	for _, content := range contents(t, folder) {
		seen[content] = true
	}
	if len(seen) != senders {
		t.Errorf("%d senders left %d different files", senders, len(seen))
	}
}

func TestOpenSweepsTheFolder(t *testing.T) {
	folder := t.TempDir()
	longAgo := time.Now().Add(-25 * time.Hour)
	for name, modified := range map[string]time.Time{".part-of-another-program": time.Now(), ".part-left-by-a-kill": longAgo, "kept.txt": longAgo, ".gitkeep": longAgo} {
		file := filepath.Join(folder, name)
		if err := errors.Join(os.WriteFile(file, nil, 0o600), os.Chtimes(file, modified, modified)); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		store, err := upload.Open(folder, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(map[string]string{".part-of-another-program": "", "kept.txt": "", ".gitkeep": ""}, contents(t, folder)); diff != "" {
		t.Error(diff)
	}
}

func TestOpenCreatesTheFolder(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "a", "b")
	store, err := upload.Open(folder, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if _, err := store.Receive(0, sequence(nil, text("a.txt", "one"))); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"a.txt": "one"}, contents(t, folder)); diff != "" {
		t.Error(diff)
	}
}

func TestOpenRefusesAFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "uploads")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := upload.Open(file, 0); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("error %v, want one that names %s", err, file)
	}
}

func BenchmarkReceive(b *testing.B) {
	store, folder := open(b)
	content := bytes.Repeat([]byte("0123456789abcdef"), 1<<20) // 16 MiB
	b.SetBytes(int64(len(content)))
	b.ReportAllocs()
	for b.Loop() {
		receipts, err := store.Receive(0, sequence(nil, upload.File{Name: "a.bin", Body: bytes.NewReader(content)}))
		if err != nil {
			b.Fatal(err)
		}
		if err := os.Remove(filepath.Join(folder, receipts[0].Name)); err != nil {
			b.Fatal(err)
		}
	}
}
