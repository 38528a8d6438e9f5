package pdf

import (
	"bytes"
	"errors"
	"fmt"
	"iter"

	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/types"
)

// XRef is a file's chain of cross-reference sections (ISO 32000-1, 7.5.4 and
// 7.5.8). An update's own section must be of the newest one's kind and build
// on a sound chain, so that a chain that readers have to mend is refused.
type XRef struct {
	start   int        // where the newest section begins
	Stream  bool       // the newest section is a stream
	Trailer types.Dict // the newest one
	entries []entry    // by object number
	size    int        // above every object number
}

// entry says where an object is.
type entry struct {
	offset     int32 // 0 of a free object, and of one in an object stream
	container  int32 // the object stream that holds it
	generation uint16
	known      bool // to the newer sections, if only as free
}

// maxObjects bounds the objects of a file.
const maxObjects = 1 << 20

// Damaged is an error that says what is wrong with a file, and how to mend it.
func Damaged(format string, args ...any) error {
	return fmt.Errorf("the PDF is damaged: %s; save it anew from the program that made it, or mend it with: qpdf DAMAGED.pdf MENDED.pdf", fmt.Sprintf(format, args...))
}

// entry returns the entry of an object, which is a free one's if there is none.
func (x *XRef) entry(number int) entry {
	if x == nil || number < 0 || number >= len(x.entries) {
		return entry{}
	}
	return x.entries[number]
}

// Generation returns the generation that an object has.
func (x *XRef) Generation(number int) int { return int(x.entry(number).generation) }

// numbers returns the numbers of the objects in use.
func (x *XRef) numbers() iter.Seq[int] {
	return func(yield func(int) bool) {
		for number, e := range x.entries {
			if (e.offset > 0 || e.container > 0) && !yield(number) {
				return
			}
		}
	}
}

// add takes what a section says of an object, unless a newer one has.
func (x *XRef) add(number int, e entry) {
	for number >= len(x.entries) {
		x.entries = append(x.entries, entry{})
	}
	if e.known = true; !x.entries[number].known {
		x.entries[number] = e
	}
}

// xrefReader reads the chain.
type xrefReader struct {
	*Document
	x    *XRef
	read int // entries, of all sections
}

var errListed = errors.New("the PDF lists more objects than this program takes; save it anew")

func (r *xrefReader) add(number int, e entry) error {
	if r.read++; r.read > 4*maxObjects {
		return errListed
	}
	r.x.add(number, e)
	return nil
}

// readXRef follows the chain from the end of the file to its oldest section.
func (d *Document) readXRef() (*XRef, error) {
	last := d.File
	if len(d.update) > 0 {
		last = d.update
	}
	tail := last[max(0, len(last)-2048):]
	at := bytes.LastIndex(tail, []byte("startxref"))
	// After the end there may be rubbish, but not the beginning of an update.
	if at < 0 || bytes.Contains(tail[at:], []byte(" obj")) {
		return nil, errors.New("the PDF is cut short: it does not end in startxref and %%EOF; copy it again or save it anew")
	}
	start, ok := (&Lexer{Data: tail, Pos: at + len("startxref")}).integer()
	if !ok {
		return nil, Damaged("no number follows its startxref")
	}
	// Readers pass over space and comments before the section, but not all do
	// where an update's Prev leads.
	if l, ok := d.lexer(start); ok {
		before := l.Pos
		l.skipSpace()
		start += l.Pos - before
	}
	r := &xrefReader{Document: d, x: &XRef{start: start}}
	seen := map[int]bool{}
	encrypted := false
	for offset := start; ; {
		if seen[offset] {
			return nil, Damaged("its cross-reference sections point at one another in a circle")
		}
		seen[offset] = true
		trailer, stream, err := r.section(offset)
		if err != nil {
			return nil, err
		}
		if r.x.Trailer == nil {
			r.x.Trailer, r.x.Stream = trailer, stream
		}
		if size, ok := trailer["Size"].(types.Integer); ok {
			r.x.size = max(r.x.size, int(size))
		}
		encrypted = encrypted || trailer["Encrypt"] != nil
		// There can be no section at the header, and some programs mean by 0
		// that there is none.
		prev, ok := trailer["Prev"].(types.Integer)
		if trailer["Prev"] != nil && !ok {
			return nil, Damaged("the trailer of the section at byte %d has a Prev that is no number", offset)
		}
		if offset = int(prev); offset == 0 {
			break
		}
	}
	if encrypted && r.x.Trailer["Encrypt"] == nil {
		return nil, Damaged("its newest trailer has no Encrypt, though an older one has")
	}
	r.x.size = max(r.x.size, len(r.x.entries))
	if r.x.size > maxObjects {
		return nil, fmt.Errorf("the PDF numbers its objects up to %d, more than this program takes (%d); save it anew", r.x.size, maxObjects)
	}
	return r.x, nil
}

// integer reads a whole number of zero or more.
func (l *Lexer) integer() (int, bool) {
	t := l.next()
	n := int(t.Num)
	return n, t.Kind == KindNumber && t.Num >= 0 && t.Num < 1<<31 && float64(n) == t.Num
}

// section reads the section at offset, of either kind. Of a hybrid file it
// reads both (7.5.8.4).
func (r *xrefReader) section(offset int) (trailer types.Dict, stream bool, err error) {
	l, ok := r.lexer(offset)
	if !ok {
		return nil, false, Damaged("a cross-reference section should be at byte %d, but the file has %d", offset, r.size())
	}
	from := l.Pos
	if string(l.next().Str) != "xref" {
		trailer, err = r.stream(offset)
		return trailer, true, err
	}
	trailer, free, err := r.table(&l)
	if err != nil {
		return nil, false, err
	}
	if at, hybrid := trailer["XRefStm"].(types.Integer); hybrid {
		if _, err := r.stream(int(at)); err != nil {
			return nil, false, err
		}
	}
	// A hybrid file's table calls those free that its stream has.
	for _, number := range free {
		if err := r.add(number, entry{}); err != nil {
			return nil, false, err
		}
	}
	return trailer, false, r.charge(l.Pos - from)
}

// table reads a table but for its free entries, and its trailer (7.5.4, 7.5.5).
func (r *xrefReader) table(l *Lexer) (trailer types.Dict, free []int, err error) {
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
			return nil, nil, Damaged("the cross-reference table at byte %d can't be read", at)
		}
		for i := range count {
			offset, ok1 := l.integer()
			generation, ok2 := l.integer()
			use := string(l.next().Str)
			if !ok1 || !ok2 || use != "n" && use != "f" {
				return nil, nil, Damaged("the cross-reference table has no entry for object %d", first+i)
			}
			l.skipRemark()
			if use == "f" || offset == 0 {
				free = append(free, first+i)
				continue
			}
			if err := r.add(first+i, entry{offset: int32(offset), generation: uint16(generation)}); err != nil {
				return nil, nil, err
			}
		}
		if len(free) > 4*maxObjects {
			return nil, nil, errListed
		}
	}
	p := &parser{Lexer: *l, values: r.values}
	o, err := p.object()
	r.values = p.values
	trailer, ok := o.(types.Dict)
	if err != nil || !ok {
		return nil, nil, Damaged("the trailer at byte %d can't be read", l.Pos)
	}
	l.Pos = p.Pos
	return trailer, free, nil
}

// skipRemark passes over what follows an entry on its line.
func (l *Lexer) skipRemark() {
	for l.Pos < len(l.Data) && l.Data[l.Pos] == ' ' {
		l.Pos++
	}
	if l.Pos < len(l.Data) && '0' <= l.Data[l.Pos] && l.Data[l.Pos] <= '9' {
		return // the next entry
	}
	for l.Pos < len(l.Data) && l.Data[l.Pos] != '\r' && l.Data[l.Pos] != '\n' && !bytes.HasPrefix(l.Data[l.Pos:], []byte("trailer")) {
		l.Pos++
	}
}

// stream reads a cross-reference stream (7.5.8).
func (r *xrefReader) stream(offset int) (types.Dict, error) {
	ref, o, err := r.indirect(offset)
	if errors.Is(err, errCut) {
		return nil, errCut
	}
	sd, ok := o.(types.StreamDict)
	if err != nil || !ok || r.Name(sd.Dict["Type"]) != "XRef" {
		return nil, Damaged("there is no cross-reference section at byte %d", offset)
	}
	// Its number is taken, whether or not it has an entry: readers may add one.
	r.x.size = max(r.x.size, ref.ObjectNumber.Value()+1)
	rows, err := r.decode(sd, maxObjects*16)
	if err != nil {
		return nil, Damaged("the cross-reference stream at byte %d %v", offset, err)
	}
	return sd.Dict, errors.Join(r.rows(rows, sd.Dict), r.charge(len(rows)))
}

// rows reads the entries of a cross-reference stream (7.5.8.3).
func (r *xrefReader) rows(rows []byte, d types.Dict) error {
	w, index := d.ArrayEntry("W"), d.ArrayEntry("Index")
	size, _ := d["Size"].(types.Integer)
	var widths [3]int
	bad := Damaged("the fields W, Index or Size of a cross-reference stream can't be used")
	if len(w) < 3 || size < 0 || size > maxObjects {
		return bad
	}
	for i := range widths {
		n, ok := w[i].(types.Integer)
		if !ok || n < 0 || n > 8 {
			return bad
		}
		widths[i] = int(n)
	}
	if index == nil {
		index = types.Array{types.Integer(0), size}
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
	for i := 0; i+1 < len(index); i += 2 {
		first, ok1 := index[i].(types.Integer)
		count, ok2 := index[i+1].(types.Integer)
		if !ok1 || !ok2 || first < 0 || count < 0 || first > maxObjects || count > maxObjects || int(first+count) > maxObjects {
			return bad
		}
		for number := int(first); number < int(first+count); number++ {
			if len(rows) < widths[0]+widths[1]+widths[2] {
				return Damaged("a cross-reference stream has no entry for object %d", number)
			}
			use, second, third := field(widths[0], 1), field(widths[1], 0), field(widths[2], 0)
			var e entry
			switch {
			case second < 0 || second >= 1<<31: // nowhere in the file
			case use == 1:
				e = entry{offset: int32(second), generation: uint16(third)}
			case use == 2:
				e = entry{container: int32(second)}
			}
			if err := r.add(number, e); err != nil {
				return err
			}
		}
	}
	return nil
}
