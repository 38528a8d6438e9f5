package certificate

import (
	"encoding/hex"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/types"

	"homepage/internal/pdf"
)

// show shows the stamp in a content stream.
type show struct {
	before, after string // operations that set the font and set it back
	glyphs        pdf.Glyphs
}

// length is how long the operations are that write writes.
func (s show) length() int {
	return len(s.before) + len("<") + slotWidth(s.glyphs) + len("> Tj\n") + len(s.after)
}

func (u *update) show(s show) {
	u.Buf.WriteString(s.before + "<")
	u.slot(slotWidth(s.glyphs), fillCodes(s.glyphs))
	u.Buf.WriteString("> Tj\n" + s.after)
}

// stampText writes the stamp in place of a hit. Where the hit's font lacks
// characters, it is shown in the standard one instead.
func (u *update) stampText(h pdf.Hit, standard *pdf.Font, g pdf.Glyphs) error {
	s := show{glyphs: g}
	spacing, stretch := h.LetterSpacing(), 1.0
	if standard != nil {
		resource := freeName(u.Doc.Dict(h.Resources["Font"]))
		h.Resources = u.withFont(h.Resources, resource, standard)
		along, up, err := h.Fit(standard, Placeholder)
		if err != nil {
			return fmt.Errorf("the placeholder is set in %s, which lacks characters of the stamp, and no other font can take its place: %w; write %s somewhere in that font", fontName(h.Font.Name), err, alphabet)
		}
		// Where one way is mirrored or longer, the horizontal scaling says so, by
		// which the letter-spacing is scaled too (ISO 32000-1, 9.4.4).
		size := h.Size
		if up != 1 {
			size = number(h.Text.Size * up)
		}
		stretch = along / up
		s.before = "/" + resource + " " + size + " Tf\n"
		s.after = string(h.FontOp) + "\n"
	}
	if stretch != 1 {
		s.before += number(100*h.Text.Scale*stretch) + " Tz\n"
		s.after += number(100*h.Text.Scale) + " Tz\n"
		spacing /= stretch
	}
	if spacing != h.Text.CharSpace {
		s.before += number(spacing) + " Tc\n"
		s.after += number(h.Text.CharSpace) + " Tc\n"
	}
	if h.Form != (types.IndirectRef{}) {
		return u.stampForm(h, s, standard != nil)
	}
	return u.stampPage(h, s, standard != nil)
}

// number writes a number as content streams have it, without an exponent.
func number(x float64) string {
	return strconv.FormatFloat(math.Round(x*1e6)/1e6, 'f', -1, 64)
}

// stampPage cuts the page's content into streams before the stamp, of the
// stamp alone, and after it (7.8.2 takes them as one), so that only the
// stamp's is copied for each certificate.
func (u *update) stampPage(h pdf.Hit, s show, newFont bool) error {
	p := u.Doc.Pages[h.Page-1]
	content, err := u.Doc.PageContent(p)
	if err != nil {
		return err
	}
	c := cutAt(content.Bytes, h)
	// The streams that the cut goes through are replaced, the others stay.
	first := slices.IndexFunc(content.Ends, func(end int) bool { return c.start < end })
	last := slices.IndexFunc(content.Ends, func(end int) bool { return c.end <= end })
	begin := 0
	if first > 0 {
		begin = content.Ends[first-1]
	}
	refs := slices.Clone(content.Refs[:first])
	if before := string(content.Bytes[begin:c.start]) + c.before; strings.TrimSpace(before) != "" {
		refs = append(refs, u.Stream([]byte(before)))
	}
	slot := u.Add()
	refs = append(refs, slot)
	if after := c.after + string(content.Bytes[c.end:content.Ends[last]]); strings.TrimSpace(after) != "" {
		refs = append(refs, u.Stream([]byte(after)))
	}
	refs = append(refs, content.Refs[last+1:]...)

	dict := u.change(p.Ref)
	dict["Contents"] = refs
	if newFont {
		dict["Resources"] = h.Resources
	}
	u.later = append(u.later, func() { u.RawStream(slot, types.Dict{}, func() { u.show(s) }, s.length()) })
	return nil
}

// stampForm writes a form XObject with the stamp. A form is one stream, so
// what follows the stamp in it is copied too.
func (u *update) stampForm(h pdf.Hit, s show, newFont bool) error {
	content, err := u.Doc.Content(h.Form)
	if err != nil {
		return err
	}
	c := cutAt(content, h)
	dict := u.Doc.Dict(h.Form).Clone().(types.Dict)
	for _, key := range []string{"Filter", "DecodeParms", "DL"} {
		delete(dict, key)
	}
	if newFont {
		dict["Resources"] = h.Resources
	}
	before, after := string(content[:c.start])+c.before, c.after+string(content[c.end:])
	u.later = append(u.later, func() {
		u.RawStream(u.current(h.Form), dict, func() {
			u.Buf.WriteString(before)
			u.show(s)
			u.Buf.WriteString(after)
		}, len(before)+s.length()+len(after))
	})
	return nil
}

// current returns a reference with the generation that the object has.
func (u *update) current(ref types.IndirectRef) types.IndirectRef {
	number := ref.ObjectNumber.Value()
	return *types.NewIndirectRef(number, u.Doc.XRef.Generation(number))
}

// withFont returns a copy of resources with one more font.
func (u *update) withFont(resources types.Dict, resource string, f *pdf.Font) types.Dict {
	out, fonts := types.Dict{}, types.Dict{}
	maps.Copy(out, resources)
	maps.Copy(fonts, u.Doc.Dict(resources["Font"]))
	ref := u.Add()
	u.Object(ref, f.Dict())
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
func cutAt(content []byte, h pdf.Hit) cut {
	first, last := h.Pieces[0], h.Pieces[len(h.Pieces)-1]
	c := cut{start: first.Op, end: last.End}
	var before, after strings.Builder
	l := &pdf.Lexer{Data: content, Pos: c.start}
	for l.Pos < c.end {
		op, ok := l.Operation()
		if !ok {
			break
		}
		out := &after
		if op.Start == c.start {
			out = &before
		}
		source := func(o pdf.Operand) string { return string(content[o.Start:o.End]) }
		n := len(op.Operands)
		var items []pdf.Operand
		switch {
		case op.Operator == "Tj" && n > 0:
			items = op.Operands[n-1:]
		case op.Operator == "TJ" && n > 0:
			items = op.Operands[n-1].Items
		case op.Operator == "'" && n > 0:
			out.WriteString("T*\n")
			items = op.Operands[n-1:]
		case op.Operator == `"` && n > 2:
			fmt.Fprintf(out, "%s Tw %s Tc T*\n", source(op.Operands[n-3]), source(op.Operands[n-2]))
			items = op.Operands[n-1:]
		default:
			fmt.Fprintf(out, "%s\n", content[op.Start:op.End])
			continue
		}
		var earlier, later []string
		for i, item := range items {
			head := op.Start == first.Op && i <= first.Item
			tail := op.Start > last.Op || op.Start == last.Op && i >= last.Item
			switch {
			case item.Kind == pdf.KindNumber && head && i < first.Item:
				earlier = append(earlier, source(item))
			case item.Kind == pdf.KindNumber && tail:
				later = append(later, source(item))
			case item.Kind == pdf.KindString:
				from, to := 0, len(item.Str)
				if head {
					from = len(item.Str)
					if i == first.Item {
						from = first.From
					}
				}
				if op.Start == last.Op && i == last.Item {
					to = last.To
				} else if tail {
					to = 0
				}
				earlier = appendShown(earlier, item.Str[:from])
				later = appendShown(later, item.Str[to:])
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
