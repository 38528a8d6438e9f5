package web_test

import (
	"bytes"
	"errors"
	"io"
	"iter"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"homepage/internal/upload"
	"homepage/internal/web"
)

// formReader returns a function that posts a form and returns the files that
// it gave out, read with a buffer of so many bytes, and the answer's status.
func formReader(tb testing.TB) func(t *testing.T, body io.Reader, contentType string, buffer int) ([]file, int) {
	tb.Helper()
	var files []file
	var buffer int
	all, _ := deps(tb, io.Discard)
	all.Receive = func(_ int64, sequence iter.Seq2[upload.File, error]) ([]upload.Receipt, error) {
		files = nil
		for f, err := range sequence {
			if err != nil {
				return nil, err
			}
			content := new(bytes.Buffer)
			if _, err := io.CopyBuffer(struct{ io.Writer }{content}, f.Body, make([]byte, buffer)); err != nil {
				return nil, err
			}
			files = append(files, file{f.Name, content.String()})
		}
		return nil, nil
	}
	handler, err := web.New(all)
	if err != nil {
		tb.Fatal(err)
	}
	return func(t *testing.T, body io.Reader, contentType string, size int) ([]file, int) {
		t.Helper()
		buffer = size
		request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/upload", body)
		request.Header.Set("Content-Type", contentType)
		got := recorder{httptest.NewRecorder()}
		handler.ServeHTTP(got, request)
		if got.Code != http.StatusSeeOther {
			return nil, got.Code
		}
		return files, got.Code
	}
}

const contentTypeB = "multipart/form-data; boundary=b"

// Whatever the pieces that a form comes in, and the buffer that its files are
// read with, the files are the same.
func TestAFormInPieces(t *testing.T) {
	read := formReader(t)
	want := []file{
		{"a.txt", "\r\n--bx\r\r\n\r\n--b-\r\n--\r\n-b\n--b\r\n"},
		{"b.txt", "--bc"},
		{"c.txt", "\r\n"},
	}
	var parts []string
	for _, f := range want {
		parts = append(parts, "Content-Disposition: form-data; name=\"file\"; filename=\""+f.name+"\"\r\n\r\n"+f.content)
	}
	body := "preamble\r\n--b \t\r\n" + strings.Join(parts, "\r\n--b\t\r\n") +
		"\r\n--b\r\nContent-Disposition: form-data; name=\"title\"\r\n\r\n--b\r\n\r\n--b-- \t\r\nepilogue\r\n--b\r\n"
	for _, buffer := range []int{1, 100, 64 << 10} {
		for cut := range len(body) {
			pieces := io.MultiReader(strings.NewReader(body[:cut]), strings.NewReader(body[cut:]))
			got, status := read(t, pieces, contentTypeB, buffer)
			if diff := cmp.Diff(want, got, cmp.AllowUnexported(file{})); diff != "" {
				t.Fatalf("cut at %d, read by %d: status %d\n%s", cut, buffer, status, diff)
			}
		}
		got, status := read(t, iotest.OneByteReader(strings.NewReader(body)), contentTypeB, buffer)
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(file{})); diff != "" {
			t.Fatalf("byte by byte, read by %d: status %d\n%s", buffer, status, diff)
		}
	}
}

// A form that ends anywhere before its closing delimiter is no form.
func TestAFormCutAnywhere(t *testing.T) {
	read := formReader(t)
	whole := rawForm(filePart(""), filePart(""))
	for cut := range len(whole) - len("\r\n") {
		if _, status := read(t, strings.NewReader(whole[:cut]), contentTypeB, 64<<10); status != http.StatusBadRequest {
			t.Errorf("status %d for %q, want 400", status, whole[:cut])
		}
	}
}

func TestBoundaries(t *testing.T) {
	read := formReader(t)
	for _, test := range []struct {
		name, contentType, boundary string
		status                      int
	}{
		{"of a browser", "multipart/form-data; boundary=----WebKitFormBoundaryAbC", "----WebKitFormBoundaryAbC", http.StatusSeeOther},
		{"quoted", `multipart/form-data; charset=utf-8; boundary="a b:c"`, "a b:c", http.StatusSeeOther},
		{"as long as may be", "multipart/form-data; boundary=" + strings.Repeat("x", 70), strings.Repeat("x", 70), http.StatusSeeOther},
		{"longer", "multipart/form-data; boundary=" + strings.Repeat("x", 71), strings.Repeat("x", 71), http.StatusUnsupportedMediaType},
		{"empty", `multipart/form-data; boundary=""`, "", http.StatusUnsupportedMediaType},
		{"none", "multipart/form-data", "", http.StatusUnsupportedMediaType},
		{"with a line break", "multipart/form-data; boundary*=utf-8''a%0D%0Ab", "a\r\nb", http.StatusUnsupportedMediaType},
		{"of no form", "multipart/mixed; boundary=b", "b", http.StatusUnsupportedMediaType},
	} {
		t.Run(test.name, func(t *testing.T) {
			body := strings.ReplaceAll(rawForm(filePart("")), "--b", "--"+test.boundary)
			files, status := read(t, strings.NewReader(body), test.contentType, 64<<10)
			if status != test.status {
				t.Errorf("status %d, want %d", status, test.status)
			}
			if test.status == http.StatusSeeOther && !cmp.Equal([]file{{"a.txt", "content"}}, files, cmp.AllowUnexported(file{})) {
				t.Errorf("files %v", files)
			}
		})
	}
}

// Lines end in CRLF. Where they don't, programs differ on what a form holds.
func TestBareLineFeeds(t *testing.T) {
	read := formReader(t)
	good := rawForm(filePart("X: y\r\n"))
	for end := strings.Index(good, "\r\n"); end >= 0; {
		body := good[:end] + good[end+1:]
		if _, status := read(t, strings.NewReader(body), contentTypeB, 64<<10); status != http.StatusBadRequest {
			t.Errorf("status %d for %q, want 400", status, body)
		}
		next := strings.Index(good[end+1:], "\r\n")
		if next < 0 {
			break
		}
		end += 1 + next
	}
}

var errRefused = errors.New("a mistake in the form")

// reference reads a form with mime/multipart.
func reference(body string) (files []file, err error) {
	// The end of the body is no end of a form.
	parts := multipart.NewReader(io.MultiReader(strings.NewReader(body+"\r\n"), iotest.ErrReader(io.ErrUnexpectedEOF)), "b")
	for {
		part, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) && len(files) > 0 {
			return files, nil
		}
		if err != nil {
			return nil, err
		}
		_, disposition, err := mime.ParseMediaType(part.Header.Get("Content-Disposition"))
		name, isFile := disposition["filename"]
		if err != nil || disposition["name"] != "file" || isFile && name == "" {
			continue
		}
		content, err := io.ReadAll(part)
		if err != nil {
			return nil, err
		}
		if !isFile || len(content) == 0 || len(files) == 3 || part.Header.Get("Content-Transfer-Encoding") != "" {
			return nil, errRefused
		}
		files = append(files, file{name, string(content)})
	}
}

// What is a form to us is the same form to mime/multipart. What is one to it
// is one to us too, unless a line ends in a bare line feed or something comes
// before the first part, which it reads line by line.
func FuzzFormAgainstMultipart(f *testing.F) {
	field := "Content-Disposition: form-data; name=\"x\"\r\n\r\n"
	for _, seed := range []string{
		rawForm(filePart("")), rawForm(field+"y", filePart(""), filePart("X: y\r\n z\r\n")), rawForm(field + "--b"),
		"preamble\r\n" + rawForm(filePart("")) + "epilogue", rawForm(filePart("\r\n--bx\r\n--b-")), rawForm("\r\n", filePart("")),
		"--b \t\r\n" + filePart("") + "\r\n--b-- \t", "--b\r\n" + field + "--b\r\n" + filePart("") + "\r\n--b--", "--b\n\n\n--b--",
		"--b\r\n" + filePart("") + "\r\n--b x\r\n--b--", "--b\r\n" + filePart("") + "\r\n--b\r\r\n--b--x", "--b\r\n" + filePart("") + "\r\n--b--\r",
	} {
		for _, buffer := range []uint16{1, 7, 1 << 15} {
			f.Add(seed, buffer, buffer)
		}
	}
	read := formReader(f)
	bareLineFeed := regexp.MustCompile(`(^|[^\r])\n`)
	f.Fuzz(func(t *testing.T, body string, piece, buffer uint16) {
		got, status := read(t, &pieces{body, int(piece) + 1}, contentTypeB, int(buffer)+1)
		want, err := reference(body)
		if status >= http.StatusInternalServerError {
			t.Errorf("status %d", status)
		}
		preamble, _, _ := strings.Cut(body, "--b")
		if bareLineFeed.MatchString(preamble) || status != http.StatusSeeOther && (bareLineFeed.MatchString(body) || !strings.HasPrefix(body, "--b\r\n")) {
			return
		}
		if accepted := status == http.StatusSeeOther; accepted != (err == nil) {
			t.Fatalf("status %d, where mime/multipart says %v", status, err)
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(file{})); diff != "" {
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
