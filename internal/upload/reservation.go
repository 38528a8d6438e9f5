package upload

import (
	"fmt"
	"os"
	"sync"
)

// diskSpace keeps account of the space that running uploads have yet to take,
// so that each reserves only what the others leave.
type diskSpace struct {
	root     *os.Root
	keepFree int64 // bytes

	mu       sync.Mutex
	reserved int64 // bytes, not yet written
}

// reservation is space kept for one upload.
type reservation struct {
	space *diskSpace
	left  int64 // bytes
}

// reserve keeps size bytes for an upload, or returns ErrNoSpace.
func (d *diskSpace) reserve(size int64) (*reservation, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	free, err := free(d.root)
	if err != nil {
		return nil, err
	}
	if size > free-d.reserved-d.keepFree {
		return nil, fmt.Errorf("%w: %d bytes needed; of %d free ones, %d are reserved by running uploads and %d are to stay free", ErrNoSpace, size, free, d.reserved, d.keepFree)
	}
	d.reserved += size
	return &reservation{d, size}, nil
}

// spend takes n bytes off the reservation: once written, they no longer count
// as free on the disk.
func (r *reservation) spend(n int64) {
	r.space.mu.Lock()
	defer r.space.mu.Unlock()
	n = min(n, r.left)
	r.left -= n
	r.space.reserved -= n
}

func (r *reservation) release() { r.spend(r.left) }
