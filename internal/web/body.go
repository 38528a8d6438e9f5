package web

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"

	"homepage/internal/home"
)

// body is the whole body of an answer, in either coding.
type body struct {
	contentType string
	plain       []byte
	gzip        func() []byte
	etag        string // weak (RFC 9110, 8.8.1), since it is the same for both codings
}

// newBody returns a body that many clients get. It is compressed when one first
// asks for that.
func newBody(contentType string, plain []byte) *body {
	return &body{contentType, plain, sync.OnceValue(func() []byte {
		var out bytes.Buffer
		coder := gzip.NewWriter(&out)
		_, _ = coder.Write(plain) // out takes everything
		_ = coder.Close()
		return out.Bytes()
	}), tagOf(plain)}
}

// newHTML compresses a piece of a page, so that pages which have it need not.
func newHTML(plain []byte) *home.HTML {
	var out bytes.Buffer
	_ = flate.StatelessDeflate(&out, plain, false, nil) // out takes everything
	return &home.HTML{Plain: plain, Deflated: out.Bytes()}
}

// gzipHeader has no name, no time and no system (RFC 1952, 2.3).
const gzipHeader = "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"

// lastBlock is an empty block that ends a stream (RFC 1951, 3.2.6).
const lastBlock = "\x03\x00"

// newJoined returns a page that is made of pieces. Each was compressed before, so
// that only some bytes are lost, and no time.
func newJoined(pieces ...*home.HTML) *body {
	var plain []byte
	for _, piece := range pieces {
		plain = append(plain, piece.Plain...)
	}
	return &body{htmlType, plain, func() []byte {
		out := slices.Grow([]byte(gzipHeader), len(plain)/2)
		for _, piece := range pieces {
			out = append(out, piece.Deflated...)
		}
		out = append(out, lastBlock...)
		out = binary.LittleEndian.AppendUint32(out, crc32.ChecksumIEEE(plain))
		return binary.LittleEndian.AppendUint32(out, uint32(len(plain))) //nolint:gosec // modulo 2^32 by RFC 1952
	}, tagOf(plain)}
}

// tagOf returns the entity tag of a body.
func tagOf(plain []byte) string {
	digest := sha256.Sum256(plain)
	return fmt.Sprintf(`W/"%x"`, digest[:12])
}

// send answers with the body, unless the client has it.
func (b *body) send(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("ETag", b.etag)
	if matches(r.Header.Get("If-None-Match"), b.etag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	content := b.plain
	if quality(r.Header.Get("Accept-Encoding"), "gzip") > 0 {
		if packed := b.gzip(); len(packed) < len(content) { // which a PNG is not
			content = packed
			w.Header().Set("Content-Encoding", "gzip") // which gzhttp then leaves alone
		}
	}
	writeBody(w, http.StatusOK, b.contentType, content)
}

// matches tells whether If-None-Match names the weak tag (RFC 9110, 13.1.2).
func matches(field, tag string) bool {
	for one := range strings.SplitSeq(field, ",") {
		one = strings.TrimSpace(one)
		if one == "*" || strings.TrimPrefix(one, "W/") == strings.TrimPrefix(tag, "W/") {
			return true
		}
	}
	return false
}

// quality is the weight that a field such as Accept gives to a value (RFC 9110,
// 12.4.2), or 0 if the field does not name it.
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
