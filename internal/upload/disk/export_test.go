package disk

import "os"

// OpenNth opens a folder as if its file system supported nothing but the n-th
// kind of temporary files.
func OpenNth(folder string, n int) (*Store, error) {
	return open(folder, 0, func(root *os.Root) []tempFiles { return kindsOfTempFiles(root)[n:][:1] })
}

// Buffers let tests see the memory that uploads take together.
type Buffers = buffers

// Take is take.
func (b *buffers) Take(size int64) []byte { return b.take(size) }

// Release is release.
func (b *buffers) Release(buffer []byte) { b.release(buffer) }
