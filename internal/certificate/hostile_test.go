package certificate_test

import (
	"bytes"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"homepage/internal/certificate"
)

// hostile are files of up to so many bytes that ask for as much work, or memory,
// as they can.
func hostile(size int) map[string][]byte {
	fill := func(unit string, length int) string { return strings.Repeat(unit, length/len(unit)) }
	fonts := func(font string) []byte {
		var b strings.Builder
		for i := range size / 256 {
			fmt.Fprintf(&b, "/F%d << /Type /Font /Subtype /Type0 /BaseFont /A%d %s >> ", i, i, font)
		}
		var content strings.Builder
		for i := range size / 256 {
			fmt.Fprintf(&content, "/F%d 9 Tf ", i)
		}
		return build([]string{"<< /Font << " + b.String() + " >> >>"}, []string{"", content.String()},
			[]string{"", "1 begincodespacerange <0000> <ffff> endcodespacerange 4 beginbfrange <0000> <ffff> <0000> <010000> <01ffff> <0000> <020000> <02ffff> <0000> <030000> <03ffff> <0000> endbfrange"})
	}
	overlapping := func(object string) []byte {
		var b bytes.Buffer
		b.WriteString("%PDF-1.7\n1 0 obj\n<< /Type /Catalog /Pages 2 0 R >>\nendobj\n2 0 obj\n<< /Type /Pages /Kids [3 0 R] /Count 1 >>\nendobj\n3 0 obj\n<< /Type /Page /Contents [] >>\nendobj\n")
		first := b.Len()
		n := size / 2 / (len(object) + 20)
		for i := range n {
			fmt.Fprintf(&b, "%-6d 0 obj %s", i+4, object)
		}
		start := b.Len()
		fmt.Fprintf(&b, "\nxref\n0 %d\n0000000000 65535 f \n", n+4)
		for _, mark := range []string{"1 0 obj", "2 0 obj", "3 0 obj"} {
			fmt.Fprintf(&b, "%010d 00000 n \n", bytes.Index(b.Bytes(), []byte(mark)))
		}
		for i := range n {
			fmt.Fprintf(&b, "%010d 00000 n \n", first+i*len(fmt.Sprintf("%-6d 0 obj %s", 1, object)))
		}
		fmt.Fprintf(&b, "trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n", n+4, start+1)
		return b.Bytes()
	}
	pages := func(page string, more ...[]string) []byte {
		objects := append([][]string{{"<< /Type /Catalog /Pages 2 0 R >>"}, {""}, {"[" + fill("1 0 R ", size/2) + "]"}}, more...)
		var kids strings.Builder
		for range size / 200 {
			fmt.Fprintf(&kids, "%d 0 R ", len(objects)+1)
			objects = append(objects, []string{"<< /Type /Page " + page + " >>"})
		}
		objects[1] = []string{"<< /Type /Pages /Kids [" + kids.String() + "] >>"}
		return buildAll(objects)
	}
	bomb := func(unit string) []byte {
		return build([]string{"<< /Font << " + plainFont + " >> >>"}, []string{"/Filter /FlateDecode", deflated([]byte("/F1 9 Tf " + fill(unit, 8*size) + "\nBT /F1 12 Tf 50 50 Td (%timestamp%) Tj ET"))})
	}
	return map[string][]byte{
		"content of text":             bomb("(abcdefghijklmnopqrstuvwxyz) Tj "),
		"content of hexadecimal text": bomb("<616263> Tj "),
		"content of numbers":          bomb("1 "),
		"content of arrays":           bomb("[ ] "),
		"content of operators":        bomb("q Q "),
		"content of fonts":            bomb("/F1 1 Tf "),
		"fonts with many characters":  fonts("/ToUnicode 6 0 R"),
		"fonts with many widths":      fonts("/DescendantFonts [<< /W [0 65535 9 65536 131071 9 131072 196607 9 200000 266000 9] >>]"),
		"strings without an end":      overlapping("("),
		"streams without an end":      overlapping("<<>>stream\n"),
		"arrays in one another":       overlapping("["),
		"pages with annotations":      pages("/Annots 3 0 R"),
		"pages of many streams":       pages("/Contents 3 0 R"),
		"a code that shows a long text": build([]string{"<< /Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /A /ToUnicode 6 0 R >> >> >>"},
			[]string{"", "/F1 9 Tf (" + fill("a", size/2) + ") Tj"}, []string{"", "1 beginbfchar <61> <" + fill("0062", size/4) + "> endbfchar"}),
	}
}

// What a file asks for is bounded by its size.
func TestHostileFiles(t *testing.T) {
	for name, file := range hostile(1 << 13) { // of 1 MiB it would take a minute with the race detector
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		start := time.Now()
		_, err := certificate.Link(file)
		took := time.Since(start)
		runtime.ReadMemStats(&after)
		t.Logf("%s: %d bytes, %v, %d MiB, error %v", name, len(file), took, (after.HeapSys-min(after.HeapSys, before.HeapInuse))>>20, err)
		if after.HeapSys > before.HeapInuse+512<<20 {
			t.Errorf("%s: %d bytes take %d MiB of memory", name, len(file), (after.HeapSys-before.HeapInuse)>>20)
		}
	}
}

// Whatever the file, Link ends soon, and what it accepts can be issued. A file
// is made of another, with a text in it replaced.
func FuzzWholeFile(f *testing.F) {
	for _, test := range fixtures {
		f.Add(fixture(f, test.file), uint32(0), []byte{})
	}
	for _, name := range []string{"encrypted-rc4-40", "encrypted-aes-128", "encrypted-aes-256"} {
		f.Add(fixture(f, name), uint32(5000), []byte("0"))
	}
	f.Add(inStreams(3), uint32(300), []byte("<<"))
	f.Add(hidden(), uint32(300), []byte("/Prev 0"))
	f.Add(withContent("/Filter [/ASCII85Decode /LZWDecode]", a85(lzw(shownText))), uint32(300), []byte("z"))
	f.Add(withContent("/Filter 6 0 R /DecodeParms 7 0 R", predicted(shownText), []string{"/FlateDecode"}, []string{"<< /Predictor 12 /Columns 8 0 R >>"}, []string{"10"}), uint32(300), []byte("9"))
	f.Add(onePage("/X0 Do", []string{"/Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources 4 0 R", "BT /F1 12 Tf [(%time) 5 (stamp%)] TJ ET"}), uint32(0), []byte{})
	f.Add([]byte("%PDF-1.7\nxref\n0 0\ntrailer\n<< /Size 1 /Prev 9 >>\nstartxref\n9\n%%EOF\n"), uint32(0), []byte{})
	f.Add(build([]string{"<< /Font << /F1 << /Subtype /Type0 /ToUnicode 6 0 R /DescendantFonts [<< /W [0 65535 9 0 65535 9] >>] >> >> >>"},
		[]string{"", "BT /F1 9 Tf <0001> Tj (%timestamp%) Tj ET"}, []string{"", "1 begincodespacerange <00> <ffff> endcodespacerange 1 beginbfrange <0000> <ffff> <0000> endbfrange"}), uint32(0), []byte{})
	f.Fuzz(func(t *testing.T, file []byte, at uint32, text []byte) {
		if len(file) > 1<<20 {
			return
		}
		file = bytes.Clone(file)
		if len(file) > 0 {
			copy(file[int(at)%len(file):], text)
		}
		// Fuzzing makes it several times slower.
		slow := time.AfterFunc(20*time.Second, func() { panic("Link does not end") })
		defer slow.Stop()
		template, err := certificate.Link(file)
		if err != nil {
			return
		}
		issued := issue(t, template, moment)
		if len(issued) != template.Report().Bytes {
			t.Errorf("%d bytes, the report says %d", len(issued), template.Report().Bytes)
		}
	})
}
