package disk

import "sync"

// How much is read, hashed and written at a time, in bytes. A larger buffer is
// faster as long as the processor's cache holds it, but every running upload
// has one.
const (
	maxBuffer     = 1 << 20
	minBuffer     = 256 << 10
	smallBuffer   = 32 << 10 // enough for an upload that is no larger
	bufferBudget  = 24 << 20 // for all of them, but each gets its minimum
	bufferDivisor = 6        // one buffer takes at most this part of what is left
)

// buffers hands out the buffers: large ones to few uploads, small ones to many.
type buffers struct {
	mu    sync.Mutex
	inUse int64
}

// take returns a buffer for an upload of size bytes, or -1 if that is not known.
func (b *buffers) take(size int64) []byte {
	if size < 0 {
		size = maxBuffer
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	n := min(max((bufferBudget-b.inUse)/bufferDivisor, minBuffer), maxBuffer, max(size, smallBuffer))
	b.inUse += n
	return make([]byte, n)
}

func (b *buffers) release(buffer []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.inUse -= int64(len(buffer))
}
