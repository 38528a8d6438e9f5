package pdf

import (
	"fmt"
	"math"

	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/types"
)

// Hit is where a text is shown: on a page, or in a form XObject.
type Hit struct {
	Page        int               // from 1
	Form        types.IndirectRef // the form XObject, or zero for the page's own content
	Resources   types.Dict        // that the content uses
	Annotation  bool              // shown by an annotation's appearance
	SoftMask    bool              // in a soft mask, which is not shown itself (11.6.5.2)
	Pieces      []Piece           // in the order of the text
	Font        *Font             // of the first character
	FontOp      []byte            // the operation that set it
	Size        string            // of the font, as it is written
	Invisible   bool              // text render mode 3 or 7
	Replacement bool              // inside marked content with ActualText

	Text     TextState // of the first character
	Tm       Matrix    // from text space at the first character to the content's user space
	CTM      Matrix    // from there to the page's default user space
	Vertical bool      // writing mode 1
	Alpha    float64   // with which it is painted; 0 is invisible
	Layer    string    // the optional content that it is in, or empty
	LayerOff string    // the optional content by which it is hidden, or empty
	Shown    Box       // of the page

	Characters []Character // of the text
	// Following is what is shown after the text and moves with its end: its
	// place comes from the text position (9.4.2), not from an operator of its own.
	Following []Character

	grouped bool // its form is a transparency group, until it is placed
}

// TextState is what is used of the text state (9.3), in the operators' units.
type TextState struct {
	Size      float64 // Tf
	CharSpace float64 // Tc
	WordSpace float64 // Tw
	Scale     float64 // Tz / 100
	Leading   float64 // TL
	Rise      float64 // Ts
	Render    int     // Tr

	metrics metrics
	fontOp  []byte
	size    string // as it is written
}

// Character is a character that is shown, in the page's default user space.
type Character struct {
	Origin  Point
	Advance Point // from there to the end of its glyph
	Up      Point // one em up from the line; none in vertical writing
	Beyond  bool  // it is not wholly within the page's edges
	Cut     bool  // it is not wholly within the clip, or a form XObject's BBox
	Hidden  bool  // no part of it is within both
	Covered bool  // an opaque rectangle, an image or a form field is painted over it

	clip Box
}

// String says where the hit is.
func (h Hit) String() string {
	switch {
	case h.Annotation:
		return fmt.Sprintf("page %d, in an annotation", h.Page)
	case h.SoftMask:
		return fmt.Sprintf("page %d, in a soft mask", h.Page)
	case h.Form != types.IndirectRef{}:
		return fmt.Sprintf("page %d, in the form XObject %d", h.Page, h.Form.ObjectNumber)
	}
	return fmt.Sprintf("page %d", h.Page)
}

// judge notes which characters are not wholly shown, given what is shown of the
// page.
func (h *Hit) judge(page Box) {
	h.Shown = page
	for _, characters := range [][]Character{h.Characters, h.Following} {
		for i := range characters {
			c := &characters[i]
			c.Beyond = !c.within(page)
			c.Cut = !c.within(c.clip)
			c.Hidden = c.around().and(page).and(c.clip).empty()
		}
	}
}

// cover notes which characters are painted over, and not only crossed by a line.
func (h Hit) cover(b Box) {
	for i := range h.Characters {
		c := &h.Characters[i]
		c.Covered = c.Covered || b.has(c.at(0.25, 0.1)) && b.has(c.at(0.75, 0.4))
	}
}

// within tells whether a box has the character: all but the rim of its width,
// at about half the height of small letters.
func (c Character) within(b Box) bool {
	return b.has(c.at(0.1, 0.25)) && b.has(c.at(0.9, 0.25))
}

// at returns a point of the character: so much of its width along the line, and
// so much of an em up from it.
func (c Character) at(along, up float64) Point {
	return Point{c.Origin.X + along*c.Advance.X + up*c.Up.X, c.Origin.Y + along*c.Advance.Y + up*c.Up.Y}
}

// around returns the box around the character, from its descent up.
func (c Character) around() Box {
	m := Matrix{c.Advance.X, c.Advance.Y, c.Up.X, c.Up.Y, c.Origin.X, c.Origin.Y}
	return Box{0, -0.25, 1, 1}.through(m)
}

// Scale returns how long an em is on the page, along the line and up from it;
// of a Type 3 font, a thousand units of its glyphs.
func (h Hit) Scale() (along, up float64) {
	m, size := h.Tm.Times(h.CTM), math.Abs(h.Text.Size)
	along, up = size*math.Abs(h.Text.Scale)*math.Hypot(m[0], m[1]), size*math.Hypot(m[2], m[3])
	if f := h.Text.metrics; f.upward != 0 {
		return along * 1000 * math.Abs(f.unit), up * 1000 * math.Abs(f.upward)
	}
	return along, up
}

// Piece is a run of bytes of a string that is shown.
type Piece struct {
	Op, End  int // where the operation stands in the content
	Item     int // of the operator's array; 0 for a lone string
	From, To int // bytes of the decoded string
}

// placed returns a form XObject's hit as it is where the form is shown.
func (h Hit) placed(s graphicsState, now markedContent) Hit {
	h.CTM = h.CTM.Times(s.ctm)
	h.Characters, h.Following = placed(h.Characters, s), placed(h.Following, s)
	switch outer := s.alpha(); {
	case h.Alpha == unset:
		h.Alpha = outer
	case h.grouped && outer != unset:
		h.Alpha *= outer
	}
	h.grouped = false
	h.Replacement = h.Replacement || now.replaced
	if h.Layer == "" {
		h.Layer = now.layer
	}
	if h.LayerOff == "" {
		h.LayerOff = now.hides
	}
	return h
}

func placed(characters []Character, s graphicsState) []Character {
	out := make([]Character, len(characters))
	origin := s.ctm.At(0, 0)
	way := func(p Point) Point {
		end := s.ctm.At(p.X, p.Y)
		return Point{end.X - origin.X, end.Y - origin.Y}
	}
	for i, c := range characters {
		out[i] = Character{
			Origin: s.ctm.At(c.Origin.X, c.Origin.Y), Advance: way(c.Advance), Up: way(c.Up),
			Covered: c.Covered, clip: c.clip.through(s.ctm).and(s.clip),
		}
	}
	return out
}
