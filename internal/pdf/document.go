// Package pdf reads PDF files (ISO 32000-1) as far as it takes to find a text in
// what their pages show and to change it: objects and cross-references, filters,
// content streams, fonts. A change is an incremental update, so that nothing that
// this package does not understand can be lost.
package pdf

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/pdfcpu/pdfcpu/pkg/filter"
	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu"
	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/model"
	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/types"
)

// What a file may cost to read.
const (
	maxInflated = 64 << 20  // bytes of one stream
	maxTotal    = 128 << 20 // bytes of all streams that are looked into, each time they are
	maxPages    = 10_000
	maxReading  = 30 * time.Second // for pdfcpu, whose parser is slow on nonsense
)

var errBomb = fmt.Errorf("inflates to more than %d MiB; this program takes no more", maxInflated>>20)

// Document is a PDF with all of its objects parsed.
type Document struct {
	File    []byte
	XRef    *XRef
	Objects map[int]types.Object
	Catalog types.Dict
	Pages   []Page
	budget  int64 // bytes that may still be inflated
}

// Page is a page with the resources that it has or inherits.
type Page struct {
	Ref       types.IndirectRef
	Dict      types.Dict
	resources types.Dict
}

// Open parses a file, which begins with its header.
func Open(file []byte) (*Document, error) {
	x, err := readXRef(file)
	if err != nil {
		return nil, err
	}
	if x.encrypted {
		return nil, errors.New("the PDF is encrypted; save it without a password")
	}
	d := &Document{File: file, XRef: x, Objects: map[int]types.Object{}, budget: maxTotal}
	if err := d.parse(); err != nil {
		return nil, err
	}
	d.Catalog = d.Dict(x.Trailer["Root"])
	if d.Catalog == nil {
		return nil, Damaged("it has no catalog")
	}
	return d, d.findPages()
}

// parse lets pdfcpu read every object.
func (d *Document) parse() error {
	limits := model.DefaultResourceLimits()
	limits.MaxStreamBytes = int64(len(d.File))
	// Object streams are all inflated and kept, so they share what there is.
	limits.MaxDecodeBytes = min(maxInflated, 4*maxTotal/int64(max(1, d.XRef.containers)))
	limits.MaxObjectCount, limits.MaxXRefEntries, limits.MaxObjectStreamCount = maxObjects, maxObjects, maxObjects
	// A configuration of one's own keeps pdfcpu from making a folder for its.
	configuration := &model.Configuration{Reader15: true, ValidationMode: model.ValidationRelaxed, Limits: limits}
	ctx, cancel := context.WithTimeout(context.Background(), maxReading)
	defer cancel()
	parsed, err := pdfcpu.ReadWithContext(ctx, bytes.NewReader(d.File), configuration)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("the PDF can't be read within %v; save it anew", maxReading)
	case errors.Is(err, filter.ErrDecodeLimitExceeded):
		return fmt.Errorf("a stream of the PDF %w", errBomb)
	case err != nil:
		return Damaged("%v", err)
	}
	for _, number := range slices.Sorted(maps.Keys(d.XRef.Generations)) {
		o, err := parsed.Dereference(*types.NewIndirectRef(number, d.XRef.Generations[number]))
		switch {
		case errors.Is(err, filter.ErrDecodeLimitExceeded):
			return fmt.Errorf("an object stream of the PDF %w", errBomb)
		case err != nil:
			return Damaged("object %d: %v", number, err)
		}
		d.Objects[number] = o
	}
	return nil
}

// Resolve follows references. What does not exist is nil, as ISO 32000-1
// 7.3.10 has it.
func (d *Document) Resolve(o types.Object) types.Object {
	for range 8 {
		ref, ok := o.(types.IndirectRef)
		if !ok {
			return o
		}
		o = d.Objects[ref.ObjectNumber.Value()]
	}
	return nil
}

// Dict resolves a dictionary or a stream's.
func (d *Document) Dict(o types.Object) types.Dict {
	switch o := d.Resolve(o).(type) {
	case types.Dict:
		return o
	case types.StreamDict:
		return o.Dict
	}
	return nil
}

// Array resolves an array.
func (d *Document) Array(o types.Object) types.Array {
	a, _ := d.Resolve(o).(types.Array)
	return a
}

// Name resolves a name.
func (d *Document) Name(o types.Object) string {
	n, _ := d.Resolve(o).(types.Name)
	return string(n)
}

// Number resolves a number; what is none is 0.
func (d *Document) Number(o types.Object) float64 {
	switch n := d.Resolve(o).(type) {
	case types.Integer:
		return float64(n)
	case types.Float:
		return float64(n)
	}
	return 0
}

// Text decodes a text string (7.9.2.2).
func (d *Document) Text(o types.Object) string {
	o = d.Resolve(o)
	if s, err := types.StringOrHexLiteral(o); err == nil && s != nil {
		return *s
	}
	return ""
}

// Content inflates a stream.
func (d *Document) Content(o types.Object) ([]byte, error) {
	ref, _ := o.(types.IndirectRef)
	sd, ok := d.Resolve(o).(types.StreamDict)
	if !ok {
		return nil, nil // as good as empty
	}
	content, err := decode(&sd, min(maxInflated, d.budget))
	if errors.Is(err, errBomb) && d.budget < maxInflated {
		return nil, fmt.Errorf("the pages have more than %d MiB of content; this program takes no more", maxTotal>>20)
	}
	if err != nil {
		return nil, fmt.Errorf("object %d, a stream with text, %w", ref.ObjectNumber, err)
	}
	d.budget -= int64(len(content))
	return content, nil
}

// decode undoes the filters of a stream (7.4), to at most limit bytes.
func decode(sd *types.StreamDict, limit int64) ([]byte, error) {
	for _, f := range sd.FilterPipeline {
		if !slices.Contains(filter.List(), f.Name) {
			return nil, fmt.Errorf("has the filter %s, which is not known; save the PDF anew with FlateDecode", f.Name)
		}
	}
	content, err := sd.DecodeLengthWithLimit(-1, limit)
	switch {
	case errors.Is(err, filter.ErrDecodeLimitExceeded) || err == nil && int64(len(content)) > limit:
		return nil, errBomb
	case err != nil:
		return nil, fmt.Errorf("can't be decoded (%w); save the PDF anew", err)
	}
	return content, nil
}

// filters returns the filters of a stream whose dictionary has no references.
func filters(d types.Dict) []types.PDFFilter {
	list := func(key string) types.Array {
		if a := d.ArrayEntry(key); a != nil {
			return a
		}
		return types.Array{d[key]}
	}
	var out []types.PDFFilter
	parameters := list("DecodeParms")
	for i, o := range list("Filter") {
		if filter, ok := o.(types.Name); ok {
			var p types.Dict
			if i < len(parameters) {
				p, _ = parameters[i].(types.Dict)
			}
			out = append(out, types.PDFFilter{Name: string(filter), DecodeParms: p})
		}
	}
	return out
}

// Signed tells whether the file has a signature, which any change would make
// invalid, or would break what a signature allows (12.8).
func (d *Document) Signed() bool {
	if _, permissions := d.Catalog["Perms"]; permissions {
		return true
	}
	for _, o := range d.Objects {
		if _, signed := d.Dict(o)["ByteRange"]; signed {
			return true
		}
	}
	return false
}

// findPages walks the page tree (7.7.3).
func (d *Document) findPages() error {
	seen := map[int]bool{}
	var walk func(o types.Object, resources types.Dict, depth int) error
	walk = func(o types.Object, resources types.Dict, depth int) error {
		ref, ok := o.(types.IndirectRef)
		node := d.Dict(o)
		number := ref.ObjectNumber.Value()
		if !ok || node == nil || seen[number] || depth > 64 {
			return nil
		}
		seen[number] = true
		if own := d.Dict(node["Resources"]); own != nil {
			resources = own
		}
		kids := d.Array(node["Kids"])
		if kids == nil {
			if len(d.Pages) == maxPages {
				return fmt.Errorf("the PDF has more than %d pages; this program takes no more", maxPages)
			}
			d.Pages = append(d.Pages, Page{ref, node, resources})
		}
		for _, kid := range kids {
			if err := walk(kid, resources, depth+1); err != nil {
				return err
			}
		}
		return nil
	}
	if err := walk(d.Catalog["Pages"], nil, 0); err != nil {
		return err
	}
	if len(d.Pages) == 0 {
		return Damaged("it has no pages")
	}
	return nil
}
