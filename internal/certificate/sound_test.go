package certificate_test

import (
	"bytes"
	"encoding/ascii85"
	"encoding/hex"
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"homepage/internal/certificate"
)

const shownText = "BT /F1 12 Tf 50 50 Td (At %timestamp%) Tj ET"

// withContent is a PDF whose page has the content stream, with the given keys.
func withContent(keys, content string, more ...[]string) []byte {
	return build(append([][]string{{"<< /Font << " + plainFont + " >> >>"}, {keys, content}}, more...)...)
}

// inStreams is a PDF with a cross-reference stream that has no entry for
// itself, and so many objects more in the object stream 5 that has all others.
func inStreams(more int) []byte {
	members := []string{
		"<< /Type /Catalog /Pages 2 0 R >>",
		"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
		"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 420] /Resources << /Font << " + plainFont + " >> >> /Contents 4 0 R >>",
	}
	numbers := []int{1, 2, 3}
	for i := range more {
		numbers, members = append(numbers, 7+i), append(members, "null")
	}
	var head, body, file, rows bytes.Buffer
	for i, member := range members {
		fmt.Fprintf(&head, "%d %d ", numbers[i], body.Len())
		body.WriteString(member + " ")
	}
	row := func(kind, second, third int) {
		rows.Write([]byte{byte(kind), byte(second >> 16), byte(second >> 8), byte(second), byte(third >> 8), byte(third)})
	}
	file.WriteString("%PDF-1.5\n")
	content := file.Len()
	fmt.Fprintf(&file, "4 0 obj\n<< /Length %d >>\nstream\n%s\nendstream\nendobj\n", len(shownText), shownText)
	packed := deflated(append(head.Bytes(), body.Bytes()...))
	container := file.Len()
	fmt.Fprintf(&file, "5 0 obj\n<< /Type /ObjStm /N %d /First %d /Filter /FlateDecode /Length %d >>\nstream\n%s\nendstream\nendobj\n", len(members), head.Len(), len(packed), packed)
	row(0, 0, 65535)
	row(2, 5, 0)
	row(2, 5, 1)
	row(2, 5, 2)
	row(1, content, 0)
	row(1, container, 0)
	row(0, 0, 0) // the cross-reference stream's own
	for i := range more {
		row(2, 5, 3+i)
	}
	start := file.Len()
	fmt.Fprintf(&file, "6 0 obj\n<< /Type /XRef /Size %d /Root 1 0 R /W [1 3 2] /Length %d >>\nstream\n%s\nendstream\nendobj\nstartxref\n%d\n%%%%EOF\n", 7+more, rows.Len(), rows.String(), start)
	return file.Bytes()
}

// hidden is a hybrid file whose table lacks the content, which its stream has.
func hidden() []byte {
	file := withContent("", shownText)
	at := bytes.Index(file, []byte("5 0 obj"))
	table := bytes.LastIndex(file, []byte("\nxref")) + 1
	head, tail := bytes.Clone(file[:table]), string(file[table:])
	rows := []byte{1, byte(at >> 8), byte(at), 0}
	stream := fmt.Sprintf("6 0 obj\n<< /Type /XRef /Size 7 /Index [5 1] /W [1 2 1] /Length 4 >>\nstream\n%s\nendstream\nendobj\n", rows)
	tail = strings.Replace(tail, "xref\n0 6", "xref\n0 5", 1)
	tail = strings.Replace(tail, fmt.Sprintf("%010d 00000 n \ntrailer", at), "trailer", 1)
	tail = strings.Replace(tail, "/Root", fmt.Sprintf("/XRefStm %d /Root", table), 1)
	tail = regexp.MustCompile(`startxref\n\d+`).ReplaceAllString(tail, fmt.Sprintf("startxref\n%d", len(head)+len(stream)))
	return append(append(head, stream...), tail...)
}

// replaced replaces what the file must have.
func replaced(file []byte, pairs ...string) []byte {
	for i := 0; i < len(pairs); i += 2 {
		if !bytes.Contains(file, []byte(pairs[i])) {
			panic("no " + pairs[i])
		}
		file = bytes.Replace(file, []byte(pairs[i]), []byte(pairs[i+1]), 1)
	}
	return file
}

// badChecksum is deflated with another checksum.
func badChecksum(content string) string {
	d := []byte(deflated([]byte(content)))
	d[len(d)-1] ^= 1
	return string(d)
}

// lzw is text in the codes of LZWDecode that stand for single bytes.
func lzw(text string) string {
	var bits strings.Builder
	for _, code := range append(append([]int{256}, codes(text)...), 257) {
		fmt.Fprintf(&bits, "%09b", code)
	}
	var out []byte
	for s := bits.String() + "0000000"; len(s) >= 8; s = s[8:] {
		var b byte
		_, _ = fmt.Sscanf(s[:8], "%b", &b)
		out = append(out, b)
	}
	return string(out)
}

func codes(text string) (out []int) {
	for i := range len(text) {
		out = append(out, int(text[i]))
	}
	return out
}

// predicted is text in rows of ten bytes, each as its difference to the row
// before (PNG, Up).
func predicted(text string) string {
	text += strings.Repeat(" ", 10-len(text)%10)
	var out []byte
	for i := range len(text) {
		if i%10 == 0 {
			out = append(out, 2)
		}
		before := byte(0)
		if i >= 10 {
			before = text[i-10]
		}
		out = append(out, text[i]-before)
	}
	return deflated(out)
}

func a85(content string) string {
	out := make([]byte, ascii85.MaxEncodedLen(len(content)))
	return string(out[:ascii85.Encode(out, []byte(content))]) + "~>"
}

// tabled gives a file that was edited a new table.
func tabled(file []byte) []byte {
	table := bytes.LastIndex(file, []byte("\nxref\n")) + 1
	body := file[:table]
	out := regexp.MustCompile(`(?s)startxref\n\d+`).ReplaceAll(file, fmt.Appendf(nil, "startxref\n%d", table))
	for i, at := range regexp.MustCompile(`(?m)^\d+ 0 obj`).FindAllIndex(body, -1) {
		entry := table + len("xref\n0 9\n") + 20*(i+1)
		copy(out[entry:], fmt.Sprintf("%010d", at[0]))
	}
	return out
}

// checkReaders lets programs read a certificate as they do on a reader's
// machine. They must find the stamp, and say nothing that they don't say of the
// template.
func checkReaders(t *testing.T, gs reader, template, issued []byte) {
	t.Helper()
	gs(t, issued)
	file := save(t, issued)
	before, _ := exec.CommandContext(t.Context(), "qpdf", "--check", save(t, template)).CombinedOutput()
	after, _ := exec.CommandContext(t.Context(), "qpdf", "--check", file).CombinedOutput()
	if bytes.Count(after, []byte("WARNING")) > bytes.Count(before, []byte("WARNING")) {
		t.Errorf("qpdf says %s", after)
	}
	checkText(t, "pdftotext", run(t, "pdftotext", file, "-"))
	checkText(t, "mutool", run(t, "mutool", "draw", "-q", "-F", "txt", file))
}

// commented puts a comment before the newest section, to which startxref points.
func commented(file []byte) []byte {
	at := bytes.LastIndex(file, []byte("startxref\n"))
	start, _, _ := bytes.Cut(file[at+len("startxref\n"):], []byte("\n"))
	offset, err := strconv.Atoi(string(start))
	if err != nil {
		panic(err)
	}
	return slices.Concat(file[:offset], []byte("\n% what follows is the last\r\n"), file[offset:])
}

// What readers take without a word links, and its certificates are as sound.
func TestSoundFilesLink(t *testing.T) {
	t.Parallel()
	gs := ghostscript(t, false)
	plain := withContent("", shownText)
	edited := func(pairs ...string) []byte { return tabled(replaced(plain, pairs...)) }
	length := fmt.Sprintf("/Length %d", len(shownText))
	hexadecimal := hex.EncodeToString([]byte(deflated([]byte(shownText)))) + ">"
	for name, file := range map[string][]byte{
		"a cross-reference stream without its own entry": inStreams(0),
		"an object stream with 40,000 objects":           inStreams(40_000),
		"a hybrid file with hidden objects":              hidden(),
		"a Prev of 0":                                    replaced(plain, "/Root 1 0 R", "/Root 1 0 R /Prev 0"),
		"version 1.8":                                    replaced(plain, "%PDF-1.7", "%PDF-1.8"),
		"version 2.0":                                    replaced(plain, "%PDF-1.7", "%PDF-2.0"),
		"version 2.3":                                    replaced(plain, "%PDF-1.7", "%PDF-2.3"),
		"no %%EOF":                                       replaced(plain, "%%EOF\n", ""),
		"remarks and odd line ends in the table":         replaced(plain, "65535 f \n", "65535 f first\r", "00000 n \n", "00000 n\r", "00000 n \n", "00000 n the pages \r\n"),
		"an entry at byte 0":                             replaced(plain, "xref\n0 6", "xref\n0 7", "trailer", "0000000000 00000 n \ntrailer", "/Size 6", "/Size 7"),
		"filters by reference":                           withContent("/Filter [6 0 R 7 0 R]", hexadecimal, []string{"/ASCIIHexDecode"}, []string{"/FlateDecode"}),
		"a filter and its parameters by reference":       withContent("/Filter 6 0 R /DecodeParms 7 0 R", predicted(shownText), []string{"/FlateDecode"}, []string{"<< /Predictor 12 /Columns 8 0 R >>"}, []string{"10"}),
		"a wrong checksum":                               withContent("/Filter /FlateDecode", badChecksum(shownText)),
		"no checksum":                                    withContent("/Filter /FlateDecode", strings.TrimSuffix(deflated([]byte(shownText)), deflated([]byte(shownText))[len(deflated([]byte(shownText)))-4:])),
		"LZW and ASCII85":                                withContent("/Filter [/ASCII85Decode /LZWDecode]", a85(lzw(shownText))),
		"run lengths":                                    withContent("/Filter /RunLengthDecode", string(rune(len(shownText)-1))+shownText+"\x80"),
		"names with escapes":                             edited("/MediaBox", "/Media#42ox", "/Contents 5 0 R", "/Cont#65nts 5 0 R"),
		"comments":                                       edited("/Type /Page /Parent 2 0 R", "/Type /Page % (a leaf\n/Parent 2 % the tree\n0 R"),
		"no blanks":                                      edited("3 0 obj\n<< /Type /Page /Parent 2 0 R", "3 0 obj<</Type/Page/Parent 2 0 R"),
		"all kinds of blanks":                            edited("/Type /Page /Parent 2 0 R", "\f/Type\x00/Page\t/Parent\r2\r\n0\nR"),
		"a comment before the section":                   commented(inStreams(0)),
		"references to nothing":                          edited("/Type /Page ", "/Type /Page /Annots 99 0 R /Group null /B [98 0 R] "),
		"a Length by reference":                          tabled(replaced(withContent("", shownText, []string{strconv.Itoa(len(shownText))}), length, "/Length 6 0 R")),
		"numbers as they come":                           edited("[0 0 595 420]", "[-.0 +0 595. 420.00]"),
		"an object that nothing needs, damaged":          withContent("", shownText, []string{"<< /Broken [ >>"}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			issued := issue(t, link(t, file), moment)
			if !bytes.HasPrefix(issued, file) {
				t.Error("a certificate does not begin with the template's bytes")
			}
			checkReaders(t, gs, file, issued)
		})
	}
}

// Offsets count from the header, and so a certificate begins with it.
func TestJunkBeforeTheHeader(t *testing.T) {
	t.Parallel()
	gs := ghostscript(t, true)
	file := withContent("", shownText)
	issued := issue(t, link(t, append([]byte("HTTP/1.1 200 OK\r\n\r\n"), file...)), moment)
	if !bytes.HasPrefix(issued, file) {
		t.Error("a certificate does not begin with the template's header")
	}
	checkPrograms(t, gs, issued)
}

// What opens without a password is decrypted, and said to be.
func TestEncryptedFilesLink(t *testing.T) {
	t.Parallel()
	gs := ghostscript(t, true)
	for _, name := range []string{"encrypted-rc4-40", "encrypted-rc4-128", "encrypted-aes-128", "encrypted-aes-256-r5", "encrypted-aes-256"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := fixture(t, name)
			template := link(t, file)
			if got := template.Report().Warnings; len(got) != 1 || !strings.Contains(got[0], "certificates are not encrypted") {
				t.Errorf("warnings %q, want one about the encryption", got)
			}
			issued := issue(t, template, moment)
			checkPrograms(t, gs, issued)
			checkPixels(t, fixture(t, "hand-written"), issued)
			for _, text := range []string{"Winter Reading"} { // in the document information
				if out := run(t, "pdfinfo", save(t, issued)); !strings.Contains(out, text) {
					t.Errorf("pdfinfo does not find %q in %s", text, out)
				}
			}
		})
	}
}

// What is damaged is refused with the place, and what to do.
func TestDamagedFilesAreRefused(t *testing.T) {
	t.Parallel()
	plain := withContent("", shownText)
	for name, test := range map[string]struct {
		file []byte
		want string
	}{
		"a table that is elsewhere":    {bytes.Replace(plain, []byte("startxref\n"), []byte("startxref\n1"), 1), "cross-reference section should be at byte 1"},
		"a table that is not there":    {replaced(plain, "\nxref\n", "\nxxxx\n"), "no cross-reference section at byte"},
		"a Prev that leads nowhere":    {replaced(plain, "/Root", "/Prev 12 /Root"), "no cross-reference section at byte 12"},
		"a Prev that is no number":     {replaced(plain, "/Root", "/Prev /None /Root"), "Prev that is no number"},
		"an entry that points amiss":   {replaced(plain, "0000000009", "0000000010"), "object 1 is not at byte 10"},
		"a page that can't be read":    {replaced(plain, "/MediaBox [0 0", "/MediaBox >0 0"), "object 3 can't be read"},
		"an array without an end":      {replaced(plain, "420]", "420 "), "object 3 can't be read"},
		"content without an end":       {tabled(replaced(withContent("", shownText, []string{"", "another"}), "endstream", "enxstream")), "object 5 is a stream without an endstream"},
		"content with a damaged code":  {withContent("/Filter /FlateDecode", "\x78\x9c\xff\xff\xff\xff"), "object 5, a stream with text, can't be decoded by its filter FlateDecode"},
		"a container that is missing":  {replaced(inStreams(0), "\x02\x00\x00\x05\x00\x00", "\x02\x00\x00\x04\x00\x00"), "object 1 lies in object stream 4, which can't be read"},
		"a trailer that can't be read": {replaced(plain, "trailer\n<<", "trailer\n>>"), "the trailer at byte"},
		"a nest without end":           {tabled(replaced(plain, "[0 0 595 420]", strings.Repeat("[", 500))), "too deep"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := certificate.Link(test.file)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
		})
	}
}

// Usage rights are no signature of the document's. A certificate has none, since
// a stamp would break them.
func TestUsageRights(t *testing.T) {
	t.Parallel()
	gs := ghostscript(t, true)
	rights := "/Type /Sig /Filter /Adobe.PPKLite /SubFilter /adbe.pkcs7.detached /ByteRange [0 1 2 3] /Contents <00>"
	for name, file := range map[string][]byte{
		"by reference": replaced(withContent("", shownText, []string{"<< " + rights + " >>"}), "/Type /Catalog", "/Type /Catalog /Perms << /UR3 6 0 R >>"),
		"in place":     replaced(withContent("", shownText), "/Type /Catalog", "/Type /Catalog /Perms << /UR << "+rights+" >> >>"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file = tabled(file)
			template := link(t, file)
			if warnings := strings.Join(template.Report().Warnings, "\n"); !strings.Contains(warnings, "usage rights") {
				t.Errorf("warnings %q, want one of the usage rights", warnings)
			}
			issued := issue(t, template, moment)
			checkPrograms(t, gs, issued)
			if out := run(t, "qpdf", "--show-object=trailer", save(t, issued)); !strings.Contains(out, "/Root 1 0 R") {
				t.Fatalf("the trailer is %s", out)
			}
			if catalog := run(t, "qpdf", "--show-object=1", save(t, issued)); strings.Contains(catalog, "/Perms") || !strings.Contains(catalog, "/Pages") {
				t.Errorf("the catalog is %s, want it as it was, without Perms", catalog)
			}
		})
	}
}
