package pdf

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/types"
)

// maxObjectNesting is how deep arrays and dictionaries may lie in one another.
const maxObjectNesting = 64

var (
	errTooMuch = errors.New("the PDF has more objects than this program takes for a file of its size; save it anew, with fewer pages")
	errCut     = errors.New("the PDF is cut short: it ends within an object; copy it again or save it anew")
)

// parser reads objects (ISO 32000-1, 7.3). Their types are pdfcpu's; a
// StringLiteral is still escaped.
type parser struct {
	Lexer
	values  int                                         // that may still be read
	decrypt func(text []byte) (plain []byte, err error) // of strings, or nil
}

// object reads the next object. Null is nil, and so is an object that is left out.
func (p *parser) object() (types.Object, error) {
	t := p.next()
	if t.Kind == KindKeyword && string(t.Str) == "endobj" {
		p.Pos = t.Start
		return nil, nil
	}
	return p.value(t, 0)
}

func (p *parser) value(t Token, depth int) (types.Object, error) {
	if p.values--; p.values < 0 {
		return nil, errTooMuch
	}
	if depth > maxObjectNesting {
		return nil, errors.New("its arrays and dictionaries lie in one another too deep")
	}
	switch t.Kind {
	case KindNumber:
		return p.number(t), nil
	case KindString:
		return p.text(t)
	case KindName:
		return types.Name(t.Str), nil
	case KindArray:
		return p.array(depth)
	case KindDictionary:
		return p.dictionary(depth)
	case KindKeyword:
		switch string(t.Str) {
		case "null":
			return nil, nil
		case "true", "false":
			return types.Boolean(len(t.Str) == len("true")), nil
		}
		return nil, fmt.Errorf("%.20q is no object", t.Str)
	case KindEnd:
		return nil, errCut
	}
	return nil, errors.New("it closes what it did not open")
}

// number reads a number, or the reference that it begins.
func (p *parser) number(t Token) types.Object {
	source := p.Data[t.Start:t.End]
	whole, err := strconv.ParseInt(string(source), 10, 64)
	switch {
	case err != nil && (math.IsInf(t.Num, 0) || math.IsNaN(t.Num)): // by their names, which PDF does not know
		return types.Integer(0)
	case err != nil:
		return types.Float(t.Num)
	case whole < 0 || whole > math.MaxInt32:
		return types.Integer(whole)
	}
	// What follows is looked at without reading tokens: most numbers are none
	// of a reference.
	end := p.Pos
	p.skipSpace()
	from := p.Pos
	for p.Pos < len(p.Data) && p.Pos < from+6 && '0' <= p.Data[p.Pos] && p.Data[p.Pos] <= '9' {
		p.Pos++
	}
	generation, err := strconv.Atoi(string(p.Data[from:p.Pos]))
	if err == nil {
		p.skipSpace()
		if r := p.Pos; r > from && r < len(p.Data) && p.Data[r] == 'R' && (r+1 == len(p.Data) || !isRegular(p.Data[r+1])) {
			p.Pos++
			return *types.NewIndirectRef(int(whole), generation)
		}
	}
	p.Pos = end
	return types.Integer(whole)
}

func (p *parser) text(t Token) (types.Object, error) {
	if p.decrypt != nil {
		plain, err := p.decrypt(t.Str)
		return hexLiteral(plain), err
	}
	source := p.Data[t.Start:t.End]
	if source[0] == '<' {
		return hexLiteral(t.Str), nil
	}
	if len(source) < 2 || source[len(source)-1] != ')' {
		return nil, errCut
	}
	return types.StringLiteral(source[1 : len(source)-1]), nil
}

func hexLiteral(b []byte) types.HexLiteral { return types.HexLiteral(fmt.Sprintf("%X", b)) }

func (p *parser) array(depth int) (types.Object, error) {
	a := types.Array{}
	for {
		t := p.next()
		if t.Kind == KindClosing && p.Data[t.Start] == ']' {
			return a, nil
		}
		o, err := p.value(t, depth+1)
		if err != nil {
			return nil, err
		}
		a = append(a, o)
	}
}

// dictionary reads a dictionary without the keys whose value is null, which are
// as good as left out (7.3.7).
func (p *parser) dictionary(depth int) (types.Object, error) {
	d := types.Dict{}
	for {
		t := p.next()
		switch {
		case t.Kind == KindClosing && p.Data[t.Start] == '>':
			return d, nil
		case t.Kind == KindEnd:
			return nil, errCut
		case t.Kind != KindName:
			return nil, errors.New("a key of its dictionary is no name")
		}
		key := string(t.Str)
		value, err := p.value(p.next(), depth+1)
		if err != nil {
			return nil, err
		}
		delete(d, key)
		if value != nil {
			d[key] = value
		}
	}
}

// indirect reads the object at an offset (7.3.10), with its stream if it has
// one.
func (d *Document) indirect(offset int) (ref types.IndirectRef, o types.Object, err error) {
	l, ok := d.lexer(offset)
	if !ok {
		return ref, nil, fmt.Errorf("should be at byte %d, but the file has %d", offset, d.size())
	}
	p := &parser{Lexer: l, values: d.values}
	start := p.Pos
	defer func() {
		if spent := d.charge(p.Pos - start); spent != nil {
			err = spent
		}
	}()
	number, ok1 := p.integer()
	generation, ok2 := p.integer()
	keyword := p.next()
	if !ok1 || !ok2 || !bytes.HasPrefix(keyword.Str, []byte("obj")) || keyword.Kind != KindKeyword {
		return ref, nil, fmt.Errorf("is not at byte %d, where it should be", offset)
	}
	p.Pos = keyword.Start + len("obj")
	ref = *types.NewIndirectRef(number, generation)
	if d.security != nil {
		p.decrypt = d.security.forString(ref)
	}
	o, err = p.object()
	d.values = p.values
	if err != nil {
		return ref, nil, fmt.Errorf("can't be read (%w)", err)
	}
	dict, ok := o.(types.Dict)
	if !ok {
		return ref, o, nil
	}
	end := p.Pos
	if t := p.next(); t.Kind != KindKeyword || string(t.Str) != "stream" {
		p.Pos = end
		return ref, o, nil
	}
	sd := types.StreamDict{Dict: dict}
	if sd.Raw, err = d.streamData(p, dict["Length"]); err == nil && d.security != nil {
		sd.Raw, err = d.security.stream(ref, d, sd)
	}
	return ref, sd, err
}

// streamData reads what stands between stream and endstream (7.3.8.1). A wrong
// Length is made up for, as readers do.
func (d *Document) streamData(p *parser, length types.Object) ([]byte, error) {
	for p.Pos < len(p.Data) && (p.Data[p.Pos] == ' ' || p.Data[p.Pos] == '\t') {
		p.Pos++
	}
	if p.Pos < len(p.Data) && p.Data[p.Pos] == '\r' {
		p.Pos++
	}
	if p.Pos < len(p.Data) && p.Data[p.Pos] == '\n' {
		p.Pos++
	}
	data := p.Data[p.Pos:]
	d.depth++ // a Length may be in a stream again
	n, ok := d.Resolve(length).(types.Integer)
	d.depth--
	if ok && n >= 0 && int(n) <= len(data) {
		after := Lexer{Data: data[:min(len(data), int(n)+64)], Pos: int(n)}
		if t := after.next(); bytes.HasPrefix(t.Str, []byte("endstream")) || bytes.HasPrefix(t.Str, []byte("endobj")) {
			p.Pos += int(n)
			return data[:n:n], nil
		}
	}
	end := bytes.Index(data, []byte("endstream"))
	if end < 0 {
		p.Pos = len(p.Data)
		return nil, errors.Join(errCut, d.charge(len(data)))
	}
	p.Pos += end
	switch data = data[:end:end]; {
	case bytes.Contains(data, []byte("endobj")): // that is another stream's endstream
		return nil, errors.Join(errors.New("is a stream without an endstream"), d.charge(end))
	case bytes.HasSuffix(data, []byte("\r\n")):
		data = data[:end-2]
	case bytes.HasSuffix(data, []byte("\n")), bytes.HasSuffix(data, []byte("\r")):
		data = data[:end-1]
	}
	return data, d.charge(end)
}

// objectStream is an object stream (7.5.7), inflated.
type objectStream struct {
	content []byte
	offsets map[int]int // of its objects, by number
}

// maxHeld is how many bytes of object streams are kept for their next object.
const maxHeld = 16 << 20

// container returns the object stream of a number.
func (d *Document) container(number int) (*objectStream, error) {
	if s := d.containers[number]; s != nil {
		return s, nil
	}
	e := d.XRef.entry(number)
	if e.offset == 0 || e.container > 0 {
		return nil, fmt.Errorf("lies in object stream %d, which is missing", number)
	}
	ref, o, err := d.indirect(int(e.offset))
	sd, ok := o.(types.StreamDict)
	if err != nil || !ok || ref.ObjectNumber.Value() != number || d.Name(sd.Dict["Type"]) != "ObjStm" {
		return nil, fmt.Errorf("lies in object stream %d, which can't be read", number)
	}
	content, err := d.decode(sd, min(maxInflated, int64(d.work)))
	if err != nil {
		return nil, fmt.Errorf("lies in object stream %d, which %w", number, err)
	}
	if err := d.charge(len(content)); err != nil {
		return nil, err
	}
	s := &objectStream{content, map[int]int{}}
	first, l := int(d.Number(sd.Dict["First"])), Lexer{Data: content}
	for range int(d.Number(sd.Dict["N"])) {
		member, ok1 := l.integer()
		offset, ok2 := l.integer()
		if !ok1 || !ok2 {
			break
		}
		if first >= 0 && first+offset <= len(content) {
			s.offsets[member] = first + offset
		}
	}
	if d.held += len(content); d.held > maxHeld {
		clear(d.containers)
		d.held = len(content)
	}
	d.containers[number] = s
	return s, nil
}

// member reads an object of an object stream.
func (d *Document) member(number, container int) (types.Object, error) {
	s, err := d.container(container)
	if err != nil {
		return nil, err
	}
	offset, ok := s.offsets[number]
	if !ok {
		return nil, nil
	}
	p := &parser{Lexer: Lexer{Data: s.content, Pos: offset}, values: d.values}
	o, err := p.object()
	d.values = p.values
	if spent := d.charge(p.Pos - offset); spent != nil {
		return nil, spent
	}
	if err != nil {
		return nil, fmt.Errorf("can't be read (%w)", err)
	}
	return o, nil
}
