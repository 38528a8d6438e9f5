package disk

import (
	"fmt"
	"os"
	"sync"

	"homepage/internal/upload"
)

// diskSpace bounds what uploads write, so that keepFree bytes of the disk stay
// free. Space is taken when bytes are written and not before: an upload that
// announced much and sends nothing holds none.
type diskSpace struct {
	root     *os.Root
	keepFree int64 // bytes

	mu      sync.Mutex
	allowed int64 // bytes that all uploads may write before free space is looked up again
	writing int64 // bytes that are being written, which may or may not count as free
}

// checkEvery is how many bytes are written between two looks at the free space,
// which other programs use too.
const checkEvery = 8 << 20

// check returns upload.ErrNoSpace if size bytes would not fit on the disk now.
func (d *diskSpace) check(size int64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	left, err := d.left()
	if err == nil && size > left {
		err = fmt.Errorf("%w: %d bytes needed, %d left", upload.ErrNoSpace, size, left)
	}
	return err
}

// left returns how many bytes may be written. The caller holds mu.
func (d *diskSpace) left() (int64, error) {
	free, err := free(d.root)
	return free - d.keepFree - d.writing, err
}

// write writes to the file, or returns upload.ErrNoSpace.
func (d *diskSpace) write(file *os.File, p []byte) (int, error) {
	n := int64(len(p))
	if err := d.begin(n); err != nil {
		return 0, err
	}
	defer d.end(n)
	return file.Write(p)
}

func (d *diskSpace) begin(n int64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if n > d.allowed {
		left, err := d.left()
		if err != nil {
			return err
		}
		if n > left {
			return fmt.Errorf("%w: %d bytes to write, %d left", upload.ErrNoSpace, n, left)
		}
		d.allowed = min(left, max(n, checkEvery))
	}
	d.allowed -= n
	d.writing += n
	return nil
}

func (d *diskSpace) end(n int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.writing -= n
}
