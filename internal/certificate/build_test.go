package certificate_test

import (
	"bytes"
	"fmt"
	"strings"
)

// build writes a PDF with a table of its objects: a catalog, a page whose
// resources are object 4, and the given ones from 4 on. An object with a
// stream is two strings.
func build(objects ...[]string) []byte {
	all := append([][]string{
		{"<< /Type /Catalog /Pages 2 0 R >>"},
		{"<< /Type /Pages /Kids [3 0 R] /Count 1 >>"},
		{"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 420] /Resources 4 0 R /Contents 5 0 R >>"},
	}, objects...)
	return buildAll(all)
}

func buildAll(objects [][]string) []byte {
	var b bytes.Buffer
	b.WriteString("%PDF-1.7\n")
	var table strings.Builder
	for i, object := range objects {
		fmt.Fprintf(&table, "%010d 00000 n \n", b.Len())
		fmt.Fprintf(&b, "%d 0 obj\n", i+1)
		if len(object) == 1 {
			b.WriteString(object[0])
		} else {
			fmt.Fprintf(&b, "<< %s /Length %d >>\nstream\n%s\nendstream", object[0], len(object[1]), object[1])
		}
		b.WriteString("\nendobj\n")
	}
	start := b.Len()
	fmt.Fprintf(&b, "xref\n0 %d\n0000000000 65535 f \n%strailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n", len(objects)+1, table.String(), len(objects)+1, start)
	return b.Bytes()
}

// The fonts that the built PDFs use by the names F1, F2 and so on.
const (
	plainFont = "/F1 << /Type /Font /Subtype /Type1 /BaseFont /Times-Roman /Encoding /WinAnsiEncoding >>"
	// All letters of the placeholder have other codes, and the digits none.
	differentFont = "/F2 << /Type /Font /Subtype /Type1 /BaseFont /Courier /Encoding << /Differences [1 /percent /t /i /m /e /s /a /p 48 /a0 /a1 /a2 /a3 /a4 /a5 /a6 /a7 /a8 /a9] >> >>"
	symbolFont    = "/F3 << /Type /Font /Subtype /Type1 /BaseFont /Symbol >>"
)

// onePage builds a PDF whose page has the content and the fonts, and further
// objects from 6 on.
func onePage(content string, more ...[]string) []byte {
	resources := "<< /Font << " + plainFont + differentFont + symbolFont + " >> /XObject << /X0 6 0 R /X1 7 0 R >> /ExtGState << /G0 << /Font [8 0 R 12] >> >> >>"
	return build(append([][]string{{resources}, {"", content}}, more...)...)
}
