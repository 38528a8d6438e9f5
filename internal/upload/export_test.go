package upload

import "os"

// OpenNamed opens a folder as if its file system had no unnamed files.
func OpenNamed(folder string) (*Store, error) {
	return open(folder, 0, func(root *os.Root) []drafts { return []drafts{namedDrafts{root}} })
}
