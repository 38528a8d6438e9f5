package certificate

import (
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/types"
)

// show shows the stamp in a content stream.
type show struct {
	before, after string // operations that set the font and set it back
	glyphs        glyphs
}

// length is how long the operations are that write writes.
func (s show) length() int {
	return len(s.before) + len("<") + s.glyphs.slotWidth() + len("> Tj\n") + len(s.after)
}

func (u *update) show(s show) {
	u.buf.WriteString(s.before + "<")
	u.slot(s.glyphs.slotWidth(), fillCodes(s.glyphs))
	u.buf.WriteString("> Tj\n" + s.after)
}

// stampText writes the stamp in place of a hit. Where the hit's font lacks
// characters, it is shown in the standard one instead.
func (u *update) stampText(h hit, standard *font, g glyphs) error {
	s := show{glyphs: g}
	if standard != nil {
		resource := freeName(u.doc.dict(h.resources["Font"]))
		h.resources = u.withFont(h.resources, resource, standard)
		s.before = "/" + resource + " " + h.size + " Tf\n"
		s.after = string(h.fontOp) + "\n"
	}
	if h.form != (types.IndirectRef{}) {
		return u.stampForm(h, s, standard != nil)
	}
	return u.stampPage(h, s, standard != nil)
}

// stampPage cuts the page's content into streams before the stamp, of the
// stamp alone, and after it (7.8.2 takes them as one), so that only the
// stamp's is copied for each certificate.
func (u *update) stampPage(h hit, s show, newFont bool) error {
	p := u.doc.pages[h.page-1]
	content, err := u.doc.pageContent(p)
	if err != nil {
		return err
	}
	c := cutAt(content.bytes, h)
	// The streams that the cut goes through are replaced, the others stay.
	first := slices.IndexFunc(content.ends, func(end int) bool { return c.start < end })
	last := slices.IndexFunc(content.ends, func(end int) bool { return c.end <= end })
	begin := 0
	if first > 0 {
		begin = content.ends[first-1]
	}
	refs := slices.Clone(content.refs[:first])
	if before := string(content.bytes[begin:c.start]) + c.before; strings.TrimSpace(before) != "" {
		refs = append(refs, u.stream([]byte(before)))
	}
	slot := u.add()
	refs = append(refs, slot)
	if after := c.after + string(content.bytes[c.end:content.ends[last]]); strings.TrimSpace(after) != "" {
		refs = append(refs, u.stream([]byte(after)))
	}
	refs = append(refs, content.refs[last+1:]...)

	dict := p.dict.Clone().(types.Dict)
	dict["Contents"] = refs
	if newFont {
		dict["Resources"] = h.resources
	}
	u.object(u.current(p.ref), dict)
	u.rawStream(slot, types.Dict{}, func() { u.show(s) }, s.length())
	return nil
}

// stampForm writes a form XObject with the stamp. A form is one stream, so
// what follows the stamp in it is copied too.
func (u *update) stampForm(h hit, s show, newFont bool) error {
	content, err := u.doc.content(h.form)
	if err != nil {
		return err
	}
	c := cutAt(content, h)
	dict := u.doc.dict(h.form).Clone().(types.Dict)
	for _, key := range []string{"Filter", "DecodeParms", "DL"} {
		delete(dict, key)
	}
	if newFont {
		dict["Resources"] = h.resources
	}
	before, after := string(content[:c.start])+c.before, c.after+string(content[c.end:])
	u.rawStream(u.current(h.form), dict, func() {
		u.buf.WriteString(before)
		u.show(s)
		u.buf.WriteString(after)
	}, len(before)+s.length()+len(after))
	return nil
}

// current returns a reference with the generation that the object has.
func (u *update) current(ref types.IndirectRef) types.IndirectRef {
	number := ref.ObjectNumber.Value()
	return *types.NewIndirectRef(number, u.doc.xref.generations[number])
}

// withFont returns a copy of resources with one more font.
func (u *update) withFont(resources types.Dict, resource string, f *font) types.Dict {
	out, fonts := types.Dict{}, types.Dict{}
	maps.Copy(out, resources)
	maps.Copy(fonts, u.doc.dict(resources["Font"]))
	ref := u.add()
	u.object(ref, f.dict())
	fonts[resource] = ref
	out["Font"] = fonts
	return out
}

// freeName returns a resource name that is not taken.
func freeName(taken types.Dict) string {
	for i := 0; ; i++ {
		resource := fmt.Sprintf("Stamp%d", i)
		if _, ok := taken[resource]; !ok {
			return resource
		}
	}
}

// cut is the part of a content stream that shows a hit, and what to put before
// and after the stamp instead.
type cut struct {
	start, end    int
	before, after string
}

// cutAt rewrites the operations that show a hit without its characters. What
// they show before it comes first, so that the text position is where the
// stamp begins; all else follows the stamp.
func cutAt(content []byte, h hit) cut {
	first, last := h.pieces[0], h.pieces[len(h.pieces)-1]
	c := cut{start: first.op, end: last.end}
	var before, after strings.Builder
	l := &lexer{data: content, pos: c.start}
	for l.pos < c.end {
		op, ok := l.operation()
		if !ok {
			break
		}
		out := &after
		if op.start == c.start {
			out = &before
		}
		source := func(o operand) string { return string(content[o.start:o.end]) }
		n := len(op.operands)
		var items []operand
		switch {
		case op.operator == "Tj" && n > 0:
			items = op.operands[n-1:]
		case op.operator == "TJ" && n > 0:
			items = op.operands[n-1].items
		case op.operator == "'" && n > 0:
			out.WriteString("T*\n")
			items = op.operands[n-1:]
		case op.operator == `"` && n > 2:
			fmt.Fprintf(out, "%s Tw %s Tc T*\n", source(op.operands[n-3]), source(op.operands[n-2]))
			items = op.operands[n-1:]
		default:
			fmt.Fprintf(out, "%s\n", content[op.start:op.end])
			continue
		}
		var earlier, later []string
		for i, item := range items {
			head := op.start == first.op && i <= first.item
			tail := op.start > last.op || op.start == last.op && i >= last.item
			switch {
			case item.kind == number && head && i < first.item:
				earlier = append(earlier, source(item))
			case item.kind == number && tail:
				later = append(later, source(item))
			case item.kind == text:
				from, to := 0, len(item.str)
				if head {
					from = len(item.str)
					if i == first.item {
						from = first.from
					}
				}
				if op.start == last.op && i == last.item {
					to = last.to
				} else if tail {
					to = 0
				}
				earlier = appendShown(earlier, item.str[:from])
				later = appendShown(later, item.str[to:])
			}
		}
		writeShown(&before, earlier)
		writeShown(&after, later)
	}
	c.before, c.after = before.String(), after.String()
	return c
}

func appendShown(items []string, s []byte) []string {
	if len(s) == 0 {
		return items
	}
	return append(items, "<"+hex.EncodeToString(s)+">")
}

func writeShown(out *strings.Builder, items []string) {
	if len(items) > 0 {
		out.WriteString("[" + strings.Join(items, " ") + "] TJ\n")
	}
}
