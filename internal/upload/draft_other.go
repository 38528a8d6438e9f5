//go:build !linux

package upload

import "os"

// draftsFor returns the kinds of drafts to try.
func draftsFor(root *os.Root) []drafts { return []drafts{namedDrafts{root}} }
