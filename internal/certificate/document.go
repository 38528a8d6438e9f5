package certificate

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

// What a template may cost to read.
const (
	maxInflated = 64 << 20  // bytes of one stream
	maxTotal    = 128 << 20 // bytes of all streams that are looked into, each time they are
	maxPages    = 10_000
	maxReading  = 30 * time.Second // for pdfcpu, whose parser is slow on nonsense
)

var errBomb = fmt.Errorf("inflates to more than %d MiB; a template has no need of that", maxInflated>>20)

// document is a PDF with all of its objects parsed.
type document struct {
	file    []byte
	xref    *xref
	objects map[int]types.Object
	catalog types.Dict
	pages   []page
	budget  int64 // bytes that may still be inflated
}

// page is a page with the resources that it has or inherits.
type page struct {
	ref       types.IndirectRef
	dict      types.Dict
	resources types.Dict
}

// open parses a file, which begins with its header.
func open(file []byte) (*document, error) {
	x, err := readXRef(file)
	if err != nil {
		return nil, err
	}
	if x.encrypted {
		return nil, errors.New("the PDF is encrypted; save it without a password")
	}
	d := &document{file: file, xref: x, objects: map[int]types.Object{}, budget: maxTotal}
	if err := d.parse(); err != nil {
		return nil, err
	}
	d.catalog = d.dict(x.trailer["Root"])
	if d.catalog == nil {
		return nil, damaged("it has no catalog")
	}
	if err := d.refuseSigned(); err != nil {
		return nil, err
	}
	return d, d.findPages()
}

// parse lets pdfcpu read every object.
func (d *document) parse() error {
	limits := model.DefaultResourceLimits()
	limits.MaxStreamBytes = int64(len(d.file))
	// Object streams are all inflated and kept, so they share what there is.
	limits.MaxDecodeBytes = min(maxInflated, 4*maxTotal/int64(max(1, d.xref.containers)))
	limits.MaxObjectCount, limits.MaxXRefEntries, limits.MaxObjectStreamCount = maxObjects, maxObjects, maxObjects
	// A configuration of one's own keeps pdfcpu from making a folder for its.
	configuration := &model.Configuration{Reader15: true, ValidationMode: model.ValidationRelaxed, Limits: limits}
	ctx, cancel := context.WithTimeout(context.Background(), maxReading)
	defer cancel()
	parsed, err := pdfcpu.ReadWithContext(ctx, bytes.NewReader(d.file), configuration)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("the PDF can't be read within %v; save it anew", maxReading)
	case errors.Is(err, filter.ErrDecodeLimitExceeded):
		return fmt.Errorf("a stream of the PDF %w", errBomb)
	case err != nil:
		return damaged("%v", err)
	}
	for _, number := range slices.Sorted(maps.Keys(d.xref.generations)) {
		o, err := parsed.Dereference(*types.NewIndirectRef(number, d.xref.generations[number]))
		switch {
		case errors.Is(err, filter.ErrDecodeLimitExceeded):
			return fmt.Errorf("an object stream of the PDF %w", errBomb)
		case err != nil:
			return damaged("object %d: %v", number, err)
		}
		d.objects[number] = o
	}
	return nil
}

// resolve follows references. What does not exist is nil, as ISO 32000-1
// 7.3.10 has it.
func (d *document) resolve(o types.Object) types.Object {
	for range 8 {
		ref, ok := o.(types.IndirectRef)
		if !ok {
			return o
		}
		o = d.objects[ref.ObjectNumber.Value()]
	}
	return nil
}

// dict resolves a dictionary or a stream's.
func (d *document) dict(o types.Object) types.Dict {
	switch o := d.resolve(o).(type) {
	case types.Dict:
		return o
	case types.StreamDict:
		return o.Dict
	}
	return nil
}

func (d *document) array(o types.Object) types.Array {
	a, _ := d.resolve(o).(types.Array)
	return a
}

func (d *document) name(o types.Object) string {
	n, _ := d.resolve(o).(types.Name)
	return string(n)
}

func (d *document) number(o types.Object) float64 {
	switch n := d.resolve(o).(type) {
	case types.Integer:
		return float64(n)
	case types.Float:
		return float64(n)
	}
	return 0
}

// text decodes a text string (7.9.2.2).
func (d *document) text(o types.Object) string {
	o = d.resolve(o)
	if s, err := types.StringOrHexLiteral(o); err == nil && s != nil {
		return *s
	}
	return ""
}

// content inflates a stream.
func (d *document) content(o types.Object) ([]byte, error) {
	ref, _ := o.(types.IndirectRef)
	sd, ok := d.resolve(o).(types.StreamDict)
	if !ok {
		return nil, nil // as good as empty
	}
	content, err := decode(&sd, min(maxInflated, d.budget))
	if errors.Is(err, errBomb) && d.budget < maxInflated {
		return nil, fmt.Errorf("the pages have more than %d MiB of content; a certificate has no need of that", maxTotal>>20)
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

// refuseSigned refuses what an update would make invalid (12.8).
func (d *document) refuseSigned() error {
	_, permissions := d.catalog["Perms"]
	for _, o := range d.objects {
		_, signed := d.dict(o)["ByteRange"]
		if permissions = permissions || signed; permissions {
			break
		}
	}
	if permissions {
		return errors.New("the PDF is signed, and a stamp would break the signature; save it without one")
	}
	return nil
}

// findPages walks the page tree (7.7.3).
func (d *document) findPages() error {
	seen := map[int]bool{}
	var walk func(o types.Object, resources types.Dict, depth int) error
	walk = func(o types.Object, resources types.Dict, depth int) error {
		ref, ok := o.(types.IndirectRef)
		node := d.dict(o)
		number := ref.ObjectNumber.Value()
		if !ok || node == nil || seen[number] || depth > 64 {
			return nil
		}
		seen[number] = true
		if own := d.dict(node["Resources"]); own != nil {
			resources = own
		}
		kids := d.array(node["Kids"])
		if kids == nil {
			if len(d.pages) == maxPages {
				return fmt.Errorf("the PDF has more than %d pages; a certificate has no need of that", maxPages)
			}
			d.pages = append(d.pages, page{ref, node, resources})
		}
		for _, kid := range kids {
			if err := walk(kid, resources, depth+1); err != nil {
				return err
			}
		}
		return nil
	}
	if err := walk(d.catalog["Pages"], nil, 0); err != nil {
		return err
	}
	if len(d.pages) == 0 {
		return damaged("it has no pages")
	}
	return nil
}
