package pdf

import (
	"bytes"
	"encoding/hex"
	"strconv"
)

// readType1 reads a Type 1 font program (Adobe Type 1 Font Format, 1990): its
// Encoding in clear text, and the names and outlines of CharStrings after eexec.
func readType1(b []byte) *program {
	b = withoutSegments(b)
	clear, encrypted, ok := bytes.Cut(b, []byte("eexec"))
	if !ok {
		return nil
	}
	private := eexec(encrypted)
	at := bytes.Index(private, []byte("/CharStrings"))
	if at < 0 {
		return nil
	}
	random := 4 // bytes that a charstring begins with
	if _, rest, ok := bytes.Cut(private[:at], []byte("/lenIV")); ok {
		if fields := bytes.Fields(rest[:min(len(rest), 16)]); len(fields) > 0 {
			if n, err := strconv.Atoi(string(fields[0])); err == nil {
				random = n
			}
		}
	}
	outlines := [][]byte{nil} // 0 is no glyph
	p := &program{
		draws:   func(glyph int) bool { return glyph >= 0 && glyph < len(outlines) && type1Draws(outlines[glyph]) },
		advance: func(int) (float64, bool) { return 0, false },
		names:   map[string]int{}, encoding: type1Encoding(clear),
	}
	// Each is: /name length RD bytes ND.
	for l := (&Lexer{Data: private, Pos: at + len("/CharStrings")}); ; {
		t := l.next()
		switch {
		case t.Kind == KindEnd || t.Kind == KindKeyword && string(t.Str) == "end" && len(outlines) > 1:
			return p
		case t.Kind != KindName:
			continue
		}
		length, read := l.next(), l.next()
		begin := read.End + 1
		end := begin + int(length.Num)
		if length.Kind != KindNumber || end < begin || end > len(private) {
			continue
		}
		charstring := private[begin:end]
		if random >= 0 {
			charstring = decrypt(charstring, 4330, random)
		}
		p.names[string(t.Str)] = len(outlines)
		outlines = append(outlines, charstring)
		l.Pos = end
	}
}

// withoutSegments takes out the headers of a PFB file, which should not be there.
func withoutSegments(b []byte) []byte {
	var out []byte
	for len(b) >= 6 && b[0] == 0x80 && b[1] < 3 {
		length := int(b[2]) | int(b[3])<<8 | int(b[4])<<16 | int(b[5])<<24
		end := min(6+length, len(b))
		if end < 6 {
			break
		}
		out, b = append(out, b[6:end]...), b[end:]
	}
	if out == nil {
		return b
	}
	return out
}

// eexec decrypts what follows eexec, which may be hexadecimal.
func eexec(b []byte) []byte {
	for len(b) > 0 && isSpace(b[0]) {
		b = b[1:]
	}
	hexadecimal := len(b) >= 4
	for _, c := range b[:min(len(b), 4)] {
		if _, ok := hexDigit(c); !ok {
			hexadecimal = false
		}
	}
	if hexadecimal {
		digits := bytes.Join(bytes.Fields(b), nil)
		out := make([]byte, len(digits)/2)
		n, _ := hex.Decode(out, digits[:len(digits)/2*2]) // as far as it goes
		b = out[:n]
	}
	return decrypt(b, 55665, 4)
}

// decrypt undoes the encryption of a Type 1 font and its first random bytes.
func decrypt(b []byte, key uint16, random int) []byte {
	out := make([]byte, len(b))
	for i, c := range b {
		out[i] = c ^ byte(key>>8)
		key = (uint16(c)+key)*52845 + 22719
	}
	return out[min(random, len(out)):]
}

// type1Encoding reads "/Encoding StandardEncoding def" or an array that is put
// together by "dup 48 /zero put".
func type1Encoding(clear []byte) map[byte]string {
	encoding := map[byte]string{}
	_, rest, _ := bytes.Cut(clear, []byte("/Encoding"))
	l := &Lexer{Data: rest}
	var before [2]Token
	for t := l.next(); t.Kind != KindEnd; t = l.next() {
		switch word := string(t.Str); {
		case t.Kind == KindKeyword && word == "StandardEncoding":
			for code := range 128 {
				encoding[byte(code)] = asciiName(byte(code))
			}
			return encoding
		case t.Kind == KindKeyword && word == "put":
			if code := before[0].Num; before[1].Kind == KindName && code >= 0 && code < 256 {
				encoding[byte(code)] = string(before[1].Str)
			}
		case t.Kind == KindKeyword && (word == "def" || word == "readonly"):
			return encoding
		}
		before[0], before[1] = before[1], t
	}
	return encoding
}

// type1Draws tells whether a Type 1 charstring draws. A subroutine is taken to;
// what is empty needs none.
func type1Draws(b []byte) bool {
	b = b[:min(len(b), maxCharstring)]
	for i := 0; i < len(b); {
		switch c := b[i]; {
		case c == 255:
			i += 5
		case c >= 247:
			i += 2
		case c >= 32:
			i++
		case c == 12:
			if i+1 < len(b) && b[i+1] == 6 { // seac: two glyphs together
				return true
			}
			i += 2
		case c == 5, c == 6, c == 7, c == 8, c == 10, c == 30, c == 31:
			return true
		case c == 14: // endchar
			return false
		default:
			i++
		}
	}
	return false
}
