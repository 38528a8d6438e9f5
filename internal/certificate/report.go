package certificate

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/types"

	"homepage/internal/pdf"
)

// Report tells a template's author how it was linked.
type Report struct {
	XRef     string // the flavour of its cross-reference: table, stream or hybrid
	Place    string // where the placeholder was found, such as "page 1"
	Font     string // of the stamp
	Own      bool   // whether that is the placeholder's own font
	Missing  string // characters of a stamp that the placeholder's font lacks
	PDFA     string // the claim that the template makes, such as "PDF/A-2b", or empty
	AtRisk   bool   // whether the stamp breaks that claim
	Bytes    int    // length of a certificate
	Warnings []string
}

func (d *document) newReport() *Report {
	r := &Report{XRef: "table"}
	_, hybrid := d.XRef.Trailer["XRefStm"]
	switch {
	case d.XRef.Stream:
		r.XRef = "stream"
	case hybrid:
		r.XRef = "hybrid"
	}
	r.PDFA = d.pdfa()
	return r
}

// pdfa returns the claim in the catalog's metadata (ISO 19005-1, 6.7.11).
func (d *document) pdfa() string {
	metadata, err := d.Content(d.Catalog["Metadata"])
	if err != nil {
		return ""
	}
	value := func(key string) string {
		match := regexp.MustCompile(`pdfaid:` + key + `(?:="|='|>)\s*(\w+)`).FindSubmatch(metadata)
		if match == nil {
			return ""
		}
		return strings.ToLower(string(match[1]))
	}
	if part := value("part"); part != "" {
		return "PDF/A-" + part + value("conformance")
	}
	return ""
}

// chooseFont returns the codes of the stamp in the placeholder's font, or in
// the standard font that takes its place.
func (r *Report) chooseFont(own *pdf.Font) (pdf.Glyphs, *pdf.Font, error) {
	if own == nil { // a form field without a font that is known
		own = &pdf.Font{Subset: true}
	}
	g, missing := own.Glyphs(alphabet)
	r.Font, r.Own, r.Missing = fontName(own), missing == "", missing
	if r.Own {
		r.AtRisk = r.PDFA != "" && !own.Embedded
		return g, nil, nil
	}
	lacks := fmt.Sprintf("the placeholder is set in %s, which lacks %s", fontName(own), strings.Join(strings.Split(missing, ""), " "))
	advice := fmt.Sprintf("write %s somewhere in the placeholder's font to have it take part", alphabet)
	if own.Vertical {
		return g, nil, fmt.Errorf("%s, and from top to bottom, as no other font can be set in its place; %s, or set the placeholder from left to right", lacks, advice)
	}
	standard := own.Standard()
	g, _ = standard.Glyphs(alphabet)
	r.Font, r.AtRisk = standard.Name, r.PDFA != ""
	warning := fmt.Sprintf("%s, so the stamp is set in %s: it looks different, and as that font is not embedded, each reader's machine shows its own", lacks, standard.Name)
	if r.AtRisk {
		warning += "; the PDF is no longer valid " + r.PDFA
	}
	r.Warnings = append(r.Warnings, warning+". W"+strings.TrimPrefix(advice, "w"))
	return g, standard, nil
}

// fontName returns what a sentence calls a font.
func fontName(f *pdf.Font) string {
	if f.Name == "" {
		return "a font without a name"
	}
	return f.Name
}

// otherPlaces returns the keys of strings that have the placeholder, such as
// Title or Alt. The form field's own are left out.
func (d *document) otherPlaces(widget types.IndirectRef) []string {
	keys := map[string]bool{}
	var walk func(key string, o types.Object, depth int)
	walk = func(key string, o types.Object, depth int) {
		if depth > 16 {
			return
		}
		switch o := o.(type) {
		case types.Dict:
			for key, value := range o {
				walk(key, value, depth+1)
			}
		case types.Array:
			for _, value := range o {
				walk(key, value, depth+1)
			}
		case types.StringLiteral, types.HexLiteral:
			if strings.Contains(d.Text(o), Placeholder) {
				keys[key] = true
			}
		}
	}
	for number, o := range d.Objects {
		if number != widget.ObjectNumber.Value() || number == 0 {
			walk("", o, 0)
		}
	}
	return slices.Sorted(maps.Keys(keys))
}
