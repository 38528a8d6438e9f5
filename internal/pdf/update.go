package pdf

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"maps"
	"slices"

	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/types"
)

// Update is an incremental update (ISO 32000-1, 7.5.6) in the making: new
// versions of objects, to be appended to the file. It may have gaps of fixed
// width, to be filled later.
type Update struct {
	Doc     *Document
	Buf     bytes.Buffer // what was written so far; Finish completes it
	entries map[int]entry
	size    int // above every object number
}

// NewUpdate begins an update of the document.
func (d *Document) NewUpdate() *Update {
	u := &Update{Doc: d, entries: map[int]entry{}, size: d.XRef.size}
	u.Buf.WriteByte('\n') // the file may not end in one
	return u
}

// offset returns where the next byte will be in the file.
func (u *Update) offset() int { return u.Doc.size() + u.Buf.Len() }

// Add returns a number for a new object.
func (u *Update) Add() types.IndirectRef {
	u.size++
	return *types.NewIndirectRef(u.size-1, 0)
}

// Begin starts a version of an object, to be ended by End.
func (u *Update) Begin(ref types.IndirectRef) {
	number, generation := ref.ObjectNumber.Value(), ref.GenerationNumber.Value()
	u.entries[number] = entry{offset: int32(u.offset()), generation: uint16(generation)}
	fmt.Fprintf(&u.Buf, "%d %d obj\n", number, generation)
}

// End ends an object.
func (u *Update) End() { u.Buf.WriteString("\nendobj\n") }

// Object writes a version of an object.
func (u *Update) Object(ref types.IndirectRef, o types.Object) {
	u.Begin(ref)
	u.Buf.WriteString(o.PDFString())
	u.End()
}

// Stream writes a new stream, deflated if that makes it shorter.
func (u *Update) Stream(content []byte) types.IndirectRef {
	ref, dict := u.Add(), types.Dict{}
	var deflated bytes.Buffer
	w, _ := zlib.NewWriterLevel(&deflated, zlib.BestCompression) // a level that exists
	_, _ = w.Write(content)                                      // to memory
	_ = w.Close()
	if deflated.Len() < len(content) {
		dict["Filter"] = types.Name("FlateDecode")
		content = deflated.Bytes()
	}
	u.RawStream(ref, dict, func() { u.Buf.Write(content) }, len(content))
	return ref
}

// RawStream writes a stream whose content write writes.
func (u *Update) RawStream(ref types.IndirectRef, dict types.Dict, write func(), length int) {
	dict["Length"] = types.Integer(length)
	u.Begin(ref)
	u.Buf.WriteString(dict.PDFString() + "\nstream\n")
	write()
	u.Buf.WriteString("\nendstream")
	u.End()
}

// Gap leaves room for so many bytes, and returns where in the file it begins.
func (u *Update) Gap(width int) (at int) {
	at = u.offset()
	u.Buf.Write(bytes.Repeat([]byte("0"), width))
	return at
}

// WithGap writes a dictionary with one more key, whose value is a gap between
// two texts.
func (u *Update) WithGap(dict types.Dict, key, before string, width int, after string) (at int) {
	delete(dict, key)
	source := dict.PDFString()
	u.Buf.WriteString(source[:len(source)-len(">>")] + "/" + key + before)
	at = u.Gap(width)
	u.Buf.WriteString(after + ">>")
	return at
}

// Finish writes the cross-reference section, in the flavour of the newest that
// the file has, and the trailer with all of its keys. It returns where in the
// file the gap is for the second part of ID, 32 hexadecimal digits that are to
// change with every change of the file (14.4), or 0 if the file has no ID.
func (u *Update) Finish() (id int) {
	x := u.Doc.XRef
	trailer := x.Trailer.Clone().(types.Dict)
	trailer["Prev"] = types.Integer(x.start)
	var section types.IndirectRef
	if x.Stream {
		section = u.Add()
		u.entries[section.ObjectNumber.Value()] = entry{offset: int32(u.offset())}
	}
	trailer["Size"] = types.Integer(u.size)
	start, numbers := u.offset(), slices.Sorted(maps.Keys(u.entries))
	if x.Stream {
		id = u.writeStream(section, trailer, numbers)
	} else {
		id = u.writeTable(trailer, numbers)
	}
	fmt.Fprintf(&u.Buf, "startxref\n%d\n%%%%EOF\n", start)
	return id
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
func (u *Update) writeTable(trailer types.Dict, numbers []int) (id int) {
	u.Buf.WriteString("xref\n")
	for _, run := range runs(numbers) {
		fmt.Fprintf(&u.Buf, "%d %d\n", run[0], len(run))
		for _, number := range run {
			u.writeEntry(u.entries[number])
		}
	}
	u.Buf.WriteString("trailer\n")
	id = u.writeTrailer(trailer)
	u.Buf.WriteByte('\n')
	return id
}

// writeStream writes a cross-reference stream, which lists itself.
func (u *Update) writeStream(section types.IndirectRef, trailer types.Dict, numbers []int) (id int) {
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
	fmt.Fprintf(&u.Buf, "%d 0 obj\n", section.ObjectNumber)
	id = u.writeTrailer(trailer)
	u.Buf.WriteString("\nstream\n")
	u.Buf.Write(rows)
	u.Buf.WriteString("\nendstream")
	u.End()
	return id
}

// writeTrailer writes the trailer's dictionary, with the first part of ID as it
// was.
func (u *Update) writeTrailer(trailer types.Dict) (id int) {
	parts := u.Doc.Array(trailer["ID"])
	if len(parts) != 2 {
		u.Buf.WriteString(trailer.PDFString())
		return 0
	}
	first := parts[0].PDFString()
	return u.WithGap(trailer, "ID", "["+first+"<", 32, ">]")
}

// writeEntry writes an entry of a table. A free object is never used again.
func (u *Update) writeEntry(e entry) {
	if e.offset == 0 {
		u.Buf.WriteString("0000000000 65535 f \n")
		return
	}
	fmt.Fprintf(&u.Buf, "%010d %05d n \n", e.offset, e.generation)
}

// finishWhole ends a file that is no update with a table of all objects.
func (u *Update) finishWhole(trailer types.Dict) {
	start := u.offset()
	trailer["Size"] = types.Integer(u.size)
	fmt.Fprintf(&u.Buf, "xref\n0 %d\n", u.size)
	for number := range u.size {
		u.writeEntry(u.entries[number])
	}
	fmt.Fprintf(&u.Buf, "trailer\n%s\nstartxref\n%d\n%%%%EOF\n", trailer.PDFString(), start)
}
