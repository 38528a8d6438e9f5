package upload_test

import (
	"errors"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"homepage/internal/upload"
)

// smallDisk mounts a real file system of 4 MiB, which only root may do. For
// others it skips the test.
func smallDisk(t *testing.T, flags uintptr) string {
	t.Helper()
	folder := t.TempDir()
	err := unix.Mount("none", folder, "tmpfs", flags, "size=4m")
	if errors.Is(err, unix.EPERM) {
		t.Skip("this test mounts a small disk, which only root may")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(folder, 0); err != nil {
			t.Error(err)
		}
	})
	return folder
}

func openAt(t *testing.T, folder string, keepFree int64) *upload.Store {
	t.Helper()
	store, err := upload.Open(folder, keepFree)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store
}

// zeros is a body of n bytes.
func zeros(n int64) io.Reader { return io.LimitReader(zeroReader{}, n) }

type zeroReader struct{}

func (zeroReader) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// The disk fills up in the middle of an upload that announced less, or while
// another program writes to it too.
func TestAFullDisk(t *testing.T) {
	folder := smallDisk(t, 0)
	store := openAt(t, folder, 0)
	receipts, err := store.Receive(1, sequence(nil, text("small.txt", "small"), upload.File{Name: "large.bin", Body: zeros(6 << 20)}))
	if !errors.Is(err, upload.ErrNoSpace) || receipts != nil {
		t.Errorf("receipts %v and error %v, want none and ErrNoSpace", receipts, err)
	}
	if diff := cmp.Diff(map[string]string{}, contents(t, folder)); diff != "" {
		t.Error(diff)
	}
	if _, err := store.Receive(5, sequence(nil, text("small.txt", "small"))); err != nil {
		t.Errorf("the next small file: %v", err)
	}
	if diff := cmp.Diff(map[string]string{"small.txt": "small"}, contents(t, folder)); diff != "" {
		t.Error(diff)
	}
}

// unread is a sequence that fails the test if it is asked for a file.
func unread(t *testing.T) func(func(upload.File, error) bool) {
	t.Helper()
	return func(func(upload.File, error) bool) { t.Error("the first file was asked for") }
}

func TestSpaceIsReserved(t *testing.T) {
	const mib = 1 << 20
	store := openAt(t, smallDisk(t, 0), 1*mib)
	if _, err := store.Receive(4*mib, unread(t)); !errors.Is(err, upload.ErrNoSpace) {
		t.Errorf("error %v for what would leave too little free, want ErrNoSpace", err)
	}

	read, write := io.Pipe()
	done := make(chan error)
	go func() {
		_, err := store.Receive(2*mib, sequence(nil, upload.File{Name: "first.bin", Body: read}))
		done <- err
	}()
	for _, piece := range [][]byte{make([]byte, mib), {0}} { // once the second is read, the first is on the disk
		if _, err := write.Write(piece); err != nil {
			t.Fatal(err)
		}
	}
	// Of 4 MiB, 1 is to stay free, 1 is written and 1 still reserved.
	if _, err := store.Receive(2*mib, unread(t)); !errors.Is(err, upload.ErrNoSpace) {
		t.Errorf("error %v for what another upload has reserved, want ErrNoSpace", err)
	}
	if _, err := store.Receive(mib/2, sequence(nil, text("beside.txt", "beside"))); err != nil {
		t.Errorf("what fits beside it: %v", err)
	}
	if err := write.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Errorf("the first upload: %v", err)
	}
	// It used 1 of the 2 MiB that it had reserved; the other is free again.
	if _, err := store.Receive(3*mib/2, sequence(nil, text("after.txt", "after"))); err != nil {
		t.Errorf("what fits after it: %v", err)
	}
}

func TestOpenRefusesAFolderThatCantBeWritten(t *testing.T) {
	folder := smallDisk(t, unix.MS_RDONLY)
	if _, err := upload.Open(folder, 0); !errors.Is(err, unix.EROFS) {
		t.Errorf("error %v, want that the file system is read-only", err)
	}
}

// Nothing has a name until it is published, so a killed program leaves nothing
// behind.
func TestATemporaryFileHasNoName(t *testing.T) {
	store, folder := open(t)
	_, err := store.Receive(0, func(yield func(upload.File, error) bool) {
		yield(text("a.txt", "one"), nil)
		if diff := cmp.Diff(map[string]string{}, contents(t, folder)); diff != "" {
			t.Error(diff)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"a.txt": "one"}, contents(t, folder)); diff != "" {
		t.Error(diff)
	}
}
