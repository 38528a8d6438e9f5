// Package upload is what its stores share: what a sender hands over, the receipt
// for what is stored, the clean name under which that happens, and why nothing
// can be stored. Its folders are the stores: disk keeps uploads in a folder, s3
// in an object store.
//
// It knows nothing of HTTP or forms: the caller limits how large uploads may be
// and how long they may take.
package upload

import (
	"crypto/sha256"
	"errors"
	"io"
	"iter"
)

// Form is files that are stored together: all of them, or none.
type Form struct {
	Size    int64  // bytes that were announced for all files together, or -1 if none were
	Request string // which request brings it, for whoever reads the store beside the log
	// Files are read in turn. A sequence that ends without an error is whole.
	Files iter.Seq2[File, error]
}

// File is a stream and its sender's name for it, which may be any string.
type File struct {
	Name string
	Body io.Reader
}

// Receipt says what was stored. There is one only for what a crash can't undo.
type Receipt struct {
	Name     string // in the store
	Original string // the sender's name for it
	Existed  string // the name that it was meant to have, if another file had that already
	Bytes    int64
	SHA256   [sha256.Size]byte
}

// ErrNoSpace says that the store or a quota is full, or would be.
var ErrNoSpace = errors.New("no space left for uploads")

// UnavailableError says that no upload can be stored for now, whatever it is.
type UnavailableError struct {
	Reason string // for anyone to see
	Err    error  // for the log
}

func (u *UnavailableError) Error() string { return u.Reason + ": " + u.Err.Error() }

func (u *UnavailableError) Unwrap() error { return u.Err }
