package certificate_test

import (
	"bytes"
	"fmt"
	"time"

	"homepage/internal/certificate"
	"homepage/pdfs"
)

func Example() {
	template, err := certificate.Link(pdfs.CertificateTemplate)
	if err != nil {
		fmt.Println(err)
		return
	}
	var pdf bytes.Buffer
	at := time.Date(2026, time.November, 23, 4, 5, 6, 0, time.UTC)
	if err := template.Issue(&pdf, at); err != nil {
		fmt.Println(err)
		return
	}
	issued := pdf.Bytes()
	fmt.Println("It has the length that all certificates have:", len(issued) == template.Size())
	fmt.Println("It begins with the template, byte for byte:", bytes.HasPrefix(issued, pdfs.CertificateTemplate))
	fmt.Println("It was last modified when it was issued:", bytes.Contains(issued, []byte("(D:20261123040506+00'00')")))
	// Output:
	// It has the length that all certificates have: true
	// It begins with the template, byte for byte: true
	// It was last modified when it was issued: true
}
