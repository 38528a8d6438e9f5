package multipart_test

import (
	"bytes"
	"errors"
	"io"
	"net/textproto"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"homepage/internal/multipart"
)

const contentType = "multipart/form-data; boundary=b"

// rawForm joins parts, each a header and its content, into a form with the
// boundary b.
func rawForm(parts ...string) string {
	return "--b\r\n" + strings.Join(parts, "\r\n--b\r\n") + "\r\n--b--\r\n"
}

func filePart(headers string) string {
	return "Content-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n" + headers + "\r\ncontent"
}

// part is a part with its content.
type part struct {
	Part    multipart.Part
	Content string
}

// read reads a whole form, with a buffer of so many bytes.
func read(body io.Reader, contentType string, buffer int) ([]part, error) {
	reader, err := multipart.NewReader(body, contentType)
	if err != nil {
		return nil, err
	}
	var all []part
	for {
		next, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		content := new(bytes.Buffer)
		if _, err := io.CopyBuffer(struct{ io.Writer }{content}, struct{ io.Reader }{reader}, make([]byte, buffer)); err != nil {
			return nil, err
		}
		all = append(all, part{next, content.String()})
	}
}

// Whatever pieces a form comes in, and whatever buffer it is read with, its
// parts are the same.
func TestAFormInPieces(t *testing.T) {
	const field = "Content-Disposition: form-data; name=\"x\"\r\n\r\n"
	contents := []string{"\r\n--bx\r\r\n\r\n--b-\r\n--\r\n-b\n--b\r\n", "--bc", "\r\n", ""}
	body := "preamble\r\n--b \t\r\n" + field + strings.Join(contents, "\r\n--b\t\r\n"+field)
	var want []part
	for _, content := range contents {
		want = append(want, part{multipart.Part{Header: textproto.MIMEHeader{"Content-Disposition": {`form-data; name="x"`}}, Name: "x"}, content})
	}
	// The line break that ends a header may also begin a delimiter.
	want = append(want, part{want[0].Part, ""}, part{multipart.Part{Header: textproto.MIMEHeader{}}, ""})
	body += "\r\n--b\r\n" + field + "--b\r\n\r\n--b-- \t\r\nepilogue\r\n--b\r\n"
	for _, buffer := range []int{1, 100, 64 << 10} {
		check := func(body io.Reader) {
			t.Helper()
			got, err := read(body, contentType, buffer)
			if diff := cmp.Diff(want, got); err != nil || diff != "" {
				t.Fatalf("read by %d: %v\n%s", buffer, err, diff)
			}
		}
		for cut := range len(body) {
			check(io.MultiReader(strings.NewReader(body[:cut]), strings.NewReader(body[cut:])))
		}
		check(iotest.OneByteReader(strings.NewReader(body)))
	}
}

// A form that ends anywhere before its closing delimiter is cut short.
func TestAFormCutAnywhere(t *testing.T) {
	whole := rawForm(filePart(""), filePart(""))
	for cut := range len(whole) - len("\r\n") {
		_, err := read(strings.NewReader(whole[:cut]), contentType, 64<<10)
		if !errors.Is(err, multipart.ErrMalformed) || !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("error %v for %q, want that it is cut short", err, whole[:cut])
		}
	}
}

func TestMalformed(t *testing.T) {
	for name, body := range map[string]string{
		"a header line without a colon":        rawForm("hello\r\n\r\ncontent"),
		"a header of more than 64 KiB":         rawForm(filePart("X: " + strings.Repeat("x", 64<<10) + "\r\n")),
		"a delimiter that goes on":             "--b x\r\n" + filePart("") + "\r\n--b--",
		"a closing delimiter that goes on":     "--b\r\n" + filePart("") + "\r\n--b--x",
		"a delimiter line of more than 64 KiB": "--b" + strings.Repeat(" ", 100<<10) + "\r\n" + filePart("") + "\r\n--b--",
		"the same of the closing delimiter":    "--b\r\n" + filePart("") + "\r\n--b--" + strings.Repeat(" ", 100<<10) + "\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := read(strings.NewReader(body), contentType, 64<<10); !errors.Is(err, multipart.ErrMalformed) {
				t.Errorf("error %v, want that it is malformed", err)
			}
		})
	}
}

// What goes wrong with the body is not the form's fault.
func TestAnErrorOfTheBody(t *testing.T) {
	errBody := errors.New("the line went dead")
	whole := rawForm(filePart(""), filePart(""))
	for cut := range len(whole) - len("\r\n") {
		_, err := read(io.MultiReader(strings.NewReader(whole[:cut]), iotest.ErrReader(errBody)), contentType, 64<<10)
		if !errors.Is(err, errBody) || errors.Is(err, multipart.ErrMalformed) {
			t.Errorf("error %v after %q, want the body's", err, whole[:cut])
		}
	}
}

// After the end there is nothing more, whatever follows a form; and after a
// mistake no part can be trusted.
func TestAReaderStopsForGood(t *testing.T) {
	for _, test := range []struct {
		name, body string
		want       error
	}{
		{"at the end", "--b--\r\n" + rawForm(filePart("")), io.EOF},
		{"at a mistake", "--b oh\r\n" + rawForm(filePart("")), multipart.ErrMalformed},
		{"at what is too long to skip", strings.Repeat("x", 100<<10) + "\r\n" + rawForm(filePart("")), multipart.ErrMalformed},
	} {
		t.Run(test.name, func(t *testing.T) {
			reader, err := multipart.NewReader(strings.NewReader(test.body), contentType)
			if err != nil {
				t.Fatal(err)
			}
			for range 3 {
				if _, err := reader.Next(); !errors.Is(err, test.want) {
					t.Errorf("Next returns the error %v, want %v", err, test.want)
				}
				if n, err := reader.Read(make([]byte, 64<<10)); n != 0 || !errors.Is(err, test.want) {
					t.Errorf("Read returns %d bytes and the error %v, want none and %v", n, err, test.want)
				}
			}
		})
	}
}

func TestPart(t *testing.T) {
	for _, test := range []struct {
		name, disposition string
		want              multipart.Part
	}{
		{"a field", `form-data; name="title"`, multipart.Part{Name: "title"}},
		{"a file", `form-data; name="file"; filename="a.txt"`, multipart.Part{Name: "file", FileName: "a.txt", HasFileName: true}},
		{"a file input left alone", `form-data; name="file"; filename=""`, multipart.Part{Name: "file", HasFileName: true}},
		{"a name as sent", `form-data; name="file"; filename="../a/b.txt"`, multipart.Part{Name: "file", FileName: "../a/b.txt", HasFileName: true}},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.want.Header = textproto.MIMEHeader{"Content-Disposition": {test.disposition}, "X": {"y"}}
			got, err := read(strings.NewReader(rawForm("content-disposition: "+test.disposition+"\r\nX: y\r\n\r\ncontent")), contentType, 64<<10)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]part{{test.want, "content"}}, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestBoundaries(t *testing.T) {
	for _, test := range []struct {
		name, contentType, boundary string
		isForm                      bool
	}{
		{"of a browser", "multipart/form-data; boundary=----WebKitFormBoundaryAbC", "----WebKitFormBoundaryAbC", true},
		{"quoted", `multipart/form-data; charset=utf-8; boundary="a b:c"`, "a b:c", true},
		{"as long as may be", "multipart/form-data; boundary=" + strings.Repeat("x", 70), strings.Repeat("x", 70), true},
		{"longer", "multipart/form-data; boundary=" + strings.Repeat("x", 71), strings.Repeat("x", 71), false},
		{"empty", `multipart/form-data; boundary=""`, "", false},
		{"none", "multipart/form-data", "", false},
		{"with a line break", "multipart/form-data; boundary*=utf-8''a%0D%0Ab", "a\r\nb", false},
		{"of another type", "multipart/mixed; boundary=b", "b", false},
		{"of no type", "", "b", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, err := multipart.NewReader(strings.NewReader(""), test.contentType); (err == nil) != test.isForm {
				t.Fatalf("NewReader returns the error %v, though it is a form: %v", err, test.isForm)
			}
			if !test.isForm {
				return
			}
			body := strings.ReplaceAll(rawForm(filePart("")), "--b", "--"+test.boundary)
			got, err := read(strings.NewReader(body), test.contentType, 64<<10)
			if err != nil {
				t.Fatal(err)
			}
			if len(got) != 1 || got[0].Part.FileName != "a.txt" || got[0].Content != "content" {
				t.Errorf("parts %v", got)
			}
		})
	}
}

// Lines end in CRLF. Where they don't, programs disagree on what a form holds.
func TestBareLineFeeds(t *testing.T) {
	good := rawForm(filePart("X: y\r\n"))
	for end := strings.Index(good, "\r\n"); end >= 0; {
		body := good[:end] + good[end+1:]
		if _, err := read(strings.NewReader(body), contentType, 64<<10); !errors.Is(err, multipart.ErrMalformed) {
			t.Errorf("error %v for %q, want that it is malformed", err, body)
		}
		next := strings.Index(good[end+1:], "\r\n")
		if next < 0 {
			break
		}
		end += 1 + next
	}
}
