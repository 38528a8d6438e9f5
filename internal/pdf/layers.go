package pdf

import (
	"slices"

	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/types"
)

// layer returns the name of optional content (ISO 32000-1, 8.11), and whether
// it is shown when the document is opened.
func (d *Document) layer(o types.Object, depth int) (name string, on bool) {
	dict := d.Dict(o)
	switch {
	case depth > maxDepth || dict == nil:
		return "", true
	case d.Name(dict["Type"]) == "OCMD":
		return d.membership(dict, depth)
	}
	if name = d.Text(dict["Name"]); name == "" {
		name = "without a name"
	}
	return name, d.groupOn(o)
}

// groupOn tells whether the default configuration (8.11.4.3) shows a group.
func (d *Document) groupOn(o types.Object) bool {
	group, ok := o.(types.IndirectRef)
	if !ok {
		return true
	}
	configuration := d.Dict(d.Dict(d.Catalog["OCProperties"])["D"])
	has := func(key string) bool {
		return slices.ContainsFunc(d.Array(configuration[key]), func(listed types.Object) bool {
			ref, ok := listed.(types.IndirectRef)
			return ok && ref.ObjectNumber == group.ObjectNumber
		})
	}
	if d.Name(configuration["BaseState"]) == "OFF" {
		return has("ON")
	}
	return !has("OFF")
}

// membership is layer for a membership dictionary (8.11.2.2). The name is that
// of its first group, or of the first that is off if it is hidden.
func (d *Document) membership(dict types.Dict, depth int) (name string, on bool) {
	groups := d.Array(dict["OCGs"])
	if groups == nil && dict["OCGs"] != nil {
		groups = types.Array{dict["OCGs"]}
	}
	var shown, all int
	var off string
	for _, o := range groups {
		if d.Dict(o) == nil {
			continue
		}
		group, on := d.layer(o, depth+1)
		if all++; on {
			shown++
		} else if off == "" {
			off = group
		}
		if name == "" {
			name = group
		}
	}
	if ve := d.Array(dict["VE"]); ve != nil {
		on = d.expression(ve, depth)
	} else {
		switch d.Name(dict["P"]) {
		case "AllOn":
			on = shown == all
		case "AnyOff":
			on = shown < all || all == 0
		case "AllOff":
			on = shown == 0
		default:
			on = shown > 0 || all == 0
		}
	}
	if name == "" {
		name = "without a name"
	}
	if !on && off != "" {
		name = off
	}
	return name, on
}

// expression evaluates a visibility expression: an operator and operands, which
// are groups or expressions.
func (d *Document) expression(ve types.Array, depth int) bool {
	if depth > maxDepth || len(ve) < 2 {
		return true
	}
	value := func(o types.Object) bool {
		if inner := d.Array(o); inner != nil {
			return d.expression(inner, depth+1)
		}
		return d.groupOn(o)
	}
	operator := d.Name(ve[0])
	if operator == "Not" {
		return !value(ve[1])
	}
	for _, o := range ve[1:] {
		if value(o) == (operator == "Or") {
			return operator == "Or"
		}
	}
	return operator != "Or"
}
