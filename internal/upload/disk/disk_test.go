package disk_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
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
	"homepage/internal/upload/disk"
)

func open(tb testing.TB) (*disk.Store, string) {
	tb.Helper()
	return openWith(tb, func(folder string) (*disk.Store, error) { return disk.Open(folder, 0) })
}

func openWith(tb testing.TB, opener func(folder string) (*disk.Store, error)) (*disk.Store, string) {
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
	receipts, err := store.Receive(upload.Form{Files: sequence(nil, text("a.txt", "one"), text("../b.txt", "three"), text("a.txt", "two"))})
	if err != nil {
		t.Fatal(err)
	}
	want := []upload.Receipt{
		{Name: "a.txt", Original: "a.txt", Bytes: 3, SHA256: sha256.Sum256([]byte("one"))},
		{Name: "b.txt", Original: "../b.txt", Bytes: 5, SHA256: sha256.Sum256([]byte("three"))},
		{Name: "a-1.txt", Original: "a.txt", Existed: "a.txt", Bytes: 3, SHA256: sha256.Sum256([]byte("two"))},
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
			receipts, err := store.Receive(upload.Form{Files: test.files})
			if !errors.Is(err, test.want) || receipts != nil {
				t.Errorf("receipts %v and error %v, want none and %v", receipts, err, test.want)
			}
			if diff := cmp.Diff(map[string]string{}, contents(t, folder)); diff != "" {
				t.Error(diff)
			}
		})
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
	_, _ = store.Receive(upload.Form{Files: sequence(nil, upload.File{Name: "a.txt", Body: panicReader{}})})
}

type panicReader struct{}

func (panicReader) Read([]byte) (int, error) { panic("oh") }

func TestManySendersOfOneName(t *testing.T) {
	store, folder := open(t)
	manySendersOfOneName(t, store, folder)
}

func manySendersOfOneName(t *testing.T, store *disk.Store, folder string) {
	t.Helper()
	const senders = 48
	var group sync.WaitGroup
	for i := range senders {
		group.Go(func() {
			if _, err := store.Receive(upload.Form{Files: sequence(nil, text("same.txt", strconv.Itoa(i)))}); err != nil {
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

// manyOfOneName makes files as if that many of one name had been uploaded.
func manyOfOneName(tb testing.TB, folder string, n int) {
	tb.Helper()
	for i := range n {
		name := fmt.Sprintf("notes-%d.txt", i)
		if i == 0 {
			name = "notes.txt"
		}
		if err := os.WriteFile(filepath.Join(folder, name), nil, 0o600); err != nil {
			tb.Fatal(err)
		}
	}
}

func TestVariantsOfAName(t *testing.T) {
	for _, test := range []struct {
		files int
		gaps  []string // removed again
		want  string
	}{
		{1, nil, "notes-1.txt"},
		{9, nil, "notes-9.txt"},
		{10, nil, "notes-10.txt"},
		{11, nil, "notes-11.txt"},
		{25, nil, "notes-25.txt"},
		{25, []string{"notes-3.txt"}, "notes-3.txt"},
		{21, []string{"notes-10.txt"}, "notes-10.txt"},
		{500, []string{"notes-20.txt", "notes-21.txt"}, "notes-20.txt"},
	} {
		t.Run(fmt.Sprint(test.files, test.gaps), func(t *testing.T) {
			store, folder := open(t)
			manyOfOneName(t, folder, test.files)
			for _, name := range test.gaps {
				if err := os.Remove(filepath.Join(folder, name)); err != nil {
					t.Fatal(err)
				}
			}
			receipts, err := store.Receive(upload.Form{Size: 3, Files: sequence(nil, text("notes.txt", "new"))})
			if err != nil {
				t.Fatal(err)
			}
			if got := receipts[0].Name; got != test.want {
				t.Errorf("stored as %s, want %s", got, test.want)
			}
			for name, content := range contents(t, folder) {
				if (content != "") != (name == test.want) {
					t.Errorf("%s holds %q", name, content)
				}
			}
		})
	}
}

// A name is found in a few steps even if 20,000 files have it: trying each in
// turn takes hundreds of milliseconds.
func TestTheTwentyThousandthFileOfAName(t *testing.T) {
	store, folder := open(t)
	manyOfOneName(t, folder, 20_000)
	fastest := time.Hour
	for i := range 5 {
		start := time.Now()
		receipts, err := store.Receive(upload.Form{Size: 1, Files: sequence(nil, text("notes.txt", "x"))})
		if err != nil {
			t.Fatal(err)
		}
		fastest = min(fastest, time.Since(start))
		if got, want := receipts[0].Name, fmt.Sprintf("notes-%d.txt", 20_000+i); got != want {
			t.Errorf("stored as %s, want %s", got, want)
		}
	}
	if fastest > 100*time.Millisecond {
		t.Errorf("the fastest of five took %v", fastest)
	}
	t.Logf("the fastest of five took %v", fastest)
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
		store, err := disk.Open(folder, 0)
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
	store, err := disk.Open(folder, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if _, err := store.Receive(upload.Form{Files: sequence(nil, text("a.txt", "one"))}); err != nil {
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
	if _, err := disk.Open(file, 0); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("error %v, want one that names %s", err, file)
	}
}

func BenchmarkReceive(b *testing.B) {
	store, folder := open(b)
	content := bytes.Repeat([]byte("0123456789abcdef"), 1<<20) // 16 MiB
	b.SetBytes(int64(len(content)))
	b.ReportAllocs()
	for b.Loop() {
		receipts, err := store.Receive(upload.Form{Files: sequence(nil, upload.File{Name: "a.bin", Body: bytes.NewReader(content)})})
		if err != nil {
			b.Fatal(err)
		}
		if err := os.Remove(filepath.Join(folder, receipts[0].Name)); err != nil {
			b.Fatal(err)
		}
	}
}
