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

// What we take for a form is the same form to mime/multipart. What that takes
// for one is one to us too, unless a line ends in a bare line feed or something
// comes before the first part, which it reads line by line.
func FuzzAgainstMimeMultipart(f *testing.F) {
	field := "Content-Disposition: form-data; name=\"x\"\r\n\r\n"
	for _, seed := range []string{
		rawForm(filePart("")), rawForm(field+"y", filePart(""), filePart("X: y\r\n z\r\n")), rawForm(field + "--b"), "--b--", "",
		"preamble\r\n" + rawForm(filePart("")) + "epilogue", rawForm(filePart("\r\n--bx\r\n--b-")), rawForm("\r\n", filePart("")),
		"--b \t\r\n" + filePart("") + "\r\n--b-- \t", "--b\r\n" + field + "--b\r\n" + filePart("") + "\r\n--b--", "--b\n\n\n--b--",
		"--b\r\n" + filePart("") + "\r\n--b x\r\n--b--", "--b\r\n" + filePart("") + "\r\n--b\r\r\n--b--x", "--bx\n" + field + "\n--b\r\n--b--", "--b\r\n" + filePart("") + "\r\n--b--\r",
	} {
		for _, buffer := range []uint16{1, 7, 1 << 15} {
			f.Add(seed, buffer, buffer)
		}
	}
	bareLineFeed := regexp.MustCompile(`(^|[^\r])\n`)
	preamble := regexp.MustCompile(`(?s)^(.*?)(?:(?:^|\r\n)--b(?:--)?[ \t]*\r\n|$)`)
	f.Fuzz(func(t *testing.T, body string, piece, buffer uint16) {
		got, err := read(&pieces{body, int(piece) + 1}, contentType, int(buffer)+1)
		if err != nil && !errors.Is(err, multipart.ErrMalformed) {
			t.Errorf("error %v, though nothing is wrong but the form", err)
		}
		want, wantErr := reference(body)
		if bareLineFeed.MatchString(preamble.FindStringSubmatch(body)[1]) || err != nil && (bareLineFeed.MatchString(body) || !strings.HasPrefix(body, "--b\r\n")) {
			return
		}
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("error %v, where mime/multipart says %v", err, wantErr)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
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
