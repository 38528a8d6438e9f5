// Package certificate stamps a PDF template with the time.
//
// The template holds a slot as wide as a stamp, so a stamped copy differs from
// it in those bytes alone: every offset and length in the file stays true, and
// issuing copies bytes without parsing or searching. The slot must lie in an
// uncompressed content stream, shown in a font with WinAnsiEncoding or another
// superset of ASCII; text that a program has compressed or encoded by glyph
// is not found.
package certificate

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"
)

// Placeholder marks the slot in a template. Spaces after it fill the slot up
// to a stamp's width.
const Placeholder = "%timestamp%"

// StampLayout is the form of a stamp. It fits the years 0 to 9999 and is then
// always 32 bytes long: unlike RFC 3339 it keeps trailing zeros and writes UTC
// as +00:00.
const StampLayout = "2006-01-02T15:04:05.000000-07:00"

// Template is a PDF with a slot for the stamp. It never changes and is safe
// for concurrent use.
type Template struct {
	before, after []byte // the file on either side of the slot
}

// New returns the template that a PDF file holds, or an error that says why
// the file can't be stamped. It keeps the file's bytes.
func New(file []byte) (*Template, error) {
	switch {
	case len(file) == 0:
		return nil, errors.New("the file is empty")
	// ISO 32000-1 annex H.3 lets the header stand anywhere in the first 1024 bytes.
	case !bytes.Contains(file[:min(len(file), 1024)], []byte("%PDF-")):
		return nil, errors.New("the file is no PDF: it has no %PDF- header")
	case !bytes.Contains(file[max(0, len(file)-1024):], []byte("%%EOF")):
		return nil, errors.New("the PDF is cut short: it does not end in %%EOF")
	case bytes.Contains(file, []byte("/Encrypt")):
		return nil, errors.New("the PDF is encrypted; save it without a password")
	}
	switch n := bytes.Count(file, []byte(Placeholder)); {
	case n == 0:
		return nil, fmt.Errorf("the placeholder %s is not in the PDF as plain bytes; uncompress it (qpdf --qdf) and see that the placeholder is in a font with WinAnsiEncoding", Placeholder)
	case n > 1:
		return nil, fmt.Errorf("the placeholder %s is in the PDF %d times; keep one", Placeholder, n)
	}
	start := bytes.Index(file, []byte(Placeholder))
	width := len(Placeholder)
	for start+width < len(file) && file[start+width] == ' ' && width < len(StampLayout) {
		width++
	}
	if width < len(StampLayout) {
		return nil, fmt.Errorf("the placeholder %s must be followed by %d spaces, to make room for the stamp; it has %d",
			Placeholder, len(StampLayout)-len(Placeholder), width-len(Placeholder))
	}
	return &Template{before: file[:start], after: file[start+width:]}, nil
}

// Size returns the length in bytes of every certificate.
func (t *Template) Size() int {
	return len(t.before) + len(StampLayout) + len(t.after)
}

// Issue writes a certificate stamped with at, in at's own zone. It fails
// before its first byte if at can't be stamped; any later error is w's.
func (t *Template) Issue(w io.Writer, at time.Time) error {
	var stamp [len(StampLayout)]byte
	if n := len(at.AppendFormat(stamp[:0], StampLayout)); n != len(stamp) {
		return fmt.Errorf("the year %d does not fit the stamp", at.Year())
	}
	for _, part := range [...][]byte{t.before, stamp[:], t.after} {
		if _, err := w.Write(part); err != nil {
			return err
		}
	}
	return nil
}
