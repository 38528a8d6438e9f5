package certificate_test

import (
	"encoding/xml"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"

	"homepage/internal/certificate"
)

// glyph is a glyph as mutool places it: where, and what its text matrix is.
type glyph struct {
	x, y float64 // in points, from the page's upper left corner
	trm  [4]float64
}

// traced returns the glyphs that the first page shows of a text.
func traced(t *testing.T, file, text string) []glyph {
	t.Helper()
	numbers := func(s string) (out [6]float64) {
		for i, field := range strings.Fields(s) {
			if i < len(out) {
				out[i], _ = strconv.ParseFloat(field, 64)
			}
		}
		return out
	}
	var shown []rune
	var glyphs []glyph
	var transform, trm [6]float64
	decoder := xml.NewDecoder(strings.NewReader(strings.ReplaceAll(run(t, "mutool", "trace", file, "1"), "warning: ICC support is not available\n", "")))
	decoder.Strict = false
	for token, err := decoder.Token(); err == nil; token, err = decoder.Token() {
		start, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		a := map[string]string{}
		for _, attribute := range start.Attr {
			a[attribute.Name.Local] = attribute.Value
		}
		switch {
		case strings.HasSuffix(start.Name.Local, "_text"):
			transform = numbers(a["transform"])
		case start.Name.Local == "span":
			trm = numbers(a["trm"])
		case start.Name.Local == "g":
			at := numbers(a["x"] + " " + a["y"])
			m := transform
			shown = append(shown, []rune(a["unicode"])...)
			glyphs = append(glyphs, glyph{
				x: at[0]*m[0] + at[1]*m[2] + m[4], y: at[0]*m[1] + at[1]*m[3] + m[5],
				trm: [4]float64{
					trm[0]*m[0] + trm[1]*m[2], trm[0]*m[1] + trm[1]*m[3],
					trm[2]*m[0] + trm[3]*m[2], trm[2]*m[1] + trm[3]*m[3],
				},
			})
		}
	}
	before, _, ok := strings.Cut(string(shown), text)
	if !ok || len(glyphs) != len(shown) {
		t.Fatalf("mutool shows %q with %d glyphs, and no %q", string(shown), len(glyphs), text)
	}
	return glyphs[len([]rune(before)):][:len(text)]
}

// The fallback is as large as the text, upright if that is, in its style, and
// begins where the placeholder does; what follows it is as it was.
func TestTheFallbackLooksAsTheText(t *testing.T) {
	t.Parallel()
	gs := ghostscript(t, true)
	for name, test := range map[string]struct {
		font, says string
		size       float64
	}{
		"empty-glyphs":  {"Helvetica", `the font "utf8d"`, 14},
		"type3-size":    {"Helvetica", "a font without a name", 12},
		"type3-flipped": {"Helvetica", "a font without a name", 12},
		"type3-style":   {"Times-Bold", `the font "URWBookman-Demi"`, 14},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			template := fixture(t, name)
			linked := link(t, template)
			report := linked.Report()
			if report.Own || report.Font != test.font {
				t.Errorf("font %s (own: %v), want the fallback %s", report.Font, report.Own, test.font)
			}
			if said := strings.Join(report.Warnings, " "); !strings.Contains(said, test.says+", which lacks 0 1 2") {
				t.Errorf("warnings %q, want one of the missing characters that names %s", report.Warnings, test.says)
			}
			issued := issue(t, linked, moment)
			checkPrograms(t, gs, issued)
			checkPixels(t, template, issued)
			before, after := traced(t, save(t, template), certificate.Placeholder), traced(t, save(t, issued), stamp)
			if x, y := after[0].x-before[0].x, after[0].y-before[0].y; math.Hypot(x, y) > 0.1 {
				t.Errorf("the stamp begins %.1f, %.1f points from where the placeholder does", x, y)
			}
			up := after[0].trm[3] // the page's y axis points down
			if got := -up; math.Abs(got-test.size) > 0.1*test.size {
				t.Errorf("the stamp is set at %.1f points upwards, want about %.1f", got, test.size)
			}
			if along := after[0].trm[0]; math.Abs(along+up) > 0.1 {
				t.Errorf("the stamp is stretched: %.2f points along and %.2f up", along, -up)
			}
		})
	}
}

// Letter-spacing that is made by moving to each character is the stamp's too, and
// ends with it.
func TestLetterSpacing(t *testing.T) {
	t.Parallel()
	type3 := "/F4 << /Type /Font /Subtype /Type3 /FontBBox [0 0 10 -10] /FontMatrix [.1 0 0 -.1 0 0] /CharProcs << /percent 6 0 R /a 6 0 R /e 6 0 R /i 6 0 R /m 6 0 R /p 6 0 R /s 6 0 R /t 6 0 R >> /Encoding << /Differences [37 /percent 97 /a 101 /e 105 /i 109 /m 112 /p 115 /s /t] >> /FirstChar 37 /LastChar 116 /Widths [" + strings.Repeat("5 ", 80) + "] >>"
	builtin := func(content string) []byte {
		return build([]string{"<< /Font << " + plainFont + type3 + " >> >>"}, []string{"", content}, []string{"", "5 0 d0 0 0 4 -7 re f"})
	}
	moved := func(step string) string {
		return strings.Join(strings.Split(certificate.Placeholder, ""), ") "+step+" (")
	}
	for name, test := range map[string]struct {
		file []byte
		want float64 // points from the stamp's first character to the next, both digits
	}{
		"between operators": {fixture(t, "letter-spacing"), (0.636*18.66 + 4) * 0.75},
		"in TJ":             {builtin("BT /F1 10 Tf 50 50 Td [(" + moved("-200") + ")] TJ ET"), 7},
		"Tc":                {builtin("BT /F1 10 Tf 2 Tc 50 50 Td (%timestamp%) Tj ET"), 7},
		"none":              {builtin("BT /F1 10 Tf 50 50 Td [(" + moved("-9") + ")] TJ ET"), 5},
		"Tz and Tc":         {builtin("BT /F1 10 Tf 2 Tc 50 Tz 50 50 Td (%timestamp%) Tj ET"), 3.5},
		// Eleven widths of .5 are as wide as the placeholder in Helvetica at .86.
		"Tc of a font that is mirrored": {builtin("BT /F4 10 Tf 2 Tc 1 0 0 -1 50 50 Tm (%timestamp%) Tj ET"), 2 + 0.556*10*0.8607},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			issued := save(t, issue(t, link(t, test.file), moment))
			got := traced(t, issued, stamp)
			if step := got[1].x - got[0].x; math.Abs(step-test.want) > 0.05 {
				t.Errorf("from a character to the next are %.2f points, want %.2f", step, test.want)
			}
			run(t, "qpdf", "--check", issued)
			// It takes wide letter-spacing for spaces.
			checkText(t, "pdftotext", strings.ReplaceAll(run(t, "pdftotext", issued, "-"), " ", ""))
		})
	}
}

// What follows the stamp is set as it was.
func TestTheTextStateIsSetBack(t *testing.T) {
	file := onePage("BT /F2 10 Tf 80 Tz 50 50 Td <0102030405060207040801> Tj (abcd) Tj ET")
	before, after := traced(t, save(t, file), "abcd"), traced(t, save(t, issue(t, link(t, file), moment)), "abcd")
	for i := range before {
		if before[i].trm != after[i].trm || math.Abs(after[i].x-after[0].x-(before[i].x-before[0].x)) > 0.01 {
			t.Errorf("character %d is set %+v, was %+v", i, after[i], before[i])
		}
	}
}

func TestVerticalText(t *testing.T) {
	t.Parallel()
	_, err := certificate.Link(fixture(t, "vertical"))
	if err == nil || !strings.Contains(err.Error(), "from top to bottom") || !strings.Contains(err.Error(), `"Gothic", which lacks 0 1 2`) {
		t.Errorf("error %v, want one that says what is missing in vertical text", err)
	}
	// A font with all characters is its own best fallback.
	file := []byte(strings.ReplaceAll(string(fixture(t, "vertical")), "ABCDEF+Gothic", "Some.UprightG"))
	got := traced(t, save(t, issue(t, link(t, file), moment)), stamp)
	if got[1].y <= got[0].y || math.Abs(got[1].x-got[0].x) > 6 {
		t.Errorf("the stamp goes from %v to %v, want downwards", got[0], got[1])
	}
	if fmt.Sprint(got[0].trm) != fmt.Sprint([4]float64{14, 0, 0, -14}) {
		t.Errorf("the stamp is set by %v, want upright at 14 points", got[0].trm)
	}
}

// TeX's bitmap fonts name a glyph by its code, and measure in pixels.
func TestBitmapFonts(t *testing.T) {
	t.Parallel()
	gs := ghostscript(t, true)
	for name, test := range map[string]struct {
		width, height int // of small letters' boxes; those of other characters are 56 high
		want          float64
	}{
		// Eleven widths of .576 em are as wide as the placeholder in Helvetica at .99.
		"boxes that tell nothing": {48, 56, 9.9},
		// An x-height of .504 em is as high as Helvetica's at .964.
		"wide letters":   {60, 42, 9.64},
		"narrow letters": {30, 42, 9.64},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var glyphs, differences strings.Builder
			for _, c := range "%aeimpst" {
				glyph := 6
				if strings.ContainsRune("aemps", c) {
					glyph = 7
				}
				fmt.Fprintf(&glyphs, "/a%d %d 0 R ", c, glyph)
				fmt.Fprintf(&differences, "%d /a%d ", c, c)
			}
			font := fmt.Sprintf("/F1 << /Type /Font /Subtype /Type3 /FontBBox [0 0 40 60] /FontMatrix [.012 0 0 .012 0 0] /CharProcs << %s >> /Encoding << /Differences [%s] >> /FirstChar 37 /LastChar 116 /Widths [%s] >>",
				&glyphs, &differences, strings.Repeat(fmt.Sprint(test.width, " "), 80))
			box := func(height int) string {
				return fmt.Sprintf("%d 0 0 0 28 %d d1 28 0 0 %d 0 0 cm BI /IM true /W 8 /H 1 /BPC 1 /D [1 0] ID \xff EI", test.width, height, height)
			}
			file := build([]string{"<< /Font << " + font + " >> >>"}, []string{"", "BT /F1 10 Tf 50 50 Td (%timestamp%) Tj ET"},
				[]string{"", box(56)}, []string{"", box(test.height)})
			linked := link(t, file)
			if r := linked.Report(); r.Font != "Helvetica" || r.Missing != "0123456789-:.T+" {
				t.Errorf("report %+v, want Helvetica for all characters", r)
			}
			issued := issue(t, linked, moment)
			checkPrograms(t, gs, issued)
			checkPixels(t, file, issued)
			if up := -traced(t, save(t, issued), stamp)[0].trm[3]; math.Abs(up-test.want) > 0.1 {
				t.Errorf("the stamp is set at %.2f points, want about %.2f", up, test.want)
			}
		})
	}
}

// A FontMatrix that turns the glyphs is nothing that another font can do.
func TestAFontThatIsTurned(t *testing.T) {
	font := "/F1 << /Type /Font /Subtype /Type3 /FontBBox [0 0 0 0] /FontMatrix [0 .001 -.001 0 0 0] /CharProcs << >> /Encoding << /Differences [37 /percent] >> /FirstChar 37 /LastChar 37 /Widths [500] >>"
	_, err := certificate.Link(build([]string{"<< /Font << " + font + " >> >>"}, []string{"", "BT /F1 10 Tf 50 50 Td (%timestamp%) Tj ET"}))
	if err == nil || !strings.Contains(err.Error(), "FontMatrix") {
		t.Errorf("error %v, want one about the FontMatrix", err)
	}
}
