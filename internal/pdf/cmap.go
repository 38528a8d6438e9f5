package pdf

import (
	"slices"
	"unicode/utf16"
)

// Code is a character code as a font's strings hold it.
type Code struct {
	value uint32
	bytes int // 1 to 4
}

// Bytes returns the code as a string has it.
func (c Code) Bytes() (b []byte) {
	for i := c.bytes - 1; i >= 0; i-- {
		b = append(b, byte(c.value>>(8*i)))
	}
	return b
}

func codeOf(b []byte) Code {
	var c Code
	for _, b := range b[:min(len(b), 4)] {
		c.value, c.bytes = c.value<<8|uint32(b), c.bytes+1
	}
	return c
}

// cmap is what is used of a CMap: the lengths of codes, their CIDs, and their
// text when it is a ToUnicode CMap (ISO 32000-1, 9.7.5 and 9.10.3).
type cmap struct {
	spaces []codespace
	cids   []cidRange
	text   map[Code]string
}

// cidRange gives codes of one length the CIDs from first on.
type cidRange struct {
	low, high Code
	first     uint32
}

// cid returns the CID of a code, and false for one that it has not, which another
// CMap may have that it uses.
func (c *cmap) cid(code Code) (uint32, bool) {
	for _, r := range c.cids {
		if r.low.bytes == code.bytes && r.low.value <= code.value && code.value <= r.high.value {
			return r.first + code.value - r.low.value, true
		}
	}
	return 0, false
}

type codespace struct{ low, high []byte }

// maxMappings bounds what the ranges of a CMap can add up to.
const maxMappings = 1 << 18

// maxCIDRanges bounds what is looked through for a code's CID.
const maxCIDRanges = 1 << 12

func readCMap(content []byte) *cmap {
	c := &cmap{text: map[Code]string{}}
	mappings := 0
	put := func(k Code, text string) {
		if mappings++; mappings <= maxMappings {
			c.text[k] = text
		}
	}
	l := &Lexer{Data: content}
	for op, ok := l.Operation(); ok && mappings < maxMappings; op, ok = l.Operation() {
		args := op.Operands
		switch op.Operator {
		case "endcodespacerange":
			for pair := range slices.Chunk(args, 2) {
				if len(pair) == 2 && len(pair[0].Str) == len(pair[1].Str) && len(c.spaces) < 256 {
					c.spaces = append(c.spaces, codespace{pair[0].Str, pair[1].Str})
				}
			}
		case "endcidchar":
			for pair := range slices.Chunk(args, 2) {
				if len(pair) == 2 && len(c.cids) < maxCIDRanges {
					code := codeOf(pair[0].Str)
					c.cids = append(c.cids, cidRange{code, code, uint32(pair[1].Num)})
				}
			}
		case "endcidrange":
			for triple := range slices.Chunk(args, 3) {
				if len(triple) == 3 && len(c.cids) < maxCIDRanges {
					c.cids = append(c.cids, cidRange{codeOf(triple[0].Str), codeOf(triple[1].Str), uint32(triple[2].Num)})
				}
			}
		case "endbfchar":
			for pair := range slices.Chunk(args, 2) {
				if len(pair) == 2 {
					put(codeOf(pair[0].Str), decodeUTF16(pair[1].Str))
				}
			}
		case "endbfrange":
			for triple := range slices.Chunk(args, 3) {
				if len(triple) == 3 && mappings < maxMappings {
					putRange(put, codeOf(triple[0].Str), codeOf(triple[1].Str), triple[2])
				}
			}
		}
	}
	return c
}

// putRange maps the codes of a range to the strings of an array, or to a
// string whose last byte counts up.
func putRange(put func(Code, string), low, high Code, target Operand) {
	for i := uint32(0); low.value+i <= high.value && i < 1<<16; i++ {
		k := Code{low.value + i, low.bytes}
		switch {
		case target.Kind == KindArray:
			if int(i) >= len(target.Items) {
				return
			}
			put(k, decodeUTF16(target.Items[i].Str))
		case len(target.Str) > 0:
			counted := slices.Clone(target.Str)
			for at, carry := len(counted)-1, i; at >= 0 && carry > 0; at-- {
				carry += uint32(counted[at])
				counted[at] = byte(carry)
				carry >>= 8
			}
			put(k, decodeUTF16(counted))
		}
	}
}

func decodeUTF16(b []byte) string {
	if len(b) == 1 { // wrong, but met
		return string(rune(b[0]))
	}
	units := make([]uint16, 0, len(b)/2)
	for ; len(b) > 1; b = b[2:] {
		units = append(units, uint16(b[0])<<8|uint16(b[1]))
	}
	return string(utf16.Decode(units))
}

// split returns the length of the first code of s (9.7.6.2).
func (c *cmap) split(s []byte) int {
	for n := 1; n <= min(4, len(s)); n++ {
		for _, space := range c.spaces {
			if len(space.low) == n && within(s[:n], space) {
				return n
			}
		}
	}
	if len(c.spaces) > 0 {
		return min(len(c.spaces[0].low), len(s))
	}
	return min(2, len(s))
}

func within(s []byte, space codespace) bool {
	for i, b := range s {
		if b < space.low[i] || b > space.high[i] {
			return false
		}
	}
	return true
}
