package certificate

import (
	"fmt"
	"math"

	"homepage/internal/pdf"
)

// unseen refuses a placeholder that no reader sees, as the stamp would not be
// seen either.
func unseen(h pdf.Hit) error {
	refuse := func(format string, args ...any) error {
		return fmt.Errorf("the placeholder on page %d %s", h.Page, fmt.Sprintf(format, args...))
	}
	along, up := h.Scale()
	hidden, beyond, covered := true, true, true
	for _, c := range h.Characters {
		hidden, beyond, covered = hidden && c.Hidden, beyond && c.Beyond, covered && c.Covered
	}
	const tiny = 0.01 // points, or a part of the opacity
	switch {
	case h.LayerOff != "":
		return refuse("is in the layer %q, which is off; turn that on, or write the placeholder outside it", h.LayerOff)
	case h.Alpha < tiny:
		return refuse("is fully transparent (opacity 0); make it opaque")
	case along < tiny || up < tiny:
		return refuse("is too small to be seen (size 0, or scaled to nothing); give it the size that the stamp is to have")
	case hidden && beyond:
		return refuse("lies beyond the page's edge, where no reader shows it; move it onto the page")
	case hidden:
		return refuse("is cut away whole by %s; move it to where it can be seen", clipOf(h))
	case covered:
		return refuse("is covered by what is painted over it; bring it to the front")
	}
	return nil
}

func clipOf(h pdf.Hit) string {
	if h.Form.ObjectNumber != 0 {
		return fmt.Sprintf("a clip path or the box (BBox) of the form XObject %d", h.Form.ObjectNumber)
	}
	return "a clip path, such as a table cell or a text frame has"
}

// placesOf returns where hits are, so that they can be told apart.
func placesOf(hits []pdf.Hit) []string {
	var out []string
	for _, h := range hits {
		out = append(out, h.String())
	}
	if len(hits) != 2 || out[0] != out[1] || hits[0].Annotation || hits[0].SoftMask {
		return out
	}
	a, b := hits[0].Characters[0].Origin, hits[1].Characters[0].Origin
	up := hits[0].Characters[0].Up
	layers := hits[0].Layer != hits[1].Layer || hits[0].LayerOff != hits[1].LayerOff
	if !layers && math.Hypot(a.X-b.X, a.Y-b.Y) < math.Hypot(up.X, up.Y)/2 {
		out[1] += ", drawn twice at nearly the same place, as for a shadow"
		return out
	}
	for i, h := range hits {
		switch at := h.Characters[0].Origin; {
		case !layers:
			out[i] += fmt.Sprintf(" (%.0f pt from the left, %.0f pt from the bottom)", at.X-h.Shown.Left, at.Y-h.Shown.Bottom)
		case h.LayerOff != "":
			out[i] += fmt.Sprintf(" (in the layer %q, which is off)", h.LayerOff)
		case h.Layer != "":
			out[i] += fmt.Sprintf(" (in the layer %q)", h.Layer)
		default:
			out[i] += " (in no layer)"
		}
	}
	return out
}

// room warns of what can't be seen of a certificate's stamp, or of what follows
// it in its line and could be seen after the placeholder.
func room(placeholder, stamp pdf.Hit) (warnings []string) {
	if len(placeholder.Characters) == 0 { // a form field, which the stamp is made to fit
		return nil
	}
	for i, c := range stamp.Characters {
		var why string
		switch {
		case c.Beyond:
			why = "beyond the page's edge; move the placeholder or make its text smaller"
		case c.Cut:
			why = "cut by " + clipOf(stamp) + "; make that larger or the text smaller"
		case c.Covered:
			why = "covered by what is painted over it, such as a picture, a table cell or a form field; move the placeholder or make its text smaller"
		default:
			continue
		}
		warnings = append(warnings, fmt.Sprintf("there is room for about %d of the stamp's %d characters: the rest is %s", i, len(StampLayout), why))
		break
	}
	beyond, cut := lost(stamp.Following)
	beyondBefore, cutBefore := lost(placeholder.Following)
	switch {
	case beyond > beyondBefore:
		warnings = append(warnings, "the text after the stamp is pushed beyond the page's edge; begin it anew there, or end the line with the placeholder")
	case cut > cutBefore:
		warnings = append(warnings, "the text after the stamp is pushed to where it is cut by "+clipOf(stamp)+"; begin it anew there, or end the line with the placeholder")
	}
	return warnings
}

// lost counts the characters that can't be seen whole.
func lost(characters []pdf.Character) (beyond, cut int) {
	for _, c := range characters {
		switch {
		case c.Beyond:
			beyond++
		case c.Cut:
			cut++
		}
	}
	return beyond, cut
}
