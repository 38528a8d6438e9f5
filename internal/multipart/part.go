package multipart

import (
	"bufio"
	"bytes"
	"fmt"
	"mime"
	"net/textproto"
)

// Part is one part of a form (RFC 7578, 4): a file, or a field's value. Its
// content is read from the Reader.
type Part struct {
	Header textproto.MIMEHeader

	// Name is the name of the form's field. It is empty if Content-Disposition
	// gives none, or if the header is missing or malformed: such a part is
	// still a part.
	Name string

	// FileName is the sender's name for the file, as sent: it may hold path
	// separators, control characters or nothing at all. Only a part with a file
	// name is a file (RFC 7578, 4.2). A browser sends an empty name, and
	// HasFileName set, for a file input where nothing was chosen.
	FileName    string
	HasFileName bool
}

// newPart parses the header lines of a part, each with its CRLF, and the empty
// line after them.
func newPart(lines []byte) (Part, error) {
	if bytes.Count(lines, []byte("\n")) != bytes.Count(lines, []byte("\r\n")) {
		return Part{}, fmt.Errorf("%w: a line of a part's header does not end in CRLF", ErrMalformed)
	}
	header, err := textproto.NewReader(bufio.NewReader(bytes.NewReader(lines))).ReadMIMEHeader()
	if err != nil {
		return Part{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	part := Part{Header: header}
	if _, params, err := mime.ParseMediaType(header.Get("Content-Disposition")); err == nil {
		part.Name = params["name"]
		part.FileName, part.HasFileName = params["filename"]
	}
	return part, nil
}
