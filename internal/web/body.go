package web

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"
)

// body is the whole body of an answer, in either coding.
type body struct {
	contentType string
	plain       []byte
	gzip        func() []byte // made when first asked for, and kept; nil if the body is for one client
	etag        string        // weak (RFC 9110, 8.8.1), since it is the same for both codings
}

// newBody returns a body that many clients get.
func newBody(contentType string, plain []byte) *body {
	b := newBodyForOne(contentType, plain)
	b.gzip = sync.OnceValue(func() []byte {
		var out bytes.Buffer
		coder := gzip.NewWriter(&out)
		_, _ = coder.Write(plain) // out takes everything
		_ = coder.Close()
		return out.Bytes()
	})
	return b
}

// newBodyForOne returns a body that one client gets. It is compressed as it goes
// out, which takes less time but more bytes.
func newBodyForOne(contentType string, plain []byte) *body {
	digest := sha256.Sum256(plain)
	return &body{contentType: contentType, plain: plain, etag: fmt.Sprintf(`W/"%x"`, digest[:12])}
}

// send answers with the body, unless the client has it.
func (b *body) send(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("ETag", b.etag)
	if matches(r.Header.Get("If-None-Match"), b.etag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	content := b.plain
	if b.gzip != nil && quality(r.Header.Get("Accept-Encoding"), "gzip") > 0 && len(b.gzip()) < len(b.plain) { // which a PNG is not
		content = b.gzip()
		w.Header().Set("Content-Encoding", "gzip") // which gzhttp then leaves alone
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
