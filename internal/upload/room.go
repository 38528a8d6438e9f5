package upload

import (
	"fmt"
	"os"
	"sync"
)

// room keeps account of the disk space that running uploads have still to
// take, so that each is promised only what the others leave.
type room struct {
	root    *os.Root
	reserve int64 // bytes that stay free

	mu      sync.Mutex
	claimed int64 // bytes promised and not yet written
}

// claim is what one upload was promised.
type claim struct {
	room *room
	left int64 // bytes
}

// claim sets size bytes aside, or returns ErrNoSpace.
func (r *room) claim(size int64) (*claim, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	free, err := free(r.root)
	if err != nil {
		return nil, err
	}
	if size > free-r.claimed-r.reserve {
		return nil, fmt.Errorf("%w: %d bytes asked for; %d are free, of which %d are promised and %d reserved", ErrNoSpace, size, free, r.claimed, r.reserve)
	}
	r.claimed += size
	return &claim{r, size}, nil
}

// spend takes n bytes off the claim, as the disk counts them from now on.
func (c *claim) spend(n int64) {
	c.room.mu.Lock()
	defer c.room.mu.Unlock()
	n = min(n, c.left)
	c.left -= n
	c.room.claimed -= n
}

func (c *claim) release() { c.spend(c.left) }
