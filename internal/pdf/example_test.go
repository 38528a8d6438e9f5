package pdf_test

import (
	"fmt"

	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/types"

	"homepage/internal/pdf"
	"homepage/pdfs"
)

func Example() {
	document, err := pdf.Open(pdfs.CertificateTemplate)
	if err != nil {
		fmt.Println(err)
		return
	}
	hits, err := document.Find("%timestamp%", types.IndirectRef{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, hit := range hits {
		_, missing := hit.Font.Glyphs("0123456789")
		fmt.Printf("It is shown on %v, in a font that lacks %q of the digits.\n", hit, missing)
	}

	// A change is appended to the file.
	update := document.NewUpdate()
	page := document.Pages[0].Dict.Clone().(types.Dict)
	page["Rotate"] = types.Integer(90)
	update.Object(document.Pages[0].Ref, page)
	update.Finish()
	changed, err := pdf.OpenUpdated(document.File, update.Buf.Bytes())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("Its first page is turned by", changed.Pages[0].Dict["Rotate"])
	// Output:
	// It is shown on page 1, in a font that lacks "" of the digits.
	// Its first page is turned by 90
}
