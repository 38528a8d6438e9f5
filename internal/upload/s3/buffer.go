package s3

import "sync"

const (
	// partSize is how many bytes of a file are sent at a time. S3 wants at least
	// 5 MiB; with all that goes around it, a part of this size keeps an upload
	// below 8 MiB of memory.
	partSize  = 6 << 20
	mostParts = 10_000 // of a file, as S3 has it
	smallSize = 256 << 10
)

// buffers hands out memory for parts, and keeps it between uploads as long as
// the garbage collector sees use for it.
type buffers struct {
	part int // bytes of a part, and of a buffer unless less is known to be enough
	pool sync.Pool
}

// newBuffers returns buffers for files of up to most bytes.
func newBuffers(most int64) *buffers {
	b := &buffers{part: int(max(partSize, (most+mostParts-1)/mostParts))}
	b.pool.New = func() any { return new(make([]byte, b.part)) }
	return b
}

// take returns a buffer for a form of size bytes, or -1 if that is not known.
func (b *buffers) take(size int64) []byte {
	if 0 <= size && size <= smallSize {
		return make([]byte, size+1) // room to see that it has ended
	}
	return *b.pool.Get().(*[]byte)
}

// grow returns a buffer for a whole part with what is in the given one, or false
// if that is one already.
func (b *buffers) grow(buffer []byte) ([]byte, bool) {
	if len(buffer) == b.part {
		return buffer, false
	}
	larger := b.take(-1)
	copy(larger, buffer)
	return larger, true
}

func (b *buffers) release(buffer []byte) {
	if len(buffer) == b.part {
		b.pool.Put(&buffer)
	}
}
