package pdf

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/types"
)

var errBomb = errors.New("inflates to more than this program takes")

// decode undoes the filters of a stream (ISO 32000-1, 7.4), to at most limit
// bytes.
func (d *Document) decode(sd types.StreamDict, limit int64) ([]byte, error) {
	data := sd.Raw
	names, parameters := d.list(sd.Dict["Filter"]), d.list(sd.Dict["DecodeParms"])
	if len(names) > 16 {
		return nil, errors.New("has more than 16 filters; save the PDF anew")
	}
	for i, o := range names {
		var p types.Dict
		if i < len(parameters) {
			p = d.Dict(parameters[i])
		}
		name := d.Name(o)
		var err error
		switch name {
		case "FlateDecode", "Fl":
			data, err = inflate(data, limit)
		case "LZWDecode", "LZW":
			early := 1
			if p["EarlyChange"] != nil {
				early = int(d.Number(p["EarlyChange"]))
			}
			data, err = lzw(data, early, limit)
		case "ASCII85Decode", "A85":
			data, err = ascii85(data, limit)
		case "ASCIIHexDecode", "AHx":
			data = (&Lexer{Data: data, Pos: -1}).hexadecimal()
		case "RunLengthDecode", "RL":
			data = runLength(data, limit)
		case "Crypt": // what it does is done already
			continue
		default:
			return nil, fmt.Errorf("has the filter %s, which is none for text; save the PDF anew with FlateDecode", name)
		}
		if err == nil && int64(len(data)) > limit {
			err = errBomb
		}
		if err == nil && p["Predictor"] != nil {
			data, err = d.unpredict(data, p)
		}
		switch {
		case errors.Is(err, errBomb):
			return nil, err
		case err != nil:
			return nil, fmt.Errorf("can't be decoded by its filter %s (%w); save the PDF anew", name, err)
		}
	}
	return data, nil
}

// list returns an array, or one of a lone object.
func (d *Document) list(o types.Object) types.Array {
	switch o := d.Resolve(o).(type) {
	case nil:
		return nil
	case types.Array:
		return o
	default:
		return types.Array{o}
	}
}

// inflate undoes FlateDecode (7.4.4). The checksum at the end is passed over,
// and so is an end that is missing: readers show the text all the same.
func inflate(data []byte, limit int64) ([]byte, error) {
	// RFC 1950: method 8, a header that 31 divides, no dictionary.
	if len(data) < 2 || data[0]&15 != 8 || (int(data[0])<<8|int(data[1]))%31 != 0 || data[1]&32 != 0 {
		if len(bytes.TrimSpace(data)) == 0 {
			return nil, nil
		}
		return nil, errors.New("its data has no zlib header")
	}
	r := flate.NewReader(bytes.NewReader(data[2:]))
	out, err := io.ReadAll(io.LimitReader(r, limit+1))
	switch {
	case int64(len(out)) > limit:
		return nil, errBomb
	case err != nil && !errors.Is(err, io.ErrUnexpectedEOF):
		return nil, errors.New("its data is damaged")
	}
	return out, nil
}

// lzw undoes LZWDecode (7.4.4). It is not the LZW of Go's library: codes get
// longer one code early, unless early is 0.
func lzw(data []byte, early int, limit int64) ([]byte, error) {
	const clearTable, end, first = 256, 257, 258
	type word struct{ from, length int } // of out
	var (
		out      []byte
		words    []word
		previous word
		bits     uint
		held     uint
		width    uint = 9
	)
	for {
		for held < width {
			if len(data) == 0 {
				return out, nil
			}
			bits, held, data = bits<<8|uint(data[0]), held+8, data[1:]
		}
		held -= width
		code := int(bits>>held) & (1<<width - 1)
		here := len(out)
		switch {
		case code == end:
			return out, nil
		case code == clearTable:
			words, previous, width = words[:0], word{}, 9
			continue
		case code < clearTable:
			out = append(out, byte(code))
		case code-first < len(words):
			w := words[code-first]
			out = append(out, out[w.from:w.from+w.length]...)
		case code-first == len(words) && previous.length > 0:
			out = append(out, out[previous.from:previous.from+previous.length]...)
			out = append(out, out[previous.from])
		default:
			return nil, errors.New("its data is damaged")
		}
		if int64(len(out)) > limit {
			return nil, errBomb
		}
		// A new word is the one before with the first byte of this one, which
		// follows it in what is decoded.
		if previous.length > 0 && len(words) < 4096-first {
			words = append(words, word{previous.from, previous.length + 1})
		}
		previous = word{here, len(out) - here}
		for width < 12 && first+len(words)+early >= 1<<width {
			width++
		}
	}
}

// ascii85 undoes ASCII85Decode (7.4.3).
func ascii85(data []byte, limit int64) ([]byte, error) {
	var out []byte
	data, _, _ = bytes.Cut(bytes.TrimPrefix(bytes.TrimSpace(data), []byte("<~")), []byte("~"))
	group, n := uint32(0), 0
	for _, c := range data {
		switch {
		case isSpace(c):
			continue
		case c == 'z' && n == 0:
			out = append(out, 0, 0, 0, 0)
			continue
		case c < '!' || c > 'u':
			return nil, errors.New("its data is damaged")
		}
		group = group*85 + uint32(c-'!')
		if n++; n == 5 {
			out = binary.BigEndian.AppendUint32(out, group)
			group, n = 0, 0
		}
		if int64(len(out)) > limit {
			return nil, errBomb
		}
	}
	if n > 1 { // the last bytes, one fewer than their digits
		for range 5 - n {
			group = group*85 + 84
		}
		out = append(out, binary.BigEndian.AppendUint32(nil, group)[:n-1]...)
	}
	return out, nil
}

// runLength undoes RunLengthDecode (7.4.5).
func runLength(data []byte, limit int64) []byte {
	var out []byte
	for len(data) > 1 && data[0] != 128 && int64(len(out)) <= limit {
		if n := int(data[0]); n < 128 {
			n = min(n+1, len(data)-1)
			out, data = append(out, data[1:1+n]...), data[1+n:]
		} else {
			out, data = append(out, bytes.Repeat(data[1:2], 257-n)...), data[2:]
		}
	}
	return out
}

// unpredict undoes a predictor (7.4.4.4).
func (d *Document) unpredict(data []byte, p types.Dict) ([]byte, error) {
	number := func(key string, absent int) int {
		if p[key] == nil {
			return absent
		}
		return int(d.Number(p[key]))
	}
	predictor, colours := number("Predictor", 1), number("Colors", 1)
	depth, columns := number("BitsPerComponent", 8), number("Columns", 1)
	if predictor == 1 {
		return data, nil
	}
	if colours < 1 || colours > 1<<10 || depth < 1 || depth > 16 || columns < 1 || columns > 1<<24 {
		return nil, errors.New("the parameters of its predictor can't be used")
	}
	step, row := (colours*depth+7)/8, (colours*depth*columns+7)/8
	if predictor == 2 {
		if depth != 8 {
			return nil, errors.New("its predictor is for pictures")
		}
		data = bytes.Clone(data)
		for i := range data {
			if i%row >= step {
				data[i] += data[i-step]
			}
		}
		return data, nil
	}
	out := make([]byte, 0, len(data))
	before := make([]byte, row)
	for len(data) > 1 {
		kind, n := data[0], min(row, len(data)-1)
		from := len(out)
		out = append(out, data[1:1+n]...)
		line := out[from:]
		for i := range line {
			var left, up, corner int
			if up = int(before[i]); i >= step {
				left, corner = int(line[i-step]), int(before[i-step])
			}
			switch kind {
			case 0:
			case 1:
				line[i] += byte(left)
			case 2:
				line[i] += byte(up)
			case 3:
				line[i] += byte((left + up) / 2)
			case 4:
				line[i] += byte(paeth(left, up, corner))
			default:
				return nil, errors.New("its predictor is not known")
			}
		}
		if before, data = line, data[1+n:]; n < row {
			break
		}
	}
	return out, nil
}

// paeth returns the neighbour that is nearest to left + up - corner (PNG, 9.4).
func paeth(left, up, corner int) int {
	distance := func(x int) int { x -= left + up - corner; return max(x, -x) }
	switch a, b, c := distance(left), distance(up), distance(corner); {
	case a <= b && a <= c:
		return left
	case b <= c:
		return up
	}
	return corner
}
