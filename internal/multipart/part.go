package multipart

import (
	"bytes"
	"net/textproto"
	"strings"
)

// Part is one part of a form (RFC 7578, 4): a file, or a field's value. Its
// content is read from the Reader.
type Part struct {
	Header textproto.MIMEHeader

	// Name is the name of the form's field, which a file may lack.
	Name string

	// FileName is the sender's name for the file, as meant: escapes are undone,
	// but it may hold path separators, control characters or nothing at all.
	// Only a part with a file name is a file (RFC 7578, 4.2). A browser sends
	// an empty name, and HasFileName set, for a file input where nothing was
	// chosen.
	FileName    string
	HasFileName bool
}

// parsePart parses the header lines of a part, each with its CRLF, and the empty
// line after them. The problem goes on from "part 3".
func parsePart(lines []byte) (part Part, problem string) {
	if hasBareLineFeed(lines) {
		return Part{}, bareLineFeed
	}
	header, problem := parseHeader(string(lines))
	if problem != "" {
		return Part{}, problem
	}
	switch dispositions := header["Content-Disposition"]; len(dispositions) {
	case 0:
		return Part{}, "has no Content-Disposition"
	case 1:
		if part, problem = parseDisposition(dispositions[0]); problem != "" {
			return Part{}, "can't be read: its Content-Disposition " + problem
		}
		part.Header = header
		return part, ""
	}
	return Part{}, "has more than one Content-Disposition"
}

// parseHeader is stricter than textproto about the names of headers, so that
// none escapes notice, and takes control characters in their values, which
// browsers send as they are.
func parseHeader(lines string) (header textproto.MIMEHeader, problem string) {
	header = textproto.MIMEHeader{}
	lines = strings.NewReplacer("\r\n ", " ", "\r\n\t", " ").Replace(lines) // folded lines (RFC 5322, 2.2.3)
	for line := range strings.SplitSeq(lines, "\r\n") {
		if line == "" {
			continue // the line break at the end
		}
		name, value, found := strings.Cut(line, ":")
		if !found || !isToken(name) || strings.ContainsAny(value, "\x00\r") {
			return nil, "has a malformed header line"
		}
		name = textproto.CanonicalMIMEHeaderKey(name)
		header[name] = append(header[name], strings.Trim(value, " \t"))
	}
	return header, ""
}

const bareLineFeed = "has a header line that ends in LF alone, where CR LF is needed"

func hasBareLineFeed(b []byte) bool {
	return bytes.Count(b, []byte("\n")) != bytes.Count(b, []byte("\r\n"))
}
