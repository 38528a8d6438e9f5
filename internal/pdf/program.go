package pdf

import (
	"bytes"
	"encoding/binary"
	"math"
	"strings"
)

// program is what is used of an embedded font program (ISO 32000-1, 9.9): which
// glyph a code has, and whether the glyph has an outline. golang.org/x/image's
// sfnt was tried: of 586 TrueType programs in real PDFs, most of them subsets, it
// refuses 252 for tables that readers of PDFs do without, and it takes no bare
// CFF. The few tables that tell this are therefore read here.
type program struct {
	draws    func(glyph int) bool               // whether there is an outline that is not empty
	advance  func(glyph int) (float64, bool)    // in thousandths of the size, if it can be told
	names    map[string]int                     // glyphs by their names
	encoding map[byte]string                    // the built-in one, of Type 1 and CFF
	cids     map[uint32]int                     // glyphs by their CIDs, of a CID-keyed CFF
	unicode  func(character uint32) (glyph int) // the TrueType cmaps, or nil
	mac      func(code uint32) (glyph int)
	symbol   func(code uint32) (glyph int)
}

// readProgram reads a font program of any kind, whatever key it stands under,
// and returns nil if it can't be read.
func readProgram(b []byte) *program {
	switch {
	case bytes.HasPrefix(b, []byte("%!")) || bytes.HasPrefix(b, []byte{0x80, 1}):
		return readType1(b)
	case bytes.HasPrefix(b, []byte{1}):
		return readCFF(b)
	}
	return readTrueType(b)
}

// u16 and u32 read big-endian numbers; what is not there is 0.
func u16(b []byte, at int) int {
	if at < 0 || at+2 > len(b) {
		return 0
	}
	return int(binary.BigEndian.Uint16(b[at:]))
}

func u32(b []byte, at int) int {
	if at < 0 || at+4 > len(b) {
		return 0
	}
	return int(min(binary.BigEndian.Uint32(b[at:]), math.MaxInt32/2)) // more is beyond any font
}

// named returns the glyph of a name in a TrueType font.
func (p *program) named(name string) int {
	if r := glyphRune(name); r != unknown {
		if p.unicode != nil {
			if glyph := p.unicode(uint32(r)); glyph > 0 {
				return glyph
			}
		}
		if p.mac != nil && r <= '~' {
			if glyph := p.mac(uint32(r)); glyph > 0 {
				return glyph
			}
		}
	}
	return p.names[name]
}

// coded returns the glyph of a code in a TrueType font.
func (p *program) coded(code uint32) int {
	for _, lookup := range []func(uint32) int{p.symbol, p.mac, p.unicode} {
		if lookup != nil {
			if glyph := lookup(code); glyph > 0 {
				return glyph
			}
		}
	}
	return 0
}

// asciiNames returns the names of the printable ASCII characters in the Adobe Glyph
// List, in their order, which is also that of the Macintosh standard glyphs.
func asciiNames() []string {
	return []string{
		"space", "exclam", "quotedbl", "numbersign", "dollar", "percent", "ampersand", "quotesingle",
		"parenleft", "parenright", "asterisk", "plus", "comma", "hyphen", "period", "slash",
		"zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine",
		"colon", "semicolon", "less", "equal", "greater", "question", "at",
		"A", "B", "C", "D", "E", "F", "G", "H", "I", "J", "K", "L", "M", "N", "O", "P", "Q", "R", "S", "T", "U", "V", "W", "X", "Y", "Z",
		"bracketleft", "backslash", "bracketright", "asciicircum", "underscore", "grave",
		"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q", "r", "s", "t", "u", "v", "w", "x", "y", "z",
		"braceleft", "bar", "braceright", "asciitilde",
	}
}

// asciiName returns the name of a code by the base encodings (annex D), which
// agree where it matters here.
func asciiName(code byte) string {
	names := asciiNames()
	if i := int(code) - ' '; i >= 0 && i < len(names) {
		return names[i]
	}
	return ""
}

// paints tells whether the content stream of a Type 3 glyph paints anything.
func paints(content []byte) bool {
	l := &Lexer{Data: content}
	for op, ok := l.Operation(); ok; op, ok = l.Operation() {
		if strings.Contains(" f F f* B B* b b* S s sh Do ID Tj TJ ' \" ", " "+op.Operator+" ") {
			return true
		}
	}
	return false
}
