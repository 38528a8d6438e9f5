package multipart_test

import (
	"errors"
	"io"
	"mime"
	stdlib "mime/multipart"
	"regexp"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"homepage/internal/multipart"
)

// split takes a form apart by its lines alone: those that are a delimiter, and
// the first empty one after each, which ends a header.
func split(body string) (preamble string, headers, contents []string) {
	lines := strings.Split(body, "\r\n")
	begins := func(delimiter string) bool { return strings.TrimRight(lines[0], " \t") == delimiter }
	next := func(ends func() bool) string {
		var taken []string
		for len(lines) > 0 && !ends() {
			taken, lines = append(taken, lines[0]), lines[1:]
		}
		return strings.Join(taken, "\r\n")
	}
	isDelimiter := func() bool { return begins("--b") || begins("--b--") }
	preamble = next(isDelimiter)
	for len(lines) > 0 && begins("--b") {
		lines = lines[1:]
		headers = append(headers, next(func() bool { return lines[0] == "" }))
		lines = lines[min(1, len(lines)):]
		contents = append(contents, next(isDelimiter))
	}
	return preamble, headers, contents
}

// Every part of a form that we take is there, and is a file if its header says
// anything like it. The same form is one to mime/multipart, too. And what is a
// plain form to that package is one to us.
func FuzzForm(f *testing.F) {
	field := "Content-Disposition: form-data; name=\"x\"\r\n\r\n"
	for _, seed := range []string{
		rawForm(filePart("")), rawForm(field+"y", filePart(""), filePart("X: y\r\n z\r\n")), rawForm(field + "--b"), "--b--", "",
		"preamble\r\n" + rawForm(filePart("")) + "epilogue", rawForm(filePart("\r\n--bx\r\n--b-")), rawForm("\r\n", filePart("")),
		"--b \t\r\n" + filePart("") + "\r\n--b-- \t", "--b\r\n" + field + "--b\r\n" + filePart("") + "\r\n--b--", "--b\n\n\n--b--",
		"--b\r\n" + filePart("") + "\r\n--b x\r\n--b--", "--b\r\n" + filePart("") + "\r\n--b\r\r\n--b--x", "--bx\n" + field + "\n--b\r\n--b--", "--b\r\n" + filePart("") + "\r\n--b--\r",
		rawForm(filePart("")) + rawForm(filePart("")), rawForm(filePart(field)), rawForm(strings.Replace(filePart(""), ":", " :", 1)),
	} {
		for _, buffer := range []uint16{1, 7, 1 << 15} {
			f.Add(seed, buffer, buffer)
		}
	}
	for _, disposition := range []string{
		`form-data; name="file"; filename="b\"`, `form-data; name="file"; filename="a"b".txt"`, `form-data; name="a\"; filename="; b=";x=";b=\""`,
		`form-data; name=x; filename=my notes.txt;;`, `form-data; name*=utf-8''a; filename*0*=utf-8''%20; filename*1="%22"`, `attachment; FileName = "=?utf-8?q?a?="`,
	} {
		f.Add(rawForm("Content-Disposition: "+disposition+"\r\n\r\ncontent"), uint16(7), uint16(1<<15))
	}
	mentionsFile := regexp.MustCompile(`(?i)filename[ \t]*\*?[ \t]*=`)
	plain := regexp.MustCompile(`^form-data; name="[ !#-<>-\[\]-~]*"(?:; filename="[ !#-<>-\[\]-~]*")?$`)
	f.Fuzz(func(t *testing.T, body string, piece, buffer uint16) {
		got, err := read(&pieces{body, int(piece) + 1}, contentType, int(buffer)+1)
		want, wantErr := reference(body)
		if err != nil {
			if !isMalformed(err) {
				t.Errorf("error %v, though nothing is wrong but the form", err)
			}
			isPlain := wantErr == nil && strings.HasPrefix(body, "--b\r\n") && strings.Count(body, "\n") == strings.Count(body, "\r\n") &&
				strings.Count(strings.ToLower(body), "content-disposition") == len(want)
			for _, part := range want {
				disposition := part.Part.Header.Get("Content-Disposition")
				isPlain = isPlain && len(part.Part.Header) == 1 && plain.MatchString(disposition)
			}
			if isPlain {
				t.Errorf("error %v for a plain form", err)
			}
			return
		}

		preamble, headers, contents := split(body)
		if len(headers) != len(got) {
			t.Fatalf("%d parts of %d", len(got), len(headers))
		}
		for i, part := range got {
			if part.Content != contents[i] {
				t.Errorf("part %d is %q, want %q", i+1, part.Content, contents[i])
			}
			if mentionsFile.MatchString(headers[i]) && mentionsFile.MatchString(part.Part.Header.Get("Content-Disposition")) && !part.Part.HasFileName {
				t.Errorf("part %d is no file, though it has the header\n%s", i+1, headers[i])
			}
		}
		if strings.ContainsFunc(body, func(r rune) bool { return r < ' ' && r != '\r' && r != '\n' && r != '\t' || r == 0x7f }) {
			return // which mime/multipart does not take in headers
		}
		if strings.Count(preamble, "\n") != strings.Count(preamble, "\r\n") {
			return // which it reads line by line
		}
		if wantErr != nil || len(want) != len(got) {
			t.Fatalf("mime/multipart says %v and has %d parts, want %d", wantErr, len(want), len(got))
		}
		for i := range got {
			if want[i].Content != got[i].Content {
				t.Errorf("part %d is %q, want %q", i+1, got[i].Content, want[i].Content)
			}
			disposition := got[i].Part.Header.Get("Content-Disposition")
			if _, _, err := mime.ParseMediaType(disposition); err != nil || strings.ContainsAny(disposition, `\%*?`) || strings.Count(disposition, `"`) > 4 {
				continue // what that package reads differently
			}
			want[i].Part.Header = got[i].Part.Header // without the space at the ends
			if diff := cmp.Diff(want[i], got[i]); diff != "" {
				t.Error(diff)
			}
		}
	})
}

// reference reads a form with mime/multipart.
func reference(body string) (all []part, err error) {
	// The end of the body does not end a form.
	parts := stdlib.NewReader(io.MultiReader(strings.NewReader(body+"\r\n"), iotest.ErrReader(io.ErrUnexpectedEOF)), "b")
	for {
		next, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		content, err := io.ReadAll(next)
		if err != nil {
			return nil, err
		}
		_, disposition, _ := mime.ParseMediaType(next.Header.Get("Content-Disposition"))
		name, isFile := disposition["filename"]
		all = append(all, part{multipart.Part{Header: next.Header, Name: disposition["name"], FileName: name, HasFileName: isFile}, string(content)})
	}
}

// pieces reads a text by so many bytes at once.
type pieces struct {
	left string
	size int
}

func (p *pieces) Read(buffer []byte) (int, error) {
	if p.left == "" {
		return 0, io.EOF
	}
	n := copy(buffer, p.left[:min(len(p.left), p.size)])
	p.left = p.left[n:]
	return n, nil
}
