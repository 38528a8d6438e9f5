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
	"bufio"
	"crypto/rand"
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

// ErrNoSpace says that the disk or the quota is full.
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

// Store is a folder of uploads. It is safe for concurrent use.
type Store struct {
	root *os.Root
}

// draftPrefix begins the names of files that are still being received.
// CleanName never returns a name with a leading dot, so that none can clash.
const draftPrefix = ".part-"

// draftLife is how long a draft may lie unchanged before it is taken for one
// that a killed program left. A younger one may belong to a program that still
// drains while this one starts.
const draftLife = 24 * time.Hour

// bufferSize of writes: multipart hands out 4 KiB at a time, which would cost
// a system call each.
const bufferSize = 256 << 10

// Open opens the folder of uploads. It makes the folder if it is missing,
// removes the drafts that a killed program left a day ago, and tries the file system, so
// that a folder that can't hold uploads is found now.
func Open(folder string) (*Store, error) {
	if err := os.MkdirAll(folder, 0o750); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, err
	}
	s := &Store{root: root}
	if err := errors.Join(s.sweep(), s.try()); err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return s, nil
}

// Close releases the folder.
func (s *Store) Close() error { return s.root.Close() }

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
	d, err := s.create("")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.discard()) }()
	probe := d.name + "-probe"
	if err := errors.Join(d.finish(), s.root.Link(d.name, probe)); err != nil {
		return err
	}
	return errors.Join(s.root.Remove(probe), s.sync())
}

// Receive stores every file of the sequence, or none: an error of the
// sequence, of a body or of the disk leaves nothing behind. The end of the
// sequence is the sender's word that it was whole.
//
// It returns ErrNoSpace for a full disk, the errors of bodies and sequence as
// they are but wrapped, and else the disk's.
func (s *Store) Receive(files iter.Seq2[File, error]) (receipts []Receipt, err error) {
	var drafts []*draft
	defer func() {
		for _, d := range drafts {
			// A draft that won't go is no failure of what was published, and
			// the next start sweeps it.
			if left := d.discard(); err != nil {
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
		d, err := s.create(file.Name)
		if err != nil {
			return nil, err
		}
		drafts = append(drafts, d)
		if err := d.fill(file.Body); err != nil {
			return nil, fmt.Errorf("receive %q: %w", file.Name, err)
		}
	}
	return s.publish(drafts)
}

// publish gives each draft its final name and syncs the folder. If that fails
// midway it takes back the names it gave.
func (s *Store) publish(drafts []*draft) (receipts []Receipt, err error) {
	defer func() {
		if err == nil {
			return
		}
		for _, r := range receipts {
			err = errors.Join(err, s.root.Remove(r.Name))
		}
	}()
	for _, d := range drafts {
		name, err := s.link(d.name, CleanName(d.receipt.Original))
		if err != nil {
			return receipts, err
		}
		d.receipt.Name = name
		receipts = append(receipts, d.receipt)
	}
	return receipts, s.sync()
}

// link gives a draft the first free choice of name. It links rather than
// renames, because a rename replaces what is there.
func (s *Store) link(draft, name string) (string, error) {
	for n := 0; ; n++ {
		choice := suffixed(name, n)
		err := s.root.Link(draft, choice)
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

// draft is a file that nobody sees yet.
type draft struct {
	root    *os.Root
	file    *os.File // nil once finished
	name    string
	receipt Receipt
}

func (s *Store) create(original string) (*draft, error) {
	name := draftPrefix + rand.Text()
	file, err := s.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o640)
	if err != nil {
		return nil, err
	}
	return &draft{root: s.root, file: file, name: name, receipt: Receipt{Original: original}}, nil
}

// fill copies the body to the draft, chunk by chunk, and finishes it.
func (d *draft) fill(body io.Reader) error {
	digest := sha256.New()
	disk := bufio.NewWriterSize(d.file, bufferSize)
	n, err := io.Copy(io.MultiWriter(disk, digest), body)
	if err != nil {
		return err
	}
	if err := disk.Flush(); err != nil {
		return err
	}
	d.receipt.Bytes = n
	digest.Sum(d.receipt.SHA256[:0])
	return d.finish()
}

// finish puts the draft on disk. A failed sync is final: the system may have
// dropped the pages that it could not write, and a second sync would not tell.
func (d *draft) finish() error {
	file := d.file
	d.file = nil
	return errors.Join(file.Sync(), file.Close())
}

// discard removes the draft's own name. What was published has another.
func (d *draft) discard() error {
	var err error
	if d.file != nil {
		err = d.file.Close()
	}
	return errors.Join(err, d.root.Remove(d.name))
}
