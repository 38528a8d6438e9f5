package upload

import "os"

// OpenNamed opens a folder as if its file system had no unnamed files.
func OpenNamed(folder string) (*Store, error) {
	return open(folder, 0, func(root *os.Root) []drafts { return []drafts{namedDrafts{root}} })
}

// Chunks are for tests of the memory that uploads take together.
type Chunks = chunks

// Take is take.
func (c *chunks) Take(size int64) []byte { return c.take(size) }

// GiveBack is giveBack.
func (c *chunks) GiveBack(chunk []byte) { c.giveBack(chunk) }
