package certificate

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/types"

	"homepage/internal/pdf"
)

// FieldName is the name of a form's text field that takes the stamp in place
// of a placeholder.
const FieldName = "timestamp"

// isFieldName tells whether a partial name is FieldName, or has an index too as
// in forms made of XFA: timestamp[0].
func isFieldName(name string) bool {
	name, index, indexed := strings.Cut(name, "[")
	if indexed {
		if _, err := strconv.ParseUint(strings.TrimSuffix(index, "]"), 10, 32); err != nil {
			return false
		}
	}
	return name == FieldName
}

// field is the form field that takes the stamp (ISO 32000-1, 12.7).
type field struct {
	ref, widget     types.IndirectRef // the same when they are merged
	page            int               // from 1, 0 if no page shows it
	flags, quadding int
	appearance      string     // its DA
	limited         bool       // it has a MaxLen
	fonts           types.Dict // of the form's DR (12.7.2), for the DA to name
	shown           types.Dict // of the appearance that the field has
}

func (field) String() string { return "the form field " + FieldName }

// Bits of Ff (12.7.3.1, 12.7.4.3) and of an annotation's F (12.5.3).
const (
	fieldReadOnly  = 1 << 0
	fieldMultiline = 1 << 12
	fieldPassword  = 1 << 13
	fieldFile      = 1 << 20
	fieldComb      = 1 << 24
	fieldRichText  = 1 << 25

	annotationInvisible = 1 << 0
	annotationHidden    = 1 << 1
	annotationPrint     = 1 << 2
	annotationNoView    = 1 << 5
)

// fields returns the fields named timestamp, at most two.
func (d *document) fields() ([]field, error) {
	form := d.Dict(d.Catalog["AcroForm"])
	var found []field
	seen := map[int]bool{}
	var walk func(o types.Object, inherited types.Dict, depth int) error
	walk = func(o types.Object, inherited types.Dict, depth int) error {
		ref, ok := o.(types.IndirectRef)
		own := d.Dict(o)
		if number := ref.ObjectNumber.Value(); !ok || own == nil || seen[number] || depth > 32 || len(found) == 2 {
			return nil
		}
		seen[ref.ObjectNumber.Value()] = true
		all := types.Dict{}
		for _, key := range []string{"FT", "Ff", "DA", "Q", "MaxLen"} {
			if value, ok := own[key]; ok {
				all[key] = value
			} else if value, ok := inherited[key]; ok {
				all[key] = value
			}
		}
		kids := d.Array(own["Kids"])
		if !isFieldName(d.Text(own["T"])) {
			for _, kid := range kids {
				if err := walk(kid, all, depth+1); err != nil {
					return err
				}
			}
			return nil
		}
		if d.Name(all["FT"]) != "Tx" {
			return fmt.Errorf("the form field %s is no text field; make it one", FieldName)
		}
		f := field{ref: ref, widget: ref, fonts: d.Dict(d.Dict(form["DR"])["Font"])}
		if len(kids) > 1 {
			return fmt.Errorf("the form field %s is shown %d times; keep one", FieldName, len(kids))
		}
		if len(kids) == 1 {
			if f.widget, ok = kids[0].(types.IndirectRef); !ok {
				return pdf.Damaged("the form field %s has no widget", FieldName)
			}
			if da, ok := d.Dict(f.widget)["DA"]; ok {
				all["DA"] = da
			}
		}
		f.flags, f.quadding = int(d.Number(all["Ff"])), int(d.Number(all["Q"]))
		f.appearance = d.Text(all["DA"])
		_, f.limited = all["MaxLen"]
		f.shown = d.Dict(d.Dict(d.Dict(d.Dict(d.Dict(f.widget)["AP"])["N"])["Resources"])["Font"])
		f.page = d.pageOf(f.widget)
		found = append(found, f)
		return nil
	}
	inherited := types.Dict{"DA": form["DA"], "Q": form["Q"]}
	for _, o := range d.Array(form["Fields"]) {
		if err := walk(o, inherited, 0); err != nil {
			return nil, err
		}
	}
	if len(found) > 0 && form["XFA"] != nil {
		return nil, errors.New("the form is of XFA, which viewers show instead of the stamp; save it as an AcroForm")
	}
	return found, nil
}

// pageOf returns the page that has an annotation, from 1, or 0.
func (d *document) pageOf(annotation types.IndirectRef) int {
	for i, p := range d.Pages {
		for _, o := range d.Array(p.Dict["Annots"]) {
			if ref, ok := o.(types.IndirectRef); ok && ref.ObjectNumber == annotation.ObjectNumber {
				return i + 1
			}
		}
	}
	return 0
}

// style is what a field's DA says (12.7.3.3).
type style struct {
	font   string // the resource
	size   float64
	colour string // operations
}

func readStyle(appearance string) style {
	var s style
	l := &pdf.Lexer{Data: []byte(appearance)}
	for op, ok := l.Operation(); ok; op, ok = l.Operation() {
		switch op.Operator {
		case "Tf":
			if len(op.Operands) == 2 {
				s.font, s.size = string(op.Operands[0].Str), op.Operands[1].Num
			}
		case "g", "rg", "k":
			s.colour = appearance[op.Start:op.End] + "\n"
		}
	}
	return s
}

// fontOf returns the font that the field's DA names. Where the form's DR lacks
// it, the appearance may have it, or another one alone. If there is none, it
// returns a standard font without a resource.
func (d *document) fontOf(f field) (*pdf.Font, types.Object, error) {
	name := readStyle(f.appearance).font
	o := f.fonts[name]
	if d.Dict(o) == nil {
		o = f.shown[name]
	}
	if d.Dict(o) == nil && len(f.shown) == 1 {
		for _, only := range f.shown {
			o = only
		}
	}
	dict := d.Dict(o)
	if dict == nil {
		return (&pdf.Font{}).Standard(), nil, nil
	}
	read, err := d.ReadFont(dict)
	return read, o, err
}

// unknownFont notes that the font which the field asks for is not to be had.
func (r *Report) unknownFont(f field) {
	r.Own = false
	asks := "names no font"
	if name := readStyle(f.appearance).font; name != "" {
		asks = fmt.Sprintf("asks for the font %q, which the form does not have", name)
	}
	r.Warnings = append(r.Warnings, fmt.Sprintf("%s %s, so the stamp is set in %s; choose a font in the field's properties", f, asks, r.notEmbedded()))
}

// stampField writes the field with the stamp as its value, read only, and an
// appearance that shows it: viewers that would make one of their own are not
// asked to.
func (u *update) stampField(f field, own *pdf.Font, resource types.Object, g pdf.Glyphs) (warnings []string) {
	d := &document{u.Doc}
	widget := d.Dict(f.widget).Clone().(types.Dict)
	rect := d.Array(widget["Rect"])
	var corners [4]float64
	for i := range min(len(rect), 4) {
		corners[i] = d.Number(rect[i])
	}
	width, height := abs(corners[2]-corners[0]), abs(corners[3]-corners[1])
	form := types.Dict{"Type": types.Name("XObject"), "Subtype": types.Name("Form")}
	characteristics := d.Dict(widget["MK"])
	switch quarter := int(d.Number(characteristics["R"])) / 90 % 4; quarter {
	case 1, -3:
		form["Matrix"] = types.NewNumberArray(0, 1, -1, 0, width, 0)
		width, height = height, width
	case 2, -2:
		form["Matrix"] = types.NewNumberArray(-1, 0, 0, -1, width, height)
	case 3, -1:
		form["Matrix"] = types.NewNumberArray(0, -1, 1, 0, 0, height)
		width, height = height, width
	}
	form["BBox"] = types.NewNumberArray(0, 0, width, height)

	s := readStyle(f.appearance)
	if resource == nil {
		ref := u.Add()
		u.Object(ref, own.Dict())
		resource = ref
	}
	form["Resources"] = types.Dict{"Font": types.Dict{"Stamp": resource}}
	before, border := background(d, widget, width, height)
	em := stampWidth(own, g)
	const margin = 2
	room := width - 2*(margin+border)
	size := s.size
	if size == 0 {
		size = min(12, 0.7*height)
	}
	if size*em > room && em > 0 {
		if s.size > 0 {
			warnings = append(warnings, fmt.Sprintf("the form field is %.0f pt wide, too narrow for the stamp at %g pt; it is shrunk to fit", width, size))
		}
		size = room / em
	}
	x := margin + border
	switch f.quadding {
	case 1:
		x = (width - size*em) / 2
	case 2:
		x = width - margin - border - size*em
	}
	y := (height - 0.7*size) / 2 // capitals and digits are about that high
	if f.flags&fieldMultiline != 0 {
		y = height - margin - border - 0.9*size
	}
	before += fmt.Sprintf("/Tx BMC\nq\nBT\n%s/Stamp %.3f Tf\n%.3f %.3f Td\n", s.colour, size, x, y)
	shown := show{before: before, after: "ET\nQ\nEMC\n", glyphs: g}
	appearance := u.Add()
	u.later = append(u.later, func() { u.RawStream(appearance, form, func() { u.show(shown) }, shown.length()) })

	flags := int(d.Number(widget["F"]))
	if flags&(annotationInvisible|annotationHidden|annotationNoView) != 0 {
		warnings = append(warnings, "the form field is hidden; it is shown, for the stamp's sake")
	}
	widget["F"] = types.Integer(flags&^(annotationInvisible|annotationHidden|annotationNoView) | annotationPrint)
	widget["AP"] = types.Dict{"N": appearance}
	delete(widget, "AS")
	target := widget
	if f.ref != f.widget {
		u.Object(u.current(f.widget), widget)
		target = d.Dict(f.ref).Clone().(types.Dict)
	}
	target["Ff"] = types.Integer(f.flags&^(fieldPassword|fieldFile|fieldComb|fieldRichText) | fieldReadOnly)
	for _, key := range []string{"RV", "AA", "DS"} {
		delete(target, key)
	}
	if f.limited {
		target["MaxLen"] = types.Integer(len(StampLayout))
	}
	u.later = append(u.later, func() {
		u.Begin(u.current(f.ref))
		u.withSlot(target, "V", "(", len(StampLayout), fillText, ")")
		u.End()
	})
	// By NeedAppearances viewers draw fields anew, or not at all.
	if _, ok := u.Doc.Dict(u.Doc.Catalog["AcroForm"])["NeedAppearances"]; ok {
		delete(u.form(), "NeedAppearances")
	}
	return warnings
}

// background draws what a widget's MK and BS ask for (12.5.6.19), and returns
// the border's width.
func background(d *document, widget types.Dict, width, height float64) (operations string, border float64) {
	characteristics := d.Dict(widget["MK"])
	if colour := colourOf(d, characteristics["BG"], "g", "rg", "k"); colour != "" {
		operations += fmt.Sprintf("q\n%s\n0 0 %.3f %.3f re f\nQ\n", colour, width, height)
	}
	if colour := colourOf(d, characteristics["BC"], "G", "RG", "K"); colour != "" {
		border = 1
		if style := d.Dict(widget["BS"]); style["W"] != nil {
			border = d.Number(style["W"])
		}
		operations += fmt.Sprintf("q\n%s\n%.3f w\n%.3f %.3f %.3f %.3f re S\nQ\n", colour, border, border/2, border/2, width-border, height-border)
	}
	return operations, border
}

func colourOf(d *document, o types.Object, grey, rgb, cmyk string) string {
	parts := d.Array(o)
	operator := map[int]string{1: grey, 3: rgb, 4: cmyk}[len(parts)]
	if operator == "" {
		return ""
	}
	var out strings.Builder
	for _, part := range parts {
		out.WriteString(strconv.FormatFloat(d.Number(part), 'f', 4, 64) + " ")
	}
	return out.String() + operator
}

// stampWidth returns about how wide a stamp is, as a part of the font's size.
func stampWidth(f *pdf.Font, g pdf.Glyphs) float64 {
	sum := 0.0
	for _, r := range "2006-01-02T15:04:05.000000+07:00" {
		sum += f.Width(g.Codes[r])
	}
	return sum / 1000
}

func abs(x float64) float64 { return max(x, -x) }
