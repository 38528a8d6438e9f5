package upload

import "os"

// OpenNamed opens a folder as if its file system had no unnamed files.
func OpenNamed(folder string) (*Store, error) {
	return open(folder, 0, func(root *os.Root) []tempFiles { return []tempFiles{namedTempFiles{root}} })
}

// Buffers let tests see the memory that uploads take together.
type Buffers = buffers

// Take is take.
func (b *buffers) Take(size int64) []byte { return b.take(size) }

// Release is release.
func (b *buffers) Release(buffer []byte) { b.release(buffer) }
