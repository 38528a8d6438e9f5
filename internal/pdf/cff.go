package pdf

// readCFF reads a font in the Compact Font Format (Adobe technical note 5176),
// the first of its set.
func readCFF(b []byte) *program {
	if len(b) < 4 {
		return nil
	}
	_, at, ok := cffIndex(b, int(b[2])) // the font's name
	tops, at, ok2 := cffIndex(b, at)
	strings, _, ok3 := cffIndex(b, at)
	if !ok || !ok2 || !ok3 || len(tops) == 0 {
		return nil
	}
	top := cffDict(tops[0])
	const opCharset, opEncoding, opCharStrings, opROS = 15, 16, 17, 12<<8 | 30
	outlines, _, ok := cffIndex(b, top[opCharStrings])
	if !ok || top[opCharStrings] == 0 {
		return nil
	}
	p := &program{
		draws:   func(glyph int) bool { return glyph >= 0 && glyph < len(outlines) && type2Draws(outlines[glyph]) },
		advance: func(int) (float64, bool) { return 0, false },
	}
	ids := cffCharset(b, top[opCharset], len(outlines))
	if _, keyed := top[opROS]; keyed {
		p.cids = map[uint32]int{}
		for glyph, id := range ids {
			p.cids[uint32(id)] = glyph
		}
		return p
	}
	// Of the standard strings only those are known that are ASCII characters.
	ascii := asciiNames()
	name := func(id int) string {
		switch {
		case id == 8:
			return "quoteright"
		case id == 65:
			return "quoteleft"
		case id > 0 && id <= len(ascii):
			return ascii[id-1]
		case id >= 391 && id-391 < len(strings):
			return string(strings[id-391])
		}
		return ""
	}
	p.names = map[string]int{}
	for glyph, id := range ids {
		if n := name(id); n != "" {
			p.names[n] = glyph
		}
	}
	p.encoding = map[byte]string{}
	switch encoding := top[opEncoding]; encoding {
	case 0:
		for code := range 128 {
			p.encoding[byte(code)] = asciiName(byte(code))
		}
	case 1: // the expert one has no ASCII characters
	default:
		for code, glyph := range cffEncoding(b, encoding) {
			if glyph < len(ids) {
				p.encoding[code] = name(ids[glyph])
			}
		}
	}
	return p
}

// cffIndex reads an INDEX and returns its parts and where it ends.
func cffIndex(b []byte, at int) (parts [][]byte, end int, ok bool) {
	if at < 0 || at+2 > len(b) {
		return nil, 0, false
	}
	count := u16(b, at)
	if count == 0 {
		return nil, at + 2, true
	}
	if at+3 > len(b) {
		return nil, 0, false
	}
	size, offsets := int(b[at+2]), at+3
	data := offsets + size*(count+1) - 1 // offsets begin with 1
	if size < 1 || size > 4 || data >= len(b) {
		return nil, 0, false
	}
	offset := func(i int) (n int) {
		for _, c := range b[offsets+size*i : offsets+size*(i+1)] {
			n = n<<8 | int(c)
		}
		return n
	}
	for i := range count {
		from, to := data+offset(i), data+offset(i+1)
		if from > to || to > len(b) {
			return nil, 0, false
		}
		parts = append(parts, b[from:to])
	}
	return parts, data + offset(count), true
}

// cffDict returns the last operand of each operator of a DICT; a real number is
// taken for 0.
func cffDict(b []byte) map[int]int {
	dict, operand := map[int]int{}, 0
	for i := 0; i < len(b); {
		switch c := int(b[i]); {
		case c == 12 && i+1 < len(b):
			dict[c<<8|int(b[i+1])] = operand
			i += 2
		case c <= 21:
			dict[c] = operand
			i++
		case c == 28:
			operand = int(int16(u16(b, i+1)))
			i += 3
		case c == 29:
			operand = u32(b, i+1) // offsets are not negative
			i += 5
		case c == 30:
			for i++; i < len(b) && b[i]&0x0F != 0x0F && b[i]&0xF0 != 0xF0; i++ {
			}
			operand = 0
			i++
		case c >= 32 && c <= 246:
			operand = c - 139
			i++
		case c >= 247 && c <= 250:
			operand = (c-247)*256 + 108
			if i+1 < len(b) {
				operand += int(b[i+1])
			}
			i += 2
		case c >= 251 && c <= 254:
			operand = -(c-251)*256 - 108
			if i+1 < len(b) {
				operand -= int(b[i+1])
			}
			i += 2
		default:
			i++
		}
	}
	return dict
}

// cffCharset returns the identifier of each glyph: of its name, or its CID.
func cffCharset(b []byte, at, glyphs int) []int {
	ids := []int{0}
	switch {
	case at == 0: // ISOAdobe
		for id := 1; id < glyphs && id < 229; id++ {
			ids = append(ids, id)
		}
		return ids
	case at <= 2 || at >= len(b): // the expert ones have no ASCII letters or figures
		return ids
	}
	format := b[at]
	at++
	for len(ids) < glyphs && at+2 <= len(b) {
		first, more := u16(b, at), 0
		at += 2
		switch format {
		case 0:
		case 1:
			if at < len(b) {
				more = int(b[at])
			}
			at++
		case 2:
			more = u16(b, at)
			at += 2
		default:
			return ids
		}
		for i := 0; i <= more && len(ids) < glyphs; i++ {
			ids = append(ids, first+i)
		}
	}
	return ids
}

// cffEncoding returns the glyphs of codes. Supplements give one glyph more
// codes; they are not read.
func cffEncoding(b []byte, at int) map[byte]int {
	codes := map[byte]int{}
	if at < 0 || at+2 > len(b) {
		return codes
	}
	format, count, glyph := b[at]&0x7F, int(b[at+1]), 1
	at += 2
	for range count {
		switch {
		case format == 0 && at < len(b):
			codes[b[at]] = glyph
			glyph, at = glyph+1, at+1
		case format == 1 && at+1 < len(b):
			for i := 0; i <= int(b[at+1]); i++ {
				codes[b[at]+byte(i)] = glyph
				glyph++
			}
			at += 2
		}
	}
	return codes
}

// maxCharstring is the length of the longest charstring (appendix B).
const maxCharstring = 65535

// type2Draws tells whether a Type 2 charstring (Adobe technical note 5177) draws:
// whether it comes to an operator that does before its end. A subroutine is
// taken to draw; what is empty needs none.
func type2Draws(b []byte) bool {
	b = b[:min(len(b), maxCharstring)]
	operands := 0
	for i := 0; i < len(b); {
		switch c := b[i]; {
		case c == 28:
			i, operands = i+3, operands+1
		case c >= 32 && c <= 246:
			i, operands = i+1, operands+1
		case c >= 247 && c <= 254:
			i, operands = i+2, operands+1
		case c == 255:
			i, operands = i+5, operands+1
		case c == 14: // endchar, which with four operands puts two glyphs together
			return operands >= 4
		case c == 5, c == 6, c == 7, c == 8, c == 10, c >= 24 && c <= 27, c == 29, c == 30, c == 31:
			return true
		case c == 12 && i+1 < len(b) && b[i+1] >= 34 && b[i+1] <= 37: // flex
			return true
		case c == 12:
			i, operands = i+2, 0
		case c == 19, c == 20: // hints, whose mask follows; only what draws comes after them
			return true
		default:
			i, operands = i+1, 0
		}
	}
	return false
}
