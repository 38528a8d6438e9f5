package pdf

import (
	"math"
	"slices"
)

// LetterSpacing returns the letter-spacing (9.3.2) that the text shows: Tc, and
// what is made by moving from one character to the next, if that is the same
// for nearly all and no mere rounding.
func (h Hit) LetterSpacing() float64 {
	m := h.Tm.Times(h.CTM)
	unit := h.Text.Scale * (m[0]*m[0] + m[1]*m[1])
	if h.Vertical || unit == 0 || len(h.Characters) < 3 || !h.Font.measured() {
		return h.Text.CharSpace
	}
	var spacings []float64
	for i, c := range h.Characters[1:] {
		before := h.Characters[i]
		x, y := c.Origin.X-before.Origin.X-before.Advance.X, c.Origin.Y-before.Origin.Y-before.Advance.Y
		spacings = append(spacings, (x*m[0]+y*m[1])/unit)
	}
	slices.Sort(spacings)
	middle := spacings[len(spacings)/2]
	// One em, in the operators' units.
	em := math.Abs(h.Text.Size * h.Font.em())
	near := 0
	for _, s := range spacings {
		if math.Abs(s-middle) < 0.03*em {
			near++
		}
	}
	if 10*near < 8*len(spacings) || math.Abs(middle-h.Text.CharSpace) < 0.02*em || math.Abs(middle) > em {
		return h.Text.CharSpace
	}
	return middle
}
