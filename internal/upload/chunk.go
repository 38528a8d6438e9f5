package upload

import "sync"

// How much is read, digested and written at a time, in bytes. Larger chunks are
// faster as long as the processor's cache holds them, but every upload that runs
// has one.
const (
	chunkMost  = 1 << 20
	chunkLeast = 256 << 10
	chunkSmall = 32 << 10 // for an upload that has no more
	chunksMost = 24 << 20 // all of them together, but for those of the least size
	chunkShare = 6        // the part of what is left that one may take
)

// chunks hands out the chunks: large ones to few uploads, small ones to many.
type chunks struct {
	mu    sync.Mutex
	inUse int64
}

// take returns a chunk for an upload of at most size bytes.
func (c *chunks) take(size int64) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := min(max((chunksMost-c.inUse)/chunkShare, chunkLeast), chunkMost, max(size, chunkSmall))
	c.inUse += n
	return make([]byte, n)
}

func (c *chunks) giveBack(chunk []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.inUse -= int64(len(chunk))
}
