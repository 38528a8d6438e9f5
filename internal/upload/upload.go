// Package upload receives named streams and publishes them as files in one
// folder. A file appears there only once it is whole and synced to disk, under
// a clean name that was free; files received together all appear, or none
// does.
//
// It knows nothing of HTTP or forms: the caller limits how large uploads may be
// and how long they may take. It never reads, changes or removes a file that it
// has published.
package upload

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"runtime"
	"sort"
	"strings"
	"syscall"
	"time"
)

// ErrNoSpace says that the disk or its quota is full, or would be.
var ErrNoSpace = errors.New("no space left for uploads")

// File is a stream and its sender's name for it, which may be any string.
type File struct {
	Name string
	Body io.Reader
}

// Receipt says what was stored. There is one only for what is on disk.
type Receipt struct {
	Name     string // in the folder
	Original string // the sender's name for it
	Existed  string // the name that it was meant to have, if another file had that already
	Bytes    int64
	SHA256   [sha256.Size]byte
}

// Store is a folder of uploads. It is safe for concurrent use.
type Store struct {
	root    *os.Root
	temp    tempFiles
	space   diskSpace
	buffers buffers
}

// Open opens the folder of uploads, and creates it if need be. Uploads leave
// keepFree bytes of its disk free. Open removes temporary files that a killed
// program left over a day ago, and stores and removes an empty file, so that a
// folder that can't take uploads is found at once. Its errors are those of the
// file system.
func Open(folder string, keepFree int64) (*Store, error) {
	return open(folder, keepFree, kindsOfTempFiles)
}

// open uses the first kind of temporary files that the file system supports.
func open(folder string, keepFree int64, kinds func(*os.Root) []tempFiles) (*Store, error) {
	if err := os.MkdirAll(folder, 0o750); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, err
	}
	s := &Store{root: root, space: diskSpace{root: root, keepFree: keepFree}}
	err = s.sweep()
	if err == nil {
		for _, s.temp = range kinds(root) {
			if err = s.probe(); err == nil {
				return s, nil
			}
		}
	}
	if errors.Is(err, errCantPublish) {
		err = fmt.Errorf("%s is on a file system (%s) that can neither link files nor rename them without replacing others; choose a folder on another one, such as ext4 or xfs: %w",
			folder, cmp.Or(fileSystem(folder), "of unknown kind"), err)
	}
	return nil, errors.Join(err, root.Close())
}

// errCantPublish says that a temporary file could be written but not published.
var errCantPublish = errors.New("can't publish")

// Close releases the folder.
func (s *Store) Close() error { return s.root.Close() }

// tempLife is how long a named temporary file may stay unchanged before it is
// taken for one that a killed program left. A younger one may belong to a
// program that still drains while this one starts.
const tempLife = 24 * time.Hour

// sweep removes the temporary files that killed programs left.
func (s *Store) sweep() error {
	entries, err := fs.ReadDir(s.root.FS(), ".")
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if !strings.HasPrefix(entry.Name(), tempPrefix) {
			continue
		}
		info, err := entry.Info()
		if err == nil && time.Since(info.ModTime()) > tempLife {
			err = s.root.Remove(entry.Name())
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // removed by its own program meanwhile
			return err
		}
	}
	return nil
}

// probe does everything to an empty file that Receive does to an upload, and
// removes it.
func (s *Store) probe() (err error) {
	file, err := s.temp.create()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.temp.discard(file)) }()
	name := tempName()
	if err := s.temp.publish(file, name); err != nil {
		return fmt.Errorf("%w: %w", errCantPublish, err)
	}
	_, err = free(s.root)
	return errors.Join(err, file.Sync(), s.root.Remove(name), s.sync())
}

// Receive stores all files of the sequence, or none: an error of the sequence,
// of a body or of the disk leaves nothing behind. A sequence that ends without
// an error must be whole, for its files are then published. size is how many
// bytes were announced for all files together, or -1 if none were: if they would
// not fit on the disk now, no file is asked for. Until they arrive, they take no
// space from other uploads.
//
// It returns ErrNoSpace if the disk is full; otherwise it wraps the error of
// the sequence, the body or the file system.
func (s *Store) Receive(size int64, files iter.Seq2[File, error]) (receipts []Receipt, err error) {
	if err := s.space.check(max(size, 0)); err != nil {
		return nil, err
	}
	buffer := s.buffers.take(size)
	defer s.buffers.release(buffer)
	var all []*tempFile
	defer func() {
		for _, t := range all {
			// What was published stays published even if its temporary file
			// can't be removed; a later start sweeps that.
			if discardErr := s.temp.discard(t.file); err != nil {
				err = errors.Join(err, discardErr)
			}
		}
		if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
			err = fmt.Errorf("%w: %w", ErrNoSpace, err)
		}
		if err != nil {
			receipts = nil
		}
	}()
	for file, err := range files {
		if err != nil {
			return nil, err
		}
		created, err := s.temp.create()
		if err != nil {
			return nil, err
		}
		t := &tempFile{file: created, receipt: Receipt{Original: file.Name}}
		all = append(all, t)
		if err := t.fill(file.Body, &s.space, buffer); err != nil {
			return nil, fmt.Errorf("receive %q: %w", file.Name, err)
		}
	}
	return s.publish(all)
}

// publish syncs the temporary files to disk, gives each its final name and
// syncs the folder. If that fails midway, it takes back the names that it gave.
// A failed sync is final: the system may have dropped the pages that it could
// not write, and a second sync would not report it.
func (s *Store) publish(all []*tempFile) (receipts []Receipt, err error) {
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
			err = errors.Join(err, s.root.Remove(r.Name))
		}
	}()
	for _, t := range all {
		meant := CleanName(t.receipt.Original)
		t.receipt.Name, err = s.name(t.file, meant)
		if err != nil {
			return receipts, err
		}
		if t.receipt.Name != meant {
			t.receipt.Existed = meant
		}
		receipts = append(receipts, t.receipt)
	}
	return receipts, s.sync()
}

// name publishes a temporary file under the name, or under a free variant of it:
// nearly always the first one. It looks for that in a number of steps that grows
// with the logarithm of how many are taken.
func (s *Store) name(file *os.File, name string) (string, error) {
	const inTurn = 10 // variants to try before looking ahead
	for n := 0; ; n++ {
		if n > 0 && n%inTurn == 0 {
			var err error
			if n, err = s.lookAhead(name, n); err != nil {
				return "", err
			}
		}
		variant := suffixed(name, n)
		// Another upload may have taken the variant since it was seen to be free.
		if err := s.temp.publish(file, variant); !errors.Is(err, fs.ErrExist) {
			return variant, err
		}
	}
}

// lookAhead returns the number of a free variant of a name, from n on. It looks
// twice as far each time until it finds one, and then for where the taken ones
// end.
func (s *Store) lookAhead(name string, n int) (int, error) {
	var failed error
	isFree := func(n int) bool {
		_, err := s.root.Lstat(suffixed(name, n))
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

// sync makes the names in the folder survive a crash. Windows can't sync a
// folder, and has a journal for names.
func (s *Store) sync() error {
	if runtime.GOOS == "windows" {
		return nil
	}
	folder, err := s.root.Open(".")
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
