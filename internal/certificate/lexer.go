package certificate

import (
	"bytes"
	"strconv"
)

// lexer splits content streams, CMaps and cross-reference tables into tokens
// (ISO 32000-1, 7.2). It never fails: what can't be read is passed over, as
// viewers do.
type lexer struct {
	data []byte
	pos  int
}

// kind tells tokens and operands apart.
type kind byte

const (
	end kind = iota
	number
	text // a string, literal or hexadecimal
	name
	keyword
	array
	dictionary
	closing // of an array or a dictionary
)

type token struct {
	kind       kind
	start, end int     // where it stands in the data
	num        float64 // of a number
	str        []byte  // of a string, decoded; of a name or keyword
}

func isSpace(c byte) bool {
	return c == ' ' || c == '\n' || c == '\r' || c == '\t' || c == '\f' || c == 0
}

func isDelimiter(c byte) bool { return bytes.IndexByte([]byte("()<>[]{}/%"), c) >= 0 }

func isRegular(c byte) bool { return !isSpace(c) && !isDelimiter(c) }

func (l *lexer) skipSpace() {
	for l.pos < len(l.data) {
		switch c := l.data[l.pos]; {
		case isSpace(c):
			l.pos++
		case c == '%':
			for l.pos < len(l.data) && l.data[l.pos] != '\n' && l.data[l.pos] != '\r' {
				l.pos++
			}
		default:
			return
		}
	}
}

// next returns the next token, of kind end after the last.
func (l *lexer) next() token {
	l.skipSpace()
	t := token{start: l.pos, end: l.pos}
	if l.pos == len(l.data) {
		return t
	}
	c := l.data[l.pos]
	follows := func(second byte) bool { return l.pos+1 < len(l.data) && l.data[l.pos+1] == second }
	switch {
	case c == '(':
		t.kind, t.str = text, l.literal()
	case c == '<' && follows('<'):
		t.kind, l.pos = dictionary, l.pos+2
	case c == '<':
		t.kind, t.str = text, l.hexadecimal()
	case c == '>' && follows('>'):
		t.kind, l.pos = closing, l.pos+2
	case c == '[':
		t.kind, l.pos = array, l.pos+1
	case c == ']':
		t.kind, l.pos = closing, l.pos+1
	case c == '/':
		l.pos++
		t.kind, t.str = name, unescapeName(l.regular())
	case isDelimiter(c): // one that fits nowhere
		t.kind, t.str, l.pos = keyword, l.data[l.pos:l.pos+1], l.pos+1
	default:
		t.kind, t.str = keyword, l.regular()
		if c == '+' || c == '-' || c == '.' || '0' <= c && c <= '9' {
			t.kind = number
			t.num, _ = strconv.ParseFloat(string(t.str), 64) // 0 for what is none, as viewers take it
		}
	}
	t.end = l.pos
	return t
}

func (l *lexer) regular() []byte {
	start := l.pos
	for l.pos < len(l.data) && isRegular(l.data[l.pos]) {
		l.pos++
	}
	return l.data[start:l.pos]
}

// literal reads a string in parentheses (7.3.4.2).
func (l *lexer) literal() []byte {
	var out []byte
	depth := 0
	for l.pos < len(l.data) {
		c := l.data[l.pos]
		l.pos++
		switch c {
		case '(':
			if depth++; depth == 1 {
				continue
			}
		case ')':
			if depth--; depth == 0 {
				return out
			}
		case '\\':
			if l.pos == len(l.data) {
				return out
			}
			c = l.data[l.pos]
			l.pos++
			switch {
			case c == '\r':
				if l.pos < len(l.data) && l.data[l.pos] == '\n' {
					l.pos++
				}
				continue
			case c == '\n':
				continue
			case '0' <= c && c <= '7':
				value := c - '0'
				for range 2 {
					if l.pos < len(l.data) && '0' <= l.data[l.pos] && l.data[l.pos] <= '7' {
						value = value<<3 | (l.data[l.pos] - '0')
						l.pos++
					}
				}
				c = value
			default:
				if i := bytes.IndexByte([]byte("nrtbf"), c); i >= 0 {
					c = "\n\r\t\b\f"[i]
				}
			}
		}
		out = append(out, c)
	}
	return out
}

// hexadecimal reads a string in angle brackets (7.3.4.3).
func (l *lexer) hexadecimal() []byte {
	var out []byte
	digits, value := 0, byte(0)
	for l.pos++; l.pos < len(l.data); l.pos++ {
		c := l.data[l.pos]
		if c == '>' {
			l.pos++
			break
		}
		digit, ok := hexDigit(c)
		if !ok {
			continue
		}
		if digits++; digits%2 == 1 {
			value = digit << 4
		} else {
			out = append(out, value|digit)
		}
	}
	if digits%2 == 1 {
		out = append(out, value)
	}
	return out
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

// unescapeName reads the #xx of a name (7.3.5).
func unescapeName(raw []byte) []byte {
	if bytes.IndexByte(raw, '#') < 0 {
		return raw
	}
	var out []byte
	for i := 0; i < len(raw); i++ {
		if raw[i] == '#' && i+2 < len(raw) {
			high, ok := hexDigit(raw[i+1])
			low, ok2 := hexDigit(raw[i+2])
			if ok && ok2 {
				out = append(out, high<<4|low)
				i += 2
				continue
			}
		}
		out = append(out, raw[i])
	}
	return out
}

// operand is an operand of a content stream's operator. An array or
// dictionary has items; a dictionary's are keys and values in turn.
type operand struct {
	token
	items []operand
}

// operation is an operator with its operands, and where they stand.
type operation struct {
	operator   string
	operands   []operand
	start, end int
}

// maxNesting is how deep arrays and dictionaries may lie in one another
// before they are read as if flat, and maxOperands how many operands are kept.
const maxNesting, maxOperands = 16, 1 << 18

// operation returns the next operation, and false after the last.
func (l *lexer) operation() (operation, bool) {
	op := operation{start: -1}
	for {
		t := l.next()
		if op.start < 0 {
			op.start = t.start
		}
		switch t.kind {
		case end:
			return op, false
		case keyword:
			op.operator, op.end = string(t.str), t.end
			switch op.operator {
			case "true", "false", "null":
				op.operands = append(op.operands, operand{token: t})
				continue
			case "ID":
				l.skipImage()
				op.end = l.pos
			}
			return op, true
		case closing: // of nothing
		default:
			if o := l.operand(t, 0); len(op.operands) < maxOperands {
				op.operands = append(op.operands, o)
			}
		}
	}
}

func (l *lexer) operand(t token, depth int) operand {
	o := operand{token: t}
	if t.kind != array && t.kind != dictionary || depth == maxNesting {
		return o
	}
	for {
		t := l.next()
		if t.kind == end || t.kind == closing {
			o.end = t.end
			return o
		}
		if item := l.operand(t, depth+1); len(o.items) < maxOperands {
			o.items = append(o.items, item)
		}
	}
}

// skipImage passes over an inline image's data (8.9.7) to after its EI: the
// first that stands alone and is followed by what looks like content again.
func (l *lexer) skipImage() {
	for l.pos < len(l.data) {
		at := bytes.Index(l.data[l.pos:], []byte("EI"))
		if at < 0 {
			break
		}
		start := l.pos + at
		l.pos = start + 2
		if start == 0 || !isSpace(l.data[start-1]) || l.pos < len(l.data) && !isSpace(l.data[l.pos]) {
			continue
		}
		after := l.data[l.pos:min(l.pos+16, len(l.data))]
		if bytes.IndexFunc(after, func(r rune) bool { return r > '~' || r < ' ' && !isSpace(byte(r)) }) < 0 {
			return
		}
	}
	l.pos = len(l.data)
}

// dict returns a dictionary operand's value of key.
func (o operand) value(key string) (operand, bool) {
	if o.kind == dictionary {
		for i := 0; i+1 < len(o.items); i += 2 {
			if o.items[i].kind == name && string(o.items[i].str) == key {
				return o.items[i+1], true
			}
		}
	}
	return operand{}, false
}
