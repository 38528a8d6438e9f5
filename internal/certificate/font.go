package certificate

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/types"
)

// alphabet is every character that a stamp can have.
const alphabet = "0123456789-:.T+"

// font decodes the strings that are shown in a font, and tells whether it can
// show a stamp.
type font struct {
	name                       string
	composite                  bool // codes are split by a CMap (ISO 32000-1, 9.7)
	drawn                      bool // Type 3: glyphs are content streams
	embedded                   bool
	subset                     bool
	ucs2                       bool          // codes are UTF-16
	coding                     *cmap         // of a composite font, nil for two bytes a code
	unicode                    *cmap         // ToUnicode, or nil
	simple                     [256]rune     // by the encoding of a simple font
	seen                       map[rune]code // characters that the template shows in it, by the first code met
	serif, fixed, bold, italic bool
	widths                     map[uint32]float64 // thousandths of the size
	missing                    float64            // the width of all other codes
}

const unknown = utf8.RuneError

// readFont reads a font dictionary. It never fails: characters that can't be
// told are unknown.
func (d *document) readFont(dict types.Dict) (*font, error) {
	f := &font{name: d.name(dict["BaseFont"]), seen: map[rune]code{}, widths: map[uint32]float64{}}
	descriptor := d.dict(dict["FontDescriptor"])
	var err error
	switch d.name(dict["Subtype"]) {
	case "Type0":
		f.composite = true
		descendants := d.array(dict["DescendantFonts"])
		if len(descendants) > 0 {
			descendant := d.dict(descendants[0])
			descriptor = d.dict(descendant["FontDescriptor"])
			f.readCIDWidths(d, descendant)
		}
		encoding := d.name(dict["Encoding"])
		f.ucs2 = strings.Contains(encoding, "UCS2") || strings.Contains(encoding, "UTF16")
		if f.coding, err = d.readCMap(dict["Encoding"]); err != nil {
			return nil, err
		}
	case "Type3":
		f.drawn, f.embedded = true, true
		fallthrough
	default:
		f.simple = d.readEncoding(dict["Encoding"])
		if f.name == "Symbol" || f.name == "ZapfDingbats" {
			f.simple = [256]rune{} // their letters are no letters
		}
		first := uint32(d.number(dict["FirstChar"]))
		for i, w := range d.array(dict["Widths"]) {
			f.widths[first+uint32(i)] = d.number(w)
		}
		f.missing = d.number(descriptor["MissingWidth"])
	}
	if f.unicode, err = d.readCMap(dict["ToUnicode"]); err != nil {
		return nil, err
	}
	for _, file := range []string{"FontFile", "FontFile2", "FontFile3"} {
		f.embedded = f.embedded || d.resolve(descriptor[file]) != nil
	}
	if prefix, rest, ok := strings.Cut(f.name, "+"); ok && len(prefix) == 6 {
		f.name, f.subset = rest, true
	}
	f.readStyle(int(d.number(descriptor["Flags"])))
	return f, nil
}

// readStyle tells what a standard font should look like in place of f, by the
// descriptor's flags (9.8.2) and the name.
func (f *font) readStyle(flags int) {
	lower := strings.ToLower(f.name)
	has := func(parts ...string) bool {
		for _, part := range parts {
			if strings.Contains(lower, part) {
				return true
			}
		}
		return false
	}
	f.fixed = flags&1 != 0 || has("courier", "mono")
	f.serif = flags&2 != 0 || has("times", "serif") && !has("sans")
	f.italic = flags&64 != 0 || has("italic", "oblique")
	f.bold = flags&(1<<18) != 0 || has("bold", "black", "heavy")
}

func (d *document) readCMap(o types.Object) (*cmap, error) {
	if _, ok := d.resolve(o).(types.StreamDict); !ok {
		return nil, nil
	}
	content, err := d.content(o)
	if err != nil {
		return nil, err
	}
	return readCMap(content), nil
}

// readEncoding returns the characters of a simple font (9.6.6). All the base
// encodings agree with ASCII where it matters here.
func (d *document) readEncoding(o types.Object) (runes [256]rune) {
	for i := range runes {
		runes[i] = unknown
		if i >= ' ' && i <= '~' {
			runes[i] = rune(i)
		}
	}
	at := 0
	for _, o := range d.array(d.dict(o)["Differences"]) {
		switch o := d.resolve(o).(type) {
		case types.Integer:
			at = int(o)
		case types.Name:
			if at >= 0 && at < len(runes) {
				runes[at] = glyphRune(string(o))
			}
			at++
		}
	}
	return runes
}

// glyphRune returns the character of a glyph's name (the Adobe Glyph List and
// its uniXXXX), as far as the placeholder and a stamp need it.
func glyphRune(glyph string) rune {
	glyph, _, _ = strings.Cut(glyph, ".")
	if len(glyph) == 1 {
		return rune(glyph[0])
	}
	for i, digit := range strings.Fields("zero one two three four five six seven eight nine") {
		if glyph == digit {
			return '0' + rune(i)
		}
	}
	switch glyph {
	case "space":
		return ' '
	case "percent":
		return '%'
	case "hyphen":
		return '-'
	case "colon":
		return ':'
	case "period":
		return '.'
	case "plus":
		return '+'
	}
	for _, prefix := range []string{"uni", "u"} {
		if digits, ok := strings.CutPrefix(glyph, prefix); ok && len(digits) >= 4 && len(digits) <= 6 {
			if n, err := strconv.ParseUint(digits, 16, 32); err == nil {
				return rune(n)
			}
		}
	}
	return unknown
}

// readCIDWidths reads the widths of a CID font whose codes are its CIDs
// (9.7.4.3).
func (f *font) readCIDWidths(d *document, descendant types.Dict) {
	mappings := 0
	f.missing = 1000
	if _, ok := descendant["DW"]; ok {
		f.missing = d.number(descendant["DW"])
	}
	put := func(c uint32, width types.Object) bool {
		mappings++
		f.widths[c] = d.number(width)
		return mappings < maxMappings
	}
	for w := d.array(descendant["W"]); len(w) > 1; {
		first := uint32(d.number(w[0]))
		if list := d.array(w[1]); list != nil {
			for i, width := range list {
				if !put(first+uint32(i), width) {
					return
				}
			}
			w = w[2:]
			continue
		}
		if len(w) == 2 {
			return
		}
		for c := first; c <= uint32(d.number(w[1])); c++ {
			if !put(c, w[2]) {
				return
			}
		}
		w = w[3:]
	}
}

func (f *font) width(c code) float64 {
	if w, ok := f.widths[c.value]; ok {
		return w
	}
	return f.missing
}

// split returns the first code of s, which is not empty.
func (f *font) split(s []byte) code {
	switch {
	case !f.composite:
		return codeOf(s[:1])
	case f.coding != nil:
		return codeOf(s[:f.coding.split(s)])
	}
	return codeOf(s[:min(2, len(s))])
}

// text returns the characters of a code.
func (f *font) text(c code) string {
	if f.unicode != nil {
		if text, ok := f.unicode.text[c]; ok {
			return text
		}
	}
	switch {
	case f.ucs2:
		return string(rune(c.value))
	case !f.composite:
		return string(f.simple[c.value])
	}
	return string(unknown)
}

// glyphs are the codes of the alphabet in a font, all of one length.
type glyphs struct {
	codes [128]code
	width int // bytes of a code
}

// glyphs returns the codes with which f shows a stamp, and the characters that
// it lacks.
func (f *font) glyphs() (g glyphs, missing string) {
	reverse := map[rune]code{}
	for i := range 256 {
		if c := (code{uint32(i), 1}); !f.composite {
			f.offer(reverse, c)
		}
	}
	if f.composite && f.unicode != nil {
		for c := range f.unicode.text {
			f.offer(reverse, c)
		}
	}
	var lacks strings.Builder
	for _, r := range alphabet {
		c, ok := f.seen[r]
		if !ok {
			c, ok = reverse[r]
		}
		if g.width == 0 {
			g.width = c.bytes
		}
		if !ok || c.bytes != g.width {
			lacks.WriteRune(r)
			continue
		}
		g.codes[r] = c
	}
	return g, lacks.String()
}

// offer notes what c shows, if the font program can be trusted to have it. A
// subset has only what the template shows, whatever its encoding says, and so
// has a Type 3 font. A font that is not embedded is taken from the reader's
// machine, whole.
func (f *font) offer(reverse map[rune]code, c code) {
	text := f.text(c)
	r, size := utf8.DecodeRuneInString(text)
	if size != len(text) || f.subset || f.drawn {
		return
	}
	if !f.composite && f.widths[c.value] == 0 && (f.embedded || len(f.widths) > 0) {
		return
	}
	if before, ok := reverse[r]; !ok || c.value < before.value {
		reverse[r] = c
	}
}

// standard returns the standard font (9.6.2.2) that is closest to f.
func (f *font) standard() *font {
	family, italic := "Helvetica", "Oblique"
	s := &font{fixed: f.fixed, serif: f.serif && !f.fixed, bold: f.bold, italic: f.italic, widths: map[uint32]float64{}}
	// Of the regular weight, which is near enough to lay out a form field.
	digit, others := 556.0, [...]float64{333, 278, 278, 611, 584}
	switch {
	case s.fixed:
		family, digit, others = "Courier", 600, [...]float64{600, 600, 600, 600, 600}
	case s.serif:
		family, italic, digit, others = "Times", "Italic", 500, [...]float64{333, 278, 250, 611, 564}
	}
	for _, r := range "0123456789" {
		s.widths[uint32(r)] = digit
	}
	for i, r := range "-:.T+" {
		s.widths[uint32(r)] = others[i]
	}
	s.name = family
	switch {
	case s.bold && s.italic:
		s.name += "-Bold" + italic
	case s.bold:
		s.name += "-Bold"
	case s.italic:
		s.name += "-" + italic
	case s.serif:
		s.name += "-Roman"
	}
	for i := range s.simple {
		s.simple[i] = rune(i)
	}
	return s
}

// dict returns the dictionary of a standard font.
func (f *font) dict() types.Dict {
	return types.Dict{
		"Type": types.Name("Font"), "Subtype": types.Name("Type1"),
		"BaseFont": types.Name(f.name), "Encoding": types.Name("WinAnsiEncoding"),
	}
}
