package certificate

import (
	"slices"
	"unicode/utf16"
)

// code is a character code as a font's strings hold it.
type code struct {
	value uint32
	bytes int // 1 to 4
}

// appendTo appends the code's bytes.
func (c code) appendTo(b []byte) []byte {
	for i := c.bytes - 1; i >= 0; i-- {
		b = append(b, byte(c.value>>(8*i)))
	}
	return b
}

func codeOf(b []byte) code {
	var c code
	for _, b := range b[:min(len(b), 4)] {
		c.value, c.bytes = c.value<<8|uint32(b), c.bytes+1
	}
	return c
}

// cmap is what is used of a CMap: the lengths of codes, and their text when
// it is a ToUnicode CMap (ISO 32000-1, 9.7.5 and 9.10.3).
type cmap struct {
	spaces []codespace
	text   map[code]string
}

type codespace struct{ low, high []byte }

// maxMappings bounds what the ranges of a CMap can add up to.
const maxMappings = 1 << 18

func readCMap(content []byte) *cmap {
	c := &cmap{text: map[code]string{}}
	mappings := 0
	put := func(k code, text string) {
		if mappings++; mappings <= maxMappings {
			c.text[k] = text
		}
	}
	l := &lexer{data: content}
	for op, ok := l.operation(); ok && mappings < maxMappings; op, ok = l.operation() {
		args := op.operands
		switch op.operator {
		case "endcodespacerange":
			for pair := range slices.Chunk(args, 2) {
				if len(pair) == 2 && len(pair[0].str) == len(pair[1].str) && len(c.spaces) < 256 {
					c.spaces = append(c.spaces, codespace{pair[0].str, pair[1].str})
				}
			}
		case "endbfchar":
			for pair := range slices.Chunk(args, 2) {
				if len(pair) == 2 {
					put(codeOf(pair[0].str), decodeUTF16(pair[1].str))
				}
			}
		case "endbfrange":
			for triple := range slices.Chunk(args, 3) {
				if len(triple) == 3 && mappings < maxMappings {
					putRange(put, codeOf(triple[0].str), codeOf(triple[1].str), triple[2])
				}
			}
		}
	}
	return c
}

// putRange maps the codes of a range to the strings of an array, or to a
// string whose last byte counts up.
func putRange(put func(code, string), low, high code, target operand) {
	for i := uint32(0); low.value+i <= high.value && i < 1<<16; i++ {
		k := code{low.value + i, low.bytes}
		switch {
		case target.kind == array:
			if int(i) >= len(target.items) {
				return
			}
			put(k, decodeUTF16(target.items[i].str))
		case len(target.str) > 0:
			counted := slices.Clone(target.str)
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
