package web

import (
	"bytes"
	"strconv"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// encoder compresses bodies that many clients get. It keeps its coders, since
// making one costs more than its work on a page.
type encoder struct {
	gzip sync.Pool // of *gzip.Writer
	zstd *zstd.Encoder
}

func newEncoder() (*encoder, error) {
	e := &encoder{gzip: sync.Pool{New: func() any { return gzip.NewWriter(nil) }}}
	var err error
	e.zstd, err = zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(64<<10))
	return e, err
}

// encodedBody is a body in every coding. It is compressed at most once for each,
// and only if a client takes that.
type encodedBody struct {
	plain      []byte
	gzip, zstd func() []byte
}

func (e *encoder) encode(plain []byte) encodedBody {
	return encodedBody{
		plain: plain,
		gzip: sync.OnceValue(func() []byte {
			var out bytes.Buffer
			coder := e.gzip.Get().(*gzip.Writer) //nolint:forcetypeassert // the pool's own
			coder.Reset(&out)
			_, _ = coder.Write(plain) // out takes everything
			_ = coder.Close()
			e.gzip.Put(coder)
			return out.Bytes()
		}),
		zstd: sync.OnceValue(func() []byte { return e.zstd.EncodeAll(plain, nil) }),
	}
}

// accepted returns the body in the coding that an Accept-Encoding field asks for
// (RFC 9110, 12.5.3); of two that it likes as well, in the quicker one. The
// coding is empty for the plain body.
func (b encodedBody) accepted(field string) (body []byte, coding string) {
	gzip, zstd := quality(field, "gzip"), quality(field, "zstd")
	switch {
	case zstd > 0 && zstd >= gzip:
		return b.zstd(), "zstd"
	case gzip > 0:
		return b.gzip(), "gzip"
	}
	return b.plain, ""
}

// quality is the weight that a field such as Accept gives to a value (RFC 9110,
// 12.4.2), or 0 if it does not name it.
func quality(field, value string) float64 {
	for part := range strings.SplitSeq(field, ",") {
		name, parameters, _ := strings.Cut(part, ";")
		if !strings.EqualFold(strings.TrimSpace(name), value) {
			continue
		}
		for parameter := range strings.SplitSeq(parameters, ";") {
			if name, weight, _ := strings.Cut(strings.TrimSpace(parameter), "="); strings.EqualFold(name, "q") {
				if q, err := strconv.ParseFloat(weight, 64); err == nil {
					return q
				}
			}
		}
		return 1
	}
	return 0
}
