package pdf

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/types"
)

// graphicsState is what is used of the graphics state (ISO 32000-1, 8.4). Places
// are in the space where the content is put: a page's default user space, or
// for a form XObject the user space of who shows it.
type graphicsState struct {
	ctm          Matrix
	clip         Box // around the clipping path
	fill, stroke float64
	blends       bool // a blend mode other than Normal (11.3.5)
	pattern      bool // what is filled has a pattern (8.7)
	text         TextState
}

// pageState is the graphics state in which a page's content begins (8.4.1).
func pageState() graphicsState {
	return graphicsState{ctm: identity(), clip: everywhere(), fill: 1, stroke: 1}
}

// unset is the alpha of a form XObject's content as long as it sets none:
// it has that of who shows it (8.10.1).
const unset = -1

// invisible tells whether the text render mode paints nothing (9.3.6).
func (t TextState) invisible() bool { return t.Render == 3 || t.Render == 7 }

// alpha returns the alpha of what is painted (11.6.4.4).
func (s graphicsState) alpha() float64 {
	switch s.text.Render & 3 {
	case 1:
		return s.stroke
	case 2:
		return max(s.fill, s.stroke)
	}
	return s.fill
}

// markedContent is a sequence of marked content (14.6) that is open.
type markedContent struct {
	replaced     bool   // here or outside, its text is replaced
	layer, hides string // the innermost optional content, and one that is off
}

// interpreter runs a content stream (7.8.2) as far as it moves, shows and hides
// text.
type interpreter struct {
	*finder
	resources types.Dict
	depth     int // of form XObjects in one another
	content   []byte

	state     graphicsState
	stack     []graphicsState
	tm, line  Matrix // the text matrix and the text line matrix (9.4.1)
	path      Box    // around the current path
	rectangle bool   // it is one rectangle and nothing else
	clips     bool   // the path is to be the clip, once it is painted
	marked    []markedContent
	recent    window
	hits      []Hit
	length    int // of what was shown
	following int // the hit whose end moves what is shown next, or -1
}

// scan runs a content stream and returns the first places where it shows the
// needle.
func (f *finder) scan(content []byte, resources types.Dict, depth int, start graphicsState) ([]Hit, error) {
	start.text.Scale = 1
	i := &interpreter{
		finder: f, resources: resources, depth: depth, content: content, state: start,
		tm: identity(), line: identity(), path: nowhere(), recent: window{needle: f.needle}, following: -1,
	}
	l := &Lexer{Data: content}
	for op, ok := l.Operation(); ok; op, ok = l.Operation() {
		// A code may show a long text, and an object be damaged.
		if err := cmp.Or(i.doc.spend(max(0, i.length-op.Start)), i.doc.Err()); err != nil {
			return nil, err
		}
		i.length = min(i.length, op.Start)
		if err := i.run(op); err != nil {
			return nil, err
		}
	}
	return i.hits, nil
}

// numbers returns an operation's last n operands, of which missing ones are 0.
func (op operation) numbers(n int) []float64 {
	out := make([]float64, n)
	for i := range out {
		if at := len(op.Operands) - n + i; at >= 0 {
			out[i] = op.Operands[at].Num
		}
	}
	return out
}

func (op operation) last() Operand {
	if len(op.Operands) == 0 {
		return Operand{}
	}
	return op.Operands[len(op.Operands)-1]
}

func (i *interpreter) run(op operation) error {
	text := &i.state.text
	switch op.Operator {
	// Graphics state (8.4.4).
	case "q":
		if len(i.stack) == maxStates {
			return errors.New("the content nests its graphics states too deep; save the PDF anew")
		}
		i.stack = append(i.stack, i.state)
	case "Q":
		if last := len(i.stack) - 1; last >= 0 {
			i.state, i.stack = i.stack[last], i.stack[:last]
		}
	case "cm":
		i.state.ctm = Matrix(op.numbers(6)).Times(i.state.ctm)
	case "gs":
		return i.setParameters(op)

	// Paths (8.5).
	case "m", "l":
		i.point(op.numbers(2))
	case "c":
		i.point(op.numbers(6))
	case "v", "y":
		i.point(op.numbers(4))
	case "re":
		alone := i.path.empty()
		n := op.numbers(4)
		x, y, width, height := n[0], n[1], n[2], n[3]
		i.point([]float64{x, y, x + width, y, x, y + height, x + width, y + height})
		i.rectangle = alone && i.state.ctm.level()
	case "W", "W*":
		i.clips = true
	case "S", "s", "f", "F", "f*", "B", "B*", "b", "b*", "n":
		if i.rectangle && strings.ContainsAny(op.Operator, "fFBb") && !i.state.pattern {
			i.cover(i.path)
		}
		if i.clips && !i.path.empty() {
			i.state.clip = i.state.clip.and(i.path)
		}
		i.path, i.rectangle, i.clips = nowhere(), false, false

	// Colour (8.6.8), as far as it is a pattern.
	case "cs":
		i.state.pattern = string(op.last().Str) == "Pattern"
	case "g", "rg", "k":
		i.state.pattern = false

	// Text state (9.3).
	case "Tc":
		text.CharSpace = op.last().Num
	case "Tw":
		text.WordSpace = op.last().Num
	case "Tz":
		text.Scale = op.last().Num / 100
	case "TL":
		text.Leading = op.last().Num
	case "Ts":
		text.Rise = op.last().Num
	case "Tr":
		text.Render = int(op.last().Num)
	case "Tf":
		if len(op.Operands) == 2 {
			size := op.Operands[1]
			return i.setFont(op, i.doc.Dict(i.resources["Font"])[string(op.Operands[0].Str)], size.Num, string(i.content[size.Start:size.End]))
		}

	// Text objects, positions and strings (9.4).
	case "BT", "ET":
		i.moveTo(identity())
	case "Td":
		n := op.numbers(2)
		i.moveTo(i.line.translated(n[0], n[1]))
	case "TD":
		n := op.numbers(2)
		text.Leading = -n[1]
		i.moveTo(i.line.translated(n[0], n[1]))
	case "Tm":
		i.moveTo(Matrix(op.numbers(6)))
	case "T*":
		i.nextLine()
	case "Tj":
		i.show(op, 0, op.last())
	case "'":
		i.nextLine()
		i.show(op, 0, op.last())
	case `"`:
		n := op.numbers(3)
		text.WordSpace, text.CharSpace = n[0], n[1]
		i.nextLine()
		i.show(op, 0, op.last())
	case "TJ":
		for n, item := range op.last().Items {
			if item.Kind == KindNumber {
				i.advance(-item.Num/1000*text.Size, 0)
				continue
			}
			i.show(op, n, item)
		}

	// Marked content (14.6) and XObjects (8.8).
	case "BMC", "BDC":
		if len(i.marked) == maxMarked {
			return errors.New("the content nests its marked content too deep; save the PDF anew")
		}
		i.begin(op)
	case "EMC":
		if last := len(i.marked) - 1; last >= 0 {
			i.marked = i.marked[:last]
		}
	case "Do":
		if len(i.hits) == maxHits {
			return nil
		}
		o := i.doc.Dict(i.resources["XObject"])[string(op.last().Str)]
		if dict := i.doc.Dict(o); i.doc.Name(dict["Subtype"]) == "Image" {
			i.showImage(dict)
			return nil
		}
		found, err := i.form(o, i.resources, i.depth+1)
		if err != nil {
			return err
		}
		now := i.inner(i.doc.Dict(o)["OC"])
		for _, h := range found {
			i.hits = append(i.hits, h.placed(i.state, now))
		}
		i.hits = i.hits[:min(len(i.hits), maxHits)]
	}
	return nil
}

// point adds points to the current path.
func (i *interpreter) point(at []float64) {
	for ; len(at) > 1; at = at[2:] {
		i.path = i.path.with(i.state.ctm.At(at[0], at[1]))
	}
	i.rectangle = false
}

// showImage covers the unit square, if the image has no holes (8.9.5).
func (i *interpreter) showImage(dict types.Dict) {
	for _, key := range []string{"SMask", "Mask", "ImageMask"} {
		if o := i.doc.Resolve(dict[key]); o != nil && o != types.Boolean(false) {
			return
		}
	}
	if i.state.ctm.level() && i.inner(dict["OC"]).hides == "" {
		i.cover(Box{0, 0, 1, 1}.through(i.state.ctm))
	}
}

// cover notes what is painted over of the hits.
func (i *interpreter) cover(b Box) {
	if i.state.fill != 1 && i.state.fill != unset || i.state.blends || i.now().hides != "" {
		return
	}
	b = b.and(i.state.clip)
	for _, h := range i.hits {
		h.cover(b)
	}
}

func (i *interpreter) setFont(op operation, o types.Object, size float64, written string) (err error) {
	text := &i.state.text
	text.Size, text.size, text.fontOp = size, written, i.content[op.Start:op.End]
	text.metrics, err = i.font(o)
	return err
}

// setParameters sets what a graphics state parameter dictionary says (8.4.5).
func (i *interpreter) setParameters(op operation) error {
	set := i.doc.Dict(i.doc.Dict(i.resources["ExtGState"])[string(op.last().Str)])
	if o := i.doc.Resolve(set["ca"]); o != nil {
		i.state.fill = i.doc.Number(o)
	}
	if o := i.doc.Resolve(set["CA"]); o != nil {
		i.state.stroke = i.doc.Number(o)
	}
	if o := i.doc.Resolve(set["BM"]); o != nil {
		i.state.blends = o != types.Object(types.Name("Normal"))
	}
	if mask := i.doc.Dict(set["SMask"]); mask != nil && len(i.masked) < maxHits {
		found, err := i.form(mask["G"], i.resources, i.depth+1)
		if err != nil {
			return err
		}
		for _, h := range found {
			h.SoftMask = true
			i.masked = append(i.masked, h)
		}
	}
	if o := i.doc.Array(set["Font"]); len(o) == 2 {
		size := i.doc.Number(o[1])
		return i.setFont(op, o[0], size, fmt.Sprint(size))
	}
	return nil
}

// moveTo begins a line.
func (i *interpreter) moveTo(m Matrix) { i.tm, i.line, i.following = m, m, -1 }

func (i *interpreter) nextLine() { i.moveTo(i.line.translated(0, -i.state.text.Leading)) }

// advance moves the text position along the line (9.4.4).
func (i *interpreter) advance(distance, spacing float64) {
	if i.state.text.metrics.vertical {
		i.tm = i.tm.translated(0, distance+spacing)
		return
	}
	i.tm = i.tm.translated((distance+spacing)*i.state.text.Scale, 0)
}

// show shows a string (9.4.3).
func (i *interpreter) show(op operation, item int, o Operand) {
	text := &i.state.text
	font := text.metrics.font
	if o.Kind != KindString {
		return
	}
	if font == nil {
		i.recent.clear()
		i.tell(string(unknown))
		return
	}
	for at := 0; at < len(o.Str) && int64(i.length-op.Start) <= i.doc.budget; {
		c := font.split(o.Str[at:])
		characters := font.text(c)
		i.length += len(characters)
		i.tell(characters)
		width := text.metrics.width(c)
		piece := Piece{op.Start, op.End, item, at, at + c.bytes}
		at += c.bytes
		if r, size := utf8.DecodeRuneInString(characters); size == len(characters) && r != unknown {
			if _, known := font.seen[r]; !known {
				font.seen[r] = c
			}
		}
		if i.following >= 0 {
			i.follow(characters, width)
		}
		for _, r := range characters {
			if !i.recent.takes(r) {
				continue
			}
			now := i.now()
			if i.recent.add(shown{piece, *text, i.tm, i.state.ctm, i.character(width), i.state.alpha(), now.replaced, now.layer, now.hides}) && len(i.hits) < maxHits {
				i.hits = append(i.hits, i.recent.hit(i.page, i.resources))
				i.following = len(i.hits) - 1
			}
		}
		spacing := text.CharSpace
		if c.bytes == 1 && c.value == ' ' {
			spacing += text.WordSpace
		}
		if text.metrics.vertical {
			i.advance(-text.Size, spacing) // the default of DW2
			continue
		}
		i.advance(width*text.Size, spacing)
	}
}

// maxFollowing is how many characters are kept of what follows a hit.
const maxFollowing = 1000

// follow notes what moves with the end of a hit, if it can be seen.
func (i *interpreter) follow(characters string, width float64) {
	h := &i.hits[i.following]
	if strings.TrimSpace(characters) == "" || i.state.text.invisible() || i.now().hides != "" || len(h.Following) == maxFollowing {
		return
	}
	h.Following = append(h.Following, i.character(width))
}

// character returns where the glyph at the text position is.
func (i *interpreter) character(width float64) Character {
	text := i.state.text
	m := i.tm.Times(i.state.ctm)
	c := Character{clip: i.state.clip, Origin: m.At(0, text.Rise)}
	way := func(x, y float64) Point {
		end := m.At(x, text.Rise+y)
		return Point{end.X - c.Origin.X, end.Y - c.Origin.Y}
	}
	if text.metrics.vertical {
		c.Advance = way(0, -text.Size)
		return c
	}
	c.Advance, c.Up = way(width*text.Size*text.Scale, 0), way(0, text.Size*text.metrics.em(width))
	return c
}

// now returns the marked content that is open.
func (i *interpreter) now() markedContent {
	if len(i.marked) == 0 {
		return markedContent{}
	}
	return i.marked[len(i.marked)-1]
}

// inner returns the marked content that is open with optional content in it.
func (i *interpreter) inner(oc types.Object) markedContent {
	now := i.now()
	if oc == nil {
		return now
	}
	name, on := i.doc.layer(oc, 0)
	now.layer = name
	if !on && now.hides == "" {
		now.hides = name
	}
	return now
}

// begin opens marked content.
func (i *interpreter) begin(op operation) {
	inner := i.now()
	if op.Operator == "BDC" {
		properties := op.last()
		named := i.doc.Dict(i.resources["Properties"])[string(properties.Str)]
		if len(op.Operands) > 1 && properties.Kind == KindName && string(op.Operands[len(op.Operands)-2].Str) == "OC" {
			inner = i.inner(named)
		}
		inner.replaced = inner.replaced || i.replaces(properties, i.resources)
	}
	i.marked = append(i.marked, inner)
}
