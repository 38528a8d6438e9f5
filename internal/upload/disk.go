package upload

import "os"

// diskWriter writes a draft at a claim's cost. Every writebackSize it has the
// system begin to write to the disk, so that the sync at the end waits for
// little instead of for all.
type diskWriter struct {
	file    *os.File
	claim   *claim
	written int64 // bytes
	begun   int64 // of them, how many the system was told to write
}

const writebackSize = 8 << 20 // bytes

func (d *diskWriter) Write(p []byte) (int, error) {
	n, err := d.file.Write(p)
	d.claim.spend(int64(n))
	d.written += int64(n)
	if d.written-d.begun >= writebackSize {
		beginWriteback(d.file, d.begun, d.written-d.begun)
		d.begun = d.written
	}
	return n, err
}
