package certificate_test

import (
	"bytes"
	"compress/zlib"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/pdfcpu/pdfcpu/pkg/api"
	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu"
	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/model"

	"homepage/internal/certificate"
	"homepage/pdfs"
)

var (
	moment = time.Date(2026, 11, 23, 4, 5, 6, 789012345, time.FixedZone("", -(9*3600+30*60)))
	stamp  = "2026-11-23T04:05:06.789012-09:30"
)

// missing is what a font lacks that shows no time, but a full stop.
const missing = "0123456789-:T+"

// fixtures are templates of each kind; testdata/make.sh says how they are made.
var fixtures = []struct {
	file string
	want certificate.Report
}{
	{"hand-written", certificate.Report{XRef: "table", Place: "page 1", Font: "Times-Roman", Own: true}},
	{"chromium", certificate.Report{XRef: "table", Place: "page 1", Font: "Times-Roman", Missing: missing}},
	{"chromium-own-font", certificate.Report{XRef: "table", Place: "page 1", Font: "LiberationSerif", Own: true}},
	{"libreoffice", certificate.Report{XRef: "table", Place: "page 1", Font: "Times-Roman", Missing: missing}},
	{"libreoffice-own-font", certificate.Report{XRef: "table", Place: "page 1", Font: "LiberationSerif", Own: true, PDFA: "PDF/A-1a"}},
	{"libreoffice-pdfa", certificate.Report{XRef: "table", Place: "page 1", Font: "Times-Roman", Missing: missing, PDFA: "PDF/A-2b", AtRisk: true}},
	{"libreoffice-form", certificate.Report{XRef: "table", Place: "page 1, the form field timestamp", Font: "Helvetica", Own: true}},
	{"ghostscript", certificate.Report{XRef: "table", Place: "page 1", Font: "Times-Roman", Own: true}},
	{"hybrid", certificate.Report{XRef: "hybrid", Place: "page 1", Font: "Times-Roman", Own: true}},
	{"object-streams", certificate.Report{XRef: "stream", Place: "page 1", Font: "LiberationSerif", Own: true}},
	{"linearized", certificate.Report{XRef: "table", Place: "page 1", Font: "Times-Roman", Missing: missing}},
	{"linearized-object-streams", certificate.Report{XRef: "stream", Place: "page 1", Font: "Times-Roman", Missing: missing}},
	{"form-xobject", certificate.Report{XRef: "table", Place: "page 1, in the form XObject 8", Font: "LiberationSerif", Own: true}},
	{"form-xobject-object-streams", certificate.Report{XRef: "stream", Place: "page 1, in the form XObject 16", Font: "Times-Roman", Missing: missing}},
}

func fixture(tb testing.TB, name string) []byte {
	tb.Helper()
	file, err := os.ReadFile(filepath.Join("testdata", name+".pdf"))
	if err != nil {
		tb.Fatal(err)
	}
	return file
}

func link(tb testing.TB, file []byte) *certificate.Template {
	tb.Helper()
	template, err := certificate.Link(file)
	if err != nil {
		tb.Fatal(err)
	}
	return template
}

func issue(tb testing.TB, template *certificate.Template, at time.Time) []byte {
	tb.Helper()
	var b bytes.Buffer
	if err := template.Issue(&b, at); err != nil {
		tb.Fatal(err)
	}
	if b.Len() != template.Size() {
		tb.Errorf("%d bytes issued, Size says %d", b.Len(), template.Size())
	}
	return b.Bytes()
}

func TestFixtures(t *testing.T) {
	t.Parallel()
	gs := ghostscript(t, true)
	for _, test := range fixtures {
		t.Run(test.file, func(t *testing.T) {
			t.Parallel()
			file := fixture(t, test.file)
			template := link(t, file)
			report := template.Report()
			if diff := cmp.Diff(test.want, report, cmpopts.IgnoreFields(certificate.Report{}, "Bytes", "Warnings")); diff != "" {
				t.Errorf("report (-want +got):\n%s", diff)
			}
			if want := map[bool]int{true: 0, false: 1}[test.want.Own]; len(report.Warnings) != want {
				t.Errorf("warnings %q, want %d", report.Warnings, want)
			}
			issued := issue(t, template, moment)
			if !bytes.HasPrefix(issued, file) {
				t.Error("a certificate does not begin with the template's bytes")
			}
			if hybrid := bytes.Contains(issued[len(file):], []byte("/XRefStm")); hybrid != (test.want.XRef == "hybrid") {
				t.Errorf("the update names an XRefStm: %v, though the template is of kind %s", hybrid, test.want.XRef)
			}
			if report.Bytes != len(issued) {
				t.Errorf("the report says %d bytes, issued were %d", report.Bytes, len(issued))
			}
			checkPrograms(t, gs, issued)
			checkPixels(t, file, issued)
		})
	}
}

func TestTheShippedTemplate(t *testing.T) {
	t.Parallel()
	gs := ghostscript(t, true)
	template := link(t, pdfs.CertificateTemplate)
	if r := template.Report(); !r.Own || len(r.Warnings) > 0 {
		t.Errorf("report %+v, want its own font and no warnings", r)
	}
	issued := issue(t, template, moment)
	checkPrograms(t, gs, issued)
	checkPixels(t, pdfs.CertificateTemplate, issued)
}

// run runs a program on a file and returns what it printed.
func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput()
	if err != nil {
		t.Errorf("%s: %v\n%s", name, err, out)
	}
	return string(out)
}

func save(t *testing.T, content []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "certificate.pdf")
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// reader takes a certificate for a program that reads all of a test at once.
type reader func(t *testing.T, issued []byte)

// ghostscript lets Ghostscript read certificates when the test is over, for it
// takes far longer to start than to read one. Of each it must find the stamp once.
// If it is strict, it draws them too, and ends at the first warning.
func ghostscript(t *testing.T, strict bool) reader {
	t.Helper()
	const end = "==== the end of a certificate"
	folder := t.TempDir()
	var mu sync.Mutex
	var names, files []string
	t.Cleanup(func() {
		args := []string{"-q", "-dBATCH", "-dNOPAUSE", "-sDEVICE=txtwrite", "-sOutputFile=-"}
		if strict {
			args = append(args, "-dPDFSTOPONERROR", "-dPDFSTOPONWARNING")
		}
		for _, file := range files {
			args = append(args, "-f", file, "-c", "("+end+") = flush")
		}
		if strict {
			args = append(args, "-c", "<< /OutputDevice /bit /OutputFile (/dev/null) >> setpagedevice", "-f")
			args = append(args, files...)
		}
		out, err := exec.CommandContext(context.WithoutCancel(t.Context()), "gs", args...).CombinedOutput()
		if err != nil || strict && bytes.Contains(out, []byte("****")) { // so begins what it has to say
			t.Errorf("ghostscript: %v\n%s", err, out)
		}
		texts := strings.Split(string(out), end)
		for i, name := range names {
			if i >= len(texts)-1 {
				t.Fatalf("ghostscript does not come to the end of %s", name)
			}
			checkText(t, "ghostscript, of "+name, texts[i])
		}
	})
	return func(t *testing.T, issued []byte) {
		t.Helper()
		mu.Lock()
		defer mu.Unlock()
		file := filepath.Join(folder, fmt.Sprint(len(files), ".pdf"))
		if err := os.WriteFile(file, issued, 0o600); err != nil {
			t.Fatal(err)
		}
		names, files = append(names, t.Name()), append(files, file)
	}
}

// checkPrograms lets five programs read a certificate. None may have anything
// to say, and each that extracts text must find the stamp once.
func checkPrograms(t *testing.T, gs reader, issued []byte) {
	t.Helper()
	gs(t, issued)
	file := save(t, issued)
	if out := run(t, "qpdf", "--check", file); strings.Contains(out, "WARNING") {
		t.Error(out)
	}
	checkText(t, "pdftotext", run(t, "pdftotext", file, "-"))
	// Debian's mutool says so of every file.
	said := strings.ReplaceAll(run(t, "mutool", "draw", "-q", "-F", "txt", file), "warning: ICC support is not available\n", "")
	checkText(t, "mutool", said)
	if regexp.MustCompile(`(?m)^(warning|error):`).MatchString(said) {
		t.Errorf("mutool: %s", said)
	}
	configuration := &model.Configuration{Reader15: true, ValidationMode: model.ValidationRelaxed, Offline: true, Limits: model.DefaultResourceLimits()}
	if err := api.Validate(bytes.NewReader(issued), configuration); err != nil {
		t.Errorf("pdfcpu: %v", err)
	}
}

func checkText(t *testing.T, program, text string) {
	t.Helper()
	if n := strings.Count(text, stamp); n != 1 || strings.Contains(text, certificate.Placeholder) {
		t.Errorf("%s finds the stamp %d times in %q, want once and no placeholder", program, n, text)
	}
}

// checkPixels sees that a certificate looks as its template does, but for the
// line of the stamp.
func checkPixels(t *testing.T, template, issued []byte) {
	t.Helper()
	file := save(t, issued)
	box := regexp.MustCompile(`yMin="([\d.]+)" xMax="[\d.]+" yMax="([\d.]+)">` + regexp.QuoteMeta(stamp)).FindStringSubmatch(run(t, "pdftotext", "-bbox", file, "-"))
	if box == nil {
		t.Fatal("pdftotext does not say where the stamp is")
	}
	top, _ := strconv.ParseFloat(box[1], 64)
	bottom, _ := strconv.ParseFloat(box[2], 64)
	// Points are pixels here. A form field is drawn anew, with its frame.
	const around = 8
	width, before := render(t, save(t, template))
	_, after := render(t, file)
	if len(before) != len(after) {
		t.Fatalf("the picture has %d bytes, the template's %d", len(after), len(before))
	}
	changed := 0
	for i := range before {
		if y := float64(i / 3 / width); before[i] != after[i] && (y < top-around || y > bottom+around) {
			changed++
		}
	}
	if changed > 0 {
		t.Errorf("%d bytes of the picture differ outside the stamp's line", changed)
	}
	if bytes.Equal(before, after) {
		t.Error("the picture does not show the stamp")
	}
}

// render returns the pixels of the first page, three bytes each.
func render(t *testing.T, file string) (width int, pixels []byte) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "pdftoppm", "-r", "72", "-singlefile", file).Output()
	if err != nil {
		t.Fatal(err)
	}
	var height, deepest int
	if _, err := fmt.Sscanf(string(out[:min(len(out), 32)]), "P6\n%d %d\n%d\n", &width, &height, &deepest); err != nil {
		t.Fatal(err)
	}
	return width, out[len(out)-3*width*height:]
}

// Every way to show text, as programs write it or as ISO 32000-1 allows it.
func TestItFindsThePlaceholder(t *testing.T) {
	t.Parallel()
	form := func(content string) []string {
		return []string{"/Type /XObject /Subtype /Form /BBox [0 0 595 420] /Resources 4 0 R", content}
	}
	for _, test := range []struct {
		name string
		file []byte
		font string
	}{
		{"Tj", onePage("BT /F1 12 Tf 50 50 Td (at %timestamp% sharp) Tj ET"), "Times-Roman"},
		{"hexadecimal", onePage("BT /F1 12 Tf 50 50 Td <25 74696d6573\n74616d7025> Tj ET"), "Times-Roman"},
		{"escapes", onePage(`BT /F1 12 Tf 50 50 Td (\(\45time\163ta\` + "\n" + `mp%\)) Tj ET`), "Times-Roman"},
		{"TJ with kerning", onePage("BT /F1 12 Tf 50 50 Td [-5 (a%t) 20 (imes) -30.5 (tamp) 4 (%b) 7 (c)] TJ ET"), "Times-Roman"},
		{"apostrophe", onePage("BT /F1 12 Tf 50 50 Td 14 TL (at %timestamp%) ' (more) ' ET"), "Times-Roman"},
		{"quotation mark", onePage(`BT /F1 12 Tf 50 50 Td 14 TL 1 .5 (at %timestamp%) " ET`), "Times-Roman"},
		{"several operators", onePage("BT /F1 12 Tf 50 50 Td (%) Tj (ti) Tj 1 0 0 rg [(me)] TJ (stamp%, then) Tj ( more) Tj ET"), "Times-Roman"},
		{"several text objects", onePage("BT /F1 12 Tf 50 50 Td (%time) Tj ET q 1 0 0 1 30 0 cm BT /F1 12 Tf 50 50 Td (stamp%) Tj ET Q"), "Times-Roman"},
		{"after an inline image", onePage("BI /W 1 /H 1 /BPC 8 /CS /G ID (EI EI\x00 EI\nBT /F1 12 Tf 50 50 Td (%timestamp%) Tj ET"), "Times-Roman"},
		{"a form XObject", onePage("/X0 Do", form("BT /F1 12 Tf 50 50 Td (%timestamp%) Tj ET")), "Times-Roman"},
		{"a form XObject in another", onePage("q /X0 Do Q", form("/X1 Do"), form("BT /F1 12 Tf 50 50 Td (at %timestamp%!) Tj ET")), "Times-Roman"},
		{"a form XObject that shows itself", onePage("/X0 Do", form("BT /F1 12 Tf 50 50 Td (%timestamp%) Tj ET /X0 Do")), "Times-Roman"},
		{"a font set by gs", onePage("/G0 gs BT 50 50 Td (%timestamp%) Tj ET", []string{"null"}, []string{"null"}, []string{strings.TrimPrefix(plainFont, "/F1 ")}), "Times-Roman"},
		{"the font of before q", onePage("/F1 12 Tf q /F3 9 Tf Q BT 50 50 Td (%timestamp%) Tj ET"), "Times-Roman"},
		{"Differences without digits", onePage("BT /F2 12 Tf 50 50 Td <0102030405060207040801> Tj ET"), "Courier"},
		{"bytes before the header", append([]byte("junk\n"), onePage("BT /F1 12 Tf 50 50 Td (%timestamp%) Tj ET")...), "Times-Roman"},
		{"a subset, whatever its encoding says", build(
			[]string{"<< /Font << /F1 << /Type /Font /Subtype /TrueType /BaseFont /ABCDEF+Letters-Bold /Encoding /WinAnsiEncoding /FirstChar 0 /LastChar 255 /Widths [" + strings.Repeat("500 ", 256) + "] /FontDescriptor << /FontName /ABCDEF+Letters-Bold /Flags 32 /FontFile2 6 0 R >> >> >> >>"},
			[]string{"", "BT /F1 12 Tf 50 50 Td (%timestamp%) Tj ET"}, []string{"", "no glyphs"},
		), "Helvetica-Bold"},
		{"several content streams", build(
			[]string{"<< /Font << " + plainFont + " >> >>"}, []string{"[6 0 R 7 0 R 8 0 R 9 0 R]"},
			[]string{"", "1 0 0 RG 10 10 50 50 re S"}, []string{"", "BT /F1 12 Tf 50 50 Td (at ) Tj"}, []string{"", "(%timestamp%) Tj"}, []string{"", "ET 0 0 1 RG 80 80 50 50 re S"},
		), "Times-Roman"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			template := link(t, test.file)
			if got := template.Report().Font; got != test.font {
				t.Errorf("font %s, want %s", got, test.font)
			}
			file := save(t, issue(t, template, moment))
			run(t, "qpdf", "--check", file)
			checkText(t, "pdftotext", run(t, "pdftotext", file, "-"))
		})
	}
}

// What stands round the placeholder stays, in its order.
func TestTheTextAroundStays(t *testing.T) {
	for content, want := range map[string]string{
		"BT /F1 12 Tf 50 50 Td [(before ) (%t) 20 (imestamp%) ( after)] TJ ET": "before STAMP after",
		// What follows is again in the font before, whose codes these are.
		"BT /F2 12 Tf 50 50 Td <0203> Tj <0102030405060207040801> Tj <0203> Tj ET":            "tiSTAMPti",
		"BT /F1 12 Tf 50 50 Td (one ) Tj (two %time) Tj (stamp% three) Tj ( four) Tj ET":      "one two STAMP three four",
		"BT /F1 12 Tf 50 50 Td 14 TL (first) Tj (second %timestamp% half) ' (third) ' ET":     "first\nsecond STAMP half\nthird",
		`BT /F1 12 Tf 50 50 Td 14 TL (first) Tj 0 0 (second %timestamp% half) " (third) ' ET`: "first\nsecond STAMP half\nthird",
	} {
		file := save(t, issue(t, link(t, onePage(content)), moment))
		got := strings.TrimSpace(run(t, "pdftotext", "-layout", file, "-"))
		got = regexp.MustCompile(`\n\s*`).ReplaceAllString(got, "\n")
		if want := strings.Replace(want, "STAMP", stamp, 1); got != want {
			t.Errorf("%s\nshows %q, want %q", content, got, want)
		}
	}
}

func deflated(content []byte) string {
	var b bytes.Buffer
	w, _ := zlib.NewWriterLevel(&b, zlib.BestSpeed)
	_, _ = w.Write(content)
	_ = w.Close()
	return b.String()
}

func TestItRefuses(t *testing.T) {
	t.Parallel()
	const shown = "BT /F1 12 Tf 50 50 Td (%timestamp%) Tj ET"
	// swap puts one text in the place of another without moving anything.
	swap := func(file []byte, before, after string) []byte {
		if !bytes.Contains(file, []byte(before)) {
			t.Fatalf("no %q to swap", before)
		}
		return bytes.Replace(file, []byte(before), []byte(after+strings.Repeat(" ", len(before)-len(after))), 1)
	}
	hand, form := fixture(t, "hand-written"), fixture(t, "libreoffice-form")
	withForm := func(content, field string, more ...[]string) []byte {
		objects := append([][]string{
			{"<< /Type /Catalog /Pages 2 0 R /AcroForm << /Fields [6 0 R] >> >>"},
			{"<< /Type /Pages /Kids [3 0 R] /Count 1 >>"},
			{"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 420] /Resources 4 0 R /Contents 5 0 R /Annots [6 0 R] >>"},
			{"<< /Font << " + plainFont + " >> >>"},
			{"", content},
			{field},
		}, more...)
		return buildAll(objects)
	}
	for _, test := range []struct {
		name string
		file []byte
		want []string
	}{
		{"nothing", nil, []string{"the file is empty"}},
		{"another format", []byte("<html>%timestamp%</html>"), []string{"no PDF"}},
		{"a file that is too large", make([]byte, certificate.MaxTemplate+1), []string{"32.0 MiB", "pictures smaller"}},
		{"half a file", hand[:len(hand)/2], []string{"cut short", "copy it again"}},
		{"half an update", append(onePage(shown), "6 0 obj\n<< /Length 9"...), []string{"cut short"}},
		{"no placeholder", swap(hand, certificate.Placeholder, "%timestump%"), []string{"no page shows", "as text"}},
		{"two in the text", onePage(shown + " " + shown), []string{"page 1 and page 1", "keep one"}},
		{"a form shown twice", onePage("/X0 Do /X0 Do", []string{"/Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources 4 0 R", shown}), []string{"form XObject 6 and page 1, in the form XObject 6"}},
		{"a field and a text", withForm(shown, "<< /T (timestamp) /FT /Tx /Subtype /Widget /Rect [0 0 300 20] >>"), []string{"the form field timestamp and page 1", "keep one"}},
		{"a password", fixture(t, "encrypted"), []string{"encrypted", "without a password"}},
		{"a signature", swap(hand, "/Subject (The Winter Reading Challenge)", "/ByteRange [0 1 2 3]"), []string{"signed", "without one"}},
		{"a certified file", swap(hand, "/ViewerPreferences << /DisplayDocTitle true >>", "/Perms << /DocMDP 2 0 R >>"), []string{"signed"}},
		{"a certified file with usage rights", swap(hand, "/ViewerPreferences << /DisplayDocTitle true >>", "/Perms << /UR3 2 0 R /DocMDP 2 0 R >>"), []string{"signed"}},
		{"an unknown filter", build([]string{"<< /Font << " + plainFont + " >> >>"}, []string{"/Filter /Zstd", shown}), []string{"page 1", "object 5", "Zstd"}},
		{"content as a picture", build([]string{"<< /Font << " + plainFont + " >> >>"}, []string{"/Filter /DCTDecode", shown}), []string{"object 5", "DCT"}},
		{"an inflate bomb", build([]string{"<< >>"}, []string{"/Filter /FlateDecode", deflated(make([]byte, 65<<20))}), []string{"object 5", "inflates to more than"}},
		{"pages that add up", manyPages(), []string{"MiB of content"}},
		{"a table that points elsewhere", swap(onePage(shown), "5 0 obj", "6 0 obj"), []string{"damaged", "mend it with"}},
		{"invisible text", onePage("3 Tr " + shown), []string{"page 1", "invisible"}},
		{"replaced text", onePage("/Span << /ActualText (the time) >> BDC " + shown + " EMC"), []string{"page 1", "ActualText"}},
		{"no decodable font", onePage("BT /F3 12 Tf (%timestamp%) Tj ET"), []string{"no page shows"}},
		{"graphics states without end", onePage(strings.Repeat("q ", 2000) + shown), []string{"graphics states"}},
		{"a field of another kind", withForm("", "<< /T (timestamp) /FT /Btn /Subtype /Widget /Rect [0 0 300 20] >>"), []string{"no text field"}},
		{"a field shown twice", withForm("", "<< /T (timestamp) /FT /Tx /Kids [7 0 R 8 0 R] >>", []string{"<< >>"}, []string{"<< >>"}), []string{"2 times"}},
		{"a form of XFA", swap(form, "/NeedAppearances true", "/XFA []"), []string{"XFA"}},
		{"a circle of sections", []byte("%PDF-1.7\nxref\n0 0\ntrailer\n<< /Size 1 /Prev 9 >>\nstartxref\n9\n%%EOF\n"), []string{"circle"}},
		{"more objects than can be", []byte("%PDF-1.7\nxref\n0 0\ntrailer\n<< /Size 99999999 >>\nstartxref\n9\n%%EOF\n"), []string{"99999999"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := refusal(t, test.file)
			for _, want := range test.want {
				if !strings.Contains(got, want) {
					t.Errorf("error %q does not say %q", got, want)
				}
			}
		})
	}
}

// manyPages is a small file whose pages share a picture that is part of their
// content, 5000 times 32 KiB.
func manyPages() []byte {
	picture := deflated(fmt.Appendf(nil, "BI ID %s EI", make([]byte, 32<<10)))
	objects := [][]string{{"<< /Type /Catalog /Pages 2 0 R >>"}, {""}, {"/Filter /FlateDecode", picture}}
	var kids strings.Builder
	for i := range 5000 {
		objects = append(objects, []string{"<< /Type /Page /Parent 2 0 R /Resources << >> /Contents 3 0 R >>"})
		fmt.Fprintf(&kids, "%d 0 R ", i+4)
	}
	objects[1] = []string{"<< /Type /Pages /Count 5000 /Kids [" + kids.String() + "] >>"}
	return buildAll(objects)
}

// A file that a copy cut off anywhere is never taken for a template.
func TestItRefusesEveryCut(t *testing.T) {
	for _, name := range []string{"ghostscript", "hybrid", "linearized", "object-streams"} {
		file := fixture(t, name)
		for n := 0; n < len(file)-8; n += 1 + n%37 {
			// What ends between two revisions is whole.
			if last := bytes.LastIndex(file[:n], []byte("%%EOF")); last >= 0 && !bytes.Contains(file[last:n], []byte(" obj")) {
				continue
			}
			if _, err := certificate.Link(file[:n]); err == nil {
				t.Errorf("%s: the first %d of %d bytes are accepted", name, n, len(file))
			}
		}
	}
}

func TestStamps(t *testing.T) {
	template := link(t, onePage("BT /F1 12 Tf 50 50 Td (%timestamp%) Tj ET"))
	kathmandu := time.FixedZone("", 5*3600+45*60)
	for want, at := range map[string]time.Time{
		"2026-11-23T04:05:06.123456+00:00": time.Date(2026, 11, 23, 4, 5, 6, 123456789, time.UTC),
		"2026-01-02T03:04:05.000000+00:00": time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		"0001-01-02T03:04:05.000006+05:45": time.Date(1, 1, 2, 3, 4, 5, 6000, kathmandu),
	} {
		if got := issue(t, template, at); !bytes.Contains(got, []byte(fmt.Sprintf("<%x> Tj", want))) {
			t.Errorf("no %s in %s", want, got)
		}
	}
	first, second := issue(t, template, moment), issue(t, template, moment.Add(time.Hour))
	if again := issue(t, template, moment); !bytes.Equal(first, again) || bytes.Equal(first, second) {
		t.Error("a certificate depends on those before it")
	}
}

// The time is noted where the file notes such things.
func TestDates(t *testing.T) {
	for name, want := range map[string]bool{"hand-written": true, "libreoffice-pdfa": false} {
		got := bytes.Contains(issue(t, link(t, fixture(t, name)), moment), []byte("/ModDate(D:20261123040506-09'30')"))
		if got != want {
			t.Errorf("%s: ModDate set is %v, want %v: PDF/A wants it to agree with the metadata", name, got, want)
		}
	}
	identity := regexp.MustCompile(`/ID\[<00112233445566778899AABBCCDDEEFF><([0-9a-f]{32})>\]`)
	template := link(t, fixture(t, "hybrid"))
	a, b := identity.FindSubmatch(issue(t, template, moment)), identity.FindSubmatch(issue(t, template, moment.Add(time.Microsecond)))
	if want := "20261123040506789012093000000001"; a == nil || string(a[1]) != want {
		t.Errorf("ID %q, want the stamp's digits and sign %s", a, want)
	}
	if a == nil || b == nil || bytes.Equal(a[1], b[1]) {
		t.Errorf("ID %q, then %q: the first part must stay and the second change", a, b)
	}
}

func TestIssueWritesNothingItCantStamp(t *testing.T) {
	template := link(t, pdfs.CertificateTemplate)
	var got bytes.Buffer
	if err := template.Issue(&got, time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)); err == nil || got.Len() > 0 {
		t.Errorf("year 10000: error %v and %d bytes, want an error and none", err, got.Len())
	}
}

type brokenWriter struct{ err error }

func (w brokenWriter) Write([]byte) (int, error) { return 0, w.err }

func TestIssueReturnsTheWritersError(t *testing.T) {
	gone := errors.New("gone")
	if err := link(t, pdfs.CertificateTemplate).Issue(brokenWriter{gone}, time.Now()); !errors.Is(err, gone) {
		t.Errorf("error %v, want the writer's", err)
	}
}

func TestIssueAllocatesOnce(t *testing.T) {
	template := link(t, large())
	if got := testing.AllocsPerRun(100, func() { _ = template.Issue(io.Discard, moment) }); got > 1 {
		t.Errorf("%v allocations a certificate, want 1", got)
	}
}

// A claim can't be kept by a font that is not embedded, even the template's own.
func TestAClaimAtRisk(t *testing.T) {
	template := link(t, buildAll([][]string{
		{"<< /Type /Catalog /Pages 2 0 R /Metadata 6 0 R >>"},
		{"<< /Type /Pages /Kids [3 0 R] /Count 1 >>"},
		{"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 420] /Resources 4 0 R /Contents 5 0 R >>"},
		{"<< /Font << " + plainFont + " >> >>"},
		{"", "BT /F1 12 Tf 50 50 Td (%timestamp%) Tj ET"},
		{"/Type /Metadata /Subtype /XML", `<rdf:Description pdfaid:part="1" pdfaid:conformance="B"/>`},
	}))
	if r := template.Report(); !r.Own || r.PDFA != "PDF/A-1b" || !r.AtRisk {
		t.Errorf("report %+v, want the claim PDF/A-1b at risk", r)
	}
}

// A viewer that is asked to draw the fields itself may draw none.
func TestAFormKeepsItsAppearance(t *testing.T) {
	file := fixture(t, "libreoffice-form")
	if !bytes.Contains(file, []byte("/NeedAppearances true")) {
		t.Fatal("the template does not ask for what is to be taken back")
	}
	issued := issue(t, link(t, file), moment)
	parsed, err := pdfcpu.Read(bytes.NewReader(issued), &model.Configuration{Reader15: true, ValidationMode: model.ValidationRelaxed, Limits: model.DefaultResourceLimits()})
	if err != nil {
		t.Fatal(err)
	}
	form, err := parsed.DereferenceDict(parsed.RootDict["AcroForm"])
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := form["NeedAppearances"]; ok || form["Fields"] == nil {
		t.Errorf("the form is %v, want its fields and no NeedAppearances", form)
	}
	for _, want := range []string{"/V(" + stamp + ")", "/MaxLen 32", "/Ff 1"} {
		if !bytes.Contains(issued[len(file):], []byte(want)) {
			t.Errorf("the field lacks %s", want)
		}
	}
}

// Where no page shows it, the placeholder can't be stamped, and need not be.
func TestOtherPlacesAreNamed(t *testing.T) {
	template := link(t, onePage("BT /F1 12 Tf 50 50 Td (%timestamp%) Tj ET", []string{"<< /Alt (At %timestamp%) >>"}))
	if got := template.Report().Warnings; len(got) != 1 || !strings.Contains(got[0], "stands in Alt") {
		t.Errorf("warnings %q, want one about Alt", got)
	}
}

// large is a template of 2 MiB.
func large() []byte {
	picture := make([]byte, 2<<20)
	for i := range picture {
		picture[i] = byte(i * i >> 7)
	}
	return onePage("q 100 0 0 100 9 9 cm /X0 Do Q BT /F1 12 Tf 50 50 Td (%timestamp%) Tj ET",
		[]string{"/Type /XObject /Subtype /Image /Width 2048 /Height 1024 /BitsPerComponent 8 /ColorSpace /DeviceGray", string(picture)})
}

// The cost of a certificate but for its sending.
func BenchmarkIssue(b *testing.B) {
	for name, file := range map[string][]byte{"2 MiB": large(), "shipped": pdfs.CertificateTemplate} {
		b.Run(name, func(b *testing.B) {
			template := link(b, file)
			b.ReportAllocs()
			for b.Loop() {
				if err := template.Issue(io.Discard, moment); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkLink(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		link(b, pdfs.CertificateTemplate)
	}
}
