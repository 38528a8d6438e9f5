// Package disk stores uploads as files in one folder. A file appears there only
// once it is whole and synced to disk, under a clean name that was free; files
// received together all appear, or none does. It never reads, changes or removes
// a file that it has published.
package disk

import (
	"errors"
	"fmt"
	"os"
	"sync"

	"homepage/internal/upload"
)

// Store is a folder of uploads. It is safe for concurrent use.
//
// The folder is the one that its path names at the time: if it is moved,
// deleted or replaced, the next upload goes where the path leads then. Open
// alone creates it, for a folder that is missing later may be on a disk that is
// not mounted.
type Store struct {
	path     string
	keepFree int64 // bytes
	kinds    func(*os.Root) []tempFiles
	buffers  buffers

	mu      sync.Mutex
	current *folder
}

// Open opens the folder of uploads, and creates it if need be. Uploads leave
// keepFree bytes of its disk free. Open removes temporary files that a killed
// program left over a day ago, and stores and removes an empty file, so that a
// folder that can't take uploads is found at once. Its errors are those of the
// file system.
func Open(path string, keepFree int64) (*Store, error) {
	return open(path, keepFree, kindsOfTempFiles)
}

func open(path string, keepFree int64, kinds func(*os.Root) []tempFiles) (*Store, error) {
	if err := os.MkdirAll(path, 0o750); err != nil {
		return nil, err
	}
	current, err := openFolder(path, keepFree, kinds)
	if err != nil {
		return nil, err
	}
	if err := current.sweep(); err != nil {
		return nil, errors.Join(err, current.root.Close())
	}
	return &Store{path: path, keepFree: keepFree, kinds: kinds, current: current}, nil
}

// Close releases the folder.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current.root.Close()
}

// use returns the folder that the path names now, for a call of done. It holds
// the lock for no call to the disk, which may hang.
func (s *Store) use() (*folder, error) {
	s.mu.Lock()
	last := s.current
	last.users++
	s.mu.Unlock()
	err := last.checkPlace()
	if err == nil {
		return last, nil
	}
	defer s.done(last)
	if !errors.Is(err, errReplaced) {
		return nil, err
	}
	next, err := openFolder(s.path, s.keepFree, s.kinds)
	if err != nil {
		return nil, err
	}
	next.users++
	s.mu.Lock()
	other := s.current // last, or what another upload opened meanwhile
	s.current = next
	other.users++
	s.mu.Unlock()
	s.done(other)
	return next, nil
}

// done releases the folder once it has no more users and is not the path's.
func (s *Store) done(f *folder) {
	s.mu.Lock()
	f.users--
	left := f.users == 0 && f != s.current
	s.mu.Unlock()
	if left {
		_ = f.root.Close() // all that was stored in it is synced
	}
}

// Try finds out whether uploads can be stored now, by writing a byte to a
// temporary file. If not, the reason is for anyone to see, and the error has the
// details. It waits for the disk, however long that takes.
func (s *Store) Try() (reason string, err error) {
	f, err := s.use()
	if err == nil {
		defer s.done(f)
		err = f.try()
	}
	err = explain(err)
	if unavailable, ok := errors.AsType[*upload.UnavailableError](err); ok {
		return unavailable.Reason, err
	}
	switch {
	case errors.Is(err, upload.ErrNoSpace):
		return "too little space is left", err
	case err != nil:
		return "storing a file fails", err
	}
	return "", nil
}

// Receive stores all files of the form, or none: an error of their sequence, of a
// body or of the disk leaves nothing behind. If the form's size would not fit on
// the disk now, no file is asked for. Until they arrive, they take no space from
// other uploads. A folder has no place to say which request brought them.
//
// It returns upload.ErrNoSpace if the disk is full and an
// upload.UnavailableError if no upload can be stored for now; otherwise it wraps
// the error of the sequence, the body or the file system.
func (s *Store) Receive(form upload.Form) (receipts []upload.Receipt, err error) {
	f, err := s.use()
	if err != nil {
		return nil, explain(err)
	}
	defer s.done(f)
	if err := f.space.check(max(form.Size, 0)); err != nil {
		return nil, explain(err)
	}
	buffer := s.buffers.take(form.Size)
	defer s.buffers.release(buffer)
	var all []*tempFile
	defer func() {
		for _, t := range all {
			// What was published stays published even if its temporary file
			// can't be removed; a later start sweeps that.
			if discardErr := f.temp.discard(t.file); err != nil {
				err = errors.Join(err, discardErr)
			}
		}
		if err != nil {
			receipts, err = nil, explain(err)
		}
	}()
	for file, err := range form.Files {
		if err != nil {
			return nil, err
		}
		created, err := f.temp.create()
		if err != nil {
			return nil, err
		}
		t := &tempFile{file: created, receipt: upload.Receipt{Original: file.Name}}
		all = append(all, t)
		if err := t.fill(file.Body, &f.space, buffer); err != nil {
			return nil, fmt.Errorf("receive %q: %w", file.Name, err)
		}
	}
	return f.publish(all)
}
