package certificate

import (
	"bytes"
	"compress/zlib"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"

	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/types"
)

// update is an incremental update (ISO 32000-1, 7.5.6) in the making: new
// versions of objects, to be appended to the file, with slots of fixed width.
// What is the same in every certificate comes first, so that the part with
// slots, which each certificate needs a copy of, stays short.
type update struct {
	doc     *document
	buf     bytes.Buffer
	entries map[int]entry
	size    int // above every object number
	slots   []slot
}

// slot is a place for what differs between certificates.
type slot struct {
	at   int // in the file, the update included
	fill filler
}

// filler writes a stamp's form at the start of b. The stamp is as long as
// StampLayout.
type filler func(b, stamp []byte)

func (d *document) newUpdate() *update {
	u := &update{doc: d, entries: map[int]entry{}, size: d.xref.size}
	u.buf.WriteByte('\n') // the file may not end in one
	return u
}

// offset returns where the next byte will be in the file.
func (u *update) offset() int { return len(u.doc.file) + u.buf.Len() }

// add returns a number for a new object.
func (u *update) add() types.IndirectRef {
	u.size++
	return *types.NewIndirectRef(u.size-1, 0)
}

// begin starts a version of an object, to be ended by end.
func (u *update) begin(ref types.IndirectRef) {
	number, generation := ref.ObjectNumber.Value(), ref.GenerationNumber.Value()
	u.entries[number] = entry{offset: u.offset(), generation: generation}
	fmt.Fprintf(&u.buf, "%d %d obj\n", number, generation)
}

func (u *update) end() { u.buf.WriteString("\nendobj\n") }

// object writes a version of an object.
func (u *update) object(ref types.IndirectRef, o types.Object) {
	u.begin(ref)
	u.buf.WriteString(o.PDFString())
	u.end()
}

// stream writes a new stream, deflated if that makes it shorter.
func (u *update) stream(content []byte) types.IndirectRef {
	ref, dict := u.add(), types.Dict{}
	var deflated bytes.Buffer
	w, _ := zlib.NewWriterLevel(&deflated, zlib.BestCompression) // a level that exists
	_, _ = w.Write(content)                                      // to memory
	_ = w.Close()
	if deflated.Len() < len(content) {
		dict["Filter"] = types.Name("FlateDecode")
		content = deflated.Bytes()
	}
	u.rawStream(ref, dict, func() { u.buf.Write(content) }, len(content))
	return ref
}

// rawStream writes a stream whose content write writes.
func (u *update) rawStream(ref types.IndirectRef, dict types.Dict, write func(), length int) {
	dict["Length"] = types.Integer(length)
	u.begin(ref)
	u.buf.WriteString(dict.PDFString() + "\nstream\n")
	write()
	u.buf.WriteString("\nendstream")
	u.end()
}

// withSlot writes a dictionary with one more key, whose value has a slot.
func (u *update) withSlot(dict types.Dict, key, before string, width int, fill filler, after string) {
	delete(dict, key)
	source := dict.PDFString()
	u.buf.WriteString(source[:len(source)-len(">>")] + "/" + key + before)
	u.slot(width, fill)
	u.buf.WriteString(after + ">>")
}

// slot leaves room for what fill writes.
func (u *update) slot(width int, fill filler) {
	u.slots = append(u.slots, slot{u.offset(), fill})
	u.buf.Write(bytes.Repeat([]byte("0"), width))
}

// finish writes the cross-reference section, in the flavour of the newest that
// the file has, and the trailer with all of its keys.
func (u *update) finish() {
	x := u.doc.xref
	trailer := x.trailer.Clone().(types.Dict)
	trailer["Prev"] = types.Integer(x.start)
	var section types.IndirectRef
	if x.stream {
		section = u.add()
		u.entries[section.ObjectNumber.Value()] = entry{offset: u.offset()}
	}
	trailer["Size"] = types.Integer(u.size)
	start, numbers := u.offset(), slices.Sorted(maps.Keys(u.entries))
	if x.stream {
		u.writeStream(section, trailer, numbers)
	} else {
		u.writeTable(trailer, numbers)
	}
	fmt.Fprintf(&u.buf, "startxref\n%d\n%%%%EOF\n", start)
}

// runs splits sorted numbers into runs without gaps.
func runs(numbers []int) (out [][]int) {
	for i := 0; i < len(numbers); {
		j := i + 1
		for j < len(numbers) && numbers[j] == numbers[j-1]+1 {
			j++
		}
		out = append(out, numbers[i:j])
		i = j
	}
	return out
}

// writeTable writes a table and a trailer. A hybrid file's trailer goes on to
// name its XRefStm, or readers that look no further lose the objects in it.
func (u *update) writeTable(trailer types.Dict, numbers []int) {
	u.buf.WriteString("xref\n")
	for _, run := range runs(numbers) {
		fmt.Fprintf(&u.buf, "%d %d\n", run[0], len(run))
		for _, number := range run {
			fmt.Fprintf(&u.buf, "%010d %05d n \n", u.entries[number].offset, u.entries[number].generation)
		}
	}
	u.buf.WriteString("trailer\n")
	u.writeTrailer(trailer)
	u.buf.WriteByte('\n')
}

// writeStream writes a cross-reference stream, which lists itself.
func (u *update) writeStream(section types.IndirectRef, trailer types.Dict, numbers []int) {
	var rows []byte
	var index types.Array
	for _, run := range runs(numbers) {
		index = append(index, types.Integer(run[0]), types.Integer(len(run)))
		for _, number := range run {
			e := u.entries[number]
			rows = append(rows, 1, byte(e.offset>>24), byte(e.offset>>16), byte(e.offset>>8), byte(e.offset), byte(e.generation>>8), byte(e.generation))
		}
	}
	delete(trailer, "Filter")
	delete(trailer, "DecodeParms")
	trailer["W"] = types.NewIntegerArray(1, 4, 2)
	trailer["Index"] = index
	trailer["Length"] = types.Integer(len(rows))
	fmt.Fprintf(&u.buf, "%d 0 obj\n", section.ObjectNumber)
	u.writeTrailer(trailer)
	u.buf.WriteString("\nstream\n")
	u.buf.Write(rows)
	u.buf.WriteString("\nendstream")
	u.end()
}

// writeTrailer writes the trailer's dictionary. The second part of ID is to
// change with every change of the file, the first is to stay (14.4).
func (u *update) writeTrailer(trailer types.Dict) {
	id := u.doc.array(trailer["ID"])
	if len(id) != 2 {
		u.buf.WriteString(trailer.PDFString())
		return
	}
	first := id[0].PDFString()
	u.withSlot(trailer, "ID", "["+first+"<", 32, fillID, ">]")
}

// fillID writes a stamp as 16 hexadecimal bytes: its digits, and its sign in
// the last.
func fillID(b, stamp []byte) {
	n := 0
	for _, c := range stamp {
		if '0' <= c && c <= '9' {
			b[n] = c
			n++
		}
	}
	if stamp[26] == '-' {
		b[31] = '1'
	}
}

// modified notes the time in the document information (14.3.3), unless the
// file has metadata: PDF/A wants both to agree, and a copy of the metadata
// would be one more thing for each certificate to carry.
func (u *update) modified() {
	ref, ok := u.doc.xref.trailer["Info"].(types.IndirectRef)
	info := u.doc.dict(ref)
	if !ok || info == nil || u.doc.catalog["Metadata"] != nil {
		return
	}
	u.begin(ref)
	u.withSlot(info.Clone().(types.Dict), "ModDate", "(", len("D:20060102150405-07'00'"), fillDate, ")")
	u.end()
}

// fillDate writes a stamp as a date (7.9.4).
func fillDate(b, stamp []byte) {
	out := append(b[:0], "D:"...)
	for _, part := range [...][2]int{{0, 4}, {5, 7}, {8, 10}, {11, 13}, {14, 16}, {17, 19}, {26, 29}} {
		out = append(out, stamp[part[0]:part[1]]...)
	}
	out = append(out, '\'')
	out = append(out, stamp[30:32]...)
	_ = append(out, '\'')
}

// fillText writes a stamp as it is.
func fillText(b, stamp []byte) { copy(b, stamp) }

// fillCodes writes a stamp as the hexadecimal codes of a font.
func fillCodes(g glyphs) filler {
	var codes [128][8]byte
	for _, r := range alphabet {
		hex.Encode(codes[r][:], g.codes[r].appendTo(nil))
	}
	width := 2 * g.width
	return func(b, stamp []byte) {
		for i, r := range stamp {
			copy(b[i*width:], codes[r&127][:width])
		}
	}
}

// slotWidth is the room that fillCodes needs.
func (g glyphs) slotWidth() int { return 2 * g.width * len(StampLayout) }
