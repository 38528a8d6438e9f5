package pdf

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/types"
)

// finder looks for a text in all that a document's pages show.
type finder struct {
	doc    *Document
	needle []byte // ASCII
	fonts  map[any]metrics
	forms  map[int][]Hit // found in form XObjects, which are read once
	masked []Hit         // found in soft masks
	page   int
	shown  *strings.Builder // what PageTexts asks for, or nil
}

// maxHits is how many places are kept; it takes two to refuse.
const maxHits = 2

// What may lie in one another: form XObjects, q, and marked content, which not
// every program closes.
const maxDepth, maxStates, maxMarked = 16, 1024, 1 << 16

func (d *Document) finder(needle string) *finder {
	return &finder{doc: d, needle: []byte(needle), fonts: map[any]metrics{}, forms: map[int][]Hit{}}
}

// Find returns the first places where pages show an ASCII text, and unless these
// are two, which ends the search, those in annotations and in soft masks. The
// text must have its first character once, or once more at its end. One
// annotation, if not zero, is left out.
func (d *Document) Find(text string, without types.IndirectRef) ([]Hit, error) {
	defer func() { d.budget = d.total }()
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
		found, err := f.scan(content.Bytes, page.resources, 0, pageState())
		if err != nil {
			return nil, fmt.Errorf("page %d: %w", f.page, err)
		}
		shown := f.doc.pageBox(page)
		for i := range found {
			found[i].judge(shown)
			f.coverByFields(found[i], page)
		}
		if onPages = append(onPages, found...); len(onPages) >= maxHits {
			return onPages[:maxHits], nil
		}
		if len(inAnnotations) >= maxHits {
			continue
		}
		found, err = f.annotations(page, without)
		if err != nil {
			return nil, fmt.Errorf("page %d: %w", f.page, err)
		}
		if err := f.doc.Err(); err != nil {
			return nil, err
		}
		inAnnotations = append(inAnnotations, found...)
	}
	return slices.Concat(onPages, inAnnotations, f.masked), nil
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
			if len(hits) >= maxHits {
				return hits[:maxHits], nil
			}
			found, err := f.form(appearance, p.resources, 1)
			if err != nil {
				return nil, err
			}
			for _, h := range found {
				h.Annotation = true
				hits = append(hits, h)
			}
		}
	}
	return hits, nil
}

// coverByFields notes which characters lie under form fields, which are drawn
// over the page (12.5.5). A field that the first lies under is taken for one
// that can be seen through.
func (f *finder) coverByFields(h Hit, p Page) {
	const hidden, noView = 1 << 1, 1 << 5
	for _, o := range f.doc.Array(p.Dict["Annots"]) {
		widget := f.doc.Dict(o)
		b, ok := f.doc.box(widget["Rect"])
		shown := ok && widget["AP"] != nil && int(f.doc.Number(widget["F"]))&(hidden|noView) == 0
		if f.doc.Name(widget["Subtype"]) == "Widget" && shown && !h.Characters[0].within(b) {
			h.cover(b)
		}
	}
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
		// Its content is clipped to its BBox, and placed by its Matrix.
		start := graphicsState{ctm: f.doc.matrix(dict["Matrix"], identity()), clip: everywhere(), fill: unset, stroke: unset}
		if box, ok := f.doc.box(dict["BBox"]); ok {
			start.clip = box.through(start.ctm)
		}
		if found, err = f.scan(content, resources, depth, start); err != nil {
			return nil, err
		}
		for i := range found {
			found[i].grouped = f.doc.Dict(dict["Group"]) != nil
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
func (f *finder) font(o types.Object) (metrics, error) {
	dict := f.doc.Dict(o)
	if dict == nil {
		return metrics{}, nil
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
		return metrics{}, err
	}
	f.fonts[key] = f.doc.readMetrics(read, dict)
	return f.fonts[key], f.doc.spend(read.cost())
}

// window holds the last characters shown, as far as they begin the needle.
type window struct {
	needle []byte
	shown  []shown
}

// shown is a character with all that a hit needs to know.
type shown struct {
	piece         Piece
	text          TextState
	tm, ctm       Matrix
	character     Character
	alpha         float64
	replaced      bool
	layer, hidden string
}

func (w *window) clear() { w.shown = w.shown[:0] }

// takes tells whether a character goes on with the needle, or starts it anew.
// No proper prefix of a needle is its suffix but for its first character, so no
// match is missed. An empty needle is never found.
func (w *window) takes(r rune) bool {
	if len(w.needle) == 0 {
		return false
	}
	if len(w.shown) == len(w.needle) || r != rune(w.needle[len(w.shown)]) {
		w.clear()
	}
	return r == rune(w.needle[len(w.shown)])
}

// add takes a character, and tells whether the needle is now complete.
func (w *window) add(s shown) bool {
	w.shown = append(w.shown, s)
	return len(w.shown) == len(w.needle)
}

// hit returns the needle's place.
func (w *window) hit(page int, resources types.Dict) Hit {
	first := w.shown[0]
	h := Hit{
		Page: page, Resources: resources,
		Font: first.text.metrics.font, FontOp: bytes.Clone(first.text.fontOp), Size: first.text.size,
		Text: first.text, Tm: first.tm, CTM: first.ctm, Vertical: first.text.metrics.vertical,
		Alpha: first.alpha, Layer: first.layer,
	}
	for _, s := range w.shown {
		h.Pieces = append(h.Pieces, s.piece)
		h.Characters = append(h.Characters, s.character)
		h.Invisible = h.Invisible || s.text.invisible()
		h.Replacement = h.Replacement || s.replaced
		h.Alpha = min(h.Alpha, s.alpha)
		if h.LayerOff == "" {
			h.LayerOff = s.hidden
		}
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
