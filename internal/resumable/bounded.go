package resumable

import (
	"errors"
	"fmt"
	"io"
)

// errBeyond says that a body has more bytes than may come.
var errBeyond = errors.New("there are more bytes than may come")

// boundedReader reads a body that may have so many bytes. Those are all read
// before one too many is found.
type boundedReader struct {
	body   io.Reader
	left   int64 // bytes
	beyond error // what a further byte means
}

func (b *boundedReader) Read(p []byte) (int, error) {
	if b.left > 0 {
		n, err := b.body.Read(p[:min(int64(len(p)), b.left)])
		b.left -= int64(n)
		return n, err
	}
	n, err := b.body.Read(make([]byte, 1))
	if n > 0 {
		return 0, fmt.Errorf("%w: %w", b.beyond, errBeyond)
	}
	return 0, err
}
