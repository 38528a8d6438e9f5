package disk

import (
	"math"
	"os"

	"golang.org/x/sys/windows"
)

// free returns how many bytes this program may still write to the folder's disk.
func free(root *os.Root) (int64, error) {
	path, err := windows.UTF16PtrFromString(root.Name())
	if err != nil {
		return 0, err
	}
	var available uint64
	err = windows.GetDiskFreeSpaceEx(path, &available, nil, nil)
	return int64(min(available, math.MaxInt64)), err
}
