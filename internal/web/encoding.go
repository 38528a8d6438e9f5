package web

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/klauspost/compress/flate"
)

// piece is a part of bodies that many clients get.
type piece struct {
	plain    []byte
	deflated func() []byte // whole blocks (RFC 1951), which may stand among others
}

// encoder makes pieces. It keeps its coders, since making one costs more than
// its work on a page.
type encoder struct{ coders sync.Pool }

func newEncoder() *encoder {
	return &encoder{sync.Pool{New: func() any {
		coder, _ := flate.NewWriter(nil, flate.DefaultCompression) // a level that exists
		return coder
	}}}
}

// encode returns the piece. It is compressed at most once, and only if a client
// takes that.
func (e *encoder) encode(plain []byte) piece {
	return piece{plain, sync.OnceValue(func() []byte {
		var out bytes.Buffer
		coder := e.coders.Get().(*flate.Writer) //nolint:forcetypeassert // the pool's own
		defer e.coders.Put(coder)
		coder.Reset(&out)
		_, _ = coder.Write(plain) // out takes everything
		_ = coder.Flush()
		return out.Bytes()
	})}
}

// stored returns a piece that is never compressed, since it is short and seldom
// the same.
func stored(plain []byte) piece {
	return piece{plain, func() []byte {
		var out []byte
		for block := range slices.Chunk(plain, math.MaxUint16) {
			out = appendStored(out, 0, block)
		}
		return out
	}}
}

// appendStored appends a block that is not compressed (RFC 1951, 3.2.4).
func appendStored(out []byte, final byte, block []byte) []byte {
	size := uint16(len(block)) //nolint:gosec // the caller's promise
	out = binary.LittleEndian.AppendUint16(append(out, final), size)
	out = binary.LittleEndian.AppendUint16(out, ^size)
	return append(out, block...)
}

// bodyWriter writes a body piece by piece, plain or by gzip (RFC 1952, 2.3).
type bodyWriter struct {
	out      io.Writer
	gzip     bool
	checksum uint32
	size     uint32 // modulo 2^32, as the RFC has it
}

// newBodyWriter returns a writer to out, whose errors nobody will hear of.
func newBodyWriter(out io.Writer, gzip bool) *bodyWriter {
	if gzip {
		_, _ = out.Write([]byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255})
	}
	return &bodyWriter{out: out, gzip: gzip}
}

func (w *bodyWriter) write(p piece) {
	if !w.gzip {
		_, _ = w.out.Write(p.plain)
		return
	}
	_, _ = w.out.Write(p.deflated())
	w.checksum = crc32.Update(w.checksum, crc32.IEEETable, p.plain)
	w.size += uint32(len(p.plain)) //nolint:gosec // see size
}

func (w *bodyWriter) close() {
	if w.gzip {
		end := appendStored(nil, 1, nil)
		end = binary.LittleEndian.AppendUint32(end, w.checksum)
		_, _ = w.out.Write(binary.LittleEndian.AppendUint32(end, w.size))
	}
}

// join returns the body of the pieces.
func join(gzip bool, pieces ...piece) []byte {
	var out bytes.Buffer
	w := newBodyWriter(&out, gzip)
	for _, p := range pieces {
		w.write(p)
	}
	w.close()
	return out.Bytes()
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
