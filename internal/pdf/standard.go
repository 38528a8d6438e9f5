package pdf

import (
	"errors"
	"math"
	"regexp"
	"slices"
	"strings"

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

// letterHeights returns how high letters are in a standard font, in thousandths
// of the size: capital ones, and small ones without an ascender.
func letterHeights(name string) (capital, small float64) {
	switch family, _, _ := strings.Cut(name, "-"); family {
	case "Times":
		return 662, 450
	case "Courier":
		return 562, 426
	}
	return 718, 523
}

// unitsPerEm returns how many units of a Type 3 font's glyph space make an em, if it is
// set beside the standard font, or 0 if nothing tells. How high letters are tells
// more than how wide they are, which fonts differ in.
func (f *Font) unitsPerEm(standard *Font, text string) float64 {
	theirCapital, theirSmall := letterHeights(standard.Name)
	capital, small := f.height("ABCDEFGHIKLMNOPRSTUVXYZ"), f.height("acemnorsuvwxz")
	switch {
	case small > 0 && small < 0.9*max(capital, f.height("bdfhkl%")):
		return 1000 * small / theirSmall
	case capital > 0 && small == 0:
		return 1000 * capital / theirCapital
	}
	// The boxes are all of one height, as if they were the font's.
	drawn, set := 0.0, 0.0
	for _, r := range text {
		if c, ok := f.seen[r]; ok {
			drawn, set = drawn+f.Width(c), set+standard.widths[uint32(r)]
		}
	}
	if drawn <= 0 || set <= 0 {
		return 0
	}
	return 1000 * drawn / set
}

// height returns the median height of those of the letters that the file shows
// in a Type 3 font, by the boxes that their glyphs begin with (9.6.5, d1), or 0.
func (f *Font) height(letters string) float64 {
	var found []float64
	for _, r := range letters {
		c, ok := f.seen[r]
		if !ok {
			continue
		}
		content, err := f.doc.Content(f.drawn[f.names[c.value&0xFF]])
		if err != nil {
			continue
		}
		op, _ := (&Lexer{Data: content}).Operation()
		if box := op.numbers(4); op.Operator == "d1" {
			found = append(found, math.Max(math.Abs(box[1]), math.Abs(box[3])))
		}
	}
	if len(found) == 0 {
		return 0
	}
	slices.Sort(found)
	return found[len(found)/2]
}

// Fit returns how many times larger than the hit's a standard font's size must
// be for it to look as large as the text does, along the line and up from it.
// Negative is backwards. Both are 1 but for a Type 3 font, whose FontMatrix may
// say anything (9.6.5), and whose em may have other than the usual 1000 units.
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
	} else if em := f.unitsPerEm(standard, text); em > 0 {
		along, up = along*em/1000, up*em/1000
	}
	// Which way is up in glyph space is the glyphs' business. No text is
	// mirrored, so what mirrors it else is undone there.
	if place := h.Tm.Times(h.CTM); (place[0]*place[3]-place[1]*place[2])*along < 0 {
		up = -up
	}
	return along, up, nil
}
