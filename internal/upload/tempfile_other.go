//go:build !linux

package upload

import "os"

// kindsOfTempFiles returns the kinds to try.
func kindsOfTempFiles(root *os.Root) []tempFiles { return []tempFiles{namedTempFiles{root}} }

// startWriteback leaves everything to the sync.
func startWriteback(*os.File, int64, int64) {}

// fileSystem can't tell.
func fileSystem(string) string { return "" }
