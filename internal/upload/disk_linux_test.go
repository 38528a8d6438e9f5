package upload_test

import (
	"errors"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"homepage/internal/upload"
)

// smallDisk mounts a real disk of 4 MiB. Only root may; others can't run what
// needs it.
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

func openAt(t *testing.T, folder string, reserve int64) *upload.Store {
	t.Helper()
	store, err := upload.Open(folder, reserve)
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

// zeros is a body of so many bytes.
func zeros(n int64) io.Reader { return io.LimitReader(zeroReader{}, n) }

type zeroReader struct{}

func (zeroReader) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// A disk that fills up amid an upload that announced less, as a lie or because
// another program writes there too.
func TestAFullDisk(t *testing.T) {
	folder := smallDisk(t, 0)
	store := openAt(t, folder, 0)
	receipts, err := store.Receive(1, sequence(nil, text("small.txt", "small"), upload.File{Name: "large.bin", Body: zeros(6 << 20)}))
	if !errors.Is(err, upload.ErrNoSpace) || receipts != nil {
		t.Errorf("receipts %v and error %v, want none and no space", receipts, err)
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

// unread fails the test if anything is asked of it.
func unread(t *testing.T) func(func(upload.File, error) bool) {
	t.Helper()
	return func(func(upload.File, error) bool) { t.Error("the form was read") }
}

func TestRoomIsSetAside(t *testing.T) {
	const mib = 1 << 20
	store := openAt(t, smallDisk(t, 0), 1*mib)
	if _, err := store.Receive(4*mib, unread(t)); !errors.Is(err, upload.ErrNoSpace) {
		t.Errorf("error %v for what would take the reserve, want no space", err)
	}

	read, write := io.Pipe()
	done := make(chan error)
	go func() {
		_, err := store.Receive(2*mib, sequence(nil, upload.File{Name: "first.bin", Body: read}))
		done <- err
	}()
	for _, chunk := range [][]byte{make([]byte, mib), {0}} { // once the second is taken, the first is on the disk
		if _, err := write.Write(chunk); err != nil {
			t.Fatal(err)
		}
	}
	// 4 in all, 1 reserved, 1 written, 1 still promised.
	if _, err := store.Receive(2*mib, unread(t)); !errors.Is(err, upload.ErrNoSpace) {
		t.Errorf("error %v for what another upload was promised, want no space", err)
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
	// It took 1 of the 2 that it was promised; the other is free again.
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

// Nothing is named before it is published, so that a kill leaves nothing.
func TestADraftHasNoName(t *testing.T) {
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
