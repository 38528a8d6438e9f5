package certificate

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"unicode/utf8"

	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/types"
)

// hit is where a text is shown: on a page, or in a form XObject.
type hit struct {
	page        int               // from 1
	form        types.IndirectRef // the form XObject, or zero for the page's own content
	resources   types.Dict        // that the content uses
	annotation  bool              // shown by an annotation's appearance
	pieces      []piece           // in the order of the text
	font        *font             // of the first character
	fontOp      []byte            // the operation that set it
	size        string            // of the font, as it is written
	invisible   bool              // text render mode 3 or 7
	replacement bool              // inside marked content with ActualText
}

// piece is a run of bytes of a string that is shown.
type piece struct {
	op, end  int // where the operation stands in the content
	item     int // of the operator's array; 0 for a lone string
	from, to int // bytes of the decoded string
}

// finder looks for a text in all that a document's pages show.
type finder struct {
	doc    *document
	needle []byte // ASCII
	fonts  map[any]*font
	forms  map[int][]hit // found in form XObjects, which are read once
	page   int
}

// maxHits is how many places are kept; it takes two to refuse.
const maxHits = 2

// maxDepth bounds form XObjects in one another, and q in q.
const maxDepth, maxStates = 16, 1024

func (d *document) finder(needle string) *finder {
	return &finder{doc: d, needle: []byte(needle), fonts: map[any]*font{}, forms: map[int][]hit{}}
}

// find returns the first places where the pages show the needle, and at the
// end those where annotations do. The widget, if not zero, is left out.
func (f *finder) find(widget types.IndirectRef) ([]hit, error) {
	var onPages, inAnnotations []hit
	for i, page := range f.doc.pages {
		f.page = i + 1
		content, err := f.doc.pageContent(page)
		if err != nil {
			return nil, fmt.Errorf("page %d: %w", f.page, err)
		}
		found, err := f.scan(content.bytes, page.resources, 0)
		if err != nil {
			return nil, fmt.Errorf("page %d: %w", f.page, err)
		}
		onPages = append(onPages, found...)
		found, err = f.annotations(page, widget)
		if err != nil {
			return nil, fmt.Errorf("page %d: %w", f.page, err)
		}
		inAnnotations = append(inAnnotations, found...)
		onPages, inAnnotations = onPages[:min(len(onPages), maxHits)], inAnnotations[:min(len(inAnnotations), maxHits)]
	}
	return append(onPages, inAnnotations...), nil
}

// annotations looks into the normal appearances of a page's annotations.
func (f *finder) annotations(p page, widget types.IndirectRef) ([]hit, error) {
	var hits []hit
	for _, o := range f.doc.array(p.dict["Annots"]) {
		if o == types.Object(widget) {
			continue
		}
		normal := f.doc.dict(f.doc.dict(o)["AP"])["N"]
		appearances := []types.Object{normal}
		if _, stream := f.doc.resolve(normal).(types.StreamDict); !stream {
			appearances = nil
			for _, state := range f.doc.dict(normal) {
				appearances = append(appearances, state)
			}
		}
		for _, appearance := range appearances {
			found, err := f.form(appearance, p.resources, 1)
			if err != nil {
				return nil, err
			}
			for _, h := range found {
				h.annotation = true
				hits = append(hits, h)
			}
		}
		hits = hits[:min(len(hits), maxHits)]
	}
	return hits, nil
}

// form looks into a form XObject (8.10).
func (f *finder) form(o types.Object, inherited types.Dict, depth int) ([]hit, error) {
	ref, ok := o.(types.IndirectRef)
	dict := f.doc.dict(o)
	number := ref.ObjectNumber.Value()
	if !ok || depth > maxDepth || f.doc.name(dict["Subtype"]) != "Form" {
		return nil, nil
	}
	found, read := f.forms[number]
	if !read {
		f.forms[number] = nil // should it show itself
		content, err := f.doc.content(o)
		if err != nil {
			return nil, err
		}
		resources := f.doc.dict(dict["Resources"])
		if resources == nil {
			resources = inherited
		}
		if found, err = f.scan(content, resources, depth); err != nil {
			return nil, err
		}
		for i := range found {
			if found[i].form == (types.IndirectRef{}) {
				found[i].form = ref
			}
		}
		f.forms[number] = found
	}
	out := make([]hit, len(found))
	for i, h := range found {
		h.page = f.page
		out[i] = h
	}
	return out, nil
}

// textState is what is used of the graphics state (9.3).
type textState struct {
	font   *font
	fontOp []byte
	size   string
	render int
}

// scan reads a content stream (7.8.2) and returns the first places where it
// shows the needle.
func (f *finder) scan(content []byte, resources types.Dict, depth int) ([]hit, error) {
	var (
		hits   []hit
		state  textState
		stack  []textState
		marked []bool // whether each marked content that is open replaces its text
		hidden int    // how many do
		recent = &window{needle: f.needle}
	)
	show := func(op operation, item int, o operand) {
		if o.kind != text {
			return
		}
		if state.font == nil {
			recent.clear()
			return
		}
		for at := 0; at < len(o.str); {
			c := state.font.split(o.str[at:])
			shown := state.font.text(c)
			here := piece{op.start, op.end, item, at, at + c.bytes}
			at += c.bytes
			if r, size := utf8.DecodeRuneInString(shown); size == len(shown) && r != unknown {
				if _, known := state.font.seen[r]; !known {
					state.font.seen[r] = c
				}
			}
			for _, r := range shown {
				if !recent.add(r, here, state, hidden > 0) || len(hits) == maxHits {
					continue
				}
				hits = append(hits, recent.hit(f.page, resources))
			}
		}
	}
	l := &lexer{data: content}
	for op, ok := l.operation(); ok; op, ok = l.operation() {
		args := op.operands
		last := func() operand {
			if len(args) == 0 {
				return operand{}
			}
			return args[len(args)-1]
		}
		switch op.operator {
		case "q":
			if len(stack) == maxStates {
				return nil, errors.New("the content nests its graphics states too deep; save the PDF anew")
			}
			stack = append(stack, state)
		case "Q":
			if len(stack) > 0 {
				state, stack = stack[len(stack)-1], stack[:len(stack)-1]
			}
		case "Tf":
			if len(args) != 2 {
				continue
			}
			var err error
			state.size = string(content[args[1].start:args[1].end])
			state.fontOp = content[op.start:op.end]
			if state.font, err = f.font(f.doc.dict(resources["Font"])[string(args[0].str)]); err != nil {
				return nil, err
			}
		case "gs":
			set := f.doc.array(f.doc.dict(f.doc.dict(resources["ExtGState"])[string(last().str)])["Font"])
			if len(set) != 2 {
				continue
			}
			var err error
			state.size = fmt.Sprint(f.doc.number(set[1]))
			state.fontOp = content[op.start:op.end]
			if state.font, err = f.font(set[0]); err != nil {
				return nil, err
			}
		case "Tr":
			state.render = int(last().num)
		case "Tj", "'", `"`:
			show(op, 0, last())
		case "TJ":
			for i, item := range last().items {
				show(op, i, item)
			}
		case "BMC", "BDC":
			replaces := op.operator == "BDC" && f.replaces(last(), resources)
			if marked = append(marked, replaces); replaces {
				hidden++
			}
		case "EMC":
			if len(marked) > 0 {
				if marked[len(marked)-1] {
					hidden--
				}
				marked = marked[:len(marked)-1]
			}
		case "Do":
			found, err := f.form(f.doc.dict(resources["XObject"])[string(last().str)], resources, depth+1)
			if err != nil {
				return nil, err
			}
			hits = append(hits, found...)
			hits = hits[:min(len(hits), maxHits)]
		}
	}
	return hits, nil
}

// replaces tells whether the properties of marked content have an ActualText,
// which readers take instead of what is shown (14.9.4).
func (f *finder) replaces(properties operand, resources types.Dict) bool {
	if properties.kind == name {
		named := f.doc.dict(f.doc.dict(resources["Properties"])[string(properties.str)])
		_, ok := named["ActualText"]
		return ok
	}
	_, ok := properties.value("ActualText")
	return ok
}

// font returns the font of a resource, the same each time.
func (f *finder) font(o types.Object) (*font, error) {
	dict := f.doc.dict(o)
	if dict == nil {
		return nil, nil
	}
	var key any = reflect.ValueOf(dict).Pointer()
	if ref, ok := o.(types.IndirectRef); ok {
		key = ref
	}
	if known, ok := f.fonts[key]; ok {
		return known, nil
	}
	read, err := f.doc.readFont(dict)
	if err != nil {
		return nil, err
	}
	f.fonts[key] = read
	return read, nil
}

// window holds the last characters shown, as many as the needle has.
type window struct {
	needle []byte
	runes  []rune
	pieces []piece
	states []textState
	marked []bool
}

func (w *window) clear() {
	w.runes, w.pieces, w.states, w.marked = w.runes[:0], w.pieces[:0], w.states[:0], w.marked[:0]
}

// add takes the next character, and tells whether the needle is now complete.
func (w *window) add(r rune, p piece, s textState, replaced bool) bool {
	// What can't go on with the needle starts it anew. No proper prefix of a
	// needle is its suffix but for its first character, so no match is missed.
	if len(w.runes) == len(w.needle) || r != rune(w.needle[len(w.runes)]) {
		w.clear()
		if r != rune(w.needle[0]) {
			return false
		}
	}
	w.runes, w.pieces, w.states, w.marked = append(w.runes, r), append(w.pieces, p), append(w.states, s), append(w.marked, replaced)
	return len(w.runes) == len(w.needle)
}

// hit returns the needle's place.
func (w *window) hit(page int, resources types.Dict) hit {
	h := hit{
		page: page, resources: resources, pieces: append([]piece(nil), w.pieces...),
		font: w.states[0].font, fontOp: bytes.Clone(w.states[0].fontOp), size: w.states[0].size,
		replacement: slices.Contains(w.marked, true),
	}
	for _, s := range w.states {
		h.invisible = h.invisible || s.render == 3 || s.render == 7
	}
	return h
}

// pageContent is a page's content streams put together, and where each begins
// and ends.
type pageContent struct {
	bytes []byte
	refs  types.Array
	ends  []int
}

// pageContent inflates the content of a page (7.7.3.3).
func (d *document) pageContent(p page) (pageContent, error) {
	var c pageContent
	c.refs = types.Array{p.dict["Contents"]}
	if a := d.array(p.dict["Contents"]); a != nil {
		c.refs = a
	}
	for _, ref := range c.refs {
		content, err := d.content(ref)
		if err != nil {
			return c, err
		}
		c.bytes = append(append(c.bytes, content...), '\n') // a token ends with its stream
		c.ends = append(c.ends, len(c.bytes))
	}
	return c, nil
}
