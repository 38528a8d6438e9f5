package upload

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"
)

// UnavailableError says that no upload can be stored for now, whatever it is.
type UnavailableError struct {
	Reason string // for anyone to see
	Err    error  // for the log
}

func (u *UnavailableError) Error() string { return u.Reason + ": " + u.Err.Error() }

func (u *UnavailableError) Unwrap() error { return u.Err }

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
		return &UnavailableError{"too many files are open", err}
	case is(errReplaced):
		return &UnavailableError{"the folder was replaced", err}
	case is(fs.ErrNotExist, syscall.ENOTDIR, syscall.ESTALE): // the last is what NFS says
		return &UnavailableError{"the folder is missing", err}
	case is(fs.ErrPermission, syscall.EROFS):
		return &UnavailableError{"the folder can't be written to", err}
	}
	return err
}
