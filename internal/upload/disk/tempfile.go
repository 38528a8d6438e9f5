package disk

import (
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sync/errgroup"

	"homepage/internal/upload"
)

// tempFiles makes temporary files, which nobody sees until they are published
// under a name.
type tempFiles interface {
	// create opens a new file for writing, without execute bits.
	create() (*os.File, error)
	// publish gives the file a name in the folder, or fails with fs.ErrExist if
	// that is taken.
	publish(file *os.File, name string) error
	// name does that to a file that has a hidden name, which it may keep.
	name(hidden, name string) error
	// discard closes the file. A name that it was published under stays.
	discard(file *os.File) error
}

const tempMode = 0o640

// tempPrefix begins the names of temporary files that need one. CleanName never
// returns a name with a leading dot, so they can't clash with an upload's.
const tempPrefix = ".part-"

func tempName() string { return tempPrefix + rand.Text() }

// namedTempFiles have hidden names, and a second one once they are published.
// They work wherever there are hard links, but a killed program leaves them
// behind.
type namedTempFiles struct{ root *os.Root }

func (t namedTempFiles) create() (*os.File, error) {
	return t.root.OpenFile(tempName(), os.O_WRONLY|os.O_CREATE|os.O_EXCL, tempMode)
}

func (t namedTempFiles) publish(file *os.File, name string) error {
	return t.name(filepath.Base(file.Name()), name)
}

func (t namedTempFiles) name(hidden, name string) error { return t.root.Link(hidden, name) }

func (t namedTempFiles) discard(file *os.File) error {
	err := t.root.Remove(filepath.Base(file.Name()))
	if errors.Is(err, fs.ErrNotExist) { // renamed
		err = nil
	}
	return errors.Join(file.Close(), err)
}

// tempFile is a temporary file and its receipt, which lacks the final name.
type tempFile struct {
	file    *os.File
	receipt upload.Receipt
}

// fill copies the body to the file, a buffer at a time, and hashes it.
func (t *tempFile) fill(body io.Reader, space *diskSpace, buffer []byte) error {
	hash := sha256.New()
	disk := &diskWriter{file: t.file, space: space}
	disk.syncing.SetLimit(1)
	n, err := io.CopyBuffer(io.MultiWriter(disk, hash), body, buffer)
	t.receipt.Bytes = n
	hash.Sum(t.receipt.SHA256[:0])
	return errors.Join(err, disk.syncing.Wait())
}

// diskWriter writes a file as long as there is space. Beside, it syncs what is
// there every syncSize bytes, so that the sync at the end has little to wait for.
// An error of those is in syncing: the system may have dropped what it could not
// write, and a later sync would not report it.
type diskWriter struct {
	file    *os.File
	space   *diskSpace
	written int64 // bytes
	synced  int64 // of them, bytes that were written before the last sync
	syncing errgroup.Group
}

const syncSize = 64 << 20 // bytes

func (d *diskWriter) Write(p []byte) (int, error) {
	n, err := d.space.write(d.file, p)
	d.written += int64(n)
	if d.written-d.synced >= syncSize {
		d.synced = d.written
		d.syncing.Go(d.file.Sync) // once the one before has ended
	}
	return n, err
}
