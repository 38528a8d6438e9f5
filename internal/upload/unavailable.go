package upload

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"
)

// Unavailable says that no upload can be stored for now, whatever it is.
type Unavailable struct {
	Reason string // for anyone to see
	Err    error  // for the log
}

func (u *Unavailable) Error() string { return u.Reason + ": " + u.Err.Error() }

func (u *Unavailable) Unwrap() error { return u.Err }

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
	case is(ErrNoSpace):
		return err
	case is(syscall.ENOSPC, syscall.EDQUOT):
		return fmt.Errorf("%w: %w", ErrNoSpace, err)
	case is(syscall.EMFILE, syscall.ENFILE):
		return &Unavailable{"too many files are open", err}
	case is(errReplaced):
		return &Unavailable{"the folder was replaced", err}
	case is(fs.ErrNotExist, syscall.ENOTDIR, syscall.ESTALE): // the last is what NFS says
		return &Unavailable{"the folder is missing", err}
	case is(fs.ErrPermission, syscall.EROFS):
		return &Unavailable{"the folder can't be written to", err}
	}
	return err
}
