// Package pdf reads PDF files (ISO 32000-1) as far as it takes to find a text in
// what their pages show and to change it: objects and cross-references, filters,
// content streams, fonts. A change is an incremental update, so that nothing that
// this package does not understand can be lost.
//
// Whatever a file asks for, what it costs is bounded by its size: objects of no
// more than 64 MiB and 8 bytes for each of its bytes are read, content of no
// more than 8 MiB and 8 bytes for each is looked into for a text, and it takes
// no more than 512 MiB of memory and 32 bytes for each.
package pdf

import (
	"errors"
	"fmt"
	"iter"

	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/types"
)

// What a file may cost to read.
const (
	maxInflated = 64 << 20 // bytes of one stream
	maxPages    = 10_000

	// Bytes of objects that are read, each time they are, and values of
	// objects that are kept.
	baseWork, workPerByte     = 64 << 20, 8
	baseValues, bytesPerValue = 1 << 20, 8

	// Bytes of content that are looked into for one text, each time they are.
	baseContent, contentPerByte, maxContent = 8 << 20, 8, 128 << 20
)

// Document is a PDF whose objects are read when they are asked for.
type Document struct {
	File      []byte
	XRef      *XRef
	Catalog   types.Dict
	Pages     []Page
	Decrypted bool // File is not the file that was opened, but made of it

	update     []byte // that follows the file
	objects    map[int]types.Object
	containers map[int]*objectStream
	held       int       // bytes of the containers
	security   *security // of an encrypted file
	damage     error
	depth      int   // of objects that it took to read an object
	work       int   // bytes of objects that may still be read
	values     int   // values that may still be read
	total      int64 // bytes of content that may be looked into for one text
	budget     int64 // what is left of them
}

// Page is a page with the resources that it has or inherits.
type Page struct {
	Ref       types.IndirectRef
	Dict      types.Dict
	resources types.Dict
}

// Open opens a file, which begins with its header. The document keeps the file.
// An encrypted one that has no password for its readers is decrypted first.
func Open(file []byte) (*Document, error) { return OpenUpdated(file, nil) }

// OpenUpdated opens a file with the update that follows it.
func OpenUpdated(file, update []byte) (*Document, error) {
	d := newDocument(file, update)
	var err error
	if d.XRef, err = d.readXRef(); err != nil {
		return nil, err
	}
	if d.XRef.Trailer["Encrypt"] != nil {
		plain, err := d.decrypted()
		if err != nil {
			return nil, err
		}
		if d, err = Open(plain); err != nil {
			return nil, err
		}
		d.Decrypted = true
		return d, nil
	}
	if d.Catalog = d.Dict(d.XRef.Trailer["Root"]); d.Catalog == nil && d.damage == nil {
		return nil, Damaged("it has no catalog")
	}
	if err := d.findPages(); err != nil {
		return nil, err
	}
	return d, nil
}

func newDocument(file, update []byte) *Document {
	size := len(file) + len(update)
	total := min(int64(maxContent), baseContent+contentPerByte*int64(size))
	return &Document{
		File: file, update: update,
		objects: map[int]types.Object{}, containers: map[int]*objectStream{},
		work: baseWork + workPerByte*size, values: baseValues + size/bytesPerValue, total: total, budget: total,
	}
}

// size returns the length of the file with its update.
func (d *Document) size() int { return len(d.File) + len(d.update) }

// lexer returns a lexer at an offset, and false if the file has no such byte.
func (d *Document) lexer(offset int) (Lexer, bool) {
	data := d.File
	if offset >= len(data) {
		data, offset = d.update, offset-len(data)
	}
	return Lexer{Data: data, Pos: offset}, 0 <= offset && offset < len(data)
}

// charge counts bytes that were read.
func (d *Document) charge(n int) error {
	if d.work -= n; d.work < 0 {
		return errTooMuch
	}
	return nil
}

// Err returns the first damage met by what can't return an error itself. An
// object that was asked for and is damaged is nil, as if it did not exist.
func (d *Document) Err() error { return d.damage }

func (d *Document) fail(number int, err error) {
	switch {
	case d.damage != nil:
	case errors.Is(err, errTooMuch):
		d.damage = errTooMuch
	case errors.Is(err, errCut):
		d.damage = errCut
	case errors.Is(err, errBomb):
		d.damage = fmt.Errorf("an object stream of the PDF %w", errBomb)
	default:
		d.damage = Damaged("object %d %v", number, err)
	}
}

// read reads an object, wherever it is. What does not exist is nil, as ISO
// 32000-1 7.3.10 has it.
func (d *Document) read(number int) (types.Object, error) {
	e := d.XRef.entry(number)
	switch {
	case d.depth > 8:
		return nil, errors.New("can't be read without reading too many others")
	case e.container > 0:
		return d.member(number, int(e.container))
	case e.offset == 0:
		return nil, nil
	}
	ref, o, err := d.indirect(int(e.offset))
	if err == nil && (ref.ObjectNumber.Value() != number || ref.GenerationNumber.Value() != int(e.generation)) {
		err = fmt.Errorf("is not at byte %d, where it should be", e.offset)
	}
	return o, err
}

// Resolve follows references.
func (d *Document) Resolve(o types.Object) types.Object {
	for range 8 {
		ref, ok := o.(types.IndirectRef)
		if !ok {
			return o
		}
		number := ref.ObjectNumber.Value()
		if err := d.charge(8); err != nil {
			d.fail(number, err)
			return nil
		}
		if o, ok = d.objects[number]; ok {
			// Whoever asks for an array goes through it.
			if a, ok := o.(types.Array); ok {
				d.work -= len(a)
			}
			continue
		}
		if d.XRef == nil { // while its own sections are read
			return nil
		}
		d.objects[number] = nil // to itself
		var err error
		if o, err = d.read(number); err != nil {
			d.fail(number, err)
			return nil
		}
		d.objects[number] = o
	}
	return nil
}

// Objects returns all objects in use that can be read. What is damaged is left
// out: readers do not miss what nothing refers to.
func (d *Document) Objects() iter.Seq2[int, types.Object] {
	return func(yield func(int, types.Object) bool) {
		for number := range d.XRef.numbers() {
			o, ok := d.objects[number]
			if !ok {
				// Not kept, it does not count.
				values := d.values
				var err error
				o, err = d.read(number)
				d.values = values
				if errors.Is(err, errTooMuch) {
					d.fail(number, err)
					return
				}
			}
			if o != nil && !yield(number, o) {
				return
			}
		}
	}
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
	limit := min(maxInflated, max(0, d.budget))
	content, err := d.decode(sd, limit)
	switch {
	case errors.Is(err, errBomb) && limit < min(maxInflated, d.total):
		return nil, d.spent()
	case errors.Is(err, errBomb):
		return nil, fmt.Errorf("object %d, a stream with text, inflates to more than %d MiB; this program takes no more of a file of this size", ref.ObjectNumber, limit>>20)
	case err != nil:
		return nil, fmt.Errorf("object %d, a stream with text, %w", ref.ObjectNumber, err)
	}
	return content, d.spend(len(content))
}

// spend counts bytes of content, or characters that they show.
func (d *Document) spend(n int) error {
	if d.budget -= int64(n); d.budget < 0 {
		return d.spent()
	}
	return nil
}

func (d *Document) spent() error {
	return fmt.Errorf("the pages have more than %d MiB of content; this program takes no more of a file of this size", d.total>>20)
}

// Signed tells whether the file has a signature, which any change would make
// invalid, or would break what a signature allows (12.8). Usage rights are signed
// too, but for the program that grants them.
func (d *Document) Signed() bool {
	rights := map[int]bool{}
	for key, o := range d.Dict(d.Catalog["Perms"]) {
		if key != "UR" && key != "UR3" {
			return true
		}
		if ref, ok := o.(types.IndirectRef); ok {
			rights[ref.ObjectNumber.Value()] = true
		}
	}
	for number, o := range d.Objects() {
		if _, signed := d.Dict(o)["ByteRange"]; signed && !rights[number] {
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
	if d.damage != nil {
		return d.damage
	}
	if len(d.Pages) == 0 {
		return errors.New("the PDF has no pages; add the one that is to show the stamp")
	}
	return nil
}
