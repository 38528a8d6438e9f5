// Package certificate stamps a PDF template with the time.
//
// A template is linked once and issued many times. Link reads the file, finds
// the placeholder in the text that its pages show, or a form field of the same
// name, and builds an incremental update (ISO 32000-1, 7.5.6): new versions of
// the few objects that the stamp touches, and a cross-reference section of the
// template's own flavour that puts them in the place of the old ones. The
// update has slots where the stamp and what follows from it belong. They are
// as wide as a stamp, so no offset or length ever moves, and nothing that this
// package does not understand can be lost: the template's bytes are sent as
// they are, from its %PDF- header on. Issue writes them, and a copy of the
// update's end with the slots filled, without parsing or searching.
//
// Only an encrypted template that opens without a password is written anew
// first, without its encryption.
package certificate

import (
	"bytes"
	"cmp"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/types"

	"homepage/internal/certificate/signature"
	"homepage/internal/pdf"
)

// Placeholder is the text in a template that the stamp takes the place of.
const Placeholder = "%timestamp%"

// StampLayout is the form of a stamp. It fits the years 0 to 9999 and is then
// always 32 bytes long: unlike RFC 3339 it keeps trailing zeros and writes UTC
// as +00:00.
const StampLayout = "2006-01-02T15:04:05.000000-07:00"

// MaxTemplate is the size in bytes of the largest file that Link takes.
const MaxTemplate = 32 << 20

// Template is a linked template. It never changes and is safe for concurrent
// use.
type Template struct {
	file   []byte   // how every certificate begins
	update []byte   // goes on
	tail   []byte   // and ends, with slots
	slots  []slot   // in the tail
	signs  *signing // nil if certificates are not signed
	report Report
}

// Link returns the template that a PDF file holds, or an error that says why
// the file can't be stamped and what its author can do. The template keeps the
// file, which must not change any more; it needs no other copy of it.
func Link(file []byte) (*Template, error) { return LinkSigned(file, nil) }

// LinkSigned does the same for certificates that are signed, one by one when they
// are issued. The signer is tried. It may be nil, for none.
func LinkSigned(file []byte, signer *signature.Signer) (t *Template, err error) {
	defer func() {
		// Whoever writes a template is not trusted to write one that is read
		// here without a mistake of ours.
		if p := recover(); p != nil {
			t, err = nil, fmt.Errorf("the PDF makes this program fail, by a mistake of the program's that is worth a report (%v); print it to a new PDF, or write it anew with: qpdf FILE.pdf NEW.pdf", p)
		}
	}()
	switch {
	case len(file) == 0:
		return nil, errors.New("the file is empty")
	case len(file) > MaxTemplate:
		return nil, fmt.Errorf("the file has %.1f MiB, more than the %d MiB that a template may have; make its pictures smaller", float64(len(file))/(1<<20), MaxTemplate>>20)
	}
	// ISO 32000-1 annex H.3 lets the header stand anywhere in the first 1024
	// bytes. Offsets count from it, and a certificate begins with it.
	header := bytes.Index(file[:min(len(file), 1024)], []byte("%PDF-"))
	if header < 0 {
		return nil, errors.New("the file is no PDF: it does not begin with %PDF-; export it as a PDF")
	}
	read, err := pdf.Open(file[header:])
	if err != nil {
		return nil, err
	}
	if len(read.File) > MaxTemplate {
		return nil, fmt.Errorf("the file has %.1f MiB without its encryption, more than the %d MiB that a template may have; make its pictures smaller", float64(len(read.File))/(1<<20), MaxTemplate>>20)
	}
	d := &document{read}
	if d.Signed() {
		return nil, errors.New("the PDF is signed, and a stamp would break the signature; save it without one")
	}
	t, placeholder, err := d.link(signer)
	// What is damaged is missing, and would be called so.
	if damage := d.Err(); damage != nil {
		return nil, damage
	}
	if err != nil {
		return nil, err
	}
	shown, err := t.check()
	if err != nil {
		return nil, err
	}
	t.report.Warnings = append(t.report.Warnings, room(placeholder, shown)...)
	return t, nil
}

// document is a template's file.
type document struct{ *pdf.Document }

// alphabet is every character that a stamp can have.
const alphabet = "0123456789-:.T+"

// link finds the place of the stamp and builds the update. It also returns the
// placeholder, if that is no form field.
func (d *document) link(signer *signature.Signer) (t *Template, placeholder pdf.Hit, err error) {
	fields, err := d.fields()
	if err != nil {
		return nil, placeholder, err
	}
	var widget types.IndirectRef
	if len(fields) > 0 {
		widget = fields[0].widget
	}
	hits, err := d.Find(Placeholder, widget)
	if err != nil {
		return nil, placeholder, err
	}
	if err := d.refuse(hits, fields); err != nil {
		return nil, placeholder, err
	}
	u, r := newUpdate(d), d.newReport()
	var own *pdf.Font
	var resource types.Object
	var page int
	if len(fields) > 0 {
		own, resource, err = d.fontOf(fields[0])
		if err != nil {
			return nil, placeholder, err
		}
	} else {
		own = hits[0].Font
	}
	glyphs, standard, err := r.chooseFont(own)
	if err != nil {
		return nil, placeholder, err
	}
	if len(fields) > 0 {
		if resource == nil {
			r.unknownFont(fields[0])
		}
		page = fields[0].page
		r.Place = fmt.Sprintf("page %d, %s", page, fields[0])
		if standard != nil {
			own, resource = standard, nil
		}
		r.Warnings = append(r.Warnings, u.stampField(fields[0], own, resource, glyphs)...)
	} else {
		placeholder = hits[0]
		page = placeholder.Page
		r.Place = placeholder.String()
		if err := u.stampText(placeholder, standard, glyphs); err != nil {
			return nil, placeholder, err
		}
	}
	if places := d.otherPlaces(widget); len(places) > 0 {
		r.Warnings = append(r.Warnings, fmt.Sprintf("the placeholder also stands in %s, which no page shows and no stamp replaces; take it out there", strings.Join(places, ", ")))
	}
	if d.Decrypted {
		r.Warnings = append(r.Warnings, "the template is encrypted, and opens without a password; its certificates are not encrypted, and what it does not permit is no longer denied")
	}
	if _, rights := d.Catalog["Perms"]; rights { // no others, or it would be signed
		delete(u.catalog, "Perms")
		r.Warnings = append(r.Warnings, "the PDF has usage rights, with which Acrobat extends what Adobe Reader may do; its certificates have none, since a stamp would break them")
	}
	u.later = append(u.later, u.modified)
	if signer != nil {
		if err := u.sign(d.Pages[page-1].Ref, signer.Size()); err != nil {
			return nil, placeholder, err
		}
	}
	u.finish()
	return u.template(*r, signer), placeholder, nil
}

// template divides the update where the first slot begins.
func (u *update) template(r Report, signer *signature.Signer) *Template {
	written := bytes.Clone(u.Buf.Bytes())
	slots := slices.Clone(u.slots)
	slices.SortFunc(slots, func(a, b slot) int { return a.at - b.at })
	file := u.Doc.File
	first := slots[0].at - len(file)
	for i := range slots {
		slots[i].at -= len(file) + first
	}
	r.Bytes = len(file) + len(written)
	t := &Template{file: file, update: written[:first], tail: written[first:], slots: slots, report: r}
	if signer != nil {
		u.seal.writeByteRange(file, written)
		t.signs = newSigning(signer, u.seal, t.file, t.update)
	}
	return t
}

// refuse sees that there is one place for the stamp, and that it can be seen.
func (d *document) refuse(hits []pdf.Hit, fields []field) error {
	switch len(hits) + len(fields) {
	case 0:
		return d.noPlace()
	case 1:
	default:
		var places []string
		for _, f := range fields {
			places = append(places, f.String())
		}
		places = append(places, placesOf(hits)...)
		return fmt.Errorf("there is more than one place for the stamp: %s; keep one", strings.Join(places, " and "))
	}
	if len(fields) > 0 {
		if fields[0].page == 0 {
			return fmt.Errorf("the form field %s is on no page; put it on one, or write %s as text instead", FieldName, Placeholder)
		}
		return nil
	}
	switch h := hits[0]; {
	case h.Annotation:
		return fmt.Errorf("the placeholder is in an annotation on page %d; write it in the page itself, or use a form field named %s", h.Page, FieldName)
	case h.SoftMask:
		return fmt.Errorf("the placeholder is in a soft mask on page %d, which is not shown itself; write it in the page itself", h.Page)
	case h.Invisible:
		return fmt.Errorf("the placeholder on page %d is invisible text, such as lies behind a scan; write it as visible text", h.Page)
	case h.Replacement:
		return fmt.Errorf("the placeholder on page %d is in text that has a replacement text (ActualText), which readers would take instead of the stamp; remove that", h.Page)
	}
	return unseen(hits[0])
}

// check reads a certificate back, and returns where it shows the stamp. That is
// one that no template shows, with a first character that it has once, as the
// finder needs it, and with a plus sign, which takes more room than a minus.
func (t *Template) check() (pdf.Hit, error) {
	at := time.Date(9876, 5, 4, 3, 21, 0, 123456000, time.FixedZone("", 7*60*60))
	stamp := at.Format(StampLayout)
	tail, err := t.stamped(at)
	if err != nil {
		return pdf.Hit{}, err
	}
	bad := func(format string, args ...any) (pdf.Hit, error) {
		return pdf.Hit{}, fmt.Errorf("a certificate made of this template can't be read back: %s; save the PDF anew from the program that made it", fmt.Sprintf(format, args...))
	}
	unreadable := func(err error) (pdf.Hit, error) {
		cause, _, _ := strings.Cut(err.Error(), "; ") // what follows is advice, of which ours is enough
		return bad("%s", cause)
	}
	read, err := pdf.OpenUpdated(t.file, slices.Concat(t.update, tail))
	if err != nil {
		return unreadable(err)
	}
	d := &document{read}
	shown, err := d.Find(stamp, types.IndirectRef{})
	if err != nil {
		return unreadable(err)
	}
	left, err := d.Find(Placeholder, types.IndirectRef{})
	if err != nil {
		return unreadable(err)
	}
	if len(shown) != 1 || len(left) != 0 {
		return bad("it shows the stamp %d times and the placeholder %d times", len(shown), len(left))
	}
	fields, err := d.fields()
	if err = cmp.Or(d.Err(), err); err != nil {
		return unreadable(err)
	}
	for _, f := range fields {
		if got := d.Text(d.Dict(f.ref)["V"]); got != stamp {
			return bad("the form field has the value %q", got)
		}
	}
	if t.signs != nil {
		verdict, err := t.Verify(io.MultiReader(bytes.NewReader(t.file), bytes.NewReader(t.update), bytes.NewReader(tail)))
		if err != nil || verdict.Stamp != stamp {
			return bad("its signature is not valid (%+v)", verdict)
		}
	}
	return shown[0], nil
}

// Size returns the length in bytes of every certificate.
func (t *Template) Size() int { return len(t.file) + len(t.update) + len(t.tail) }

// Report tells how the template was linked.
func (t *Template) Report() Report { return t.report }

// Leaf returns the certificate of the one who signs, or nil if nobody does.
func (t *Template) Leaf() *x509.Certificate {
	if t.signs == nil {
		return nil
	}
	return t.signs.signer.Leaf()
}

// SigningExpires returns when the first certificate of the signer's chain expires,
// or a zero time if nobody signs.
func (t *Template) SigningExpires() time.Time {
	if t.signs == nil {
		return time.Time{}
	}
	return t.signs.signer.Expires()
}

// Verify tells whether a file is a certificate that was signed with the key that
// signs those of this template, whatever template it was made of. It is not for a
// template whose certificates are not signed.
func (t *Template) Verify(r io.Reader) (Verdict, error) { return Verify(r, t.Leaf()) }

// Certificate is ready to be written.
type Certificate struct {
	template *Template
	tail     []byte
}

// Stamp makes a certificate stamped with at, in at's own zone, and signed if those
// of the template are. It fails if at can't be stamped, or if the signer fails.
func (t *Template) Stamp(at time.Time) (Certificate, error) {
	tail, err := t.stamped(at)
	return Certificate{t, tail}, err
}

// WriteTo writes the certificate. An error is w's.
func (c Certificate) WriteTo(w io.Writer) (written int64, err error) {
	for _, part := range [...][]byte{c.template.file, c.template.update, c.tail} {
		n, err := w.Write(part)
		if written += int64(n); err != nil {
			return written, err
		}
	}
	return written, nil
}

// Issue does both.
func (t *Template) Issue(w io.Writer, at time.Time) error {
	c, err := t.Stamp(at)
	if err != nil {
		return err
	}
	_, err = c.WriteTo(w)
	return err
}

// stamped returns a copy of the tail with its slots filled, and signed.
func (t *Template) stamped(at time.Time) ([]byte, error) {
	// The stamp is made behind the tail, in the one allocation there is.
	tail := make([]byte, len(t.tail), len(t.tail)+2*len(StampLayout))
	stamp := appendStamp(tail, at)[len(tail):]
	if len(stamp) != len(StampLayout) {
		return nil, fmt.Errorf("the year %d does not fit the stamp", at.Year())
	}
	copy(tail, t.tail)
	for _, s := range t.slots {
		s.fill(tail[s.at:], stamp)
	}
	if t.signs != nil {
		if err := t.signs.sign(tail); err != nil {
			return nil, err
		}
	}
	return tail, nil
}

// appendStamp is at.AppendFormat(b, StampLayout), made of RFC 3339, which the
// time package formats several times faster than any other layout.
func appendStamp(b []byte, at time.Time) []byte {
	b = at.AppendFormat(b, time.RFC3339)
	zone := [...]byte{'+', '0', '0', ':', '0', '0'}
	if last := len(b) - 1; b[last] == 'Z' {
		b = b[:last]
	} else {
		copy(zone[:], b[len(b)-len(zone):])
		b = b[:len(b)-len(zone)]
	}
	b = append(b, '.')
	for microseconds, unit := at.Nanosecond()/1000, 100_000; unit > 0; unit /= 10 {
		b = append(b, byte('0'+microseconds/unit%10))
	}
	return append(b, zone[:]...)
}
