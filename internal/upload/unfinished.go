package upload

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"time"
)

// About is what a sender said of a file when it began to send it in parts.
type About struct {
	Name    string // which may be any string
	Length  int64  // bytes of the whole, or -1 if they are not known yet
	SHA256  []byte // that the whole must have, or nil if the sender named none
	Request string // which request began it, see Form
}

// State is how far an upload in parts has come. A crash can't undo it.
type State struct {
	About
	Offset  int64             // bytes that are kept
	SHA256  [sha256.Size]byte // of those
	Receipt *Receipt          // nil until it is finished, which it is by the sender's word alone
	Touched time.Time         // when bytes were kept last, or it was finished
}

// ErrUnknown says that there is no such upload: there never was, it has expired,
// or what is left of it can't be gone on with.
var ErrUnknown = errors.New("no such upload")

// OffsetError says that a part does not begin where the upload is.
type OffsetError struct{ Want, Got int64 }

func (e *OffsetError) Error() string {
	return fmt.Sprintf("the part begins at %d, the upload is at %d", e.Got, e.Want)
}
