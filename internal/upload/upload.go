// Package upload receives named streams and publishes them as files in one
// folder. A file appears there only when it is whole and synced to disk,
// under a clean name that nothing else had; files received together appear
// together or not at all.
//
// It knows no HTTP and no forms: the caller bounds sizes and times, and marks
// the errors of its streams. It never reads, changes or removes a file that
// it has published.
package upload

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// ErrNoSpace says that the disk or the quota is full, or would be.
var ErrNoSpace = errors.New("no space left for uploads")

// File is a stream and the name that its sender gave it.
type File struct {
	Name string
	Body io.Reader
}

// Receipt says what was stored. It is given only for what is on disk.
type Receipt struct {
	Name     string // in the folder
	Original string // as the sender gave it
	Bytes    int64
	SHA256   [sha256.Size]byte
}

// Existed returns the name that the file would have got if it was taken, and
// else nothing.
func (r Receipt) Existed() string {
	if name := CleanName(r.Original); name != r.Name {
		return name
	}
	return ""
}

// Store is a folder of uploads. It is safe for concurrent use.
type Store struct {
	root   *os.Root
	drafts drafts
	room   room
	chunks chunks
}

// Open opens the folder of uploads, of whose disk reserve bytes are to stay
// free. It makes the folder if it is missing, removes the drafts that a killed
// program left a day ago, and tries the file system, so that a folder that
// can't hold uploads is found now.
func Open(folder string, reserve int64) (*Store, error) {
	return open(folder, reserve, draftsFor)
}

// open takes the first kind of drafts that the file system has.
func open(folder string, reserve int64, kinds func(*os.Root) []drafts) (*Store, error) {
	if err := os.MkdirAll(folder, 0o750); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, err
	}
	s := &Store{root: root, room: room{root: root, reserve: reserve}}
	err = s.sweep()
	if err == nil {
		for _, s.drafts = range kinds(root) {
			if err = s.try(); err == nil {
				return s, nil
			}
		}
	}
	return nil, errors.Join(err, root.Close())
}

// Close releases the folder.
func (s *Store) Close() error { return s.root.Close() }

// draftLife is how long a named draft may lie unchanged before it is taken
// for one that a killed program left. A younger one may belong to a program
// that still drains while this one starts.
const draftLife = 24 * time.Hour

func (s *Store) sweep() error {
	entries, err := fs.ReadDir(s.root.FS(), ".")
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if !strings.HasPrefix(entry.Name(), draftPrefix) {
			continue
		}
		info, err := entry.Info()
		if err == nil && time.Since(info.ModTime()) > draftLife {
			err = s.root.Remove(entry.Name())
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // its own program was quicker
			return err
		}
	}
	return nil
}

// try does to an empty file all that Receive does to an upload.
func (s *Store) try() (err error) {
	file, err := s.drafts.create()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.drafts.discard(file)) }()
	probe := randomName()
	if err := errors.Join(file.Sync(), s.drafts.link(file, probe)); err != nil {
		return err
	}
	_, err = free(s.root)
	return errors.Join(err, s.root.Remove(probe), s.sync())
}

// Receive stores every file of the sequence, or none: an error of the
// sequence, of a body or of the disk leaves nothing behind. The end of the
// sequence is the sender's word that it was whole. size is the most bytes that
// the files have together; room for them is set aside before the first is
// asked for.
//
// It returns ErrNoSpace for a full disk, the errors of bodies and sequence as
// they are but wrapped, and else the disk's.
func (s *Store) Receive(size int64, files iter.Seq2[File, error]) (receipts []Receipt, err error) {
	claim, err := s.room.claim(size)
	if err != nil {
		return nil, err
	}
	defer claim.release()
	chunk := s.chunks.take(size)
	defer s.chunks.giveBack(chunk)
	var all []*draft
	defer func() {
		for _, d := range all {
			// A draft that won't go is no failure of what was published, and
			// a later start sweeps it.
			if left := s.drafts.discard(d.file); err != nil {
				err = errors.Join(err, left)
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
		created, err := s.drafts.create()
		if err != nil {
			return nil, err
		}
		d := &draft{file: created, receipt: Receipt{Original: file.Name}}
		all = append(all, d)
		if err := d.fill(file.Body, claim, chunk); err != nil {
			return nil, fmt.Errorf("receive %q: %w", file.Name, err)
		}
	}
	return s.publish(all)
}

// draft is a file that nobody sees yet, and what will be said of it.
type draft struct {
	file    *os.File
	receipt Receipt
}

// fill copies the body to the draft, chunk by chunk, and digests it.
func (d *draft) fill(body io.Reader, claim *claim, chunk []byte) error {
	digest := sha256.New()
	disk := &diskWriter{file: d.file, claim: claim}
	n, err := io.CopyBuffer(io.MultiWriter(disk, digest), body, chunk)
	d.receipt.Bytes = n
	digest.Sum(d.receipt.SHA256[:0])
	return err
}

// publish puts the drafts on disk, gives each its final name and syncs the
// folder. If that fails midway it takes back the names it gave. A failed sync
// is final: the system may have dropped the pages that it could not write, and
// a second sync would not tell.
func (s *Store) publish(all []*draft) (receipts []Receipt, err error) {
	for _, d := range all {
		if err := d.file.Sync(); err != nil {
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
	for _, d := range all {
		d.receipt.Name, err = s.link(d.file, CleanName(d.receipt.Original))
		if err != nil {
			return receipts, err
		}
		receipts = append(receipts, d.receipt)
	}
	return receipts, s.sync()
}

// link gives a draft the first free choice of name. It links rather than
// renames, because a rename replaces what is there.
func (s *Store) link(file *os.File, name string) (string, error) {
	for n := 0; ; n++ {
		choice := suffixed(name, n)
		err := s.drafts.link(file, choice)
		if !errors.Is(err, fs.ErrExist) {
			return choice, err
		}
	}
}

// sync makes the folder's names last. Windows can't sync a folder and keeps
// its names in a journal.
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
