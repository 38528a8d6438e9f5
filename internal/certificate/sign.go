package certificate

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"slices"
	"strings"

	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/types"

	"homepage/internal/certificate/signature"
)

// seal is where the signature of a certificate has its place (ISO 32000-2, 12.8.1):
// the hexadecimal string Contents, which is all that it does not cover.
type seal struct {
	start, end int // of the string with its brackets, in the file, the update included
	byteRange  int // where the numbers begin that say so
}

// byteRangeWidth is the room for the array ByteRange, whose numbers have at most
// ten digits each.
const byteRangeWidth = len("[0 1234567890 1234567890 1234567890]")

// The signature's dictionary from its stamp to its contents, as readSeal knows it
// again. The stamp is its reason, so that whoever is shown the signature can compare
// it with the one on the page.
const (
	sealReason    = "/Reason(Issued at "
	sealByteRange = ")/ByteRange"
	sealContents  = "/Contents<"
)

// sign adds a signature of at most so many bytes, in a field on a page.
func (u *update) sign(page types.IndirectRef, size int) error {
	d := &document{u.Doc}
	form := u.form()
	if form["XFA"] != nil {
		return errors.New("the PDF has a form of XFA, in which viewers look for signatures in vain; save it as an AcroForm, or without a form, to have certificates signed")
	}
	widget, appearance, dictionary := u.Add(), u.Add(), u.Add()

	// The form names the field (12.7.3). Bit 1 of SigFlags says that there is a
	// signature, and bit 2 that the file may only be appended to.
	fields := d.Array(form["Fields"])
	form["Fields"] = append(slices.Clip(fields), widget)
	form["SigFlags"] = types.Integer(int(d.Number(form["SigFlags"])) | 1<<0 | 1<<1)

	// The field is its own widget (12.7.5.5). It has no area and is not seen;
	// PDF/A wants an appearance even so (ISO 19005-1, 6.9), and Print (6.5.3).
	const annotationLocked = 1 << 7
	u.RawStream(appearance, types.Dict{
		"Type": types.Name("XObject"), "Subtype": types.Name("Form"), "BBox": types.NewNumberArray(0, 0, 0, 0),
	}, func() {}, 0)
	u.Object(widget, types.Dict{
		"Type": types.Name("Annot"), "Subtype": types.Name("Widget"), "FT": types.Name("Sig"),
		"T": types.StringLiteral(d.freeField(fields)), "V": dictionary,
		"Rect": types.NewNumberArray(0, 0, 0, 0), "F": types.Integer(annotationPrint | annotationLocked),
		"P": u.current(page), "AP": types.Dict{"N": appearance},
	})
	// Some readers look for fields on pages alone.
	on := u.change(page)
	on["Annots"] = append(slices.Clip(d.Array(on["Annots"])), widget)

	// ETSI EN 319 142-1, 6.3: the SubFilter of CAdES, the time M, no Cert.
	u.later = append(u.later, func() {
		u.Begin(dictionary)
		u.Buf.WriteString("<</Type/Sig/Filter/Adobe.PPKLite/SubFilter/ETSI.CAdES.detached/M(")
		u.slot(dateWidth, fillDate)
		u.Buf.WriteString(")" + sealReason)
		u.slot(len(StampLayout), fillText)
		u.Buf.WriteString(sealByteRange)
		u.seal.byteRange = u.Gap(byteRangeWidth)
		u.Buf.WriteString(sealContents)
		// Zeros follow the signature's end where it is shorter.
		u.seal.start = u.Gap(2*size) - len("<")
		u.Buf.WriteString(">")
		u.seal.end = u.seal.start + len("<") + 2*size + len(">")
		u.Buf.WriteString(">>")
		u.End()
	})
	return nil
}

// freeField returns a name for a field that no other has.
func (d *document) freeField(fields types.Array) string {
	taken := map[string]bool{}
	for _, field := range fields {
		taken[d.Text(d.Dict(field)["T"])] = true
	}
	name := "Signature"
	for i := 1; taken[name]; i++ {
		name = fmt.Sprint("Signature", i)
	}
	return name
}

// writeByteRange says in the update, which is written, what the signature covers:
// everything but its own contents (12.8.1). No number moves any more.
func (s seal) writeByteRange(file, written []byte) {
	numbers := fmt.Sprintf("[0 %d %d %d]", s.start, s.end, len(file)+len(written)-s.end)
	at := s.byteRange - len(file)
	copy(written[at:at+byteRangeWidth], numbers+strings.Repeat(" ", byteRangeWidth-len(numbers)))
}

// signing signs certificates of a template.
type signing struct {
	signer *signature.Signer
	begun  hash.Cloner // the digest of all that comes before the tail
	seal   seal        // in the tail
}

func newSigning(signer *signature.Signer, s seal, file, update []byte) *signing {
	digest := sha256.New()
	_, _ = digest.Write(file) // never fails, and neither do those below
	_, _ = digest.Write(update)
	before := len(file) + len(update)
	return &signing{signer, digest.(hash.Cloner), seal{start: s.start - before, end: s.end - before}}
}

// sign signs a certificate whose tail is all but signed.
func (s *signing) sign(tail []byte) error {
	digest, err := s.begun.Clone()
	if err != nil {
		return err
	}
	_, _ = digest.Write(tail[:s.seal.start])
	_, _ = digest.Write(tail[s.seal.end:])
	var sum signature.Digest
	digest.Sum(sum[:0])
	der, err := s.signer.Sign(sum)
	if err != nil {
		return err
	}
	hex.Encode(tail[s.seal.start+len("<"):], der)
	return nil
}
