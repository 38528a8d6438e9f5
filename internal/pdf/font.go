package pdf

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/types"
)

// Font decodes the strings that are shown in a font, and tells whether it can
// show given characters.
type Font struct {
	Name                       string
	composite                  bool // codes are split by a CMap (ISO 32000-1, 9.7)
	drawn                      bool // Type 3: glyphs are content streams
	Embedded                   bool
	Subset                     bool
	ucs2                       bool          // codes are UTF-16
	coding                     *cmap         // of a composite font, nil for two bytes a code
	unicode                    *cmap         // ToUnicode, or nil
	simple                     [256]rune     // by the encoding of a simple font
	seen                       map[rune]Code // characters that the file shows in it, by the first code met
	serif, fixed, bold, italic bool
	widths                     map[uint32]float64 // thousandths of the size
	missing                    float64            // the width of all other codes
}

const unknown = utf8.RuneError

// ReadFont reads a font dictionary. It never fails: characters that can't be
// told are unknown.
func (d *Document) ReadFont(dict types.Dict) (*Font, error) {
	f := &Font{Name: d.Name(dict["BaseFont"]), seen: map[rune]Code{}, widths: map[uint32]float64{}}
	descriptor := d.Dict(dict["FontDescriptor"])
	var err error
	switch d.Name(dict["Subtype"]) {
	case "Type0":
		f.composite = true
		descendants := d.Array(dict["DescendantFonts"])
		if len(descendants) > 0 {
			descendant := d.Dict(descendants[0])
			descriptor = d.Dict(descendant["FontDescriptor"])
			f.readCIDWidths(d, descendant)
		}
		encoding := d.Name(dict["Encoding"])
		f.ucs2 = strings.Contains(encoding, "UCS2") || strings.Contains(encoding, "UTF16")
		if f.coding, err = d.readCMap(dict["Encoding"]); err != nil {
			return nil, err
		}
	case "Type3":
		f.drawn, f.Embedded = true, true
		fallthrough
	default:
		f.simple = d.readEncoding(dict["Encoding"])
		if f.Name == "Symbol" || f.Name == "ZapfDingbats" {
			f.simple = [256]rune{} // their letters are no letters
		}
		first := uint32(d.Number(dict["FirstChar"]))
		for i, w := range d.Array(dict["Widths"]) {
			f.widths[first+uint32(i)] = d.Number(w)
		}
		f.missing = d.Number(descriptor["MissingWidth"])
	}
	if f.unicode, err = d.readCMap(dict["ToUnicode"]); err != nil {
		return nil, err
	}
	for _, file := range []string{"FontFile", "FontFile2", "FontFile3"} {
		f.Embedded = f.Embedded || d.Resolve(descriptor[file]) != nil
	}
	if prefix, rest, ok := strings.Cut(f.Name, "+"); ok && len(prefix) == 6 {
		f.Name, f.Subset = rest, true
	}
	f.readStyle(int(d.Number(descriptor["Flags"])))
	return f, nil
}

// readStyle tells what a standard font should look like in place of f, by the
// descriptor's flags (9.8.2) and the name.
func (f *Font) readStyle(flags int) {
	lower := strings.ToLower(f.Name)
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

func (d *Document) readCMap(o types.Object) (*cmap, error) {
	if _, ok := d.Resolve(o).(types.StreamDict); !ok {
		return nil, nil
	}
	content, err := d.Content(o)
	if err != nil {
		return nil, err
	}
	return readCMap(content), nil
}

// readEncoding returns the characters of a simple font (9.6.6). All the base
// encodings agree with ASCII where it matters here.
func (d *Document) readEncoding(o types.Object) (runes [256]rune) {
	for i := range runes {
		runes[i] = unknown
		if i >= ' ' && i <= '~' {
			runes[i] = rune(i)
		}
	}
	at := 0
	for _, o := range d.Array(d.Dict(o)["Differences"]) {
		switch o := d.Resolve(o).(type) {
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
// its uniXXXX), as far as ASCII texts need it.
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
func (f *Font) readCIDWidths(d *Document, descendant types.Dict) {
	mappings := 0
	f.missing = 1000
	if _, ok := descendant["DW"]; ok {
		f.missing = d.Number(descendant["DW"])
	}
	put := func(c uint32, width types.Object) bool {
		mappings++
		f.widths[c] = d.Number(width)
		return mappings < maxMappings
	}
	for w := d.Array(descendant["W"]); len(w) > 1; {
		first := uint32(d.Number(w[0]))
		if list := d.Array(w[1]); list != nil {
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
		for c := first; c <= uint32(d.Number(w[1])); c++ {
			if !put(c, w[2]) {
				return
			}
		}
		w = w[3:]
	}
}

// Width returns how wide a code is, in thousandths of the size.
func (f *Font) Width(c Code) float64 {
	if w, ok := f.widths[c.value]; ok {
		return w
	}
	return f.missing
}

// split returns the first code of s, which is not empty.
func (f *Font) split(s []byte) Code {
	switch {
	case !f.composite:
		return codeOf(s[:1])
	case f.coding != nil:
		return codeOf(s[:f.coding.split(s)])
	}
	return codeOf(s[:min(2, len(s))])
}

// text returns the characters of a code.
func (f *Font) text(c Code) string {
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

// Glyphs are the codes of ASCII characters in a font, all of one length.
type Glyphs struct {
	Codes [128]Code
	Width int // bytes of a code
}

// Glyphs returns the codes with which f shows these ASCII characters, and those
// that it lacks.
func (f *Font) Glyphs(characters string) (g Glyphs, missing string) {
	reverse := map[rune]Code{}
	for i := range 256 {
		if c := (Code{uint32(i), 1}); !f.composite {
			f.offer(reverse, c)
		}
	}
	if f.composite && f.unicode != nil {
		for c := range f.unicode.text {
			f.offer(reverse, c)
		}
	}
	var lacks strings.Builder
	for _, r := range characters {
		c, ok := f.seen[r]
		if !ok {
			c, ok = reverse[r]
		}
		if g.Width == 0 {
			g.Width = c.bytes
		}
		if !ok || c.bytes != g.Width {
			lacks.WriteRune(r)
			continue
		}
		g.Codes[r] = c
	}
	return g, lacks.String()
}

// offer notes what c shows, if the font program can be trusted to have it. A
// subset has only what the file shows, whatever its encoding says, and so
// has a Type 3 font. A font that is not embedded is taken from the reader's
// machine, whole.
func (f *Font) offer(reverse map[rune]Code, c Code) {
	text := f.text(c)
	r, size := utf8.DecodeRuneInString(text)
	if size != len(text) || f.Subset || f.drawn {
		return
	}
	if !f.composite && f.widths[c.value] == 0 && (f.Embedded || len(f.widths) > 0) {
		return
	}
	if before, ok := reverse[r]; !ok || c.value < before.value {
		reverse[r] = c
	}
}
