package pdf_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/types"

	"homepage/internal/pdf"
)

// shape is what a font program has for a character.
type shape int

const (
	drawn shape = iota
	blank
	composite      // of the drawn one
	emptyComposite // of the blank one
)

// The fonts of these tests have an A that is drawn, a B that is blank, and
// where the format knows such glyphs a C that is composite and a D that is
// composed of nothing. They have no E.
var shapes = []shape{drawn, blank, composite, emptyComposite}

func u16(values ...int) (b []byte) {
	for _, v := range values {
		b = binary.BigEndian.AppendUint16(b, uint16(v))
	}
	return b
}

func u32(values ...int) (b []byte) {
	for _, v := range values {
		b = binary.BigEndian.AppendUint32(b, uint32(v))
	}
	return b
}

// trueType builds a TrueType font of the tables that outlines need and others.
// Its glyphs begin at 1, all half an em wide.
func trueType(more map[string][]byte) []byte {
	var glyf []byte
	loca := u16(0)
	for _, s := range append([]shape{blank}, shapes...) {
		switch s {
		case drawn:
			glyf = append(glyf, u16(1, 0, 0, 500, 700, 3, 0)...)
			glyf = append(glyf, 1, 1, 1, 1)
			glyf = append(glyf, u16(0, 500, 0, -500, 0, 0, 700, 0)...)
		case composite:
			glyf = append(glyf, u16(-1, 0, 0, 500, 700, 0, 1, 0)...)
		case emptyComposite:
			glyf = append(glyf, u16(-1, 0, 0, 500, 700, 0, 2, 0)...)
		}
		loca = append(loca, u16(len(glyf)/2)...)
	}
	head := make([]byte, 54)
	copy(head[18:], u16(1000))
	hhea := make([]byte, 36)
	copy(hhea[34:], u16(1))
	tables := map[string][]byte{"head": head, "hhea": hhea, "hmtx": u16(500, 0, 0, 0, 0, 0), "loca": loca, "glyf": glyf}
	maps.Copy(tables, more)
	out := append(u32(0x00010000), u16(len(tables), 0, 0, 0)...)
	var data []byte
	for tag, table := range tables {
		out = append(append(out, tag...), u32(0, 12+16*len(tables)+len(data), len(table))...)
		data = append(data, table...)
	}
	return append(out, data...)
}

// charmap builds a cmap for Windows of format 4 that maps the codes from first on to the
// glyphs from 1 on.
func charmap(encoding, first int) map[string][]byte {
	last := first + len(shapes) - 1
	table := u16(4, 32, 0, 4, 0, 0, 0, last, 0xFFFF, 0, first, 0xFFFF, 1-first, 1, 0, 0)
	return map[string][]byte{"cmap": append(u16(0, 1, 3, encoding, 0, 12), table...)}
}

// macintosh builds a cmap of format 0.
func macintosh() map[string][]byte {
	table := make([]byte, 256)
	for i := range shapes {
		table['A'+i] = byte(1 + i)
	}
	return map[string][]byte{"cmap": append(u16(0, 1, 1, 0, 0, 12, 0, 262, 0), table...)}
}

// names builds a post table without a cmap.
func names() map[string][]byte {
	post := append(append(u32(0x00020000), make([]byte, 28)...), u16(1+len(shapes), 0)...)
	for i := range shapes {
		post = append(post, u16('A'-' '+3+i)...) // glyphs of the Macintosh
	}
	return map[string][]byte{"post": post}
}

func index(parts ...[]byte) []byte {
	b, at := append(u16(len(parts)), 2), 1
	b = append(b, u16(at)...)
	for _, part := range parts {
		at += len(part)
		b = append(b, u16(at)...)
	}
	return append(b, bytes.Join(parts, nil)...)
}

// The letters' charstrings: a move and a line, an end alone, and two glyphs put
// together; of the last there is no fourth.
var (
	type2 = [][]byte{{14}, {139, 139, 21, 239, 6, 14}, {239, 14}, {139, 139, 204, 205, 14}}
	type1 = [][]byte{{139, 239, 13, 239, 6, 9, 14}, {139, 239, 13, 14}, {139, 139, 139, 204, 205, 12, 6}}
)

// cff builds a bare CFF font, CID-keyed or with names.
func cff(keyed bool) []byte {
	number := func(n int) []byte { return append([]byte{29}, u32(n)...) }
	var top []byte
	build := func(charset, charstrings int) []byte {
		top = nil
		if keyed {
			top = append(append(append(append(number(391), number(392)...), number(0)...), 12, 30), top...)
		}
		top = append(append(top, number(charset)...), 15)
		top = append(append(top, number(charstrings)...), 17)
		return bytes.Join([][]byte{{1, 0, 4, 2}, index([]byte("Font")), index(top), index([]byte("Adobe"), []byte("Identity")), u16(0)}, nil)
	}
	at := len(build(0, 0))
	// 34 is the standard string A, and here a CID too.
	charset := append([]byte{0}, u16(34, 35, 36)...)
	return bytes.Join([][]byte{build(at, at+len(charset)), charset, index(type2...)}, nil)
}

func encrypt(b []byte, key uint16) []byte {
	var out []byte
	for _, c := range append(make([]byte, 4), b...) {
		e := c ^ byte(key>>8)
		key = (uint16(e)+key)*52845 + 22719
		out = append(out, e)
	}
	return out
}

func type1Font(hexadecimal bool) []byte {
	private := []byte("dup /Private 8 dict dup begin /lenIV 4 def 2 index /CharStrings 3 dict dup begin\n")
	for i, charstring := range type1 {
		e := encrypt(charstring, 4330)
		private = append(fmt.Appendf(private, "/%c %d RD ", 'A'+i, len(e)), e...)
		private = append(private, " ND\n"...)
	}
	private = encrypt(append(private, "end\nend\n"...), 55665)
	if hexadecimal {
		private = fmt.Appendf(nil, "%X", private)
	}
	clear := "%!PS-AdobeFont-1.0: F\n/Encoding 256 array\n0 1 255 {1 index exch /.notdef put} for\ndup 65 /A put\ndup 66 /B put\ndup 67 /C put\nreadonly def\ncurrentfile eexec\n"
	return append([]byte(clear), private...)
}

// open builds a file with a font program as object 4 and another stream as 5,
// and reads a font dictionary.
func open(t *testing.T, font types.Dict, program, other []byte) *pdf.Font {
	t.Helper()
	var b bytes.Buffer
	b.WriteString("%PDF-1.7\n")
	var offsets []int
	for i, object := range []string{
		"<< /Type /Catalog /Pages 2 0 R >>", "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
		"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] >>",
		fmt.Sprintf("<< /Length %d >>\nstream\n%s\nendstream", len(program), program),
		fmt.Sprintf("<< /Length %d >>\nstream\n%s\nendstream", len(other), other),
	} {
		offsets = append(offsets, b.Len())
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", i+1, object)
	}
	start := b.Len()
	b.WriteString("xref\n0 6\n0000000000 65535 f \n")
	for _, offset := range offsets {
		fmt.Fprintf(&b, "%010d 00000 n \n", offset)
	}
	fmt.Fprintf(&b, "trailer\n<< /Size 6 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n", start)
	d, err := pdf.Open(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	f, err := d.ReadFont(font)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

var (
	programRef = *types.NewIndirectRef(4, 0)
	otherRef   = *types.NewIndirectRef(5, 0)
)

func simple(subtype, key string, flags int, encoding types.Object) types.Dict {
	widths := types.Array{}
	for range 5 {
		widths = append(widths, types.Integer(500))
	}
	d := types.Dict{
		"Subtype": types.Name(subtype), "BaseFont": types.Name("ABCDEF+Test"), "FirstChar": types.Integer('A'), "Widths": widths,
		"FontDescriptor": types.Dict{"Flags": types.Integer(flags), key: programRef},
	}
	if encoding != nil {
		d["Encoding"] = encoding
	}
	return d
}

// cidFont has CIDs as codes, and a ToUnicode CMap as object 5 or a map of CIDs.
func cidFont(subtype, key string, gids types.Object, widths types.Object) types.Dict {
	descendant := types.Dict{"Subtype": types.Name(subtype), "W": widths, "FontDescriptor": types.Dict{key: programRef}}
	if gids != nil {
		descendant["CIDToGIDMap"] = gids
	}
	return types.Dict{
		"Subtype": types.Name("Type0"), "BaseFont": types.Name("ABCDEF+Test"), "Encoding": types.Name("Identity-H"),
		"DescendantFonts": types.Array{descendant}, "ToUnicode": otherRef,
	}
}

func toUnicode(first int) []byte {
	return fmt.Appendf(nil, "1 begincodespacerange <0000> <ffff> endcodespacerange 1 beginbfrange <%04x> <%04x> <0041> endbfrange", first, first+4)
}

func TestAFontIsTrustedForWhatItDraws(t *testing.T) {
	t.Parallel()
	winAnsi := types.Name("WinAnsiEncoding")
	recoded := types.Dict{"Differences": types.Array{types.Integer('A'), types.Name("B"), types.Name("A")}}
	listed := types.Array{types.Integer(1), types.Integer(99), types.Integer(500)}
	for name, test := range map[string]struct {
		font           types.Dict
		program, other []byte
		missing        string
	}{
		"TrueType by Unicode":              {simple("TrueType", "FontFile2", 32, winAnsi), trueType(charmap(1, 'A')), nil, "BDE"},
		"TrueType by the Macintosh's cmap": {simple("TrueType", "FontFile2", 32, winAnsi), trueType(macintosh()), nil, "BDE"},
		"TrueType by symbols":              {simple("TrueType", "FontFile2", 4, nil), trueType(charmap(0, 0xF041)), nil, "BDE"},
		"TrueType by names":                {simple("TrueType", "FontFile2", 32, winAnsi), trueType(names()), nil, "BDE"},
		"TrueType without a way":           {simple("TrueType", "FontFile2", 32, winAnsi), trueType(nil), nil, "ABCDE"},
		"TrueType with Differences":        {simple("TrueType", "FontFile2", 32, recoded), trueType(charmap(1, 'A')), nil, "BDE"},
		"TrueType of other widths": {func() types.Dict {
			d := simple("TrueType", "FontFile2", 32, winAnsi)
			d["Widths"] = types.Array{types.Integer(900), types.Integer(500), types.Integer(500), types.Integer(500)}
			return d
		}(), trueType(charmap(1, 'A')), nil, "ABDE"},
		"no program":                    {simple("TrueType", "FontFile2", 32, winAnsi), []byte("no glyphs"), nil, "ABCDE"},
		"Type 1":                        {simple("Type1", "FontFile", 4, nil), type1Font(false), nil, "BDE"},
		"Type 1 in hexadecimal":         {simple("Type1", "FontFile", 4, nil), type1Font(true), nil, "BDE"},
		"Type 1 with an encoding":       {simple("Type1", "FontFile", 32, recoded), type1Font(false), nil, "BDE"},
		"CFF with its own encoding":     {simple("Type1", "FontFile3", 4, nil), cff(false), nil, "BDE"},
		"CFF with an encoding":          {simple("Type1", "FontFile3", 32, winAnsi), cff(false), nil, "BDE"},
		"OpenType with CFF":             {simple("Type1", "FontFile3", 32, winAnsi), trueType(map[string][]byte{"CFF ": cff(false)}), nil, "BDE"},
		"CIDs that are glyphs":          {cidFont("CIDFontType2", "FontFile2", types.Name("Identity"), listed), trueType(nil), toUnicode(1), "BDE"},
		"CIDs of a CID-keyed font":      {cidFont("CIDFontType0", "FontFile3", nil, listed), cff(true), toUnicode(34), "BDE"},
		"CIDs of a font with names":     {cidFont("CIDFontType0", "FontFile3", nil, listed), cff(false), toUnicode(1), "BDE"},
		"CIDs without widths":           {cidFont("CIDFontType0", "FontFile3", nil, nil), cff(true), toUnicode(34), "ABCDE"},
		"other glyphs than cmap's":      {cidFont("CIDFontType2", "FontFile2", nil, listed), trueType(charmap(1, 'A')), toUnicode(3), "ABCDE"},
		"a map of CIDs that leads away": {cidFont("CIDFontType2", "FontFile2", otherRef, listed), trueType(nil), toUnicode(0x2020), "ABCDE"},
		"Type 3": {types.Dict{
			"Subtype": types.Name("Type3"), "FirstChar": types.Integer('A'), "Widths": types.Array{types.Integer(500), types.Integer(500), types.Integer(500)},
			"CharProcs": types.Dict{"A": programRef, "B": otherRef}, "Encoding": types.Dict{"Differences": types.Array{types.Integer('A'), types.Name("A"), types.Name("B"), types.Name("C")}},
		}, []byte("500 0 0 0 500 700 d1 0 0 500 700 re f"), []byte("500 0 0 0 0 0 d1"), "BCDE"},
		"a bitmap of TeX": {types.Dict{
			"Subtype": types.Name("Type3"), "FirstChar": types.Integer('A'), "Widths": types.Array{types.Integer(50)},
			"CharProcs": types.Dict{"a65": programRef}, "Encoding": types.Dict{"Differences": types.Array{types.Integer('A'), types.Name("a65")}},
		}, []byte("50 0 0 0 8 1 d1 8 0 0 1 0 0 cm BI /IM true /W 8 /H 1 /BPC 1 ID \xff EI"), nil, "BCDE"},
		"not embedded": {types.Dict{"Subtype": types.Name("Type1"), "BaseFont": types.Name("Helvetica"), "Encoding": winAnsi}, nil, nil, ""},
		"pictures":     {types.Dict{"Subtype": types.Name("TrueType"), "BaseFont": types.Name("Wingdings-Regular"), "Encoding": winAnsi}, nil, nil, "ABCDE"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, missing := open(t, test.font, test.program, test.other).Glyphs("ABCDE"); missing != test.missing {
				t.Errorf("missing %q, want %q", missing, test.missing)
			}
		})
	}
}

// Whatever is cut off a font program or wrong in it, nothing worse happens than
// that it is not trusted.
func TestBrokenPrograms(t *testing.T) {
	t.Parallel()
	for key, program := range map[string][]byte{"FontFile2": trueType(charmap(1, 'A')), "FontFile": type1Font(false), "FontFile3": cff(false)} {
		for n := range program {
			cut := open(t, simple("TrueType", key, 32, types.Name("WinAnsiEncoding")), program[:n], nil)
			cut.Glyphs("ABCDE")
			wrong := bytes.Clone(program)
			wrong[n] ^= 0xFF
			open(t, simple("TrueType", key, 32, types.Name("WinAnsiEncoding")), wrong, nil).Glyphs("ABCDE")
		}
	}
}

func TestTheStandardFontInPlaceOfAnother(t *testing.T) {
	t.Parallel()
	even := types.Array{types.Integer(600), types.Integer(600)}
	uneven := types.Array{types.Integer(600), types.Integer(318)}
	for want, fonts := range map[string][]types.Dict{
		"Helvetica": {{}, {"BaseFont": types.Name("ABCDEF+Frutiger-Roman")}, {"BaseFont": types.Name("MonotypeSorts"), "Widths": uneven}},
		"Helvetica-Bold": {
			{"BaseFont": types.Name("FrutigerLTStd-Bd")},
			{"BaseFont": types.Name("Inter-SemiBold")},
			{"FontDescriptor": types.Dict{"FontWeight": types.Integer(600)}},
			{"FontDescriptor": types.Dict{"StemV": types.Integer(188)}},
		},
		"Helvetica-Oblique":   {{"BaseFont": types.Name("Univers-Obl")}, {"FontDescriptor": types.Dict{"ItalicAngle": types.Integer(-12)}}},
		"Times-Roman":         {{"FontDescriptor": types.Dict{"Flags": types.Integer(2)}}, {"BaseFont": types.Name("CMR10")}, {"BaseFont": types.Name("DejaVuSerif"), "Widths": uneven, "FontDescriptor": types.Dict{"Flags": types.Integer(1)}}},
		"Times-Bold":          {{"BaseFont": types.Name("NimbusRomNo9L-Medi")}, {"FontDescriptor": types.Dict{"FontName": types.Name("AAAAAA+URWBookman-Demi")}}},
		"Times-BoldItalic":    {{"BaseFont": types.Name("MinionPro-BoldIt")}},
		"Courier":             {{"BaseFont": types.Name("LiberationMono"), "Widths": even}, {"Widths": even, "FontDescriptor": types.Dict{"Flags": types.Integer(1)}}},
		"Courier-BoldOblique": {{"BaseFont": types.Name("CourierNewPS-BoldItalicMT")}},
	} {
		for _, font := range fonts {
			if got := open(t, font, nil, nil).Standard().Name; got != want {
				t.Errorf("%v: %s, want %s", font, got, want)
			}
		}
	}
	if strings.Contains(open(t, types.Dict{"BaseFont": types.Name("ABCDEF+A")}, nil, nil).Name, "+") {
		t.Error("a subset's prefix is taken for a part of its name")
	}
}
