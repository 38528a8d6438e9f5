package certificate_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"homepage/internal/certificate"
	"homepage/internal/certificate/signature/testca"
)

// genuine is the verdict on a certificate of the moment.
var genuine = certificate.Verdict{Genuine: true, Stamp: stamp}

func verdict(t *testing.T, template *certificate.Template, file []byte) certificate.Verdict {
	t.Helper()
	got, err := template.Verify(bytes.NewReader(file))
	if err != nil {
		t.Error(err)
	}
	return got
}

// What is wrong with a file is said in a sentence.
func TestVerdicts(t *testing.T) {
	t.Parallel()
	ca := testca.New(t)
	template := linkSigned(t, fixture(t, "hand-written"), ca.Signer(t, testca.P256(t)))
	issued := issue(t, template, moment)
	for !bytes.Contains(issued, []byte("00>>>")) { // some signatures leave no room behind them
		issued = issue(t, template, moment)
	}
	other := issue(t, linkSigned(t, fixture(t, "hand-written"), ca.Signer(t, testca.P256(t))), moment)
	replaced := func(before, after string) []byte {
		if bytes.Count(issued, []byte(before)) != 1 {
			t.Fatalf("no %q to replace", before)
		}
		return bytes.Replace(issued, []byte(before), []byte(after), 1)
	}
	contents := bytes.Index(issued, []byte("/Contents<"))
	const (
		changed          = "It was changed after it was issued."
		signatureChanged = "Its signature was changed."
		added            = "It was issued here, but something was added to it afterwards."
	)
	for _, test := range []struct {
		name string
		file []byte
		want string
	}{
		{"as issued", issued, ""},
		{"nothing", nil, "It is no PDF, or does not begin as one."},
		{"a picture", []byte("\x89PNG\r\n\x1a\n"), "It is no PDF, or does not begin as one."},
		{"something before it", append([]byte("x"), issued...), "It is no PDF, or does not begin as one."},
		{"a template", fixture(t, "hand-written"), "It has no signature."},
		{"unsigned", issue(t, link(t, fixture(t, "hand-written")), moment), "It has no signature."},
		{"another program's", bytes.ReplaceAll(issued, []byte("/ByteRange["), []byte("/ByteRange [")), "It has a signature that another program has made."},
		{"another signer's", other, `It was signed by another signer: "CN=The Library,O=Läsesaal & Söhne".`},
		{"another signer's, changed", bytes.Replace(other, []byte("2026-11"), []byte("2025-11"), 1), `It was signed by another signer: "CN=The Library,O=Läsesaal & Söhne".`},
		{"another time in the signature", replaced("(Issued at 2026", "(Issued at 2025"), changed},
		{"another time of signing", replaced("/M(D:2026", "/M(D:2025"), changed},
		{"another time on the page", replaced(fmt.Sprintf("%x", stamp), fmt.Sprintf("%x", "2025"+stamp[4:])), changed},
		{"a byte more", replaced("/Type/Sig/", "/Type /Sig/"), changed},
		{"a byte less", replaced("/SigFlags 3", "/SigFlags3"), changed},
		{"a line after its end", append(bytes.Clone(issued), "%\n"...), added},
		{"another file after it", append(bytes.Clone(issued), issued[:5000]...), added},
		{"another certificate after it", append(bytes.Clone(issued), issued...), changed},
		{"very many after it", bytes.Repeat(issued, 20), "It has more signatures than a certificate of ours."},
		{"cut at its end", issued[:len(issued)-1], "It is cut short: its end is missing."},
		{"cut in the signature", issued[:contents+100], "It is cut short within its signature."},
		{"cut before the signature", issued[:contents-100], "It has no signature."},
		{"digits of the other form", append(append(bytes.Clone(issued[:contents+10]), bytes.ToUpper(issued[contents+10:contents+200])...), issued[contents+200:]...), signatureChanged},
		{"something behind the signature", replaced("00>>>", "01>>>"), signatureChanged},
		{"no signature in its place", regexp.MustCompile("<[0-9a-f]{1000,}>").ReplaceAllFunc(issued, func(s []byte) []byte {
			return []byte("<" + strings.Repeat("0", len(s)-2) + ">")
		}), signatureChanged},
		{"an empty signature", regexp.MustCompile("<[0-9a-f]{1000,}>").ReplaceAll(issued, []byte("<>")), signatureChanged},
	} {
		want := certificate.Verdict{Problem: test.want}
		if test.want == "" {
			want = genuine
		}
		if got := verdict(t, template, test.file); got != want {
			t.Errorf("%s: %+v, want %+v", test.name, got, want)
		}
	}
}

// Whatever byte is changed, all who judge see it: this program wherever it is, the
// others in what the signature covers. What lies behind it there they pass over.
func TestChangedBytes(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	template := linkSigned(t, onePage("BT /F1 12 Tf 50 50 Td (%timestamp%) Tj ET"), ca.Signer(t, testca.P256(t)))
	issued := issue(t, template, moment)
	contents := regexp.MustCompile("<[0-9a-f]{1000,}>").FindIndex(issued)
	vouched := bytes.Index(issued, []byte(hex.EncodeToString(ca.Intermediate.Raw)))
	if vouched < 0 {
		t.Fatal("no certificate of the issuer")
	}
	for at := range issued {
		if vouched <= at && at < vouched+2*len(ca.Intermediate.Raw) {
			continue // which others check, who need it
		}
		changed := bytes.Clone(issued)
		changed[at] ^= 1 << rand.N(8)
		if got := verdict(t, template, changed); got.Genuine {
			t.Errorf("byte %d, of %q, is changed to %q: %+v", at, issued[max(0, at-20):at+1], changed[at], got)
		}
	}
	const tried = 12
	for range tried {
		at := rand.N(len(issued) - (contents[1] - contents[0]))
		if at >= contents[0] {
			at += contents[1] - contents[0]
		}
		changed := bytes.Clone(issued)
		changed[at] ^= 1 << rand.N(8)
		for name, judge := range ca.validators() {
			if said, valid := judge(t, changed); valid {
				t.Errorf("%s, byte %d of %q: %s", name, at, issued[max(0, at-20):at+1], said)
			}
		}
	}
	appended := append(bytes.Clone(issued), issued[len(issued)-100:]...)
	for name, judge := range ca.validators() {
		if said, valid := judge(t, appended); valid && name != "openssl" { // which is given the ranges alone
			t.Errorf("%s, of one that was added to: %s", name, said)
		}
	}
}

// However a file comes, and wherever in it the signature is.
func TestPieces(t *testing.T) {
	t.Parallel()
	signer := testca.New(t).Signer(t, testca.P256(t))
	hand := fixture(t, "hand-written")
	began := bytes.Index(issue(t, linkSigned(t, hand, signer), moment), []byte("/Reason"))
	for before := 0; before < 340; before += 17 { // the end of the first 64 KiB
		remark := "%" + strings.Repeat("x", 64<<10-before-began-len("%\n")) + "\n"
		template := linkSigned(t, bytes.Replace(hand, []byte("startxref"), []byte(remark+"startxref"), 1), signer)
		issued := issue(t, template, moment)
		if got := verdict(t, template, issued); got != genuine {
			t.Errorf("with %d bytes: %+v", len(issued), got)
		}
		if before > 0 {
			continue
		}
		for name, reader := range map[string]io.Reader{
			"bytes":             iotest.OneByteReader(bytes.NewReader(issued)),
			"halves":            iotest.HalfReader(bytes.NewReader(issued)),
			"with the end said": iotest.DataErrReader(bytes.NewReader(issued)),
		} {
			if got, err := template.Verify(reader); got != genuine || err != nil {
				t.Errorf("in %s: %+v, %v", name, got, err)
			}
		}
		for _, at := range []int{0, 1, 100, 64 << 10, len(issued) - 1, len(issued)} {
			broken := io.MultiReader(bytes.NewReader(issued[:at]), iotest.ErrReader(io.ErrUnexpectedEOF))
			if got, err := template.Verify(broken); !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("broken at byte %d: %+v, %v", at, got, err)
			}
		}
	}
}

// endless says the same again and again.
type endless struct {
	unit string
	at   int
}

func (e *endless) Read(p []byte) (int, error) {
	n := copy(p, e.unit[e.at:])
	e.at = (e.at + n) % len(e.unit)
	return n, nil
}

// A large file takes no more memory than a small one, whatever it has.
func TestVerifyingTakesLittleMemory(t *testing.T) {
	leaf := testca.New(t).Root
	match := "/Reason(Issued at 2026-11-23T04:05:06.789012-09:30)/ByteRange[0 1 2 3]/Contents<"
	for name, unit := range map[string]string{
		"nothing":                  "x",
		"signatures":               match,
		"signatures with contents": strings.Repeat(match+"00>", 10),
		"one signature":            match + strings.Repeat("0", 8<<20),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		start := time.Now()
		got, err := certificate.Verify(io.MultiReader(strings.NewReader("%PDF-"), io.LimitReader(&endless{unit, 0}, 8<<20)), leaf)
		runtime.ReadMemStats(&after)
		if err != nil || got.Genuine {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		t.Logf("%s: %v, %d KiB allocated", name, time.Since(start), (after.TotalAlloc-before.TotalAlloc)>>10)
		if allocated := after.TotalAlloc - before.TotalAlloc; allocated > 4<<20 { // half of the file; the race detector takes some too
			t.Errorf("%s: %d KiB allocated", name, allocated>>10)
		}
	}
}

func FuzzVerify(f *testing.F) {
	ca := testca.New(f)
	template := linkSigned(f, onePage("BT /F1 12 Tf 50 50 Td (%timestamp%) Tj ET"), ca.Signer(f, testca.P256(f)))
	var b bytes.Buffer
	if err := template.Issue(&b, moment); err != nil {
		f.Fatal(err)
	}
	issued := b.Bytes()
	f.Add(issued, uint32(0), []byte{})
	f.Add(issued, uint32(bytes.Index(issued, []byte("/ByteRange"))), []byte("/ByteRange[0 9999999999 0 9999999999]"))
	f.Add(issued, uint32(bytes.Index(issued, []byte("/Contents<"))), []byte("/Contents<>"))
	f.Add([]byte("%PDF-"), uint32(0), []byte{})
	f.Fuzz(func(t *testing.T, file []byte, at uint32, text []byte) {
		file = bytes.Clone(file)
		if len(file) > 0 {
			copy(file[int(at)%len(file):], text)
		}
		got, err := template.Verify(bytes.NewReader(file))
		if err != nil {
			t.Error(err)
		}
		// The issuer's certificate may be any, see signature.Check.
		covered := regexp.MustCompile("<[0-9a-f]{1000,}>")
		if got.Genuine && !bytes.Equal(covered.ReplaceAll(file, nil), covered.ReplaceAll(issued, nil)) {
			t.Error("another file is genuine")
		}
	})
}
