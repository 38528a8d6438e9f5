//go:build !linux

package upload

import "os"

// beginWriteback leaves it all to the sync.
func beginWriteback(*os.File, int64, int64) {}
