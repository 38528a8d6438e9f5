package pdf

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/model"
	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/types"
)

// XRef is a file's chain of cross-reference sections (ISO 32000-1, 7.5.4 and
// 7.5.8). An update's own section must be of the newest one's kind and build
// on a sound chain. pdfcpu mends a broken chain without saying so, therefore
// it is read here first, and every entry checked.
type XRef struct {
	start       int        // where the newest section begins
	Stream      bool       // the newest section is a stream
	Trailer     types.Dict // the newest one
	encrypted   bool
	Generations map[int]int // of the objects in use, by number
	size        int         // above every object number
	containers  int         // object streams
}

// section is one cross-reference section.
type section struct {
	stream  bool
	trailer types.Dict
	entries map[int]entry
}

// entry says where an object is. A free one is the zero entry.
type entry struct {
	offset, generation int
	container          int // the object stream that holds it; then offset is 0
}

// maxObjects bounds the objects of a file.
const maxObjects = 1 << 20

// Damaged is an error that says what is wrong with a file, and how to mend it.
func Damaged(format string, args ...any) error {
	return fmt.Errorf("the PDF is damaged: %s; save it anew from the program that made it, or mend it with: qpdf DAMAGED.pdf MENDED.pdf", fmt.Sprintf(format, args...))
}

// readXRef follows the chain from the end of the file to its oldest section.
func readXRef(file []byte) (*XRef, error) {
	tail := file[max(0, len(file)-2048):]
	at := bytes.LastIndex(tail, []byte("startxref"))
	eof := bytes.LastIndex(tail, []byte("%%EOF"))
	// After an end there may be rubbish, but not the beginning of an update.
	if at < 0 || eof < at || bytes.Contains(tail[eof:], []byte(" obj")) {
		return nil, errors.New("the PDF is cut short: it does not end in startxref and %%EOF; copy it again or save it anew")
	}
	start, ok := (&Lexer{Data: tail, Pos: at + len("startxref")}).integer()
	if !ok {
		return nil, Damaged("no number follows its startxref")
	}
	x := &XRef{start: start, Generations: map[int]int{}}
	entries := map[int]entry{}
	read := 0
	add := func(offset int) (*section, error) {
		s, err := readSection(file, offset)
		if err != nil {
			return nil, err
		}
		if read += len(s.entries); read > 4*maxObjects {
			return nil, errors.New("the PDF lists more objects than this program takes; save it anew")
		}
		_, encrypted := s.trailer["Encrypt"]
		x.encrypted = x.encrypted || encrypted
		for number, e := range s.entries {
			if _, newer := entries[number]; !newer {
				entries[number] = e
			}
		}
		return s, nil
	}
	seen := map[int]bool{}
	for offset, more := start, true; more; {
		if seen[offset] {
			return nil, Damaged("its cross-reference sections point at one another in a circle")
		}
		seen[offset] = true
		s, err := add(offset)
		if err != nil {
			return nil, err
		}
		if x.Trailer == nil {
			x.Trailer, x.Stream = s.trailer, s.stream
		}
		// A hybrid file's stream comes after its table and before what is older (7.5.8.4).
		if at := s.trailer.IntEntry("XRefStm"); at != nil && !s.stream {
			if _, err := add(*at); err != nil {
				return nil, err
			}
		}
		offset, more = 0, false
		if prev := s.trailer.IntEntry("Prev"); prev != nil {
			offset, more = *prev, true
		}
	}
	return x, x.check(file, entries)
}

// check sees that each object is where its entry says.
func (x *XRef) check(file []byte, entries map[int]entry) error {
	if n := x.Trailer.IntEntry("Size"); n != nil {
		x.size = *n
	}
	containers := map[int]bool{}
	for number, e := range entries {
		x.size = max(x.size, number+1)
		switch {
		case e.container > 0:
			containers[e.container] = true
			if entries[e.container].offset == 0 {
				return Damaged("object %d lies in object stream %d, which is missing", number, e.container)
			}
		case e.offset > 0:
			if !objectAt(file, e.offset, number, e.generation) {
				return Damaged("object %d is not at byte %d, where it should be", number, e.offset)
			}
		default:
			continue
		}
		x.Generations[number] = e.generation
	}
	x.containers = len(containers)
	if x.size > maxObjects {
		return fmt.Errorf("the PDF numbers its objects up to %d, more than this program takes (%d); save it anew", x.size, maxObjects)
	}
	return nil
}

func objectAt(file []byte, offset, number, generation int) bool {
	if offset >= len(file) {
		return false
	}
	l := &Lexer{Data: file[:min(len(file), offset+64)], Pos: offset}
	n, ok1 := l.integer()
	g, ok2 := l.integer()
	return ok1 && ok2 && n == number && g == generation && bytes.HasPrefix(l.next().Str, []byte("obj"))
}

// integer reads a whole number of zero or more.
func (l *Lexer) integer() (int, bool) {
	t := l.next()
	n := int(t.Num)
	return n, t.Kind == KindNumber && t.Num >= 0 && t.Num < 1<<31 && float64(n) == t.Num
}

// readSection reads the section at offset, of either kind.
func readSection(file []byte, offset int) (*section, error) {
	if offset < 0 || offset >= len(file) {
		return nil, Damaged("a cross-reference section should be at byte %d, but the file has %d", offset, len(file))
	}
	l := &Lexer{Data: file, Pos: offset}
	if string(l.next().Str) == "xref" {
		return readTable(l)
	}
	l.Pos = offset
	return readStream(l)
}

// readTable reads a table and its trailer (7.5.4, 7.5.5).
func readTable(l *Lexer) (*section, error) {
	s := &section{entries: map[int]entry{}}
	for {
		at := l.Pos
		t := l.next()
		if t.Kind == KindKeyword && string(t.Str) == "trailer" {
			break
		}
		l.Pos = at
		first, ok1 := l.integer()
		count, ok2 := l.integer()
		if !ok1 || !ok2 || first+count > maxObjects {
			return nil, Damaged("the cross-reference table at byte %d can't be read", at)
		}
		for number := first; number < first+count; number++ {
			offset, ok1 := l.integer()
			generation, ok2 := l.integer()
			use := string(l.next().Str)
			if !ok1 || !ok2 || use != "n" && use != "f" {
				return nil, Damaged("the cross-reference table has no entry for object %d", number)
			}
			if use == "f" {
				offset, generation = 0, 0
			}
			s.entries[number] = entry{offset: offset, generation: generation}
		}
	}
	var err error
	s.trailer, err = readDict(l)
	return s, err
}

// readDict reads the dictionary that follows.
func readDict(l *Lexer) (types.Dict, error) {
	source := string(l.Data[l.Pos:min(len(l.Data), l.Pos+1<<16)])
	rest := source
	o, err := model.ParseObject(&rest)
	d, ok := o.(types.Dict)
	if err != nil || !ok {
		return nil, Damaged("the trailer at byte %d can't be read", l.Pos)
	}
	l.Pos += len(source) - len(rest)
	return d, nil
}

// readStream reads a cross-reference stream (7.5.8).
func readStream(l *Lexer) (*section, error) {
	at := l.Pos
	_, ok1 := l.integer()
	_, ok2 := l.integer()
	if !ok1 || !ok2 || string(l.next().Str) != "obj" {
		return nil, Damaged("there is no cross-reference section at byte %d", at)
	}
	d, err := readDict(l)
	if err != nil {
		return nil, err
	}
	length, begin := d.IntEntry("Length"), bytes.Index(l.Data[l.Pos:], []byte("stream"))
	if d.Type() == nil || *d.Type() != "XRef" || length == nil || begin < 0 {
		return nil, Damaged("there is no cross-reference stream at byte %d", at)
	}
	begin += l.Pos + len("stream")
	if bytes.HasPrefix(l.Data[begin:], []byte("\r\n")) {
		begin++
	}
	begin++
	if *length < 0 || begin+*length > len(l.Data) {
		return nil, errors.New("the PDF is cut short: it ends within a stream; copy it again or save it anew")
	}
	sd := types.NewStreamDict(d, 0, nil, nil, filters(d))
	sd.Raw = l.Data[begin : begin+*length]
	rows, err := decode(&sd, maxObjects*16)
	if err != nil {
		return nil, Damaged("the cross-reference stream at byte %d: %v", at, err)
	}
	s := &section{stream: true, trailer: d}
	s.entries, err = readRows(rows, d)
	return s, err
}

// readRows reads the entries of a cross-reference stream (7.5.8.3).
func readRows(rows []byte, d types.Dict) (map[int]entry, error) {
	w, index, size := d.ArrayEntry("W"), d.ArrayEntry("Index"), d.IntEntry("Size")
	var widths [3]int
	bad := Damaged("the fields W, Index or Size of a cross-reference stream can't be used")
	if len(w) != 3 || size == nil || *size < 0 || *size > maxObjects {
		return nil, bad
	}
	for i := range widths {
		n, ok := w[i].(types.Integer)
		if !ok || n < 0 || n > 8 {
			return nil, bad
		}
		widths[i] = int(n)
	}
	if index == nil {
		index = types.Array{types.Integer(0), types.Integer(*size)}
	}
	field := func(width, absent int) int {
		if width == 0 {
			return absent
		}
		value := 0
		for _, b := range rows[:width] {
			value = value<<8 | int(b)
		}
		rows = rows[width:]
		return value
	}
	entries := map[int]entry{}
	for i := 0; i+1 < len(index); i += 2 {
		first, ok1 := index[i].(types.Integer)
		count, ok2 := index[i+1].(types.Integer)
		if !ok1 || !ok2 || first < 0 || count < 0 || first > maxObjects || count > maxObjects || int(first+count) > maxObjects {
			return nil, bad
		}
		for number := int(first); number < int(first+count); number++ {
			if len(rows) < widths[0]+widths[1]+widths[2] {
				return nil, Damaged("a cross-reference stream has no entry for object %d", number)
			}
			use, second, third := field(widths[0], 1), field(widths[1], 0), field(widths[2], 0)
			switch use {
			case 1:
				entries[number] = entry{offset: second, generation: third}
			case 2:
				entries[number] = entry{container: second}
			default:
				entries[number] = entry{}
			}
		}
	}
	return entries, nil
}
