package web

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/textproto"
	"slices"
	"strings"
)

const (
	maxBoundary = 70       // characters, says RFC 2046
	maxHeader   = 64 << 10 // bytes of a part's header, or of what lies between two files
	readAhead   = 4 << 10  // bytes
)

// multipartReader reads the parts of a form (RFC 7578, RFC 2046 5.1.1). Unlike
// mime/multipart it reads the content straight into the caller's buffer, and it
// is strict where that one is lenient: lines end in CRLF, and a body that ends
// before its closing delimiter is cut short.
type multipartReader struct {
	body      io.Reader
	err       error  // of the body, after its last byte
	delimiter []byte // CRLF, two dashes and the boundary
	ahead     []byte // what was read and not given out
}

// newMultipartReader returns a reader of the request's form, before its first
// part. Its error is that the request is no form.
func newMultipartReader(header http.Header, body io.Reader) (*multipartReader, error) {
	kind, params, err := mime.ParseMediaType(header.Get("Content-Type"))
	if err != nil {
		return nil, err
	}
	boundary := params["boundary"]
	if kind != "multipart/form-data" || boundary == "" || len(boundary) > maxBoundary || strings.ContainsAny(boundary, "\r\n") {
		return nil, fmt.Errorf("%s with the boundary %q is no form", kind, boundary)
	}
	return &multipartReader{
		body:      body,
		delimiter: []byte("\r\n--" + boundary),
		ahead:     []byte("\r\n"), // the first delimiter may lack it; a preamble is read like a part
	}, nil
}

// nextPart skips what is left of a part and returns the next one's header, or
// io.EOF after the closing delimiter. The part's content is read from m.
func (m *multipartReader) nextPart() (textproto.MIMEHeader, error) {
	skipped, err := io.Copy(io.Discard, io.LimitReader(m, maxHeader+1))
	if err != nil {
		return nil, err
	}
	if skipped > maxHeader {
		return nil, fmt.Errorf("more than %d bytes between two files", maxHeader)
	}
	m.ahead = m.ahead[len(m.delimiter):]
	if bytes.HasPrefix(m.ahead, []byte("--")) {
		return nil, m.close()
	}
	header, err := m.header()
	if err != nil {
		return nil, err
	}
	// The line break that ends the header may also begin the next delimiter,
	// and else is not of the content.
	for {
		content, ends := m.split(m.ahead)
		switch {
		case ends && content == 0:
			return header, nil
		case content > 0:
			m.ahead = m.ahead[len("\r\n"):]
			return header, nil
		}
		if err := m.fill(); err != nil {
			return nil, err
		}
	}
}

// close reads the rest of the closing delimiter's line, which may be the body's
// last and lack its end. It returns io.EOF if that is in order.
func (m *multipartReader) close() error {
	m.ahead = m.ahead[len("--"):]
	for {
		rest := bytes.TrimLeft(m.ahead, " \t")
		if bytes.HasPrefix(rest, []byte("\r\n")) {
			return io.EOF
		}
		if len(rest) > len("\r") || len(m.ahead) > maxHeader {
			return errors.New("more than spaces on the line of the closing delimiter")
		}
		switch err := m.fill(); {
		case err == nil:
		case len(rest) == 0 && errors.Is(m.err, io.EOF):
			return io.EOF
		default:
			return err
		}
	}
}

// header reads the rest of a delimiter's line and the header that follows. It
// leaves the line break that ends the header.
func (m *multipartReader) header() (textproto.MIMEHeader, error) {
	end := []byte("\r\n\r\n")
	for len(m.ahead) <= maxHeader && !bytes.Contains(m.ahead, end) {
		if err := m.fill(); err != nil {
			return nil, err
		}
	}
	size := bytes.Index(m.ahead, end)
	if size < 0 || size > maxHeader {
		return nil, fmt.Errorf("a part's header has more than %d bytes", maxHeader)
	}
	line, fields, _ := bytes.Cut(m.ahead[:size+len(end)], []byte("\r\n"))
	m.ahead = m.ahead[size+len("\r\n"):]
	if len(bytes.Trim(line, " \t")) > 0 {
		return nil, fmt.Errorf("%q on the line of a delimiter", line)
	}
	if bytes.Count(fields, []byte("\n")) != bytes.Count(fields, []byte("\r\n")) {
		return nil, errors.New("a line of a part's header does not end in CRLF")
	}
	return textproto.NewReader(bufio.NewReader(bytes.NewReader(fields))).ReadMIMEHeader()
}

// Read reads the content of a part.
func (m *multipartReader) Read(p []byte) (int, error) {
	for {
		content, ends := m.split(m.ahead)
		if content > 0 {
			n := copy(p, m.ahead[:content])
			m.ahead = m.ahead[n:]
			return n, nil
		}
		if ends {
			return 0, io.EOF
		}
		// What is ahead may begin a delimiter. Only more of it will tell.
		if len(p) < readAhead {
			if err := m.fill(); err != nil {
				return 0, err
			}
			continue
		}
		n := copy(p, m.ahead)
		more, err := m.read(p[n:])
		if err != nil {
			return 0, err
		}
		n += more
		content, _ = m.split(p[:n])
		m.ahead = append(m.ahead[:0], p[content:n]...)
		if content > 0 {
			return content, nil
		}
	}
}

// split returns how many bytes at the start of b are content for sure, and
// whether a delimiter follows them.
func (m *multipartReader) split(b []byte) (content int, ends bool) {
	for {
		i := bytes.Index(b[content:], m.delimiter)
		if i < 0 {
			break
		}
		content += i
		switch rest := string(b[content+len(m.delimiter) : min(len(b), content+len(m.delimiter)+2)]); {
		case rest == "", rest == "-":
			return content, false
		case rest == "--", rest[0] == ' ', rest[0] == '\t', rest[0] == '\r', rest[0] == '\n':
			return content, true
		}
		content += len(m.delimiter) // another, longer boundary
	}
	// The start of a delimiter may be the last that has come.
	last := b[max(content, len(b)-len(m.delimiter)+1):]
	if i := bytes.LastIndexByte(last, '\r'); i >= 0 && bytes.HasPrefix(m.delimiter, last[i:]) {
		return len(b) - len(last[i:]), false
	}
	return len(b), false
}

// fill reads some more of the body ahead.
func (m *multipartReader) fill() error {
	m.ahead = slices.Grow(m.ahead, readAhead)
	n, err := m.read(m.ahead[len(m.ahead) : len(m.ahead)+readAhead])
	m.ahead = m.ahead[:len(m.ahead)+n]
	return err
}

// read reads from the body, whose end is an error here: a form ends before.
func (m *multipartReader) read(p []byte) (n int, err error) {
	if m.err == nil {
		n, m.err = m.body.Read(p)
	}
	switch {
	case n > 0:
		return n, nil
	case errors.Is(m.err, io.EOF):
		return 0, io.ErrUnexpectedEOF
	}
	return 0, m.err
}
