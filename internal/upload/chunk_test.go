package upload_test

import (
	"testing"

	"homepage/internal/upload"
)

func TestChunks(t *testing.T) {
	const kib, mib, gib = 1 << 10, 1 << 20, 1 << 30
	var chunks upload.Chunks
	if got := len(chunks.Take(100 * kib)); got != 100*kib {
		t.Errorf("an upload of 100 KiB gets %d bytes", got)
	}
	if got := len(chunks.Take(1)); got != 32*kib {
		t.Errorf("an upload of a byte gets %d bytes", got)
	}
	chunks = upload.Chunks{}
	var all [][]byte
	total := 0
	for range 64 {
		chunk := chunks.Take(gib)
		all = append(all, chunk)
		total += len(chunk)
	}
	if first, last := len(all[0]), len(all[63]); first != mib || last != 256*kib {
		t.Errorf("the first of 64 gets %d bytes, the last %d", first, last)
	}
	if total > 40*mib {
		t.Errorf("64 uploads take %d MiB for their chunks", total/mib)
	}
	for _, chunk := range all {
		chunks.GiveBack(chunk)
	}
	if got := len(chunks.Take(gib)); got != mib {
		t.Errorf("after all have ended an upload gets %d bytes", got)
	}
}
