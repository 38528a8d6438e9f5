package pdf

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strings"
	"unicode/utf8"
)

// Glyphs are the codes of ASCII characters in a font, all of one length.
type Glyphs struct {
	Codes [128]Code
	Width int // bytes of a code
}

// Glyphs returns the codes with which f shows these ASCII characters, and those
// that it lacks.
func (f *Font) Glyphs(characters string) (g Glyphs, missing string) {
	codes, tried := map[rune]Code{}, map[rune]int{}
	for _, c := range f.codes() {
		r, ok := f.character(c)
		if _, known := codes[r]; !ok || known || tried[r] == maxTried || !strings.ContainsRune(characters, r) {
			continue
		}
		tried[r]++
		if f.trusted(c, r) {
			codes[r] = c
		}
	}
	var lacks strings.Builder
	for _, r := range characters {
		// What the file shows is seen, unless it is known to be blank.
		c, ok := f.seen[r]
		if drawn, known := f.draws(c); known && !drawn {
			ok = false
		}
		if !ok {
			c, ok = codes[r]
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

// maxTried is how many codes are tried that are all said to show a character.
const maxTried = 16

// codes returns the codes whose characters are known, in their order.
func (f *Font) codes() (codes []Code) {
	if !f.composite {
		for i := range 256 {
			codes = append(codes, Code{uint32(i), 1})
		}
	} else if f.unicode != nil {
		codes = slices.Collect(maps.Keys(f.unicode.text))
	}
	slices.SortFunc(codes, func(a, b Code) int { return cmp.Or(cmp.Compare(a.value, b.value), a.bytes-b.bytes) })
	return codes
}

// character returns what a code shows, if that is one character.
func (f *Font) character(c Code) (rune, bool) {
	text := f.text(c)
	r, size := utf8.DecodeRuneInString(text)
	return r, size == len(text) && r != unknown
}

// trusted tells whether a code that the file does not show can be trusted to
// show a character. A font that is not embedded is taken from the reader's
// machine, whole. An embedded one has an outline for it, which no name or cmap
// says to be another character's, and a width to match.
func (f *Font) trusted(c Code, r rune) bool {
	width, listed := f.listedWidth(c)
	if !f.Embedded {
		return !f.Subset && !f.pictures() && (f.composite || width != 0 || len(f.widths) == 0)
	}
	if drawn, known := f.draws(c); !known || !drawn || width <= 0 {
		return false
	}
	if !f.composite {
		if named := glyphRune(f.names[c.value]); named != unknown && named != r {
			return false
		}
	}
	if f.drawn != nil {
		return listed
	}
	p := f.readProgram()
	glyph, _ := f.glyph(p, c)
	if f.composite && p.unicode != nil {
		if other := p.unicode(uint32(r)); other > 0 && other != glyph {
			return false
		}
	}
	if advance, ok := p.advance(glyph); ok {
		return math.Abs(advance-width) <= 20+width/10
	}
	return listed
}

// draws tells whether the embedded font has an outline for a code that is not
// empty. It isn't known if there is no program that can be read, or if the code
// leads to two glyphs.
func (f *Font) draws(c Code) (drawn, known bool) {
	if f.drawn != nil {
		content, err := f.doc.Content(f.drawn[f.names[c.value&0xFF]])
		return paints(content), err == nil
	}
	p := f.readProgram()
	if p == nil {
		return false, false
	}
	glyph, known := f.glyph(p, c)
	return glyph > 0 && p.draws(glyph), known
}

func (f *Font) readProgram() *program {
	if f.program == nil && f.file != nil {
		if content, err := f.doc.Content(f.file); err == nil {
			f.program = readProgram(content)
		}
		var err error
		if f.gids, err = f.doc.Content(f.gidMap); err != nil {
			f.program = nil
		}
		f.file = nil
	}
	return f.program
}

// glyph returns the glyph of a code, 0 if there is none, and whether that could
// be told.
func (f *Font) glyph(p *program, c Code) (glyph int, known bool) {
	if f.composite {
		cid, ok := f.cid(c)
		switch {
		case p.cids != nil:
			return p.cids[cid], ok
		case f.gids != nil:
			return u16(f.gids, 2*int(cid)), ok
		}
		return int(cid), ok
	}
	code := c.value & 0xFF
	name := f.names[code]
	switch {
	case p.cids != nil:
		return 0, false
	case p.encoding != nil:
		if name == "" {
			name = p.encoding[byte(code)]
		}
		return p.names[name], true
	}
	// 9.6.6.4: by the name, or of a symbolic font by the code. There readers
	// differ, so both ways must lead to the same glyph.
	byName, byCode := p.named(name), p.coded(code)
	switch {
	case byName > 0 && !f.symbolic:
		return byName, true
	case byCode == 0:
		return byName, true
	}
	return byCode, byName == 0 || byName == byCode
}
