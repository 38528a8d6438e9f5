//go:build unix && !openbsd

package disk

import (
	"errors"
	"math"
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
	err = errors.Join(unix.Fstatfs(int(folder.Fd()), &disk), folder.Close())
	if err == nil && disk.Blocks == 0 {
		return math.MaxInt64, nil // the file system does not tell, as some network ones and tmpfs without a limit
	}
	return int64(disk.Bavail) * int64(disk.Bsize), err //nolint:gosec,unconvert // no disk is that large; the types differ between systems
}
