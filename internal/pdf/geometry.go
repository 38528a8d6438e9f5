package pdf

import (
	"math"

	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/types"
)

// Matrix is a transformation (ISO 32000-1, 8.3.3): [a b c d e f].
type Matrix [6]float64

func identity() Matrix { return Matrix{1, 0, 0, 1, 0, 0} }

// Times is m, then n: m × n of 8.3.4.
func (m Matrix) Times(n Matrix) Matrix {
	return Matrix{
		m[0]*n[0] + m[1]*n[2], m[0]*n[1] + m[1]*n[3],
		m[2]*n[0] + m[3]*n[2], m[2]*n[1] + m[3]*n[3],
		m[4]*n[0] + m[5]*n[2] + n[4], m[4]*n[1] + m[5]*n[3] + n[5],
	}
}

// translated is m with its origin moved by (x, y) of its own space.
func (m Matrix) translated(x, y float64) Matrix { return Matrix{1, 0, 0, 1, x, y}.Times(m) }

// level tells whether what is level or upright stays so, or becomes the other.
func (m Matrix) level() bool { return m[1] == 0 && m[2] == 0 || m[0] == 0 && m[3] == 0 }

// At returns where the point (x, y) is.
func (m Matrix) At(x, y float64) Point {
	return Point{m[0]*x + m[2]*y + m[4], m[1]*x + m[3]*y + m[5]}
}

// Point is a place, or a way from one to another.
type Point struct{ X, Y float64 }

// Box is a rectangle whose sides are level and upright.
type Box struct{ Left, Bottom, Right, Top float64 }

func everywhere() Box { return Box{math.Inf(-1), math.Inf(-1), math.Inf(1), math.Inf(1)} }

// nowhere has no points; with makes it grow.
func nowhere() Box { return Box{math.Inf(1), math.Inf(1), math.Inf(-1), math.Inf(-1)} }

func (b Box) with(p Point) Box {
	return Box{min(b.Left, p.X), min(b.Bottom, p.Y), max(b.Right, p.X), max(b.Top, p.Y)}
}

func (b Box) empty() bool { return b.Left > b.Right || b.Bottom > b.Top }

func (b Box) has(p Point) bool {
	return b.Left <= p.X && p.X <= b.Right && b.Bottom <= p.Y && p.Y <= b.Top
}

func (b Box) and(c Box) Box {
	return Box{max(b.Left, c.Left), max(b.Bottom, c.Bottom), min(b.Right, c.Right), min(b.Top, c.Top)}
}

// through is the box around b transformed.
func (b Box) through(m Matrix) Box {
	if b == everywhere() || b.empty() {
		return b
	}
	return nowhere().with(m.At(b.Left, b.Bottom)).with(m.At(b.Right, b.Bottom)).with(m.At(b.Left, b.Top)).with(m.At(b.Right, b.Top))
}

// box reads a rectangle (7.9.5); ok is false if it is none.
func (d *Document) box(o types.Object) (b Box, ok bool) {
	a := d.Array(o)
	if len(a) != 4 {
		return everywhere(), false
	}
	return nowhere().with(Point{d.Number(a[0]), d.Number(a[1])}).with(Point{d.Number(a[2]), d.Number(a[3])}), true
}

// matrix reads a form XObject's or a font's matrix.
func (d *Document) matrix(o types.Object, otherwise Matrix) Matrix {
	a := d.Array(o)
	if len(a) != len(otherwise) {
		return otherwise
	}
	var m Matrix
	for i := range m {
		m[i] = d.Number(a[i])
	}
	return m
}

// pageBox is what is shown of a page: its CropBox within its MediaBox, both of
// which it may inherit (7.7.3.4, 14.11.2).
func (d *Document) pageBox(p Page) Box {
	inherited := func(key string) types.Object {
		node := p.Dict
		for range 64 {
			if o := d.Resolve(node[key]); o != nil || node == nil {
				return o
			}
			node = d.Dict(node["Parent"])
		}
		return nil
	}
	media, ok := d.box(inherited("MediaBox"))
	if !ok {
		media = Box{0, 0, 612, 792} // as viewers take it
	}
	crop, _ := d.box(inherited("CropBox"))
	if shown := media.and(crop); !shown.empty() {
		return shown
	}
	return media
}
