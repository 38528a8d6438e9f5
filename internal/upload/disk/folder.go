package disk

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"time"

	"homepage/internal/upload"
)

// folder is what the path of a store named when it was opened.
type folder struct {
	path  string
	root  *os.Root
	info  fs.FileInfo // of root. As root is open, no other folder gets its inode.
	temp  tempFiles
	space diskSpace
	users int // of the folder; the store's mutex guards it
}

// openFolder opens a folder that exists. It uses the first kind of temporary
// files that the file system supports.
func openFolder(path string, keepFree int64, kinds func(*os.Root) []tempFiles) (*folder, error) {
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	f := &folder{path: path, root: root, space: diskSpace{root: root, keepFree: keepFree}}
	f.info, err = root.Stat(".")
	if err == nil {
		for _, f.temp = range kinds(root) {
			if err = f.probe(); err == nil {
				return f, nil
			}
		}
	}
	if errors.Is(err, errCantPublish) {
		err = fmt.Errorf("%s is on a file system (%s) that can neither link files nor rename them without replacing others; choose a folder on another one, such as ext4 or xfs: %w",
			path, cmp.Or(fileSystem(path), "of unknown kind"), err)
	} else {
		err = fmt.Errorf("no file can be stored in %s: %w", path, err)
	}
	return nil, errors.Join(err, root.Close())
}

// errCantPublish says that a temporary file could be written but not published.
var errCantPublish = errors.New("can't publish")

// errReplaced says that the path names another folder.
var errReplaced = errors.New("the path names another folder by now")

// checkPlace returns an error if the path does not name the folder any more.
func (f *folder) checkPlace() error {
	info, err := os.Stat(f.path)
	switch {
	case err != nil:
		return err
	case !info.IsDir():
		return &fs.PathError{Op: "open", Path: f.path, Err: syscall.ENOTDIR}
	case !os.SameFile(f.info, info):
		return &fs.PathError{Op: "open", Path: f.path, Err: errReplaced}
	}
	return nil
}

// tempLife is how long a named temporary file may stay unchanged before it is
// taken for one that a killed program left. A younger one may belong to a
// program that still drains while this one starts.
const tempLife = 24 * time.Hour

// sweep removes the temporary files that killed programs left.
func (f *folder) sweep() error {
	entries, err := fs.ReadDir(f.root.FS(), ".")
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if !strings.HasPrefix(entry.Name(), tempPrefix) {
			continue
		}
		info, err := entry.Info()
		if err == nil && time.Since(info.ModTime()) > tempLife {
			err = f.root.Remove(entry.Name())
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // removed by its own program meanwhile
			return err
		}
	}
	return nil
}

// probe does everything to an empty file that Receive does to an upload, and
// removes it.
func (f *folder) probe() (err error) {
	file, err := f.temp.create()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.temp.discard(file)) }()
	name := tempName()
	if err := f.temp.publish(file, name); err != nil {
		return fmt.Errorf("%w: %w", errCantPublish, err)
	}
	_, err = free(f.root)
	return errors.Join(err, file.Sync(), f.root.Remove(name), f.sync())
}

// try does to a temporary file what shows whether the disk takes uploads: free
// space says nothing of rights, nor of a disk that is mounted read-only.
func (f *folder) try() (err error) {
	if err := f.space.check(1); err != nil {
		return err
	}
	file, err := f.temp.create()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.temp.discard(file)) }()
	if _, err := file.Write([]byte{0}); err != nil {
		return err
	}
	return file.Sync()
}

// publish syncs the temporary files to disk, gives each its final name and
// syncs the folder. If that fails midway, or the path names another folder by
// then, it takes back the names that it gave.
// A failed sync is final: the system may have dropped the pages that it could
// not write, and a second sync would not report it.
func (f *folder) publish(all []*tempFile) (receipts []upload.Receipt, err error) {
	for _, t := range all {
		if err := t.file.Sync(); err != nil {
			return nil, err
		}
	}
	defer func() {
		if err == nil {
			return
		}
		for _, r := range receipts {
			err = errors.Join(err, f.root.Remove(r.Name))
		}
	}()
	for _, t := range all {
		meant := upload.CleanName(t.receipt.Original)
		t.receipt.Name, err = f.name(meant, func(variant string) error { return f.temp.publish(t.file, variant) })
		if err != nil {
			return receipts, err
		}
		if t.receipt.Name != meant {
			t.receipt.Existed = meant
		}
		receipts = append(receipts, t.receipt)
	}
	if err := f.sync(); err != nil {
		return receipts, err
	}
	return receipts, f.checkPlace()
}

// name publishes a file under the name, or under a free variant of it: nearly
// always the first one. It looks for that in a number of steps that grows with
// the logarithm of how many are taken.
func (f *folder) name(name string, publish func(variant string) error) (string, error) {
	const inTurn = 10 // variants to try before looking ahead
	for n := 0; ; n++ {
		if n > 0 && n%inTurn == 0 {
			var err error
			if n, err = f.lookAhead(name, n); err != nil {
				return "", err
			}
		}
		variant := suffixed(name, n)
		// Another upload may have taken the variant since it was seen to be free.
		if err := publish(variant); !errors.Is(err, fs.ErrExist) {
			return variant, err
		}
	}
}

// lookAhead returns the number of a free variant of a name, from n on. It looks
// twice as far each time until it finds one, and then for where the taken ones
// end.
func (f *folder) lookAhead(name string, n int) (int, error) {
	var failed error
	isFree := func(n int) bool {
		_, err := f.root.Lstat(suffixed(name, n))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			failed = err
		}
		return err != nil
	}
	far := n
	for !isFree(far) {
		far *= 2
	}
	return n + sort.Search(far-n, func(i int) bool { return isFree(n + i) }), failed
}

// suffixed returns the n-th variant of a name: notes.txt, notes-1.txt and so on.
func suffixed(name string, n int) string {
	if n == 0 {
		return name
	}
	extension := filepath.Ext(name)
	return strings.TrimSuffix(name, extension) + "-" + strconv.Itoa(n) + extension
}

// sync makes the names in the folder survive a crash.
func (f *folder) sync() error { return syncFolder(f.root, ".") }

// syncFolder does it for any folder. Windows can't sync one, and has a journal
// for names.
func syncFolder(root *os.Root, name string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	folder, err := root.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
