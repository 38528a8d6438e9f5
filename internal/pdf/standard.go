package pdf

import (
	"errors"
	"math"
	"regexp"

	"github.com/pdfcpu/pdfcpu/pkg/font"
	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/types"
)

// style is what tells standard fonts apart.
type style struct{ serif, fixed, bold, italic bool }

// What names of fonts say about them. Descriptors say less, and not always the
// truth: Chromium has no font bold, and FOP calls DejaVu Serif fixed. Medi is
// the bold of URW's fonts. TeX's begin with cm or sf.
const (
	namesBold   = `(?i:bold|black|heavy|demi|-medi(ital)?$|^(cm|sf)(ss)?b)|(Bd|BD|Blk|Hv)([^a-z]|$)`
	namesItalic = `(?i:ital|oblique|slant|kursiv|^(cm|sf)(ss)?(bx)?(ti|sl|mi|i\d))|(Obl|It)([^a-z]|$)`
	namesFixed  = `(?i:courier|mono|typewriter|consol|^(cm|sf)(sl)?tt)`
	namesSerif  = `(?i:times|serif|nimbusrom|lmroman|georgia|garamond|palatino|bookman|schoolbook|century|` +
		`cambria|caladea|minion|caslon|bask|bodoni|didot|charter|utopia|antiqua|merriweather|playfair|` +
		`tinos|termes|pagella|schola|bonum|constantia|sabon|goudy|^(cm|sf)(r|b|ti|sl|dh))`
	namesSans = `(?i:sans|gothic|grotes|helvet|arial|univers|frutiger|verdana|tahoma|calibri|carlito)`
)

// style tells what a standard font should look like in place of f, by its name
// and its descriptor (9.8).
func (f *Font) style() style {
	number := func(key string) float64 { return f.doc.Number(f.descriptor[key]) }
	named := func(names string) bool { return regexp.MustCompile(names).MatchString(f.Name) }
	flags, weight := int(number("Flags")), number("FontWeight")
	return style{
		fixed:  (flags&1 != 0 || named(namesFixed)) && f.evenWidths(),
		serif:  (flags&2 != 0 || named(namesSerif)) && !named(namesSans),
		italic: flags&64 != 0 || number("ItalicAngle") != 0 || f.matrix[2] != 0 || named(namesItalic),
		// Regular fonts have stems of up to 150, unless their writer did not know.
		bold: flags&(1<<18) != 0 || weight >= 600 || named(namesBold) || weight == 0 && number("StemV") > 165,
	}
}

// evenWidths tells whether all characters are of one width.
func (f *Font) evenWidths() bool {
	even := 0.0
	for _, w := range f.widths {
		if even == 0 {
			even = w
		}
		if w != 0 && math.Abs(w-even) > 1 {
			return false
		}
	}
	return true
}

// Standard returns the standard font (9.6.2.2) that is closest to f.
func (f *Font) Standard() *Font {
	look := f.style()
	s := &Font{widths: map[uint32]float64{}}
	family, italic := "Helvetica", "Oblique"
	switch {
	case look.fixed:
		family = "Courier"
	case look.serif:
		family, italic = "Times", "Italic"
	}
	s.Name = family
	switch {
	case look.bold && look.italic:
		s.Name += "-Bold" + italic
	case look.bold:
		s.Name += "-Bold"
	case look.italic:
		s.Name += "-" + italic
	case family == "Times":
		s.Name += "-Roman"
	}
	for i := range s.simple {
		s.simple[i] = rune(i)
		if asciiName(byte(i)) != "" {
			width, _ := font.CharWidth(s.Name, rune(i)) // which all of them have
			s.widths[uint32(i)] = float64(width)
		}
	}
	return s
}

// Dict returns the dictionary of a standard font.
func (f *Font) Dict() types.Dict {
	return types.Dict{
		"Type": types.Name("Font"), "Subtype": types.Name("Type1"),
		"BaseFont": types.Name(f.Name), "Encoding": types.Name("WinAnsiEncoding"),
	}
}

// Fit returns how many times larger than the hit's a standard font's size must
// be for it to look as large as the text does, along the line and up from it.
// Negative is backwards. Both are 1 but for a Type 3 font, whose FontMatrix may
// say anything (9.6.5). Where an em has not the usual 1000 units, what it has is
// told by how wide a text is in both fonts.
func (h Hit) Fit(standard *Font, text string) (along, up float64, err error) {
	f := h.Font
	if f.drawn == nil {
		return 1, 1, nil
	}
	m := f.matrix
	if m[0] == 0 || m[1] != 0 || m[3] == 0 {
		return 0, 0, errors.New("its FontMatrix turns its glyphs or makes them flat")
	}
	along, up = 1000*m[0], 1000*math.Abs(m[3])
	if usual := math.Copysign(1, along); math.Abs(along-usual) < 0.001 {
		if along = usual; math.Abs(up-1) < 0.001 {
			up = 1
		}
	} else {
		drawn, set := 0.0, 0.0
		for _, r := range text {
			if c, ok := f.seen[r]; ok {
				drawn, set = drawn+f.Width(c), set+standard.widths[uint32(r)]
			}
		}
		if drawn > 0 && set > 0 {
			along, up = along*drawn/set, up*drawn/set
		}
	}
	// Which way is up in glyph space is the glyphs' business. No text is
	// mirrored, so what mirrors it else is undone there.
	if place := h.Tm.Times(h.CTM); (place[0]*place[3]-place[1]*place[2])*along < 0 {
		up = -up
	}
	return along, up, nil
}
