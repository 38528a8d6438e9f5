package pdf

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"unicode/utf8"

	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/types"
)

// Hit is where a text is shown: on a page, or in a form XObject.
type Hit struct {
	Page        int               // from 1
	Form        types.IndirectRef // the form XObject, or zero for the page's own content
	Resources   types.Dict        // that the content uses
	Annotation  bool              // shown by an annotation's appearance
	Pieces      []Piece           // in the order of the text
	Font        *Font             // of the first character
	FontOp      []byte            // the operation that set it
	Size        string            // of the font, as it is written
	Invisible   bool              // text render mode 3 or 7
	Replacement bool              // inside marked content with ActualText
}

// String says where the hit is.
func (h Hit) String() string {
	switch {
	case h.Annotation:
		return fmt.Sprintf("page %d, in an annotation", h.Page)
	case h.Form != types.IndirectRef{}:
		return fmt.Sprintf("page %d, in the form XObject %d", h.Page, h.Form.ObjectNumber)
	}
	return fmt.Sprintf("page %d", h.Page)
}

// Piece is a run of bytes of a string that is shown.
type Piece struct {
	Op, End  int // where the operation stands in the content
	Item     int // of the operator's array; 0 for a lone string
	From, To int // bytes of the decoded string
}

// finder looks for a text in all that a document's pages show.
type finder struct {
	doc    *Document
	needle []byte // ASCII
	fonts  map[any]*Font
	forms  map[int][]Hit // found in form XObjects, which are read once
	page   int
}

// maxHits is how many places are kept; it takes two to refuse.
const maxHits = 2

// maxDepth bounds form XObjects in one another, and q in q.
const maxDepth, maxStates = 16, 1024

func (d *Document) finder(needle string) *finder {
	return &finder{doc: d, needle: []byte(needle), fonts: map[any]*Font{}, forms: map[int][]Hit{}}
}

// Find returns the first places, at most two, where pages show an ASCII text,
// and at the end those where annotations do. The text must have its first
// character once, or once more at its end. One annotation, if not zero, is left
// out.
func (d *Document) Find(text string, without types.IndirectRef) ([]Hit, error) {
	return d.finder(text).find(without)
}

func (f *finder) find(without types.IndirectRef) ([]Hit, error) {
	var onPages, inAnnotations []Hit
	for i, page := range f.doc.Pages {
		f.page = i + 1
		content, err := f.doc.PageContent(page)
		if err != nil {
			return nil, fmt.Errorf("page %d: %w", f.page, err)
		}
		found, err := f.scan(content.Bytes, page.resources, 0)
		if err != nil {
			return nil, fmt.Errorf("page %d: %w", f.page, err)
		}
		onPages = append(onPages, found...)
		found, err = f.annotations(page, without)
		if err != nil {
			return nil, fmt.Errorf("page %d: %w", f.page, err)
		}
		inAnnotations = append(inAnnotations, found...)
		onPages, inAnnotations = onPages[:min(len(onPages), maxHits)], inAnnotations[:min(len(inAnnotations), maxHits)]
	}
	return append(onPages, inAnnotations...), nil
}

// annotations looks into the normal appearances of a page's annotations.
func (f *finder) annotations(p Page, without types.IndirectRef) ([]Hit, error) {
	var hits []Hit
	for _, o := range f.doc.Array(p.Dict["Annots"]) {
		if o == types.Object(without) {
			continue
		}
		normal := f.doc.Dict(f.doc.Dict(o)["AP"])["N"]
		appearances := []types.Object{normal}
		if _, stream := f.doc.Resolve(normal).(types.StreamDict); !stream {
			appearances = nil
			for _, state := range f.doc.Dict(normal) {
				appearances = append(appearances, state)
			}
		}
		for _, appearance := range appearances {
			found, err := f.form(appearance, p.resources, 1)
			if err != nil {
				return nil, err
			}
			for _, h := range found {
				h.Annotation = true
				hits = append(hits, h)
			}
		}
		hits = hits[:min(len(hits), maxHits)]
	}
	return hits, nil
}

// form looks into a form XObject (8.10).
func (f *finder) form(o types.Object, inherited types.Dict, depth int) ([]Hit, error) {
	ref, ok := o.(types.IndirectRef)
	dict := f.doc.Dict(o)
	number := ref.ObjectNumber.Value()
	if !ok || depth > maxDepth || f.doc.Name(dict["Subtype"]) != "Form" {
		return nil, nil
	}
	found, read := f.forms[number]
	if !read {
		f.forms[number] = nil // should it show itself
		content, err := f.doc.Content(o)
		if err != nil {
			return nil, err
		}
		resources := f.doc.Dict(dict["Resources"])
		if resources == nil {
			resources = inherited
		}
		if found, err = f.scan(content, resources, depth); err != nil {
			return nil, err
		}
		for i := range found {
			if found[i].Form == (types.IndirectRef{}) {
				found[i].Form = ref
			}
		}
		f.forms[number] = found
	}
	out := make([]Hit, len(found))
	for i, h := range found {
		h.Page = f.page
		out[i] = h
	}
	return out, nil
}

// textState is what is used of the graphics state (9.3).
type textState struct {
	font   *Font
	fontOp []byte
	size   string
	render int
}

// scan reads a content stream (7.8.2) and returns the first places where it
// shows the needle.
func (f *finder) scan(content []byte, resources types.Dict, depth int) ([]Hit, error) {
	var (
		hits   []Hit
		state  textState
		stack  []textState
		marked []bool // whether each marked content that is open replaces its text
		hidden int    // how many do
		recent = &window{needle: f.needle}
	)
	show := func(op operation, item int, o Operand) {
		if o.Kind != KindString {
			return
		}
		if state.font == nil {
			recent.clear()
			return
		}
		for at := 0; at < len(o.Str); {
			c := state.font.split(o.Str[at:])
			shown := state.font.text(c)
			here := Piece{op.Start, op.End, item, at, at + c.bytes}
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
	l := &Lexer{Data: content}
	for op, ok := l.Operation(); ok; op, ok = l.Operation() {
		args := op.Operands
		last := func() Operand {
			if len(args) == 0 {
				return Operand{}
			}
			return args[len(args)-1]
		}
		switch op.Operator {
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
			state.size = string(content[args[1].Start:args[1].End])
			state.fontOp = content[op.Start:op.End]
			if state.font, err = f.font(f.doc.Dict(resources["Font"])[string(args[0].Str)]); err != nil {
				return nil, err
			}
		case "gs":
			set := f.doc.Array(f.doc.Dict(f.doc.Dict(resources["ExtGState"])[string(last().Str)])["Font"])
			if len(set) != 2 {
				continue
			}
			var err error
			state.size = fmt.Sprint(f.doc.Number(set[1]))
			state.fontOp = content[op.Start:op.End]
			if state.font, err = f.font(set[0]); err != nil {
				return nil, err
			}
		case "Tr":
			state.render = int(last().Num)
		case "Tj", "'", `"`:
			show(op, 0, last())
		case "TJ":
			for i, item := range last().Items {
				show(op, i, item)
			}
		case "BMC", "BDC":
			replaces := op.Operator == "BDC" && f.replaces(last(), resources)
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
			found, err := f.form(f.doc.Dict(resources["XObject"])[string(last().Str)], resources, depth+1)
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
func (f *finder) replaces(properties Operand, resources types.Dict) bool {
	if properties.Kind == KindName {
		named := f.doc.Dict(f.doc.Dict(resources["Properties"])[string(properties.Str)])
		_, ok := named["ActualText"]
		return ok
	}
	_, ok := properties.Value("ActualText")
	return ok
}

// font returns the font of a resource, the same each time.
func (f *finder) font(o types.Object) (*Font, error) {
	dict := f.doc.Dict(o)
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
	read, err := f.doc.ReadFont(dict)
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
	pieces []Piece
	states []textState
	marked []bool
}

func (w *window) clear() {
	w.runes, w.pieces, w.states, w.marked = w.runes[:0], w.pieces[:0], w.states[:0], w.marked[:0]
}

// add takes the next character, and tells whether the needle is now complete.
func (w *window) add(r rune, p Piece, s textState, replaced bool) bool {
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
func (w *window) hit(page int, resources types.Dict) Hit {
	h := Hit{
		Page: page, Resources: resources, Pieces: append([]Piece(nil), w.pieces...),
		Font: w.states[0].font, FontOp: bytes.Clone(w.states[0].fontOp), Size: w.states[0].size,
		Replacement: slices.Contains(w.marked, true),
	}
	for _, s := range w.states {
		h.Invisible = h.Invisible || s.render == 3 || s.render == 7
	}
	return h
}

// pageContent is a page's content streams put together, and where each begins
// and ends.
type pageContent struct {
	Bytes []byte
	Refs  types.Array
	Ends  []int
}

// PageContent inflates the content of a page (7.7.3.3).
func (d *Document) PageContent(p Page) (pageContent, error) {
	var c pageContent
	c.Refs = types.Array{p.Dict["Contents"]}
	if a := d.Array(p.Dict["Contents"]); a != nil {
		c.Refs = a
	}
	for _, ref := range c.Refs {
		content, err := d.Content(ref)
		if err != nil {
			return c, err
		}
		c.Bytes = append(append(c.Bytes, content...), '\n') // a token ends with its stream
		c.Ends = append(c.Ends, len(c.Bytes))
	}
	return c, nil
}
