package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"homepage/internal/upload"
)

// explain marks an error of the file system with what it means for uploads, if
// that is known.
func explain(err error) error {
	is := func(any ...error) bool {
		for _, one := range any {
			if errors.Is(err, one) {
				return true
			}
		}
		return false
	}
	switch {
	case is(upload.ErrNoSpace):
		return err
	case is(syscall.ENOSPC, syscall.EDQUOT):
		return fmt.Errorf("%w: %w", upload.ErrNoSpace, err)
	case is(syscall.EMFILE, syscall.ENFILE):
		return &upload.UnavailableError{Reason: "too many files are open", Err: err}
	case is(errLocked):
		return &upload.UnavailableError{Reason: "another program still receives the upload", Err: err}
	case is(errReplaced):
		return &upload.UnavailableError{Reason: "the folder was replaced", Err: err}
	case is(fs.ErrNotExist, syscall.ENOTDIR, syscall.ESTALE): // the last is what NFS says
		return &upload.UnavailableError{Reason: "the folder is missing", Err: err}
	case is(fs.ErrPermission, syscall.EROFS):
		return &upload.UnavailableError{Reason: "the folder can't be written to", Err: err}
	}
	return err
}
