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

func isMalformed(err error) bool {
	_, ok := errors.AsType[*multipart.MalformedError](err)
	return ok
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
	want = append(want, part{want[0].Part, ""}, part{want[0].Part, ""})
	body += "\r\n--b\r\n" + field + "--b\r\n" + field + "--b-- \t\r\nepilogue\r\n--b\r\n"
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

// A form that ends anywhere before its closing delimiter is cut short, or if not
// even the first one is there, malformed.
func TestAFormCutAnywhere(t *testing.T) {
	whole := rawForm(filePart(""), filePart(""))
	for cut := range len(whole) - len("\r\n") {
		_, err := read(strings.NewReader(whole[:cut]), contentType, 64<<10)
		if !isMalformed(err) || errors.Is(err, io.ErrUnexpectedEOF) != (cut > len("--b")) {
			t.Errorf("error %v for %q, want that it is cut short", err, whole[:cut])
		}
	}
}

func TestMalformed(t *testing.T) {
	good := filePart("")
	disposed := func(disposition string) string {
		return rawForm(good, "Content-Disposition: "+disposition+"\r\n\r\ncontent")
	}
	for _, test := range []struct {
		name, body, want string
	}{
		{"a header line without a colon", rawForm(good, "hello\r\n\r\ncontent"), "part 2 has a malformed header line"},
		{"a header line without a name", rawForm(good, ": hello\r\n\r\ncontent"), "part 2 has a malformed header line"},
		{"a space before the colon", rawForm(good, strings.Replace(good, "Disposition:", "Disposition :", 1)), "part 2 has a malformed header line"},
		{"a space before the header", rawForm(good, " "+good), "part 2 has a malformed header line"},
		{"a lone CR", disposed("form-data; name=\"file\"; filename=\"a\rb\""), "part 2 has a malformed header line"},
		{"a NUL", disposed("form-data; name=\"file\"; filename=\"a\x00b\""), "part 2 has a malformed header line"},
		{"a header of more than 64 KiB", rawForm(good, filePart("X: "+strings.Repeat("x", 64<<10)+"\r\n")), "part 2 has a header of more than 65536 bytes"},
		{"a delimiter that goes on", "--b x\r\n" + good + "\r\n--b--", "part 1 begins on the line of the delimiter before it"},
		{"a closing delimiter that goes on", "--b\r\n" + good + "\r\n--b--x", "it has more than white space after the closing delimiter on its line"},
		{"a delimiter line of more than 64 KiB", "--b" + strings.Repeat(" ", 100<<10) + "\r\n" + good + "\r\n--b--", "part 1 has a header of more than 65536 bytes"},
		{"the same of the closing delimiter", "--b\r\n" + good + "\r\n--b--" + strings.Repeat(" ", 100<<10) + "\r\n", "it has more than 65536 bytes after its closing delimiter"},
		{"a part before the first delimiter", good + "\r\n" + rawForm(good), "it has a part before its first delimiter"},
		{"a part after the closing delimiter", rawForm(good) + rawForm(good), "it has a part after its closing delimiter"},
		{"another boundary", strings.ReplaceAll(rawForm(good), "--b", "--c"), "it has no line with the boundary that its Content-Type announces"},
		{"cut short", strings.TrimSuffix(rawForm(good), "--\r\n"), "it ends before its closing delimiter"},

		{"no header", rawForm(good, "\r\ncontent"), "part 2 has no Content-Disposition"},
		{"no Content-Disposition", rawForm(good, "Content-Type: text/plain\r\n\r\ncontent"), "part 2 has no Content-Disposition"},
		{"two of them", rawForm(good, "content-disposition: form-data; name=x\r\n"+good), "part 2 has more than one Content-Disposition"},
		{"an empty one", disposed(""), `part 2 can't be read: its Content-Disposition does not begin with "form-data;"`},
		{"another kind", disposed(`attachment; filename="b.txt"`), `part 2 can't be read: its Content-Disposition does not begin with "form-data;"`},
		{"no kind", disposed(`name="file"; filename="b.txt"`), `part 2 can't be read: its Content-Disposition does not begin with "form-data;"`},
		{"a comment after the kind", disposed(`form-data (really); name="file"; filename="b.txt"`), `part 2 can't be read: its Content-Disposition does not begin with "form-data;"`},
		{"a comment after a parameter", disposed(`form-data; name="file"; filename="b.txt" (really)`), "part 2 can't be read: its Content-Disposition has a quote in the wrong place"},
		{"a comment before a parameter", disposed(`form-data; name="file"; (really) filename="b.txt"`), "part 2 can't be read: its Content-Disposition has a quote in the wrong place"},
		{"two file names", disposed(`form-data; name="file"; filename="b.txt"; FileName="c.txt"`), "part 2 can't be read: its Content-Disposition gives a parameter twice"},
		{"two names", disposed(`form-data; name="file"; name="x"; filename="b.txt"`), "part 2 can't be read: its Content-Disposition gives a parameter twice"},
		{"two extended file names", disposed(`form-data; name="file"; filename*=utf-8''b; filename*=utf-8''c`), "part 2 can't be read: its Content-Disposition gives a parameter twice"},
		{"neither name", disposed("form-data"), "part 2 can't be read: its Content-Disposition has neither a name nor a filename"},
		{"no closing quote", disposed(`form-data; name="file"; filename="b.txt`), "part 2 can't be read: its Content-Disposition has a quote in the wrong place"},
		{"no opening quote", disposed(`form-data; name="file"; filename=b.txt"`), "part 2 can't be read: its Content-Disposition has a quote in the wrong place"},
		{"a semicolon in an unquoted name", disposed(`form-data; name=file; filename=a;b.txt`), "part 2 can't be read: its Content-Disposition has something in it that is not a parameter"},
		{"a file name within a field's name", disposed(`form-data; name="a\"; filename=\"b.txt"`), "part 2 can't be read: its Content-Disposition has a quote in the wrong place"},
		{"a parameter's name with a space", disposed(`form-data; name="file"; file name="b.txt"`), "part 2 can't be read: its Content-Disposition has a quote in the wrong place"},
		{"an extended file name in an unknown charset", disposed(`form-data; name="file"; filename*=klingon''b.txt`), "part 2 can't be read: its Content-Disposition has a filename* that can't be decoded"},
		{"an extended file name that is not UTF-8", disposed(`form-data; name="file"; filename*=UTF-8''%FF.txt`), "part 2 can't be read: its Content-Disposition has a filename* that can't be decoded"},
		{"an extended name that is badly encoded", disposed(`form-data; name*=UTF-8''%F; filename=b.txt`), "part 2 can't be read: its Content-Disposition has a name* that can't be decoded"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := read(strings.NewReader(test.body), contentType, 64<<10)
			if !isMalformed(err) || err.Error() != "malformed form: "+test.want {
				t.Errorf("error %v, want that the form is malformed: %s", err, test.want)
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
		if !errors.Is(err, errBody) || isMalformed(err) {
			t.Errorf("error %v after %q, want the body's", err, whole[:cut])
		}
	}
}

// After the end there is nothing more, whatever follows a form; and after a
// mistake no part can be trusted.
func TestAReaderStopsForGood(t *testing.T) {
	isEOF := func(err error) bool { return errors.Is(err, io.EOF) }
	for _, test := range []struct {
		name, body string
		want       func(error) bool
	}{
		{"at the end", "--b--\r\n--b\r\nepilogue\r\n--b--\r\n", isEOF},
		{"at a mistake", "--b oh\r\n" + rawForm(filePart("")), isMalformed},
		{"at what is too long to skip", strings.Repeat("x", 100<<10) + "\r\n" + rawForm(filePart("")), isMalformed},
	} {
		t.Run(test.name, func(t *testing.T) {
			reader, err := multipart.NewReader(strings.NewReader(test.body), contentType)
			if err != nil {
				t.Fatal(err)
			}
			for range 3 {
				if _, err := reader.Next(); !test.want(err) {
					t.Errorf("Next returns the error %v", err)
				}
				if n, err := reader.Read(make([]byte, 64<<10)); n != 0 || !test.want(err) {
					t.Errorf("Read returns %d bytes and the error %v, want none", n, err)
				}
			}
		})
	}
}

func TestPart(t *testing.T) {
	file := func(fileName string) multipart.Part {
		return multipart.Part{Name: "file", FileName: fileName, HasFileName: true}
	}
	for _, test := range []struct {
		name, disposition string
		want              multipart.Part
	}{
		{"a field", `form-data; name="title"`, multipart.Part{Name: "title"}},
		{"a field of that name", `form-data; name="filename"`, multipart.Part{Name: "filename"}},
		{"a field without a name of its own", `form-data; name=""`, multipart.Part{}},
		{"a file", `form-data; name="file"; filename="a.txt"`, file("a.txt")},
		{"a file in no field", `form-data; filename="a.txt"`, multipart.Part{FileName: "a.txt", HasFileName: true}},
		{"a file input left alone", `form-data; name="file"; filename=""`, file("")},
		{"a path", `form-data; name="file"; filename="../a/b.txt"`, file("../a/b.txt")},
		{"the file name first", `form-data; filename="a.txt"; name="file"`, file("a.txt")},
		{"in capitals", `FORM-DATA; NAME="file"; FILENAME="A.txt"`, file("A.txt")},
		{"stray semicolons and space", "form-data ;; name = \"file\"\t;; ; filename=\t\"a.txt\" ; ", file("a.txt")},
		{"no space", `form-data;name="file";filename="a;b=c.txt"`, file("a;b=c.txt")},
		{"a parameter that means nothing", `form-data; name="file"; filename="a.txt"; size=3; x=""`, file("a.txt")},

		{"no quotes", `form-data; name=file; filename=a.txt`, file("a.txt")},
		{"no quotes, with spaces", `form-data; filename= my (best) notes.txt ; name=file`, file("my (best) notes.txt")},
		{"no quotes, not ASCII", `form-data; name=file; filename=Übung=3.txt`, file("Übung=3.txt")},
		{"no quotes, a Windows path", `form-data; name=file; filename=C:\x\a.txt`, file(`C:\x\a.txt`)},
		{"an empty name without quotes", `form-data; name=file; filename=`, file("")},

		{"a quote as browsers write it", `form-data; name="file"; filename="50%22 wide%0D%0A.txt"`, file("50\" wide\r\n.txt")},
		{"a percent sign is no escape", `form-data; name="file"; filename="100%2525 %41%2F%0a%.txt"`, file("100%2525 %41%2F%0a%.txt")},
		{"a percent sign without quotes", `form-data; name=file; filename=50%22.txt`, file("50%22.txt")},
		{"a Windows path as browsers write it", `form-data; name="file"; filename="C:\new\a.txt"`, file(`C:\new\a.txt`)},
		{"a server's path", `form-data; name="file"; filename="\\server\a.txt"`, file(`\\server\a.txt`)},
		{"a backslash at the end", `form-data; name="file"; filename="b\"`, file(`b\`)},
		{"a backslash at the end, and then more", `form-data; filename="b\"; name="file"`, file(`b\`)},
		{"a backslash at both ends", `form-data; name="file"; filename="\b\"; x=y`, file(`\b\`)},
		{"a backslash at the end of both names", `form-data; name="file\"; filename="b\"`, multipart.Part{Name: `file\`, FileName: `b\`, HasFileName: true}},

		{"an escaped quote", `form-data; name="file"; filename="a\"b.txt"`, file(`a"b.txt`)},
		{"an escaped quote at either end", `form-data; name="file"; filename="\"a\""`, file(`"a"`)},
		{"an escaped backslash", `form-data; name="file"; filename="C:\\new\\a.txt"`, file(`C:\new\a.txt`)},
		{"an escaped backslash at the end", `form-data; filename="b\\"; name="file"`, file(`b\`)},
		{"an escaped quote and what looks like a parameter", `form-data; name="file"; filename="a\"; name=\"b.txt"`, file(`a"; name="b.txt`)},
		{"escaped quotes, but no backslashes", `form-data; name="file"; filename="C:\x\"a\".txt"`, file(`C:\x"a".txt`)},

		{"raw quotes", `form-data; name="file"; filename="a"b".txt"`, file(`a"b".txt`)},
		{"raw quotes at either end", `form-data; name="file"; filename=""a"b""`, file(`"a"b"`)},
		{"raw quotes and a semicolon", `form-data; filename="a"; b.txt"; name="file"`, file(`a"; b.txt`)},
		{"raw quotes and a backslash at the end", `form-data; filename="a"b\"; name="file"`, file(`a"b\`)},

		{"an extended name", `form-data; name="file"; filename*=UTF-8''%e2%82%ac%20%22rates%22.txt`, file(`€ "rates".txt`)},
		{"an extended name is preferred", `form-data; name="file"; filename="_.txt"; filename*=utf-8'en'%C3%BC.txt`, file("ü.txt")},
		{"an extended name in quotes", `form-data; name="file"; filename*="utf-8''%C3%BC.txt"`, file("ü.txt")},
		{"an extended name in Latin-1", `form-data; name="file"; filename*=ISO-8859-1''%FC.txt`, file("ü.txt")},
		{"an extended name that can't be decoded", `form-data; name="file"; filename="a.txt"; filename*=utf-8''%FF`, file("a.txt")},
		{"an extended name that is empty", `form-data; name="file"; filename="a.txt"; filename*=utf-8''`, file("a.txt")},
		{"an extended field name", `form-data; name*=utf-8''%C3%BC; filename="a.txt"`, multipart.Part{Name: "ü", FileName: "a.txt", HasFileName: true}},
		{"a split name", `form-data; name="file"; filename*0*=utf-8''%C3%BC; filename*1="100%"; filename*2*=%2Etxt`, file("ü100%.txt")},
		{"a split name without escapes", `form-data; name="file"; filename*1=".txt"; filename*0="a 100%"`, file("a 100%.txt")},
		{"an encoded word", `form-data; name=file; filename="=?utf-8?B?w7wudHh0?="; x=y`, file("ü.txt")},
		{"not an encoded word", `form-data; name=file; filename="=?a?="`, file("=?a?=")},
		{"control characters", "form-data; name=\"file\"; filename=\"a\x01\tb\x7f.txt\"", file("a\x01\tb\x7f.txt")},
		{"bytes that are not text", "form-data; name=\"file\"; filename=\"a\xff.txt\"", file("a\xff.txt")},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.want.Header = textproto.MIMEHeader{"Content-Disposition": {strings.Trim(test.disposition, " ")}, "X": {"y z"}}
			got, err := read(strings.NewReader(rawForm("content-disposition: "+test.disposition+"\r\nX: y\r\n\tz\r\n\r\ncontent")), contentType, 64<<10)
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
		if _, err := read(strings.NewReader(body), contentType, 64<<10); !isMalformed(err) {
			t.Errorf("error %v for %q, want that it is malformed", err, body)
		}
		next := strings.Index(good[end+1:], "\r\n")
		if next < 0 {
			break
		}
		end += 1 + next
	}
}
