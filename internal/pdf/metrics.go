package pdf

import (
	"math"
	"unicode/utf8"

	"github.com/pdfcpu/pdfcpu/pkg/font"
	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/types"
)

// metrics tell how far a font's codes move the text position (ISO 32000-1,
// 9.2.4).
type metrics struct {
	font     *Font
	unit     float64 // of the widths, in text space at size 1
	upward   float64 // of heights in a Type 3 font's glyphs, or 0 for another font
	standard string  // the font whose widths are taken, if it has none of its own
	vertical bool    // writing mode 1 (9.7.4.3)
}

func (d *Document) readMetrics(f *Font, dict types.Dict) metrics {
	m := metrics{font: f, unit: 0.001}
	switch d.Name(dict["Subtype"]) {
	case "Type0":
		m.vertical = f.Vertical
	case "Type3":
		m.unit, m.upward = f.matrix[0], f.matrix[3]
	default:
		if d.Array(dict["Widths"]) != nil {
			break
		}
		// Only the standard fonts may lack them (9.6.2.2). Any other is shown
		// in one that looks like it.
		if m.standard = f.Name; !font.IsCoreFont(f.Name) {
			m.standard = f.Standard().Name
		}
	}
	return m
}

// em returns how high an em is, in text space at size 1. A Type 3 font does not
// tell; its glyphs are about twice as high as wide.
func (m metrics) em(width float64) float64 {
	if m.upward == 0 {
		return 1
	}
	return math.Copysign(2*width, m.upward)
}

// width returns how wide a code's glyph is, in text space at size 1.
func (m metrics) width(c Code) float64 {
	if m.standard != "" {
		if r, _ := utf8.DecodeRuneInString(m.font.text(c)); r != unknown {
			if w, err := font.CharWidth(m.standard, r); err == nil {
				return float64(w) * m.unit
			}
		}
	}
	return m.font.Width(c) * m.unit
}
