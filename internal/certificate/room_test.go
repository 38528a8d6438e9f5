package certificate_test

import (
	"fmt"
	"strings"
	"testing"

	"homepage/internal/certificate"
)

// page builds a PDF of one page, which has more entries, and resources with
// more of them.
func page(entries, resources, content string, more ...[]string) []byte {
	return buildAll(append([][]string{
		{"<< /Type /Catalog /Pages 2 0 R /OCProperties << /OCGs [6 0 R 7 0 R] /D << /OFF [7 0 R] >> >> >>"},
		{"<< /Type /Pages /Kids [3 0 R] /Count 1 /MediaBox [0 0 595 420] >>"},
		{"<< /Type /Page /Parent 2 0 R /Resources 4 0 R /Contents 5 0 R " + entries + " >>"},
		{"<< /Font << " + plainFont + " >> /XObject << /X0 8 0 R /X1 9 0 R >> /Properties << /On 6 0 R /Off 7 0 R >> " + resources + " >>"},
		{"", content},
		{"<< /Type /OCG /Name (English) >>"},
		{"<< /Type /OCG /Name (Draft) >>"},
	}, more...))
}

func formXObject(entries, content string) []string {
	return []string{"/Type /XObject /Subtype /Form /Resources 4 0 R " + entries, content}
}

// The stamp takes 14.9 em of Times-Roman: 2 em for the year, 0.33 for a hyphen,
// 1 for each two digits, 0.61 for the T, 0.28 for a colon.
func TestRoom(t *testing.T) {
	t.Parallel()
	const at50 = "BT /F1 10 Tf 50 50 Td (%timestamp%) Tj ET"
	for _, test := range []struct {
		name string
		file []byte
		want string // of the warning, or none
	}{
		{"page-edge.pdf", fixture(t, "page-edge"), "for about 16 of the stamp's 32 characters: the rest is beyond the page's edge"},
		{"clip-path.pdf", fixture(t, "clip-path"), "for about 12 of the stamp's 32 characters: the rest is cut by a clip path"},
		{"all of it", page("", "", at50), ""},
		{"just all of it", page("/CropBox [0 0 200 420]", "", at50), ""},
		{"the last not", page("/CropBox [0 0 195 420]", "", at50), "about 31 of the stamp's 32 characters: the rest is beyond the page's edge"},
		{"a CropBox beyond the MediaBox", page("/MediaBox [0 0 75 420] /CropBox [0 0 595 420]", "", at50), "about 5 of"},
		{"a page that does not begin at 0", page("/MediaBox [-100 0 75 420]", "", at50), "about 5 of"},
		{"a clip path of lines", page("", "", "0 0 m 75 0 l 75 100 l 0 100 l h W* n "+at50), "cut by a clip path"},
		{"a clip that Q takes back", page("", "", "q 0 0 75 100 re W n Q "+at50), ""},
		{"a clip path that is also painted", page("", "", "0 0 75 100 re W S "+at50), "about 5 of"},
		{"upwards", page("", "", "BT /F1 10 Tf 0 1 -1 0 50 395 Tm (%timestamp%) Tj ET"), "about 5 of the stamp's 32 characters: the rest is beyond the page's edge"},
		{"upwards by cm", page("", "", "0 1 -1 0 50 50 cm BT /F1 10 Tf (%timestamp%) Tj ET"), ""},
		{"after a Td and a TD", page("", "", "BT /F1 10 Tf 500 90 Td 70 -20 TD (%timestamp%) Tj ET"), "about 5 of"},
		{"after text", page("", "", "BT /F1 10 Tf 520 50 Td (0000000000) Tj (%timestamp%) Tj ET"), "about 5 of"},
		{"after text with kerning", page("", "", "BT /F1 10 Tf 520 50 Td [(00000) -1000 (000) (%timestamp%)] TJ ET"), "about 5 of"},
		{"with character spacing", page("", "", "BT /F1 10 Tf 5 Tc 545 50 Td (%timestamp%) Tj ET"), "about 5 of"},
		{"after words with spacing", page("", "", "BT /F1 10 Tf 20 Tw 502.5 50 Td (   ) Tj 0 Tw (%timestamp%) Tj ET"), "about 5 of"},
		{"scaled", page("", "", "BT /F1 10 Tf 50 Tz 470 50 Td (%timestamp%) Tj ET"), ""},
		{"by the apostrophe", page("", "", "BT /F1 10 Tf 14 TL 570 90 Td (first) ' (%timestamp%) ' ET"), "about 5 of"},
		{"by the quotation mark", page("", "", `BT /F1 10 Tf 14 TL 545 90 Td 0 5 (%timestamp%) " ET`), "about 5 of"},
		{"in a form's box", page("", "", "/X0 Do", formXObject("/BBox [0 0 75 100]", at50)), "about 5 of the stamp's 32 characters: the rest is cut by a clip path or the box (BBox) of the form XObject 8"},
		{"in a form that is moved to the edge", page("", "", "1 0 0 1 200 0 cm /X0 Do", formXObject("/BBox [0 0 595 420] /Matrix [1 0 0 1 320 0]", at50)), "about 5 of the stamp's 32 characters: the rest is beyond"},
		{"in forms in one another", page("", "", "0.5 0 0 0.5 0 0 cm /X0 Do", formXObject("/BBox [0 0 2000 2000] /Matrix [2 0 0 2 0 0]", "1 0 0 1 520 0 cm /X1 Do"), formXObject("/BBox [0 0 595 420]", at50)), "about 5 of"},
		{"in a form in a clip", page("", "", "0 0 75 100 re W n /X0 Do", formXObject("/BBox [0 0 595 420]", at50)), "about 5 of"},
		{"under what is painted later", page("", "", at50+" 74 0 100 100 re f"), "about 5 of the stamp's 32 characters: the rest is covered"},
		{"under what can be seen through", page("", "/ExtGState << /Through << /ca .5 >> >>", at50+" /Through gs 75 0 100 100 re f"), ""},
		{"under what blends", page("", "/ExtGState << /Multiply << /BM /Multiply >> >>", at50+" /Multiply gs 75 0 100 100 re f"), ""},
		{"under rules that are painted later", page("", "", at50+" 75 0 1 100 re f 0 52 595 1 re f"), ""},
		{"over what was painted earlier", page("", "", "75 0 100 100 re f "+at50), ""},
		{"under a picture", page("", "", at50+" 100 0 0 100 75 0 cm /X0 Do", []string{"/Subtype /Image /Width 1 /Height 1 /BitsPerComponent 8 /ColorSpace /DeviceGray", "x"}), "covered"},
		{"under a form field", page("/Annots [8 0 R]", "", at50, []string{"<< /Subtype /Widget /FT /Tx /T (name) /Rect [75 0 200 100] /AP << /N 9 0 R >> >>"}, formXObject("/BBox [0 0 125 100]", "")), "covered"},
		{"text that is pushed out", page("", "", "BT /F1 10 Tf 400 50 Td (%timestamp%) Tj ( and what follows) Tj ET"), "the text after the stamp is pushed beyond the page's edge"},
		{"text that is pushed into a clip", page("", "", "0 0 250 100 re W n BT /F1 10 Tf 50 50 Td [(%timestamp%) ( and what follows)] TJ ET"), "the text after the stamp is pushed to where it is cut"},
		{"text that was out before", page("", "", "BT /F1 10 Tf 50 50 Td (%timestamp%) Tj -60000 0 Td ( and what follows) Tj ET"), ""},
		{"text with a place of its own", page("", "", "BT /F1 10 Tf 400 50 Td (%timestamp%) Tj 0 -20 Td ( and what follows) Tj ET"), ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := link(t, test.file).Report().Warnings
			if (test.want == "") != (len(got) == 0) || test.want != "" && (len(got) != 1 || !strings.Contains(got[0], test.want)) {
				t.Errorf("warnings %q, want %q", got, test.want)
			}
		})
	}
}

// What can't be seen is no place for a stamp.
func TestItRefusesWhatCantBeSeen(t *testing.T) {
	t.Parallel()
	const at50 = "BT /F1 10 Tf 50 50 Td (%timestamp%) Tj ET"
	all := "/BBox [0 0 595 420] "
	for _, test := range []struct {
		name string
		file []byte
		want []string
	}{
		{"off-page.pdf", fixture(t, "off-page"), []string{"page 1", "beyond the page's edge"}},
		{"alpha-0.pdf", fixture(t, "alpha-0"), []string{"page 1", "transparent"}},
		{"layer-off.pdf", fixture(t, "layer-off"), []string{"page 1", `the layer "Draft", which is off`}},
		{"two-layers.pdf", fixture(t, "two-layers"), []string{`page 1 (in the layer "DE", which is off) and page 1 (in no layer)`, "keep one"}},
		{"outside of the CropBox", page("/CropBox [200 0 595 420]", "", at50), []string{"beyond the page's edge"}},
		{"outside of the clip", page("", "", "0 0 20 20 re W n "+at50), []string{"cut away whole by a clip path"}},
		{"outside of a form's box", page("", "", "/X0 Do", formXObject("/BBox [0 0 20 20]", at50)), []string{"cut away whole", "form XObject 8"}},
		{"size 0", page("", "", "BT /F1 0 Tf 50 50 Td (%timestamp%) Tj ET"), []string{"too small"}},
		{"scaled to nothing", page("", "", "1 0 0 0 0 0 cm "+at50), []string{"too small"}},
		{"scaled to nothing by Tz", page("", "", "0 Tz "+at50), []string{"too small"}},
		{"covered", page("", "", at50+" 40 40 200 40 re f"), []string{"covered", "bring it to the front"}},
		{"a layer that is off, round a form", page("", "", "/OC /Off BDC /X0 Do EMC", formXObject(all, at50)), []string{`"Draft"`}},
		{"a layer that is off, in a form", page("", "", "/X0 Do", formXObject(all, "/OC /On BDC /OC /Off BDC "+at50+" EMC EMC")), []string{`"Draft"`}},
		{"a form in a layer that is off", page("", "", "/X0 Do", formXObject(all+"/OC 7 0 R", at50)), []string{`"Draft"`}},
		{"a form in one of layers", page("", "", "/X0 Do", formXObject(all+"/OC << /Type /OCMD /OCGs [6 0 R 7 0 R] /P /AllOn >>", at50)), []string{`"Draft"`}},
		{"a form in an expression of layers", page("", "", "/X0 Do", formXObject(all+"/OC << /Type /OCMD /OCGs 6 0 R /VE [/And 6 0 R [/Not 6 0 R]] >>", at50)), []string{`"English"`}},
		{"a form shown with alpha 0", page("", "/ExtGState << /G << /ca 0 >> >>", "/G gs /X0 Do", formXObject(all, at50)), []string{"transparent"}},
		{"a group shown with alpha 0", page("", "/ExtGState << /G << /ca 0 >> /H << /ca 1 >> >>", "/G gs /X0 Do", formXObject(all+"/Group << /S /Transparency >>", "/H gs "+at50)), []string{"transparent"}},
		{"outlines with alpha 0", page("", "/ExtGState << /G << /CA 0 >> >>", "/G gs 1 Tr "+at50), []string{"transparent"}},
		{"a soft mask", page("", "/ExtGState << /G << /SMask << /S /Luminosity /G 8 0 R >> >> >>", "/G gs 0 0 9 9 re f", formXObject(all, at50)), []string{"soft mask"}},
		{"a shadow", page("", "", "BT /F1 10 Tf 51 49 Td (%timestamp%) Tj -1 1 Td (%timestamp%) Tj ET"), []string{"drawn twice", "shadow", "keep one"}},
		{"two places of a page", page("", "", at50+" BT /F1 10 Tf 50 350 Td (%timestamp%) Tj ET"), []string{"page 1 (50 pt from the left, 50 pt from the bottom) and page 1 (50 pt from the left, 350 pt from the bottom)"}},
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

// What can be seen is taken, however it comes about.
func TestItTakesWhatCanBeSeen(t *testing.T) {
	t.Parallel()
	const at50 = "BT /F1 10 Tf 50 50 Td (%timestamp%) Tj ET"
	all := "/BBox [0 0 595 420] "
	for name, file := range map[string][]byte{
		"a layer that is on":              page("", "", "/OC /On BDC "+at50+" EMC"),
		"after a layer that is off":       page("", "", "/OC /Off BDC (draft) Tj EMC "+at50),
		"any of two layers":               page("", "", "/X0 Do", formXObject(all+"/OC << /Type /OCMD /OCGs [6 0 R 7 0 R] >>", at50)),
		"an alpha that is set back":       page("", "/ExtGState << /G << /ca 0 >> /H << /ca 1 >> >>", "q /G gs Q /X0 Do", formXObject(all, at50)),
		"a form that sets its own alpha":  page("", "/ExtGState << /G << /ca 0 >> /H << /ca 1 >> >>", "/G gs /X0 Do", formXObject(all, "/H gs "+at50)),
		"covered by what is in no layer":  page("", "", at50+" /OC /Off BDC 0 0 595 420 re f EMC"),
		"a form that is shown many times": page("", "", "/X1 Do "+at50, formXObject(all, strings.Repeat("/X1 Do ", 20)), formXObject(all, strings.Repeat("/X0 Do ", 20))),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			template := link(t, file)
			if got := template.Report().Warnings; len(got) > 0 {
				t.Errorf("warnings %q, want none", got)
			}
		})
	}
}

// Forms that show each other twice, 16 deep, are read once each.
func TestNestedFormsDontExplode(t *testing.T) {
	t.Parallel()
	objects := make([][]string, 0, 16)
	for n := range 15 {
		objects = append(objects, []string{fmt.Sprintf("/Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << /XObject << /X %d 0 R >> >>", n+9), strings.Repeat("/X Do ", 50)})
	}
	objects = append(objects, formXObject("/BBox [0 0 595 420]", "BT /F1 10 Tf 50 50 Td (%timestamp%) Tj ET"))
	if _, err := certificate.Link(page("", "", "/X0 Do", objects...)); err == nil || !strings.Contains(err.Error(), "more than one place") {
		t.Errorf("error %v, want one about more than one place", err)
	}
}

// A Type 3 font's glyphs have units of their own, and so has its size.
func TestRoomOfAType3Font(t *testing.T) {
	t.Parallel()
	for _, size := range []float64{0.005, 1, 100} {
		unit := 0.01 / size // so that a glyph is 6 pt wide
		var glyphs, differences strings.Builder
		for _, name := range []struct {
			code rune
			name string
		}{{'%', "percent"}, {'-', "hyphen"}, {':', "colon"}, {'.', "period"}, {'+', "plus"}} {
			fmt.Fprintf(&differences, "%d /%s ", name.code, name.name)
			fmt.Fprintf(&glyphs, "/%s 6 0 R ", name.name)
		}
		for _, letter := range "timesapT" {
			fmt.Fprintf(&differences, "%d /%c ", letter, letter)
			fmt.Fprintf(&glyphs, "/%c 6 0 R ", letter)
		}
		for digit, name := range strings.Fields("zero one two three four five six seven eight nine") {
			fmt.Fprintf(&differences, "%d /%s ", '0'+digit, name)
			fmt.Fprintf(&glyphs, "/%s 6 0 R ", name)
		}
		font := fmt.Sprintf("/F1 << /Type /Font /Subtype /Type3 /FontBBox [0 0 0 0] /FontMatrix [%.6f 0 0 %.6f 0 0] /FirstChar 0 /LastChar 255 /Widths [%s] /Encoding << /Differences [%s] >> /CharProcs << %s >> >>",
			unit, unit, strings.Repeat("600 ", 256), differences.String(), glyphs.String())
		content := "BT /F1 %g Tf %d 50 Td (%%timestamp%%) Tj -20 -20 Td (0123456789-:.T+) Tj ET"
		for at, want := range map[int]int{50: 32, 565: 5} {
			warnings := link(t, build([]string{"<< /Font << " + font + " >> >>"}, []string{"", fmt.Sprintf(content, size, at)}, []string{"", "600 0 d0 50 0 500 700 re f"})).Report().Warnings
			said := strings.Contains(strings.Join(warnings, ""), fmt.Sprintf("about %d of", want))
			if len(warnings) > 1 || said != (want < 32) {
				t.Errorf("size %g at %d: warnings %q, want room for %d", size, at, warnings, want)
			}
		}
	}
}
