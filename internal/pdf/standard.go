package pdf

import "github.com/pdfcpu/pdfcpu/pkg/pdfcpu/types"

// Standard returns the standard font (9.6.2.2) that is closest to f.
func (f *Font) Standard() *Font {
	family, italic := "Helvetica", "Oblique"
	s := &Font{fixed: f.fixed, serif: f.serif && !f.fixed, bold: f.bold, italic: f.italic, widths: map[uint32]float64{}}
	// Of the regular weight, which is near enough to lay out a form field.
	digit, others := 556.0, [...]float64{333, 278, 278, 611, 584}
	switch {
	case s.fixed:
		family, digit, others = "Courier", 600, [...]float64{600, 600, 600, 600, 600}
	case s.serif:
		family, italic, digit, others = "Times", "Italic", 500, [...]float64{333, 278, 250, 611, 564}
	}
	for _, r := range "0123456789" {
		s.widths[uint32(r)] = digit
	}
	for i, r := range "-:.T+" {
		s.widths[uint32(r)] = others[i]
	}
	s.Name = family
	switch {
	case s.bold && s.italic:
		s.Name += "-Bold" + italic
	case s.bold:
		s.Name += "-Bold"
	case s.italic:
		s.Name += "-" + italic
	case s.serif:
		s.Name += "-Roman"
	}
	for i := range s.simple {
		s.simple[i] = rune(i)
	}
	return s
}

// Dict returns the dictionary of a standard font.
func (f *Font) Dict() types.Dict {
	return types.Dict{
		"Type": types.Name("Font"), "Subtype": types.Name("Type1"),
		"BaseFont": types.Name(f.Name), "Encoding": types.Name("WinAnsiEncoding"),
	}
}
