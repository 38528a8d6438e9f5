//go:build !linux

package disk

import "os"

// kindsOfTempFiles returns the kinds to try.
func kindsOfTempFiles(root *os.Root) []tempFiles { return []tempFiles{namedTempFiles{root}} }

// fileSystem can't tell.
func fileSystem(string) string { return "" }
