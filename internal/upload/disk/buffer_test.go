package disk_test

import (
	"testing"

	"homepage/internal/upload/disk"
)

func TestBuffers(t *testing.T) {
	const kib, mib, gib = 1 << 10, 1 << 20, 1 << 30
	var buffers disk.Buffers
	if got := len(buffers.Take(100 * kib)); got != 100*kib {
		t.Errorf("an upload of 100 KiB gets %d bytes", got)
	}
	if got := len(buffers.Take(1)); got != 32*kib {
		t.Errorf("an upload of one byte gets %d bytes", got)
	}
	if got := len(buffers.Take(-1)); got != mib {
		t.Errorf("an upload of unknown size gets %d bytes", got)
	}
	buffers = disk.Buffers{}
	var all [][]byte
	total := 0
	for range 64 {
		buffer := buffers.Take(gib)
		all = append(all, buffer)
		total += len(buffer)
	}
	if first, last := len(all[0]), len(all[63]); first != mib || last != 256*kib {
		t.Errorf("the first of 64 gets %d bytes, the last %d", first, last)
	}
	if total > 40*mib {
		t.Errorf("64 uploads have buffers of %d MiB together", total/mib)
	}
	for _, buffer := range all {
		buffers.Release(buffer)
	}
	if got := len(buffers.Take(gib)); got != mib {
		t.Errorf("after all have ended an upload gets %d bytes", got)
	}
}
