package upload

import (
	"os"

	"golang.org/x/sys/unix"
)

// beginWriteback is a hint: what it can't begin is left to the sync.
func beginWriteback(file *os.File, from, size int64) {
	_ = unix.SyncFileRange(int(file.Fd()), from, size, unix.SYNC_FILE_RANGE_WRITE)
}
