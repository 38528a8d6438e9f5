package certificate_test

import (
	"bytes"
	"crypto"
	"encoding/hex"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"homepage/internal/certificate"
	"homepage/internal/certificate/signature"
	"homepage/internal/certificate/signature/testca"
	"homepage/pdfs"
)

// authority is a CA that NSS trusts, by which pdfsig judges, and OpenSSL.
type authority struct {
	*testca.CA
	nss, root string // a folder and a file
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	ca := testca.New(t)
	a := authority{ca, "sql:" + t.TempDir(), testca.Write(t, "root.pem", testca.PEM(ca.Root))}
	run(t, "certutil", "-N", "-d", a.nss, "--empty-password")
	run(t, "certutil", "-A", "-d", a.nss, "-n", "root", "-t", "CT,C,C", "-i", a.root)
	return a
}

func linkSigned(tb testing.TB, file []byte, signer *signature.Signer) *certificate.Template {
	tb.Helper()
	template, err := certificate.LinkSigned(file, signer)
	if err != nil {
		tb.Fatal(err)
	}
	return template
}

// sealed finds the signature in a certificate: the contents, and what they cover.
func sealed(issued []byte) (der, covered []byte, ok bool) {
	match := regexp.MustCompile(`/ByteRange\[0 (\d+) (\d+) (\d+)\] */Contents<`).FindSubmatch(issued)
	if match == nil {
		return nil, nil, false
	}
	var numbers [3]int
	for i := range numbers {
		numbers[i], _ = strconv.Atoi(string(match[i+1]))
	}
	start, end, rest := numbers[0], numbers[1], numbers[2]
	if start > end || end+rest != len(issued) || issued[start] != '<' || issued[end-1] != '>' {
		return nil, nil, false
	}
	der, err := hex.DecodeString(string(issued[start+1 : end-1]))
	size, ok := signature.Length(der)
	if err != nil || !ok {
		return nil, nil, false
	}
	return der[:size], append(bytes.Clone(issued[:start]), issued[end:]...), true
}

// validators are programs that judge signatures. Each returns what it says, and
// whether that is that the signature is valid, trusted and of the whole file.
func (a authority) validators() map[string]func(t *testing.T, issued []byte) (said string, valid bool) {
	said := func(t *testing.T, name string, args ...string) string {
		t.Helper()
		out, _ := exec.CommandContext(t.Context(), name, args...).CombinedOutput() // which is judged in place of its status
		return string(out)
	}
	return map[string]func(t *testing.T, issued []byte) (string, bool){
		"pdfsig": func(t *testing.T, issued []byte) (string, bool) {
			t.Helper()
			out := said(t, "pdfsig", "-nssdir", a.nss, save(t, issued))
			valid := true
			for _, want := range []string{"Signature is Valid.", "Certificate is Trusted.", "Total document signed", "ETSI.CAdES.detached"} {
				valid = valid && strings.Contains(out, want)
			}
			return out, valid
		},
		"mutool": func(t *testing.T, issued []byte) (string, bool) {
			t.Helper()
			out := said(t, "mutool", "sign", "-v", save(t, issued))
			return out, strings.Contains(out, "The document is unchanged since signing.") && !strings.Contains(out, "igest")
		},
		"openssl": func(t *testing.T, issued []byte) (string, bool) {
			t.Helper()
			der, covered, ok := sealed(issued)
			if !ok {
				return "no signature", false
			}
			out := said(t, "openssl", "cms", "-verify", "-inform", "DER", "-in", save(t, der), "-content", save(t, covered), "-binary",
				"-cades", "-purpose", "any", "-CAfile", a.root, "-out", os.DevNull)
			return out, strings.Contains(out, "CAdES Verification successful")
		},
	}
}

func keys(t *testing.T) map[string]crypto.Signer {
	t.Helper()
	return map[string]crypto.Signer{"P-256": testca.P256(t), "P-384": testca.P384(t), "RSA": testca.RSA(t, 2048)}
}

// Whatever the template and the key, all who can judge a signature call it valid.
func TestSignedFixtures(t *testing.T) {
	t.Parallel()
	gs := ghostscript(t, true)
	ca := newAuthority(t)
	type signed struct {
		name     string
		template []byte
	}
	all := []signed{{"the shipped template", pdfs.CertificateTemplate}}
	for _, test := range fixtures {
		all = append(all, signed{test.file, fixture(t, test.file)})
	}
	for _, name := range []string{"encrypted-aes-256", "encrypted-rc4-40", "form-xobject-object-streams"} {
		all = append(all, signed{name, fixture(t, name)})
	}
	for kind, key := range keys(t) {
		signer := ca.Signer(t, key)
		for _, test := range all {
			if kind == "P-384" && test.name != "hand-written" && test.name != "object-streams" {
				continue // whatever depends on the template has been seen with the other two
			}
			t.Run(test.name+" "+kind, func(t *testing.T) {
				t.Parallel()
				template := linkSigned(t, test.template, signer)
				issued := issue(t, template, moment)
				if kind == "P-256" {
					checkPrograms(t, gs, issued)
				}
				if kind == "P-256" && test.name == "libreoffice-form" { // the field is seen nowhere
					checkPixels(t, test.template, issued)
				}
				for name, judge := range ca.validators() {
					if said, valid := judge(t, issued); !valid {
						t.Errorf("%s: %s", name, said)
					}
				}
				if got, err := template.Verify(bytes.NewReader(issued)); err != nil || got != (certificate.Verdict{Genuine: true, Stamp: stamp}) {
					t.Errorf("verdict %+v, %v", got, err)
				}
				if diff := len(issued) - len(issue(t, link(t, test.template), moment)); diff > 6000 {
					t.Errorf("the signature takes %d bytes", diff)
				}
			})
		}
	}
}

// A form that is there already keeps what it has, wherever its parts are, and gets
// a field of a name that is free.
func TestSignedForms(t *testing.T) {
	t.Parallel()
	gs := ghostscript(t, true)
	ca := newAuthority(t)
	signer := ca.Signer(t, testca.P256(t))
	const field = "/Type /Annot /Subtype /Widget /FT /Tx /Rect [50 200 250 220] /P 3 0 R /DA (/F1 10 Tf) /F 4"
	withForm := func(catalog, annotations string, more ...[]string) []byte {
		return buildAll(append([][]string{
			{"<< /Type /Catalog /Pages 2 0 R " + catalog + " >>"},
			{"<< /Type /Pages /Kids [3 0 R] /Count 1 >>"},
			{"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 420] /Resources 4 0 R /Contents 5 0 R " + annotations + " >>"},
			{"<< /Font << " + plainFont + " >> >>"},
			{"", "BT /F1 12 Tf 50 50 Td (%timestamp%) Tj ET"},
			{"<< /T (Signature) /V (kept) " + field + " >>"},
		}, more...))
	}
	for name, file := range map[string][]byte{
		"all in one":             withForm("/AcroForm << /Fields [6 0 R] /DR << /Font << "+plainFont+" >> >> /DA (/F1 9 Tf) >>", "/Annots [6 0 R]"),
		"each an object":         withForm("/AcroForm 7 0 R", "/Annots 8 0 R", []string{"<< /Fields 9 0 R /SigFlags 2 >>"}, []string{"[6 0 R]"}, []string{"[6 0 R]"}),
		"appearances are needed": withForm("/AcroForm << /Fields [6 0 R] /NeedAppearances true >>", "/Annots [6 0 R]"),
	} {
		template := linkSigned(t, file, signer)
		issued := issue(t, template, moment)
		checkPrograms(t, gs, issued)
		for name, judge := range ca.validators() {
			if said, valid := judge(t, issued); !valid {
				t.Errorf("%s: %s", name, said)
			}
		}
		if said := run(t, "pdfsig", "-nssdir", ca.nss, save(t, issued)); !strings.Contains(said, "Signature Field Name: Signature1\n") {
			t.Errorf("%s: the field has not the next free name: %s", name, said)
		}
		shown := run(t, "qpdf", "--json", "--json-key=acroform", save(t, issued))
		if strings.Count(shown, `"fullname"`) != 2 || !strings.Contains(shown, `"u:kept"`) && !strings.Contains(shown, `"kept"`) {
			t.Errorf("%s: the form is now %s", name, shown)
		}
	}
	_, err := certificate.LinkSigned(withForm("/AcroForm << /Fields [6 0 R] /XFA (x) >>", "/Annots [6 0 R]"), signer)
	if err == nil || !strings.Contains(err.Error(), "form of XFA") {
		t.Errorf("error %v, want one about XFA", err)
	}
}

// What a signer brings is the only thing that two signed certificates of a moment
// differ in.
func TestSignaturesDiffer(t *testing.T) {
	template := linkSigned(t, fixture(t, "hand-written"), testca.New(t).Signer(t, testca.P256(t)))
	contents := regexp.MustCompile("<[0-9a-f]{1000,}>")
	one, two := issue(t, template, moment), issue(t, template, moment)
	if bytes.Equal(one, two) {
		t.Error("two signatures are the same")
	}
	if !bytes.Equal(contents.ReplaceAll(one, nil), contents.ReplaceAll(two, nil)) {
		t.Error("two certificates differ in more than their signatures")
	}
}

// A signed certificate of a large template costs what one of a small template
// does.
func BenchmarkStampSigned(b *testing.B) {
	hand := fixture(b, "hand-written")
	remark := "%" + strings.Repeat("x", 2<<20) + "\n"
	ca := testca.New(b)
	for kind, key := range map[string]crypto.Signer{"P-256": testca.P256(b), "RSA-2048": testca.RSA(b, 2048)} {
		for size, file := range map[string][]byte{"small": hand, "2MiB": bytes.Replace(hand, []byte("startxref"), []byte(remark+"startxref"), 1)} {
			template := linkSigned(b, file, ca.Signer(b, key))
			b.Run(kind+" "+size, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, err := template.Stamp(moment); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
