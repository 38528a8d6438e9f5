// Package multipart reads forms of the type multipart/form-data (RFC 7578) as
// they stream in. It holds no more of one in memory than a part's header.
//
// Three things set it apart from mime/multipart. It reads content straight into
// the caller's buffer, where that package copies it through a small one of its
// own. It reads file names in every way in which clients write them. And it
// loses nothing: a part that it can't make sense of is an error, header and
// delimiter lines end in CRLF (RFC 2046, 4.1.1 and 5.1.1), and a body that ends
// before its closing delimiter is cut short, wherever it is cut.
//
// It knows nothing of HTTP. The caller limits how large a form may be, how long
// it may take, and which parts it may have.
package multipart

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"slices"
	"strings"
)

const (
	maxBoundary = 70       // characters, RFC 2046, 5.1.1
	maxHeader   = 64 << 10 // bytes of a part's header
	maxSkipped  = 64 << 10 // bytes that Next skips
	readAhead   = 4 << 10  // bytes
)

// MalformedError says that the body does not follow the rules of a form: its
// sender is at fault. For a body that was cut short it wraps
// io.ErrUnexpectedEOF.
type MalformedError struct {
	Part    int    // the number of the part that it is about, from 1, or 0 for the form as a whole
	Problem string // in words that go on from "part 3" or "the form", and never the sender's own
	Err     error  // may be nil
}

func (e *MalformedError) Error() string {
	if e.Part == 0 {
		return "malformed form: it " + e.Problem
	}
	return fmt.Sprintf("malformed form: part %d %s", e.Part, e.Problem)
}

func (e *MalformedError) Unwrap() error { return e.Err }

// Reader reads a form, part by part. Its errors are io.EOF, those of the body
// as they are, and else a MalformedError. It is not safe for concurrent use.
type Reader struct {
	body      io.Reader
	bodyErr   error  // of the body, after its last byte
	delimiter []byte // CRLF, two dashes and the boundary (RFC 2046, 5.1.1)
	ahead     []byte // read from the body and not yet given out
	part      int    // the number of the part that was begun last, from 1
	err       error  // how the form ended
}

// NewReader returns a reader of the form in body, before its first part. It
// reads nothing yet. contentType is the value of the Content-Type header that
// came with the body; the error says why that does not announce a form.
func NewReader(body io.Reader, contentType string) (*Reader, error) {
	mediaType, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		return nil, fmt.Errorf("Content-Type %q: %w", contentType, err)
	}
	if mediaType != "multipart/form-data" {
		return nil, fmt.Errorf("the type is %q, not multipart/form-data", mediaType)
	}
	boundary := params["boundary"]
	if boundary == "" || len(boundary) > maxBoundary || strings.ContainsAny(boundary, "\r\n") {
		return nil, fmt.Errorf("the boundary %q does not have 1 to %d characters on one line", boundary, maxBoundary)
	}
	return &Reader{
		body:      body,
		delimiter: []byte("\r\n--" + boundary),
		ahead:     []byte("\r\n"), // the first delimiter may lack it; a preamble is read like a part
	}, nil
}

// Next skips what was not read of a part, at most 64 KiB, and returns the next
// one, whose header may have 64 KiB. After the closing delimiter it returns
// io.EOF. Once it has failed it keeps failing.
//
// What stands before the first delimiter or after the closing one is no part of
// the form (RFC 2046, 5.1.1) and is skipped, at most 64 KiB each. But if there
// is a Content-Disposition in it, the sender meant a part, and the form is
// malformed.
func (r *Reader) Next() (Part, error) {
	if r.err != nil {
		return Part{}, r.err
	}
	part, err := r.next()
	r.err = err
	return part, err
}

func (r *Reader) next() (Part, error) {
	var preamble bytes.Buffer
	skipTo := io.Discard
	if r.part == 0 {
		skipTo = &preamble
	}
	skipped, err := io.Copy(skipTo, io.LimitReader(r, maxSkipped+1))
	switch {
	case err != nil:
		return Part{}, err
	case skipped > maxSkipped && r.part == 0:
		return Part{}, &MalformedError{Problem: fmt.Sprintf("has more than %d bytes before its first delimiter", maxSkipped)}
	case skipped > maxSkipped:
		return Part{}, r.malformed(fmt.Sprintf("is a field of more than %d bytes", maxSkipped))
	case hasDisposition(preamble.Bytes()):
		return Part{}, &MalformedError{Problem: "has a part before its first delimiter"}
	}
	r.ahead = r.ahead[len(r.delimiter):]
	if bytes.HasPrefix(r.ahead, []byte("--")) {
		return Part{}, r.close()
	}
	r.part++
	lines, err := r.header()
	if err != nil {
		return Part{}, err
	}
	part, problem := parsePart(lines)
	if problem != "" {
		return Part{}, r.malformed(problem)
	}
	return part, r.endHeader()
}

// malformed is an error about the part that was begun last.
func (r *Reader) malformed(problem string) error {
	return &MalformedError{Part: r.part, Problem: problem}
}

func hasDisposition(b []byte) bool {
	return bytes.Contains(bytes.ToLower(b), []byte("content-disposition"))
}

// close reads the rest of the closing delimiter's line, which may be the last
// of the body and lack its line break, and what follows, to the body's end. It
// returns io.EOF if all is well.
func (r *Reader) close() error {
	r.ahead = r.ahead[len("--"):]
	for r.bodyErr == nil && len(r.ahead) <= maxSkipped {
		_ = r.fill() // which says that the body has ended, as it may here
	}
	rest := bytes.TrimLeft(r.ahead, " \t")
	switch {
	case r.bodyErr != nil && !errors.Is(r.bodyErr, io.EOF):
		return r.bodyErr
	case len(r.ahead) > maxSkipped:
		return &MalformedError{Problem: fmt.Sprintf("has more than %d bytes after its closing delimiter", maxSkipped)}
	case len(rest) > 0 && rest[0] == '\n':
		return &MalformedError{Problem: "has a closing delimiter that ends in LF alone, where CR LF is needed"}
	case len(rest) > 0 && !bytes.HasPrefix(rest, []byte("\r\n")):
		return &MalformedError{Problem: "has more than white space after the closing delimiter on its line"}
	case hasDisposition(rest):
		return &MalformedError{Problem: "has a part after its closing delimiter"}
	}
	return io.EOF
}

// header reads the rest of a delimiter's line and returns the lines of the
// header that follows, which stay valid until more is read. It leaves the line
// break of the empty line at their end.
func (r *Reader) header() ([]byte, error) {
	end := []byte("\r\n\r\n")
	for len(r.ahead) <= maxHeader && !bytes.Contains(r.ahead, end) {
		if bytes.HasPrefix(bytes.TrimLeft(r.ahead, " \t"), []byte("\n")) {
			return nil, r.malformed(bareLineFeed)
		}
		if err := r.fill(); err != nil {
			if errors.Is(r.bodyErr, io.EOF) && hasBareLineFeed(r.ahead) {
				return nil, r.malformed(bareLineFeed)
			}
			return nil, err
		}
	}
	size := bytes.Index(r.ahead, end)
	if size < 0 || size > maxHeader {
		return nil, r.malformed(fmt.Sprintf("has a header of more than %d bytes", maxHeader))
	}
	padding, lines, _ := bytes.Cut(r.ahead[:size+len(end)], []byte("\r\n"))
	switch padding = bytes.TrimLeft(padding, " \t"); {
	case len(padding) > 0 && padding[0] == '\n':
		return nil, r.malformed(bareLineFeed)
	case len(padding) > 0:
		return nil, r.malformed("begins on the line of the delimiter before it")
	}
	r.ahead = r.ahead[size+len("\r\n"):]
	return lines, nil
}

// endHeader reads the line break that ends a header, unless it also begins the
// next delimiter: then the part is empty, and lacks a line break of its own.
func (r *Reader) endHeader() error {
	for {
		content, ends := r.split(r.ahead)
		switch {
		case ends && content == 0:
			return nil
		case content > 0:
			r.ahead = r.ahead[len("\r\n"):]
			return nil
		}
		if err := r.fill(); err != nil {
			return err
		}
	}
}

// Read reads the content of the part that Next returned last, as sent: no
// transfer encoding is undone (RFC 7578, 4.7). It returns io.EOF where the
// part's closing delimiter begins, so that a part whose Read has ended well is
// whole. Before the first call of Next it reads the preamble.
func (r *Reader) Read(p []byte) (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	for {
		content, ends := r.split(r.ahead)
		if content > 0 {
			n := copy(p, r.ahead[:content])
			r.ahead = r.ahead[n:]
			return n, nil
		}
		if ends {
			return 0, io.EOF
		}
		// What is ahead may begin a delimiter. Only more of it will tell.
		if len(p) < readAhead {
			if err := r.fill(); err != nil {
				return 0, err
			}
			continue
		}
		n := copy(p, r.ahead)
		more, err := r.readBody(p[n:])
		if err != nil {
			return 0, err
		}
		n += more
		content, _ = r.split(p[:n])
		r.ahead = append(r.ahead[:0], p[content:n]...)
		if content > 0 {
			return content, nil
		}
	}
}

// split returns how many bytes at the start of b are surely content, and
// whether a delimiter follows them.
func (r *Reader) split(b []byte) (content int, ends bool) {
	for {
		i := bytes.Index(b[content:], r.delimiter)
		if i < 0 {
			break
		}
		content += i
		switch rest := string(b[content+len(r.delimiter) : min(len(b), content+len(r.delimiter)+2)]); {
		case rest == "", rest == "-":
			return content, false
		case rest == "--", rest[0] == ' ', rest[0] == '\t', rest[0] == '\r', rest[0] == '\n':
			return content, true
		}
		content += len(r.delimiter) // another boundary, which begins with ours
	}
	// The last bytes may be the start of a delimiter.
	last := b[max(content, len(b)-len(r.delimiter)+1):]
	if i := bytes.LastIndexByte(last, '\r'); i >= 0 && bytes.HasPrefix(r.delimiter, last[i:]) {
		return len(b) - len(last[i:]), false
	}
	return len(b), false
}

// fill reads some more of the body ahead.
func (r *Reader) fill() error {
	r.ahead = slices.Grow(r.ahead, readAhead)
	n, err := r.readBody(r.ahead[len(r.ahead) : len(r.ahead)+readAhead])
	r.ahead = r.ahead[:len(r.ahead)+n]
	return err
}

// readBody reads from the body, whose end is an error here: only what follows
// the closing delimiter may be the last of a body.
func (r *Reader) readBody(p []byte) (n int, err error) {
	if r.bodyErr == nil {
		n, r.bodyErr = r.body.Read(p)
	}
	switch {
	case n > 0:
		return n, nil
	case errors.Is(r.bodyErr, io.EOF) && r.part == 0:
		return 0, &MalformedError{Problem: "has no line with the boundary that its Content-Type announces"}
	case errors.Is(r.bodyErr, io.EOF):
		return 0, &MalformedError{Problem: "ends before its closing delimiter", Err: io.ErrUnexpectedEOF}
	}
	return 0, r.bodyErr
}
