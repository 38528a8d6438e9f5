package home

import (
	"encoding/binary"
	"fmt"
	"io"
)

// Visitor is what the source of a section is told of a visitor, such as their
// language or a cookie. Sections are loaded, shared and kept among equal visitors
// alone: the values themselves are compared, and no digest of them. The zero
// value is nobody in particular.
//
// Visitors of different sections are of different types. However one is printed,
// its values are not.
type Visitor[T any] struct {
	values  string // of all things, so that different values make different strings
	ignored Things // that don't count, and whose values are left out
}

// Things are some of the things that a source is told of a visitor, by their
// numbers from 0 on, a bit each. So there can be 64.
type Things uint64

// NewVisitor returns the visitor who sent these values: for each thing that the
// source is told, the lines in which it came. A thing without lines was not sent,
// which is not the same as an empty line.
func NewVisitor[T any](things [][]string) Visitor[T] {
	var values []byte
	none := true
	for _, lines := range things {
		values = binary.AppendUvarint(values, uint64(len(lines)))
		for _, line := range lines {
			none = false
			values = binary.AppendUvarint(values, uint64(len(line)))
			values = append(values, line...)
		}
	}
	if none {
		return Visitor[T]{}
	}
	return Visitor[T]{values: string(values)}
}

// Things returns what NewVisitor was given, or nothing of nobody in particular.
func (v Visitor[T]) Things() (things [][]string) {
	rest := []byte(v.values)
	next := func() uint64 {
		n, size := binary.Uvarint(rest)
		rest = rest[size:]
		return n
	}
	for len(rest) > 0 {
		var lines []string
		for range next() {
			size := next()
			lines = append(lines, string(rest[:size]))
			rest = rest[size:]
		}
		things = append(things, lines)
	}
	return things
}

// without returns what visitors have in common who differ in nothing but the
// ignored things. It is equal to no visitor's own value.
func (v Visitor[T]) without(ignored Things) Visitor[T] {
	if ignored == 0 {
		return v
	}
	things := v.Things()
	for i := range things {
		if ignored&(1<<i) != 0 {
			things[i] = nil
		}
	}
	common := NewVisitor[T](things)
	common.ignored = ignored
	return common
}

// nobody tells whether there is nothing to tell visitors apart by.
func (v Visitor[T]) nobody() bool { return v.values == "" }

// Format prints no value, whatever the verb is.
func (Visitor[T]) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "(visitor)") }

// MarshalText returns no value either.
func (Visitor[T]) MarshalText() ([]byte, error) { return []byte("(visitor)"), nil }
