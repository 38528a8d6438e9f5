package disk

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// kindsOfTempFiles returns the kinds to try, the better ones first.
func kindsOfTempFiles(root *os.Root) []tempFiles {
	return []tempFiles{unnamedTempFiles{root}, namedTempFiles{root}, renamedTempFiles{namedTempFiles{root}}}
}

// unnamedTempFiles have no name at all, so that the system removes them even if
// the program is killed. Some network and overlay file systems don't support
// them, and linking needs /proc.
type unnamedTempFiles struct{ root *os.Root }

func (t unnamedTempFiles) create() (*os.File, error) {
	return t.root.OpenFile(".", os.O_WRONLY|unix.O_TMPFILE, tempMode)
}

// publish names the file by way of /proc, as open(2) shows under O_TMPFILE.
func (t unnamedTempFiles) publish(file *os.File, name string) error {
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

func (t unnamedTempFiles) name(hidden, name string) error { return t.root.Link(hidden, name) }

func (unnamedTempFiles) discard(file *os.File) error { return file.Close() }

// renamedTempFiles are named ones that are renamed once they are published. They
// are for file systems without hard links, such as exFAT.
type renamedTempFiles struct{ namedTempFiles }

func (t renamedTempFiles) publish(file *os.File, name string) error {
	return t.name(filepath.Base(file.Name()), name)
}

func (t renamedTempFiles) name(hidden, name string) error {
	folder, err := t.root.Open(".")
	if err != nil {
		return err
	}
	at := int(folder.Fd())
	err = unix.Renameat2(at, hidden, at, name, unix.RENAME_NOREPLACE) // os.Root's Rename replaces
	if err != nil {
		err = &os.LinkError{Op: "renameat2", Old: hidden, New: name, Err: err}
	}
	return errors.Join(err, folder.Close())
}

// fileSystem names the kind of file system that the folder is on, or returns an
// empty string if it can't be told.
func fileSystem(folder string) string {
	var stat unix.Stat_t
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil || unix.Stat(folder, &stat) != nil {
		return ""
	}
	device := fmt.Sprintf("%d:%d", unix.Major(stat.Dev), unix.Minor(stat.Dev))
	for line := range strings.Lines(string(mounts)) {
		// ID, parent, device, …, "-", kind, … (proc_pid_mountinfo(5))
		mount, kind, _ := strings.Cut(line, " - ")
		if strings.Fields(mount)[2] == device {
			return strings.Fields(kind)[0]
		}
	}
	return ""
}
