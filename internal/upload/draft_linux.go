package upload

import (
	"errors"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// draftsFor returns the kinds of drafts to try, the better first.
func draftsFor(root *os.Root) []drafts {
	return []drafts{unnamedDrafts{root}, namedDrafts{root}}
}

// unnamedDrafts have no name at all, so that the system itself forgets them,
// even when the program is killed. Some network file systems and overlays
// don't have them, and linking needs /proc.
type unnamedDrafts struct{ root *os.Root }

func (d unnamedDrafts) create() (*os.File, error) {
	return d.root.OpenFile(".", os.O_WRONLY|unix.O_TMPFILE, draftMode)
}

// link names the draft by way of /proc, as open(2) shows under O_TMPFILE.
func (d unnamedDrafts) link(file *os.File, name string) error {
	folder, err := d.root.Open(".")
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

func (unnamedDrafts) discard(file *os.File) error { return file.Close() }
