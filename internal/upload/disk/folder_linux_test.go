package disk_test

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"homepage/internal/upload"
	"homepage/internal/upload/disk"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wantUnavailable checks that no upload can be stored, for the reason, which
// tells nothing of the machine.
func wantUnavailable(t *testing.T, store *disk.Store, reason string) {
	t.Helper()
	_, err := store.Receive(upload.Form{Size: -1, Files: sequence(nil, text("refused.txt", "refused"))})
	if unavailable, ok := errors.AsType[*upload.UnavailableError](err); !ok || unavailable.Reason != reason {
		t.Errorf("an upload: error %v, want that %s", err, reason)
	}
	wantTry(t, store, reason)
}

func wantTry(t *testing.T, store *disk.Store, reason string) {
	t.Helper()
	if got, err := store.Try(); got != reason || (err != nil) != (reason != "") {
		t.Errorf("a try: %q and %v, want %q", got, err, reason)
	}
}

func wantStored(t *testing.T, store *disk.Store, folder, name string) {
	t.Helper()
	wantTry(t, store, "")
	if _, err := store.Receive(upload.Form{Size: -1, Files: sequence(nil, text(name, name))}); err != nil {
		t.Errorf("an upload: %v", err)
	}
	if got := contents(t, folder)[name]; got != name {
		t.Errorf("%s holds %q", name, got)
	}
}

func TestAFolderThatIsDeletedAndMadeAgain(t *testing.T) {
	store, folder := open(t)
	wantStored(t, store, folder, "before.txt")
	must(t, os.RemoveAll(folder))
	wantUnavailable(t, store, "the folder is missing")
	if _, err := os.Stat(folder); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v, want that the folder is not made while the program runs", err)
	}
	must(t, os.WriteFile(folder, nil, 0o600))
	wantUnavailable(t, store, "the folder is missing")
	must(t, os.Remove(folder))
	must(t, os.Mkdir(folder, 0o700))
	wantStored(t, store, folder, "after.txt")
}

// openFolders counts what this process has open of a folder.
func openFolders(t *testing.T, folder string) (n int) {
	t.Helper()
	open, err := os.ReadDir("/proc/self/fd")
	must(t, err)
	for _, entry := range open {
		if target, err := os.Readlink("/proc/self/fd/" + entry.Name()); err == nil && strings.HasPrefix(target, folder) {
			n++
		}
	}
	return n
}

func TestAFolderThatIsMoved(t *testing.T) {
	store, folder := open(t)
	wantStored(t, store, folder, "before.txt")
	moved := filepath.Join(t.TempDir(), "moved")
	must(t, os.Rename(folder, moved))
	wantUnavailable(t, store, "the folder is missing")
	must(t, os.Mkdir(folder, 0o700))
	wantStored(t, store, folder, "after.txt")
	if diff := cmp.Diff(map[string]string{"before.txt": "before.txt"}, contents(t, moved)); diff != "" {
		t.Error(diff)
	}
	if n := openFolders(t, moved); n > 0 {
		t.Errorf("the moved folder is still open %d times", n)
	}
}

// What an upload is told to be stored is where the path leads at that time.
func TestAFolderThatIsReplacedAmidAnUpload(t *testing.T) {
	for n, kind := range []string{"unnamed", "linked", "renamed"} {
		t.Run(kind, func(t *testing.T) {
			store, folder := openWith(t, func(folder string) (*disk.Store, error) { return disk.OpenNth(folder, n) })
			moved := filepath.Join(t.TempDir(), "moved")
			read, write := io.Pipe()
			ended := make(chan error)
			go func() {
				_, err := store.Receive(upload.Form{Size: -1, Files: sequence(nil, text("whole.txt", "whole"), upload.File{Name: "slow.txt", Body: read})})
				_ = read.CloseWithError(err)
				ended <- err
			}()
			_, err := write.Write([]byte("slow"))
			must(t, err)
			must(t, os.Rename(folder, moved))
			must(t, os.Mkdir(folder, 0o700))
			wantStored(t, store, folder, "another.txt")
			must(t, write.Close())
			err = <-ended
			if unavailable, ok := errors.AsType[*upload.UnavailableError](err); !ok || unavailable.Reason != "the folder was replaced" {
				t.Errorf("error %v, want that the folder was replaced", err)
			}
			if diff := cmp.Diff(map[string]string{}, contents(t, moved)); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(map[string]string{"another.txt": "another.txt"}, contents(t, folder)); diff != "" {
				t.Error(diff)
			}
			if n := openFolders(t, moved); n > 0 {
				t.Errorf("the moved folder is still open %d times", n)
			}
		})
	}
}

func TestADiskThatBecomesReadOnly(t *testing.T) {
	folder := smallDisk(t, 0)
	store := openAt(t, folder, 0)
	wantStored(t, store, folder, "before.txt")
	must(t, unix.Mount("none", folder, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""))
	wantUnavailable(t, store, "the folder can't be written to")
	must(t, unix.Mount("none", folder, "", unix.MS_REMOUNT, ""))
	wantStored(t, store, folder, "after.txt")
}

// The start says which folder can't be used.
func TestOpenNamesTheFolder(t *testing.T) {
	folder := smallDisk(t, unix.MS_RDONLY)
	if _, err := disk.Open(folder, 0); err == nil || !strings.Contains(err.Error(), folder) || !strings.Contains(err.Error(), "read-only") {
		t.Errorf("error %v, want one that names %s", err, folder)
	}
}

// Uploads that find the folder replaced at the same time all go to the new one,
// and leave the old one closed.
func TestManyUploadsFindTheFolderReplaced(t *testing.T) {
	store, folder := open(t)
	moved := filepath.Join(t.TempDir(), "moved")
	must(t, os.Rename(folder, moved))
	must(t, os.Mkdir(folder, 0o700))
	var group sync.WaitGroup
	for n := range 20 {
		group.Go(func() {
			if _, err := store.Receive(upload.Form{Size: -1, Files: sequence(nil, text(strconv.Itoa(n), "content"))}); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if n := len(contents(t, folder)); n != 20 {
		t.Errorf("%d files are stored, want 20", n)
	}
	if n := openFolders(t, moved); n > 0 {
		t.Errorf("the moved folder is still open %d times", n)
	}
	if n := openFolders(t, folder); n != 1 {
		t.Errorf("the folder is open %d times, want once", n)
	}
}

// asNobody calls the function as a user who may only do what the file system
// allows, other than root.
func asNobody(t *testing.T, do func()) {
	t.Helper()
	ended := make(chan struct{})
	go func() { // on a thread of its own, which ends with it
		defer close(ended)
		runtime.LockOSThread()
		if _, err := unix.SetfsuidRetUid(65534); err != nil {
			t.Error(err)
		}
		do()
	}()
	<-ended
}

func TestAFolderThatMayNotBeWritten(t *testing.T) {
	folder := smallDisk(t, 0)
	store := openAt(t, folder, 0)
	must(t, os.Chmod(filepath.Dir(folder), 0o755))
	for range 2 {
		must(t, os.Chmod(folder, 0o777))
		asNobody(t, func() { wantTry(t, store, "") })
		must(t, os.Chmod(folder, 0o555))
		asNobody(t, func() { wantUnavailable(t, store, "the folder can't be written to") })
	}
}

func TestADiskWithoutSpace(t *testing.T) {
	const mib = 1 << 20
	folder := smallDisk(t, 0)
	store := openAt(t, folder, 1*mib)
	wantTry(t, store, "")
	other := filepath.Join(folder, "another program's")
	must(t, os.WriteFile(other, make([]byte, 3*mib), 0o600)) // which leaves no more than the reserve
	wantTry(t, store, "too little space is left")
	must(t, os.Remove(other))
	wantStored(t, store, folder, "after.txt")

	t.Run("full", func(t *testing.T) {
		store := openAt(t, folder, 0)
		if err := os.WriteFile(other, make([]byte, 5*mib), 0o600); !errors.Is(err, unix.ENOSPC) {
			t.Fatalf("%v, want a full disk", err)
		}
		wantTry(t, store, "too little space is left")
		must(t, os.Remove(other))
		wantTry(t, store, "")
	})
}

// A disk may have free space and no room for another file.
func TestADiskWithoutInodes(t *testing.T) {
	folder := mount(t, "tmpfs", 0, "size=4m,nr_inodes=8")
	store := openAt(t, folder, 0)
	wantTry(t, store, "")
	var err error
	n := 0
	for ; err == nil; n++ {
		err = os.WriteFile(filepath.Join(folder, strconv.Itoa(n)), nil, 0o600)
	}
	if !errors.Is(err, unix.ENOSPC) {
		t.Fatalf("%v, want that no file fits", err)
	}
	wantTry(t, store, "too little space is left")
	if _, err := store.Receive(upload.Form{Size: -1, Files: sequence(nil, text("a.txt", "a"))}); !errors.Is(err, upload.ErrNoSpace) {
		t.Errorf("an upload: error %v, want ErrNoSpace", err)
	}
	must(t, os.Remove(filepath.Join(folder, "0")))
	wantStored(t, store, folder, "a.txt")
}

// Some file systems tell no size, which is not the same as none.
func TestADiskWithoutSize(t *testing.T) {
	folder := mount(t, "tmpfs", 0, "size=0")
	var disk unix.Statfs_t
	must(t, unix.Statfs(folder, &disk))
	if disk.Blocks != 0 {
		t.Fatalf("the disk tells of %d blocks, so this test shows nothing", disk.Blocks)
	}
	store := openAt(t, folder, 1<<30)
	wantStored(t, store, folder, "a.txt")
}
