package certificate

import (
	"encoding/hex"
	"maps"
	"slices"

	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/types"

	"homepage/internal/pdf"
)

// update is an incremental update with slots. What is the same in every
// certificate comes first, so that the part with slots, which each certificate
// needs a copy of, stays short.
type update struct {
	*pdf.Update
	catalog types.Dict         // as certificates have it
	changed map[int]types.Dict // other objects as certificates have them, by number
	later   []func()           // writes what has slots
	slots   []slot
	seal    seal // of signed certificates
}

func newUpdate(d *document) *update {
	return &update{Update: d.NewUpdate(), catalog: d.Catalog.Clone().(types.Dict), changed: map[int]types.Dict{}}
}

// change returns an object as certificates have it, to be changed.
func (u *update) change(ref types.IndirectRef) types.Dict {
	number := ref.ObjectNumber.Value()
	dict, ok := u.changed[number]
	if !ok {
		dict = types.Dict{}
		maps.Copy(dict, u.Doc.Dict(ref))
		u.changed[number] = dict
	}
	return dict
}

// form returns the form as certificates have it, to be changed. It is empty if
// the template has none.
func (u *update) form() types.Dict {
	if ref, ok := u.catalog["AcroForm"].(types.IndirectRef); ok && u.Doc.Dict(ref) != nil {
		return u.change(ref)
	}
	form := types.Dict{}
	maps.Copy(form, u.Doc.Dict(u.catalog["AcroForm"]))
	u.catalog["AcroForm"] = form
	return form
}

// slot is a place for what differs between certificates.
type slot struct {
	at   int // in the file, the update included
	fill filler
}

// filler writes a stamp's form at the start of b. The stamp is as long as
// StampLayout.
type filler func(b, stamp []byte)

// slot leaves room for what fill writes.
func (u *update) slot(width int, fill filler) {
	u.slots = append(u.slots, slot{u.Gap(width), fill})
}

// withSlot writes a dictionary with one more key, whose value has a slot.
func (u *update) withSlot(dict types.Dict, key, before string, width int, fill filler, after string) {
	u.slots = append(u.slots, slot{u.WithGap(dict, key, before, width, after), fill})
}

// finish ends the update. The ID that is to change is the stamp too.
func (u *update) finish() {
	for _, number := range slices.Sorted(maps.Keys(u.changed)) {
		u.Object(u.current(*types.NewIndirectRef(number, 0)), u.changed[number])
	}
	if u.catalog.PDFString() != u.Doc.Catalog.PDFString() {
		root, _ := u.Doc.XRef.Trailer["Root"].(types.IndirectRef)
		u.Object(u.current(root), u.catalog)
	}
	for _, write := range u.later {
		write()
	}
	if id := u.Finish(); id > 0 {
		u.slots = append(u.slots, slot{id, fillID})
	}
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
	ref, ok := u.Doc.XRef.Trailer["Info"].(types.IndirectRef)
	info := u.Doc.Dict(ref)
	if !ok || info == nil || u.Doc.Catalog["Metadata"] != nil {
		return
	}
	u.Begin(ref)
	u.withSlot(info.Clone().(types.Dict), "ModDate", "(", dateWidth, fillDate, ")")
	u.End()
}

// dateWidth is the room that fillDate needs.
const dateWidth = len("D:20060102150405-07'00'")

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
func fillCodes(g pdf.Glyphs) filler {
	var codes [128][8]byte
	for _, r := range alphabet {
		hex.Encode(codes[r][:], g.Codes[r].Bytes())
	}
	width := 2 * g.Width
	return func(b, stamp []byte) {
		for i, r := range stamp {
			copy(b[i*width:], codes[r&127][:width])
		}
	}
}

// slotWidth is the room that fillCodes needs.
func slotWidth(g pdf.Glyphs) int { return 2 * g.Width * len(StampLayout) }
