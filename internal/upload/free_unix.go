//go:build unix && !openbsd

package upload

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// free returns how many bytes this program may still write to the folder's disk.
func free(root *os.Root) (int64, error) {
	folder, err := root.Open(".")
	if err != nil {
		return 0, err
	}
	var disk unix.Statfs_t
	err = unix.Fstatfs(int(folder.Fd()), &disk)
	return int64(disk.Bavail) * int64(disk.Bsize), errors.Join(err, folder.Close()) //nolint:gosec,unconvert // no disk is that large; the types differ between systems
}
