// Package pdfs embeds the certificate template that the program ships.
package pdfs

import _ "embed"

// CertificateTemplate is certificate-template.pdf.
//
//go:embed certificate-template.pdf
var CertificateTemplate []byte
