package certificate_test

import (
	"fmt"
	"strings"
	"testing"

	"homepage/internal/certificate"
)

// refusal returns why a file is no template.
func refusal(t *testing.T, file []byte) string {
	t.Helper()
	template, err := certificate.Link(file)
	if err == nil {
		t.Fatalf("accepted: %+v", template.Report())
	}
	return err.Error()
}

// What an author may have meant for the placeholder is quoted, with its page
// and what to change.
func TestNearMisses(t *testing.T) {
	t.Parallel()
	shows := func(text string) []byte {
		return onePage(fmt.Sprintf("BT /F1 12 Tf 50 50 Td (Issued at ) Tj (%s) Tj ( sharp) Tj ET", text))
	}
	half := []string{"/Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources 4 0 R", "BT /F1 12 Tf (stamp%) Tj ET"}
	const capitals, spaces, hyphens, percents = "in small letters", "without spaces", "on one line", "one percent sign before it and one after it"
	for _, test := range []struct {
		name string
		file []byte
		want []string
	}{
		{"capitals", fixture(t, "uppercase"), []string{`page 1 shows "%TIMESTAMP%"`, capitals, "text-transform"}},
		{"a capital", shows("%Timestamp%"), []string{`"%Timestamp%"`, capitals}},
		{"spaces inside", shows("% timestamp %"), []string{`"% timestamp %"`, spaces}},
		{"spaced letters", shows("% t i m e s t a m p %"), []string{`"% t i m e s t a m p %"`, spaces}},
		{"two words", shows("%time stamp%"), []string{`"%time stamp%"`, spaces}},
		{"a hyphen", onePage("BT /F1 12 Tf 50 50 Td (At %time-) Tj 0 -14 Td (stamp% sharp) Tj ET"), []string{`"%time-stamp%"`, hyphens}},
		{"no second sign", shows("%timestamp"), []string{`"%timestamp"`, percents}},
		{"no first sign", shows("timestamp%"), []string{`"timestamp%"`, percents}},
		{"braces", shows("{timestamp}"), []string{`"{timestamp}"`, percents}},
		{"two braces", shows("{{ timestamp }}"), []string{`"{{ timestamp }}"`, spaces + ", and put " + percents}},
		{"dollars", shows("$timestamp$"), []string{`"$timestamp$"`, percents}},
		{"signs of two kinds", shows("%{TIMESTAMP}%"), []string{`"%{TIMESTAMP}%"`, capitals, percents}},
		{"none of the signs", shows("timestamp"), []string{`"timestamp"`, percents}},
		{"a word before it", onePage("BT /F1 12 Tf (This timestamp is a {timestamp}) Tj ET"), []string{`"{timestamp}"`, percents}},
		{"half of it in a form XObject", onePage("BT /F1 12 Tf (%time) Tj ET /X0 Do", half), []string{`"%timestamp%"`, "in one piece"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := refusal(t, test.file)
			for _, want := range append(test.want, "no page shows the placeholder %timestamp%, but page 1 shows ") {
				if !strings.Contains(got, want) {
					t.Errorf("%q does not say %q", got, want)
				}
			}
			for _, other := range []string{capitals, spaces, hyphens, percents} {
				if strings.Contains(got, other) && !strings.Contains(strings.Join(test.want, " "), other) {
					t.Errorf("%q says %q without need", got, other)
				}
			}
		})
	}
}

func TestNoTextAtAll(t *testing.T) {
	t.Parallel()
	unreadable := build(
		[]string{"<< /Font << /F1 << /Type /Font /Subtype /Type0 /BaseFont /Some /Encoding /Identity-H /DescendantFonts [<< /Subtype /CIDFontType2 /BaseFont /Some >>] >> >> >>"},
		[]string{"", "BT /F1 12 Tf 50 50 Td <00250026002700280029> Tj ET"})
	for name, test := range map[string]struct {
		file []byte
		want string
	}{
		"pictures and outlines": {onePage("10 10 m 50 50 l S"), "no page shows any text, at most pictures or outlines"},
		"no readable font":      {unreadable, "text whose characters can't be told"},
		"other text":            {onePage("BT /F1 12 Tf 50 50 Td (Certificate) Tj ET"), "no page shows the placeholder %timestamp%, and no form has a text field"},
	} {
		if got := refusal(t, test.file); !strings.Contains(got, test.want) {
			t.Errorf("%s: %q does not say %q", name, got, test.want)
		}
	}
}

// Places on one page are told apart by where they are.
func TestPlacesAreToldApart(t *testing.T) {
	t.Parallel()
	got := refusal(t, onePage("BT /F1 12 Tf 50 50 Td (Ausgestellt %timestamp%) Tj 0 -20 Td (Issued at %timestamp%, and that is all) Tj ET"))
	if want := "page 1 (107 pt from the left, 50 pt from the bottom) and page 1 (95 pt from the left, 30 pt from the bottom); keep one"; !strings.Contains(got, want) {
		t.Errorf("%q does not say %q", got, want)
	}
}

// withField builds a PDF with a form of one field, which page 1 has or not.
func withField(field, form, annotations string, more ...[]string) []byte {
	return buildAll(append([][]string{
		{"<< /Type /Catalog /Pages 2 0 R /AcroForm << /Fields [6 0 R] " + form + " >> >>"},
		{"<< /Type /Pages /Kids [3 0 R] /Count 1 >>"},
		{"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 420] /Resources 4 0 R /Contents 5 0 R " + annotations + " >>"},
		{"<< /Font << " + plainFont + " >> >>"},
		{"", "BT /F1 12 Tf 50 350 Td (Certificate) Tj ET"},
		{"<< /Type /Annot /Subtype /Widget /FT /Tx /Rect [50 280 400 310] " + field + " >>"},
	}, more...))
}

func TestFieldsThatAreRefused(t *testing.T) {
	t.Parallel()
	for field, want := range map[string]string{
		"/T (Timestamp)":     `a form field named "Timestamp"; name it timestamp`,
		"/T (%timestamp%)":   `a form field named "%timestamp%"; name it timestamp`,
		"/T (time_stamp[0])": `a form field named "time_stamp[0]"; name it timestamp`,
		"/T (timestamp[x])":  "no form has a text field named timestamp",
	} {
		if got := refusal(t, withField(field, "", "/Annots [6 0 R]")); !strings.Contains(got, want) {
			t.Errorf("%s: %q does not say %q", field, got, want)
		}
	}
	if got := refusal(t, withField("/T (timestamp)", "", "")); !strings.Contains(got, "the form field timestamp is on no page; put it on one") {
		t.Errorf("a field on no page: %q", got)
	}
}

// The font of a field's DA is looked up where programs put it.
func TestTheFontOfAField(t *testing.T) {
	t.Parallel()
	gs := ghostscript(t, true)
	const fonts = "/DR << /Font << " + plainFont + " >> >>"
	form := func(fonts string) []string {
		return []string{"/Type /XObject /Subtype /Form /BBox [0 0 350 30] /Resources << /Font << " + fonts + " >> >>", "/Tx BMC EMC"}
	}
	const bold = "/F9 << /Type /Font /Subtype /Type1 /BaseFont /Courier-Bold >>"
	for _, test := range []struct {
		name    string
		file    []byte
		font    string
		own     bool
		warning string
	}{
		{"in the form", withField("/T (timestamp) /DA (/F1 12 Tf)", fonts, "/Annots [6 0 R]"), "Times-Roman", true, ""},
		{"in the appearance", fixture(t, "field-font-not-in-dr"), "Times-Bold", true, ""},
		{"in both", withField("/T (timestamp) /DA (/F1 12 Tf) /AP << /N 7 0 R >>", fonts, "/Annots [6 0 R]", form(bold)), "Times-Roman", true, ""},
		{"another one in the appearance", withField("/T (timestamp) /DA (/F7 12 Tf) /AP << /N 7 0 R >>", fonts, "/Annots [6 0 R]", form(bold)), "Courier-Bold", true, ""},
		{"two others in the appearance", withField("/T (timestamp) /DA (/F7 12 Tf) /AP << /N 7 0 R >>", "", "/Annots [6 0 R]", form(bold+plainFont)), "Helvetica", false, `asks for the font "F7", which the form does not have, so the stamp is set in Helvetica`},
		{"nowhere", withField("/T (timestamp) /DA (/F7 12 Tf)", fonts, "/Annots [6 0 R]"), "Helvetica", false, `asks for the font "F7", which the form does not have`},
		{"not named", withField("/T (timestamp) /DA (0 g)", "", "/Annots [6 0 R]"), "Helvetica", false, "names no font"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			template := link(t, test.file)
			r := template.Report()
			if r.Font != test.font || r.Own != test.own || r.Missing != "" {
				t.Errorf("report %+v, want the font %s", r, test.font)
			}
			if got := strings.Join(r.Warnings, " "); !strings.Contains(got, test.warning) || (got == "") != (test.warning == "") {
				t.Errorf("warnings %q, want %q", got, test.warning)
			}
			checkPrograms(t, gs, issue(t, template, moment))
		})
	}
}

// Forms made of XFA have names with an index.
func TestAFieldNameWithAnIndex(t *testing.T) {
	t.Parallel()
	gs := ghostscript(t, true)
	file := fixture(t, "field-name-with-index")
	template := link(t, file)
	if r := template.Report(); r.Place != "page 1, the form field timestamp" || !r.Own || len(r.Warnings) > 0 {
		t.Errorf("report %+v, want the form field and no warnings", r)
	}
	issued := issue(t, template, moment)
	checkPrograms(t, gs, issued)
	checkPixels(t, file, issued)
}

// Messages name a font as their reader can take it.
func TestTheFontsNameInAWarning(t *testing.T) {
	t.Parallel()
	const nameless = "<< /Font << /F1 << /Type /Font /Subtype /Type3 /FontBBox [0 0 1 1] /FontMatrix [.001 0 0 .001 0 0] /FirstChar 0 /LastChar 0 /Widths [500] /CharProcs << >> /Encoding << /Differences [1 /percent /t /i /m /e /s /a /p] >> >> >> >>"
	for want, file := range map[string][]byte{
		`in the font "Courier", which lacks 0 1 2`:      onePage("BT /F2 12 Tf 50 50 Td <0102030405060207040801> Tj ET"),
		`in a font without a name, which lacks 0 1 2 3`: build([]string{nameless}, []string{"", "BT /F1 12 Tf 50 50 Td <0102030405060207040801> Tj ET"}),
	} {
		if got := link(t, file).Report().Warnings; len(got) != 1 || !strings.Contains(got[0], want) {
			t.Errorf("warnings %q, want one that says %q", got, want)
		}
	}
}
