//go:build !unix

package disk

import "os"

// lock does nothing: here two programs must not share a folder of uploads.
func lock(*os.File) error { return nil }
