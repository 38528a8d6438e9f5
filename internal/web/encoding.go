package web

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"
)

// encoder compresses bodies that many clients get. It keeps its coders, since
// making one costs more than its work on a page.
type encoder struct{ gzip sync.Pool }

func newEncoder() *encoder {
	return &encoder{sync.Pool{New: func() any { return gzip.NewWriter(nil) }}}
}

// beginning is what bodies with different ends have in common.
type beginning struct {
	plain []byte
	gzip  func() []byte // ends where another block may follow
}

// encode returns the beginning of bodies. It is compressed at most once, and
// only if a client takes that.
func (e *encoder) encode(plain []byte) beginning {
	return beginning{plain, sync.OnceValue(func() []byte {
		var out bytes.Buffer
		coder := e.gzip.Get().(*gzip.Writer) //nolint:forcetypeassert // the pool's own
		defer e.gzip.Put(coder)
		coder.Reset(&out)
		_, _ = coder.Write(plain) // out takes everything
		_ = coder.Flush()
		return out.Bytes()
	})}
}

// encodedBody is a body in every coding.
type encodedBody struct {
	plain []byte
	gzip  func() []byte
}

// endingWith returns the body with the given end. That is not compressed, since
// it is short and seldom the same.
func (b beginning) endingWith(end []byte) encodedBody {
	plain := slices.Concat(b.plain, end)
	return encodedBody{plain, sync.OnceValue(func() []byte {
		begun := b.gzip()
		out := append(make([]byte, 0, len(begun)+len(end)+64), begun...)
		for stored := range slices.Chunk(end, math.MaxUint16) {
			out = appendStored(out, 0, stored)
		}
		out = appendStored(out, 1, nil)
		// RFC 1952, 2.3.1.
		out = binary.LittleEndian.AppendUint32(out, crc32.ChecksumIEEE(plain))
		return binary.LittleEndian.AppendUint32(out, uint32(len(plain))) //nolint:gosec // modulo 2^32, as the RFC has it
	})}
}

// appendStored appends a block that is not compressed (RFC 1951, 3.2.4).
func appendStored(out []byte, final byte, stored []byte) []byte {
	size := uint16(len(stored)) //nolint:gosec // the caller's promise
	out = binary.LittleEndian.AppendUint16(append(out, final), size)
	out = binary.LittleEndian.AppendUint16(out, ^size)
	return append(out, stored...)
}

// accepted returns the body in the coding that an Accept-Encoding field asks for
// (RFC 9110, 12.5.3). The coding is empty for the plain body.
func (b encodedBody) accepted(field string) (body []byte, coding string) {
	if quality(field, "gzip") > 0 {
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
