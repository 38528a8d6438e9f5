package disk_test

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"homepage/internal/upload"
	"homepage/internal/upload/disk"
)

// smallDisk mounts a real file system of 4 MiB, which only root may do. For
// others it skips the test.
func smallDisk(t *testing.T, flags uintptr) string {
	t.Helper()
	return mount(t, "tmpfs", flags, "size=4m")
}

func mount(t *testing.T, kind string, flags uintptr, options string) string {
	t.Helper()
	folder := t.TempDir()
	err := unix.Mount("none", folder, kind, flags, options)
	if errors.Is(err, unix.EPERM) {
		t.Skip("this test mounts a file system, which only root may")
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

// lyingDisk mounts a file system of 300 MiB on a device that has only 40, so that
// it takes more than it can keep, and says so only when it is told to sync.
func lyingDisk(t *testing.T) string {
	t.Helper()
	if _, err := os.Stat("/dev/loop-control"); err != nil {
		t.Skip("this test needs a loop device: ", err)
	}
	image := filepath.Join(mount(t, "tmpfs", 0, "size=40m"), "image")
	folder := t.TempDir()
	for _, command := range [][]string{
		{"truncate", "--size=300M", image},
		{"mkfs.ext4", "-q", "-O", "^has_journal", image},
		{"mount", "-o", "loop", image, folder},
	} {
		if out, err := exec.CommandContext(t.Context(), command[0], command[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", command, err, out)
		}
	}
	t.Cleanup(func() {
		if err := unix.Unmount(folder, 0); err != nil {
			t.Error(err)
		}
	})
	return folder
}

func openAt(t *testing.T, folder string, keepFree int64) *disk.Store {
	t.Helper()
	store, err := disk.Open(folder, keepFree)
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
	receipts, err := store.Receive(upload.Form{Size: 1, Files: sequence(nil, text("small.txt", "small"), upload.File{Name: "large.bin", Body: zeros(6 << 20)})})
	if !errors.Is(err, upload.ErrNoSpace) || receipts != nil {
		t.Errorf("receipts %v and error %v, want none and ErrNoSpace", receipts, err)
	}
	if diff := cmp.Diff(map[string]string{}, contents(t, folder)); diff != "" {
		t.Error(diff)
	}
	if _, err := store.Receive(upload.Form{Size: 5, Files: sequence(nil, text("small.txt", "small"))}); err != nil {
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

func TestWhatWouldNotFitIsRefusedAtOnce(t *testing.T) {
	const mib = 1 << 20
	store := openAt(t, smallDisk(t, 0), 1*mib)
	if _, err := store.Receive(upload.Form{Size: 4 * mib, Files: unread(t)}); !errors.Is(err, upload.ErrNoSpace) {
		t.Errorf("error %v for what would leave too little free, want ErrNoSpace", err)
	}
	if _, err := store.Receive(upload.Form{Size: -1, Files: sequence(nil, text("small.txt", "abc"))}); err != nil {
		t.Errorf("3 bytes that were not announced: %v", err)
	}
}

// What an upload has announced but not sent is there for the others.
func TestAnIdleUploadHoldsNoSpace(t *testing.T) {
	const mib = 1 << 20
	folder := smallDisk(t, 0)
	store := openAt(t, folder, 1*mib)
	read, write := io.Pipe()
	done := make(chan error)
	go func() {
		_, err := store.Receive(upload.Form{Size: 2 * mib, Files: sequence(nil, upload.File{Name: "idle.bin", Body: read})})
		_ = read.CloseWithError(err)
		done <- err
	}()
	for _, piece := range [][]byte{make([]byte, mib), {0}} { // once the second is read, the first is on the disk
		if _, err := write.Write(piece); err != nil {
			t.Fatal(err)
		}
	}
	// Of 4 MiB, 1 is to stay free and 1 is written.
	if _, err := store.Receive(upload.Form{Size: 7 * mib / 4, Files: sequence(nil, upload.File{Name: "quick.bin", Body: zeros(7 * mib / 4)})}); err != nil {
		t.Errorf("what fits now: %v", err)
	}
	// The idle one now comes too late.
	_, _ = write.Write(make([]byte, mib)) // may be read whole before it is found not to fit
	_ = write.Close()
	if err := <-done; !errors.Is(err, upload.ErrNoSpace) {
		t.Errorf("the idle upload: error %v, want ErrNoSpace", err)
	}
	if found := contents(t, folder); len(found) != 1 || len(found["quick.bin"]) != 7*mib/4 {
		t.Errorf("%d files, want quick.bin alone", len(found))
	}
}

// However many write at once, the reserve stays free.
func TestUploadsTogetherLeaveTheReserve(t *testing.T) {
	const mib, keepFree = 1 << 20, 1 << 20
	folder := smallDisk(t, 0)
	store := openAt(t, folder, keepFree)
	var group sync.WaitGroup
	var least atomic.Int64
	least.Store(4 * mib)
	for i := range 8 {
		group.Go(func() {
			body := watchedReader(func() {
				var disk unix.Statfs_t
				if err := unix.Statfs(folder, &disk); err != nil {
					t.Error(err)
				}
				free := int64(disk.Bavail) * disk.Bsize
				for seen := least.Load(); free < seen && !least.CompareAndSwap(seen, free); seen = least.Load() {
				}
			})
			_, err := store.Receive(upload.Form{Size: -1, Files: sequence(nil, upload.File{Name: strconv.Itoa(i), Body: body})})
			if !errors.Is(err, upload.ErrNoSpace) {
				t.Errorf("error %v of an upload without end, want ErrNoSpace", err)
			}
		})
	}
	group.Wait()
	if got := least.Load(); got < keepFree || got > 2*mib {
		t.Errorf("at least %d bytes were free, want the %d of the reserve and not much more", got, keepFree)
	}
	if diff := cmp.Diff(map[string]string{}, contents(t, folder)); diff != "" {
		t.Error(diff)
	}
}

// watchedReader is a body without end that calls the function at each read.
type watchedReader func()

func (w watchedReader) Read(p []byte) (int, error) {
	w()
	p = p[:min(len(p), 64<<10)]
	clear(p)
	return len(p), nil
}

func TestOpenRefusesAFolderThatCantBeWritten(t *testing.T) {
	folder := smallDisk(t, unix.MS_RDONLY)
	if _, err := disk.Open(folder, 0); !errors.Is(err, unix.EROFS) {
		t.Errorf("error %v, want that the file system is read-only", err)
	}
}

// The file system of message queues knows neither links nor renaming.
func TestOpenRefusesAFileSystemThatCantPublish(t *testing.T) {
	folder := mount(t, "mqueue", 0, "")
	_, err := disk.Open(folder, 0)
	if err == nil {
		t.Fatal("it was accepted")
	}
	for _, want := range []string{folder, "(mqueue)", "choose a folder on another"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error %q does not say %q", err, want)
		}
	}
	if diff := cmp.Diff(map[string]string{}, contents(t, folder)); diff != "" {
		t.Error(diff)
	}
}

// Nothing has a name until it is published, so a killed program leaves nothing
// behind.
func TestATemporaryFileHasNoName(t *testing.T) {
	store, folder := open(t)
	arriving := func(yield func(upload.File, error) bool) {
		yield(text("a.txt", "one"), nil)
		if diff := cmp.Diff(map[string]string{}, contents(t, folder)); diff != "" {
			t.Error(diff)
		}
	}
	_, err := store.Receive(upload.Form{Files: arriving})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"a.txt": "one"}, contents(t, folder)); diff != "" {
		t.Error(diff)
	}
}

// Where temporary files must have names, they are hidden; everything else is
// the same.
func TestTemporaryFilesWithNames(t *testing.T) {
	for n, kind := range map[int]string{1: "linked", 2: "renamed"} {
		t.Run(kind, func(t *testing.T) {
			store, folder := openWith(t, func(folder string) (*disk.Store, error) { return disk.OpenNth(folder, n) })
			arriving := func(yield func(upload.File, error) bool) {
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
			}
			_, err := store.Receive(upload.Form{Files: arriving})
			if err != nil {
				t.Fatal(err)
			}
			errCut := errors.New("the sender went away")
			if _, err := store.Receive(upload.Form{Files: sequence(errCut, text("b.txt", "three"))}); !errors.Is(err, errCut) {
				t.Errorf("error %v, want the sequence's", err)
			}
			if diff := cmp.Diff(map[string]string{"a.txt": "one", "a-1.txt": "two"}, contents(t, folder)); diff != "" {
				t.Error(diff)
			}
			if err := errors.Join(os.Remove(filepath.Join(folder, "a.txt")), os.Remove(filepath.Join(folder, "a-1.txt"))); err != nil {
				t.Fatal(err)
			}
			manySendersOfOneName(t, store, folder)
		})
	}
}

// A sync that fails while more is written is final: the one at the end would not
// know of it.
func TestASyncThatFailsMidway(t *testing.T) {
	folder := lyingDisk(t)
	store := openAt(t, folder, 0)
	_, err := store.Receive(upload.Form{Size: -1, Files: sequence(nil, upload.File{Name: "a", Body: zeros(64 << 20)})})
	if !errors.Is(err, upload.ErrNoSpace) { // later syncs say EIO
		t.Errorf("error %v, want %v", err, upload.ErrNoSpace)
	}
	if _, err := os.Stat(filepath.Join(folder, "a")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v, want nothing to be stored", err)
	}
}
