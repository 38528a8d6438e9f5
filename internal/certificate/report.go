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
	g, missing := own.Glyphs(alphabet)
	r.Font, r.Own, r.Missing = own.Name, missing == "", missing
	if r.Font == "" {
		r.Font = fontName("")
	}
	if r.Own {
		r.AtRisk = r.PDFA != "" && !own.Embedded
		return g, nil, nil
	}
	lacks := fmt.Sprintf("%s, which lacks %s", fontName(own.Name), strings.Join(strings.Split(missing, ""), " "))
	if own.Vertical {
		return g, nil, fmt.Errorf("the placeholder is set from top to bottom, in %s, and no other font can be set so; write %s somewhere in that font, or set the placeholder from left to right", lacks, alphabet)
	}
	standard := own.Standard()
	g, _ = standard.Glyphs(alphabet)
	r.Font, r.AtRisk = standard.Name, r.PDFA != ""
	r.Warnings = append(r.Warnings, fmt.Sprintf("the stamp should be in %s, so it is set in %s; write %s somewhere in the first font to keep it",
		lacks, r.notEmbedded(), alphabet))
	return g, standard, nil
}

// fontName is how messages name a font.
func fontName(name string) string {
	if name == "" {
		return "a font without a name"
	}
	return fmt.Sprintf("the font %q", name)
}

// notEmbedded names the standard font of the stamp, and what comes of it.
func (r *Report) notEmbedded() string {
	text := r.Font + ", which is not embedded: it looks a little different on each machine"
	if r.AtRisk {
		text += ", and the PDF is no longer valid " + r.PDFA
	}
	return text
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
	for number, o := range d.Objects() {
		if number != widget.ObjectNumber.Value() || number == 0 {
			walk("a list", o, 0)
		}
	}
	return slices.Sorted(maps.Keys(keys))
}
