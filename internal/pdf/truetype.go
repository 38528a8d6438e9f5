package pdf

import (
	"bytes"
	"math"
)

// readTrueType reads a TrueType or OpenType font (ISO/IEC 14496-22). Subsets
// lack many tables, and tables may be cut short.
func readTrueType(b []byte) *program {
	if bytes.HasPrefix(b, []byte("ttcf")) {
		if at := u32(b, 12); at < len(b) {
			return sfnt(b, at)
		}
		return nil
	}
	return sfnt(b, 0)
}

// sfnt reads the font whose table directory stands at a place.
func sfnt(b []byte, at int) *program {
	tables := map[string][]byte{}
	for i := range u16(b, at+4) {
		record := at + 12 + 16*i
		if record+16 > len(b) {
			break
		}
		begin, length := u32(b, record+8), u32(b, record+12)
		if begin < len(b) {
			tables[string(b[record:record+4])] = b[begin:min(begin+length, len(b))]
		}
	}
	p := &program{}
	if cff := tables["CFF "]; cff != nil {
		if p = readCFF(cff); p == nil {
			return nil
		}
	} else {
		head, loca, glyf := tables["head"], tables["loca"], tables["glyf"]
		if len(head) < 52 || loca == nil || glyf == nil {
			return nil
		}
		long := u16(head, 50) != 0
		p.draws = func(glyph int) bool {
			left := maxComponents
			return draws(loca, glyf, long, glyph, &left)
		}
		p.names = postNames(tables["post"])
	}
	p.readCharmaps(tables["cmap"])
	hmtx, metrics, em := tables["hmtx"], u16(tables["hhea"], 34), u16(tables["head"], 18)
	p.advance = func(glyph int) (float64, bool) {
		at := 4 * min(glyph, metrics-1)
		if at < 0 || at+2 > len(hmtx) || em == 0 {
			return 0, false
		}
		return float64(u16(hmtx, at)) * 1000 / float64(em), true
	}
	return p
}

// maxComponents is how many glyphs are looked at for one that is composite.
const maxComponents = 64

// draws tells whether glyf has an outline for a glyph, its own or a component's.
func draws(loca, glyf []byte, long bool, glyph int, left *int) bool {
	if *left--; *left < 0 || glyph < 0 || glyph > math.MaxUint16 {
		return false
	}
	begin, end := 2*u16(loca, 2*glyph), 2*u16(loca, 2*glyph+2)
	if long {
		begin, end = u32(loca, 4*glyph), u32(loca, 4*glyph+4)
	}
	end = min(end, len(glyf))
	if end < begin+10 {
		return false
	}
	g := glyf[begin:end]
	switch contours := int16(u16(g, 0)); {
	case contours == 0:
		return false
	case contours > 0:
		left, bottom, right, top := int16(u16(g, 2)), int16(u16(g, 4)), int16(u16(g, 6)), int16(u16(g, 8))
		return left < right && bottom < top
	}
	for at := 10; at+4 <= len(g) && *left > 0; {
		flags := u16(g, at)
		if draws(loca, glyf, long, u16(g, at+2), left) {
			return true
		}
		const words, scale, more, scales, matrix = 1, 1 << 3, 1 << 5, 1 << 6, 1 << 7
		at += 6
		if flags&words != 0 {
			at += 2
		}
		switch {
		case flags&scale != 0:
			at += 2
		case flags&scales != 0:
			at += 4
		case flags&matrix != 0:
			at += 8
		}
		if flags&more == 0 {
			return false
		}
	}
	return false
}

// readCharmaps finds the subtables of cmap that 9.6.6.4 names, and the other
// Unicode ones that readers take.
func (p *program) readCharmaps(cmap []byte) {
	for i := range u16(cmap, 2) {
		record := 4 + 8*i
		if record+8 > len(cmap) {
			return
		}
		at := u32(cmap, record+4)
		if at >= len(cmap) {
			continue
		}
		table := cmap[at:]
		lookup := func(code uint32) int { return charmap(table, int(code)) }
		switch platform, encoding := u16(cmap, record), u16(cmap, record+2); {
		case platform == 3 && encoding == 0:
			// Its codes may be in a private range, whichever it is.
			p.symbol = func(code uint32) int {
				for _, high := range []uint32{0xF000, 0, 0xF100, 0xF200} {
					if glyph := lookup(high + code); glyph > 0 {
						return glyph
					}
				}
				return 0
			}
		case platform == 3 && (encoding == 1 || encoding == 10), platform == 0 && p.unicode == nil:
			p.unicode = lookup
		case platform == 1 && encoding == 0:
			p.mac = lookup
		}
	}
}

// charmap looks a code up in a subtable of cmap.
func charmap(t []byte, code int) int {
	switch u16(t, 0) {
	case 0:
		if code < 256 && 6+code < len(t) {
			return int(t[6+code])
		}
	case 4:
		segments := u16(t, 6) / 2
		ends, starts := 14, 16+2*segments
		deltas, offsets := starts+2*segments, starts+4*segments
		for i := range segments {
			if code > u16(t, ends+2*i) {
				continue
			}
			start, delta, offset := u16(t, starts+2*i), u16(t, deltas+2*i), u16(t, offsets+2*i)
			switch {
			case code < start:
				return 0
			case offset == 0:
				return (code + delta) & 0xFFFF
			}
			if glyph := u16(t, offsets+2*i+offset+2*(code-start)); glyph > 0 {
				return (glyph + delta) & 0xFFFF
			}
			return 0
		}
	case 6:
		if i := code - u16(t, 6); i >= 0 && i < u16(t, 8) {
			return u16(t, 10+2*i)
		}
	case 12:
		for i := range min(u32(t, 12), len(t)/12, math.MaxUint16) {
			group := 16 + 12*i
			if first := u32(t, group); code >= first && code <= u32(t, group+4) {
				return u32(t, group+8) + code - first
			}
		}
	}
	return 0
}

// postNames returns the glyphs by the names that post has.
func postNames(post []byte) map[string]int {
	const standard = 258 // glyphs of the Macintosh, the third of them the space
	names, ascii := map[string]int{}, asciiNames()
	switch u32(post, 0) {
	case 0x00010000:
		for i, name := range ascii {
			names[name] = 3 + i
		}
	case 0x00020000:
		glyphs := u16(post, 32)
		var own []string
		for at := 34 + 2*glyphs; at < len(post); {
			end := at + 1 + int(post[at])
			if end > len(post) {
				break
			}
			own = append(own, string(post[at+1:end]))
			at = end
		}
		for glyph := range glyphs {
			index, name := u16(post, 34+2*glyph), ""
			if i := index - 3; i >= 0 && i < len(ascii) {
				name = ascii[i]
			}
			if i := index - standard; i >= 0 && i < len(own) {
				name = own[i]
			}
			if _, known := names[name]; name != "" && !known {
				names[name] = glyph
			}
		}
	}
	return names
}
