package upload

import (
	"errors"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// kindsOfTempFiles returns the kinds to try, the better one first.
func kindsOfTempFiles(root *os.Root) []tempFiles {
	return []tempFiles{unnamedTempFiles{root}, namedTempFiles{root}}
}

// unnamedTempFiles have no name at all, so that the system removes them even if
// the program is killed. Some network and overlay file systems don't support
// them, and linking needs /proc.
type unnamedTempFiles struct{ root *os.Root }

func (t unnamedTempFiles) create() (*os.File, error) {
	return t.root.OpenFile(".", os.O_WRONLY|unix.O_TMPFILE, tempMode)
}

// link names the file by way of /proc, as open(2) shows under O_TMPFILE.
func (t unnamedTempFiles) link(file *os.File, name string) error {
	folder, err := t.root.Open(".")
	if err != nil {
		return err
	}
	source := "/proc/self/fd/" + strconv.Itoa(int(file.Fd()))
	err = unix.Linkat(unix.AT_FDCWD, source, int(folder.Fd()), name, unix.AT_SYMLINK_FOLLOW)
	if err != nil {
		err = &os.LinkError{Op: "linkat", Old: source, New: name, Err: err}
	}
	return errors.Join(err, folder.Close())
}

func (unnamedTempFiles) discard(file *os.File) error { return file.Close() }

// startWriteback is a hint: whatever it can't start is left to the sync.
func startWriteback(file *os.File, from, size int64) {
	_ = unix.SyncFileRange(int(file.Fd()), from, size, unix.SYNC_FILE_RANGE_WRITE)
}
