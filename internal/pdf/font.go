package pdf

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/pdfcpu/pdfcpu/pkg/font"
	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/types"
)

// Font decodes the strings that are shown in a font, and tells whether it can
// show given characters.
type Font struct {
	Name      string // without the prefix of a subset; may be empty
	Embedded  bool
	Subset    bool
	Vertical  bool          // writing mode 1 (9.7.4.3)
	composite bool          // codes are split by a CMap (ISO 32000-1, 9.7)
	symbolic  bool          // by its descriptor
	ucs2      bool          // codes are UTF-16
	identity  bool          // codes are CIDs
	coding    *cmap         // of a composite font, nil for two bytes a code
	unicode   *cmap         // ToUnicode, or nil
	names     [256]string   // of glyphs, by the encoding of a simple font; empty for the font program's own
	simple    [256]rune     // by the encoding of a simple font
	seen      map[rune]Code // characters that the file shows in it, by the first code met

	widths  map[uint32]float64 // of codes or CIDs, in thousandths of the size
	missing float64            // the width of all others

	doc        *Document
	descriptor types.Dict
	file       types.Object // the embedded font program
	program    *program     // once it was needed
	gidMap     types.Object // CIDToGIDMap (9.7.4.2)
	gids       []byte       // its content, or nil for the same numbers
	drawn      types.Dict   // Type 3: glyphs are content streams (9.6.5)
	matrix     Matrix       // of a Type 3 font's glyph space
}

const unknown = utf8.RuneError

// ReadFont reads a font dictionary. It never fails: characters that can't be
// told are unknown.
func (d *Document) ReadFont(dict types.Dict) (*Font, error) {
	f := &Font{doc: d, seen: map[rune]Code{}, widths: map[uint32]float64{}}
	descriptor := d.Dict(dict["FontDescriptor"])
	var err error
	switch d.Name(dict["Subtype"]) {
	case "Type0":
		if descriptor, err = f.readComposite(dict); err != nil {
			return nil, err
		}
	case "Type3":
		f.Embedded = true
		f.matrix = d.matrix(dict["FontMatrix"], Matrix{0.001, 0, 0, 0.001, 0, 0})
		if f.drawn = d.Dict(dict["CharProcs"]); f.drawn == nil {
			f.drawn = types.Dict{}
		}
		fallthrough
	default:
		f.readEncoding(dict["Encoding"], d.Name(dict["Subtype"]) == "TrueType")
		first := uint32(d.Number(dict["FirstChar"]))
		for i, w := range d.Array(dict["Widths"]) {
			f.widths[first+uint32(i)] = d.Number(w)
		}
		f.missing = d.Number(descriptor["MissingWidth"])
	}
	if f.unicode, err = d.readCMap(dict["ToUnicode"]); err != nil {
		return nil, err
	}
	for _, key := range []string{"FontFile", "FontFile2", "FontFile3"} {
		if d.Resolve(descriptor[key]) != nil {
			f.Embedded, f.file = true, descriptor[key]
		}
	}
	for _, name := range []types.Object{dict["BaseFont"], descriptor["FontName"]} {
		if f.Name == "" {
			f.Name = d.Name(name)
		}
	}
	if prefix, rest, ok := strings.Cut(f.Name, "+"); ok && len(prefix) == 6 {
		f.Name, f.Subset = rest, true
	}
	if !f.composite && f.pictures() {
		f.simple = [256]rune{} // their letters are no letters
	}
	f.descriptor = descriptor
	flags := int(d.Number(descriptor["Flags"]))
	f.symbolic = flags&4 != 0 && flags&32 == 0
	return f, nil
}

// cost is what reading the font took, in bytes of content that take as long.
func (f *Font) cost() int {
	mappings := len(f.widths)
	for _, c := range []*cmap{f.coding, f.unicode} {
		if c != nil {
			mappings += len(c.text)
		}
	}
	return 8 * mappings
}

// pictures tells whether a font that is not embedded shows something else for
// letters and digits, which its encoding may not say.
func (f *Font) pictures() bool {
	for _, name := range []string{"Symbol", "ZapfDingbats", "Wingdings", "Webdings", "ITCZapfDingbats", "Marlett"} {
		if !f.Embedded && strings.HasPrefix(f.Name, name) {
			return true
		}
	}
	return false
}

// readComposite reads what is special of a Type 0 font (9.7.6) and returns its
// descendant's descriptor.
func (f *Font) readComposite(dict types.Dict) (descriptor types.Dict, err error) {
	d := f.doc
	f.composite = true
	if descendants := d.Array(dict["DescendantFonts"]); len(descendants) > 0 {
		descendant := d.Dict(descendants[0])
		descriptor = d.Dict(descendant["FontDescriptor"])
		f.readCIDWidths(d, descendant)
		f.gidMap = descendant["CIDToGIDMap"]
	}
	encoding := d.Name(dict["Encoding"])
	f.ucs2 = strings.Contains(encoding, "UCS2") || strings.Contains(encoding, "UTF16")
	f.identity = encoding == "Identity-H" || encoding == "Identity-V"
	f.Vertical = strings.HasSuffix(encoding, "-V") || encoding == "V" || d.Number(d.Dict(dict["Encoding"])["WMode"]) == 1
	f.coding, err = d.readCMap(dict["Encoding"])
	return descriptor, err
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

// readEncoding reads the encoding of a simple font (9.6.6). All the base
// encodings agree with ASCII where it matters here. A font without one has that
// of its program, which is taken to agree too.
func (f *Font) readEncoding(o types.Object, trueType bool) {
	d := f.doc
	encoding := d.Dict(o)
	based := d.Name(o) != "" || encoding["BaseEncoding"] != nil || encoding != nil && trueType
	for i := range f.simple {
		f.simple[i] = unknown
		if name := asciiName(byte(i)); name != "" {
			f.simple[i] = rune(i)
			if based {
				f.names[i] = name
			}
		}
	}
	at := 0
	for _, o := range d.Array(encoding["Differences"]) {
		switch o := d.Resolve(o).(type) {
		case types.Integer:
			at = int(o)
		case types.Name:
			if at >= 0 && at < len(f.names) {
				f.names[at], f.simple[at] = string(o), glyphRune(string(o))
				// TeX's bitmap fonts call a glyph by its code.
				if f.drawn != nil && asciiName(byte(at)) != "" && len(o) > 1 && string(o[1:]) == strconv.Itoa(at) {
					f.simple[at] = rune(at)
				}
			}
			at++
		}
	}
}

// glyphRune returns the character of a glyph's name (the Adobe Glyph List and
// its uniXXXX), as far as ASCII texts need it.
func glyphRune(glyph string) rune {
	glyph, _, _ = strings.Cut(glyph, ".")
	if i := slices.Index(asciiNames(), glyph); i >= 0 {
		return ' ' + rune(i)
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
	w, _ := f.listedWidth(c)
	return w
}

// listedWidth tells also whether the width is the code's own.
func (f *Font) listedWidth(c Code) (w float64, listed bool) {
	key, ok := c.value, true
	if f.composite {
		key, ok = f.cid(c)
	}
	if w, listed = f.widths[key]; ok && listed {
		return w, true
	}
	return f.missing, false
}

// measured tells whether the widths of f's characters are known.
func (f *Font) measured() bool {
	if len(f.widths) == 0 {
		return font.IsCoreFont(f.Name)
	}
	return !f.composite || f.identity || f.coding != nil
}

// em returns how long an em is at size 1, as far as it can be told.
func (f *Font) em() float64 {
	if f.drawn != nil {
		return 1000 * f.matrix[0]
	}
	return 1
}

// cid returns the CID of a composite font's code (9.7.6.2), if that can be told
// without the CMaps that readers have.
func (f *Font) cid(c Code) (uint32, bool) {
	if f.coding != nil {
		return f.coding.cid(c)
	}
	return c.value, f.identity
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
