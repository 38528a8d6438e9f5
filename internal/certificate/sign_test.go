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
func sealed(t *testing.T, issued []byte) (der, covered []byte) {
	t.Helper()
	match := regexp.MustCompile(`/ByteRange\[0 (\d+) (\d+) (\d+)\] */Contents<`).FindSubmatch(issued)
	if match == nil {
		t.Fatal("no signature")
	}
	var numbers [3]int
	for i := range numbers {
		numbers[i], _ = strconv.Atoi(string(match[i+1]))
	}
	start, end, rest := numbers[0], numbers[1], numbers[2]
	if end+rest != len(issued) || issued[start] != '<' || issued[end-1] != '>' {
		t.Fatalf("the numbers %v do not fit a file of %d bytes", numbers, len(issued))
	}
	der, err := hex.DecodeString(string(issued[start+1 : end-1]))
	if err != nil {
		t.Fatal(err)
	}
	size, ok := signature.Length(der)
	if !ok {
		t.Fatal("the contents are no DER")
	}
	return der[:size], append(bytes.Clone(issued[:start]), issued[end:]...)
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
			if !regexp.MustCompile(`/ByteRange\[0 (\d+) (\d+) (\d+)\] */Contents<[0-9a-f]+>`).Match(issued) {
				return "no signature", false
			}
			der, covered := sealed(t, issued)
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
					checkPrograms(t, issued)
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
