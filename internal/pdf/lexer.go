package pdf

import (
	"bytes"
	"strconv"
)

// Lexer splits content streams, CMaps and cross-reference tables into tokens
// (ISO 32000-1, 7.2). It never fails: what can't be read is passed over, as
// viewers do.
type Lexer struct {
	Data []byte
	Pos  int
}

// Kind tells tokens and operands apart.
type Kind byte

// The kinds. A string may be literal or hexadecimal; what closes is an array or
// a dictionary.
const (
	KindEnd Kind = iota
	KindNumber
	KindString
	KindName
	KindKeyword
	KindArray
	KindDictionary
	KindClosing
)

// Token is the smallest part of a PDF's syntax.
type Token struct {
	Kind       Kind
	Start, End int     // where it stands in the data
	Num        float64 // of a number
	Str        []byte  // of a string, decoded; of a name or keyword
}

func isSpace(c byte) bool {
	return c == ' ' || c == '\n' || c == '\r' || c == '\t' || c == '\f' || c == 0
}

func isDelimiter(c byte) bool {
	switch c {
	case '(', ')', '<', '>', '[', ']', '{', '}', '/', '%':
		return true
	}
	return false
}

func isRegular(c byte) bool { return !isSpace(c) && !isDelimiter(c) }

func (l *Lexer) skipSpace() {
	for l.Pos < len(l.Data) {
		switch c := l.Data[l.Pos]; {
		case isSpace(c):
			l.Pos++
		case c == '%':
			for l.Pos < len(l.Data) && l.Data[l.Pos] != '\n' && l.Data[l.Pos] != '\r' {
				l.Pos++
			}
		default:
			return
		}
	}
}

// next returns the next token, of kind end after the last.
func (l *Lexer) next() Token {
	l.skipSpace()
	t := Token{Start: l.Pos, End: l.Pos}
	if l.Pos == len(l.Data) {
		return t
	}
	c := l.Data[l.Pos]
	follows := func(second byte) bool { return l.Pos+1 < len(l.Data) && l.Data[l.Pos+1] == second }
	switch {
	case c == '(':
		t.Kind, t.Str = KindString, l.literal()
	case c == '<' && follows('<'):
		t.Kind, l.Pos = KindDictionary, l.Pos+2
	case c == '<':
		t.Kind, t.Str = KindString, l.hexadecimal()
	case c == '>' && follows('>'):
		t.Kind, l.Pos = KindClosing, l.Pos+2
	case c == '[':
		t.Kind, l.Pos = KindArray, l.Pos+1
	case c == ']':
		t.Kind, l.Pos = KindClosing, l.Pos+1
	case c == '/':
		l.Pos++
		t.Kind, t.Str = KindName, unescapeName(l.regular())
	case isDelimiter(c): // one that fits nowhere
		t.Kind, t.Str, l.Pos = KindKeyword, l.Data[l.Pos:l.Pos+1], l.Pos+1
	default:
		t.Kind, t.Str = KindKeyword, l.regular()
		if c == '+' || c == '-' || c == '.' || '0' <= c && c <= '9' {
			t.Kind = KindNumber
			t.Num = parseNumber(t.Str)
		}
	}
	t.End = l.Pos
	return t
}

// parseNumber returns a number's value, and 0 for what is none, as viewers do.
func parseNumber(s []byte) float64 {
	if len(s) < 16 { // most are short whole numbers
		whole, digits := 0, s
		if s[0] == '-' || s[0] == '+' {
			digits = s[1:]
		}
		for i, c := range digits {
			if c < '0' || c > '9' {
				break
			}
			if whole = 10*whole + int(c-'0'); i == len(digits)-1 {
				if s[0] == '-' {
					whole = -whole
				}
				return float64(whole)
			}
		}
	}
	n, _ := strconv.ParseFloat(string(s), 64)
	return n
}

func (l *Lexer) regular() []byte {
	start := l.Pos
	for l.Pos < len(l.Data) && isRegular(l.Data[l.Pos]) {
		l.Pos++
	}
	return l.Data[start:l.Pos]
}

// literal reads a string in parentheses (7.3.4.2).
func (l *Lexer) literal() []byte {
	var out []byte
	depth := 0
	for l.Pos < len(l.Data) {
		c := l.Data[l.Pos]
		l.Pos++
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
			if l.Pos == len(l.Data) {
				return out
			}
			c = l.Data[l.Pos]
			l.Pos++
			switch {
			case c == '\r':
				if l.Pos < len(l.Data) && l.Data[l.Pos] == '\n' {
					l.Pos++
				}
				continue
			case c == '\n':
				continue
			case '0' <= c && c <= '7':
				value := c - '0'
				for range 2 {
					if l.Pos < len(l.Data) && '0' <= l.Data[l.Pos] && l.Data[l.Pos] <= '7' {
						value = value<<3 | (l.Data[l.Pos] - '0')
						l.Pos++
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
func (l *Lexer) hexadecimal() []byte {
	var out []byte
	digits, value := 0, byte(0)
	for l.Pos++; l.Pos < len(l.Data); l.Pos++ {
		c := l.Data[l.Pos]
		if c == '>' {
			l.Pos++
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

// Operand is an operand of a content stream's operator. An array or
// dictionary has items; a dictionary's are keys and values in turn.
type Operand struct {
	Token
	Items []Operand
}

// operation is an operator with its operands, and where they stand.
type operation struct {
	Operator   string
	Operands   []Operand
	Start, End int
}

// maxNesting is how deep arrays and dictionaries may lie in one another
// before they are read as if flat, and maxOperands how many operands are kept.
const maxNesting, maxOperands = 16, 1 << 18

// Operation returns the next operation, and false after the last.
func (l *Lexer) Operation() (operation, bool) {
	op := operation{Start: -1}
	for {
		t := l.next()
		if op.Start < 0 {
			op.Start = t.Start
		}
		switch t.Kind {
		case KindEnd:
			return op, false
		case KindKeyword:
			op.Operator, op.End = string(t.Str), t.End
			switch op.Operator {
			case "true", "false", "null":
				op.Operands = append(op.Operands, Operand{Token: t})
				continue
			case "ID":
				l.skipImage()
				op.End = l.Pos
			}
			return op, true
		case KindClosing: // of nothing
		default:
			if o := l.operand(t, 0); len(op.Operands) < maxOperands {
				op.Operands = append(op.Operands, o)
			}
		}
	}
}

func (l *Lexer) operand(t Token, depth int) Operand {
	o := Operand{Token: t}
	if t.Kind != KindArray && t.Kind != KindDictionary || depth == maxNesting {
		return o
	}
	for {
		t := l.next()
		if t.Kind == KindEnd || t.Kind == KindClosing {
			o.End = t.End
			return o
		}
		if item := l.operand(t, depth+1); len(o.Items) < maxOperands {
			o.Items = append(o.Items, item)
		}
	}
}

// skipImage passes over an inline image's data (8.9.7) to after its EI: the
// first that stands alone and is followed by what looks like content again.
func (l *Lexer) skipImage() {
	for l.Pos < len(l.Data) {
		at := bytes.Index(l.Data[l.Pos:], []byte("EI"))
		if at < 0 {
			break
		}
		start := l.Pos + at
		l.Pos = start + 2
		if start == 0 || !isSpace(l.Data[start-1]) || l.Pos < len(l.Data) && !isSpace(l.Data[l.Pos]) {
			continue
		}
		after := l.Data[l.Pos:min(l.Pos+16, len(l.Data))]
		if bytes.IndexFunc(after, func(r rune) bool { return r > '~' || r < ' ' && !isSpace(byte(r)) }) < 0 {
			return
		}
	}
	l.Pos = len(l.Data)
}

// Value returns a dictionary operand's value of key.
func (o Operand) Value(key string) (Operand, bool) {
	if o.Kind == KindDictionary {
		for i := 0; i+1 < len(o.Items); i += 2 {
			if o.Items[i].Kind == KindName && string(o.Items[i].Str) == key {
				return o.Items[i+1], true
			}
		}
	}
	return Operand{}, false
}
