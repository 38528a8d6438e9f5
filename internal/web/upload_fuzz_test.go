package web_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"homepage/internal/web"
)

// recorder is an answer on a connection whose deadlines never pass.
type recorder struct{ *httptest.ResponseRecorder }

func (recorder) SetReadDeadline(time.Time) error  { return nil }
func (recorder) SetWriteDeadline(time.Time) error { return nil }

// countFiles counts the parts of a form that look like files, by its delimiters
// and by what looks like a file name in a header. What may be an empty name adds
// to most alone.
func countFiles(body string) (least, most int) {
	var header string
	inHeader := false
	for line := range strings.SplitSeq(body+"\r\n--b", "\r\n") {
		switch isDelimiter := strings.TrimRight(line, " \t") == "--b"; {
		case isDelimiter || line == "":
			if fileName.MatchString(header) {
				least++
			}
			header, inHeader = "", isDelimiter
		case inHeader && (line[0] == ' ' || line[0] == '\t'):
			header += line
		case inHeader:
			header += "\n" + line
		}
	}
	return least, len(anyFileName.FindAllString(body, -1))
}

var (
	anyFileName = regexp.MustCompile(`(?i)filename`)
	fileName    = regexp.MustCompile(`(?i)content-disposition[^\n]*filename[ \t]*=[ \t]*("[^"\n]|[^" \t;\n])`)
)

// Whatever a client sends, the server does not fail. It stores every file of the
// form or none, and leaves nothing but regular files with plain names.
func FuzzUpload(f *testing.F) {
	good := filePart("")
	for _, seed := range []string{
		rawForm(good), rawForm(good, good), rawForm(good)[:40], "--b--", "--b\r\n\r\n\r\n--b--", "",
		rawForm("Content-Disposition: form-data; name=\"file\"; filename=\"../../x\"\r\n\r\nx"),
		rawForm("Content-Disposition: form-data; name=\"file\"; filename*=UTF-8''..%00\r\n\r\nx"),
		rawForm("Content-Disposition: form-data; name=\"file\"; filename=\"a\"; filename=\"b\"\r\n\r\nx"),
		rawForm("Content-Disposition: form-data; name=\"file\"\r\n\r\nx"),
		rawForm(good, "Content-Disposition: form-data; name=\"file\"; filename=\"b\\\"\r\n\r\nx"),
		rawForm(good, "Content-Disposition: form-data; filename=\"a\"b\"; name=\"files[]\"\r\n\r\nx"),
		rawForm(good, "Content-Disposition: form-data; filename=my notes.txt;;\r\n\r\nx"),
		rawForm(good) + rawForm(good), good + rawForm(good), strings.ReplaceAll(rawForm(good, good), "\r\n", "\n"),
		rawForm(filePart("Content-Transfer-Encoding: base64\r\n")),
	} {
		f.Add(seed)
	}
	all, folder := deps(f, io.Discard)
	all.Limits = web.Limits{Bytes: 1 << 16, Files: 3, Concurrent: 4, PerClient: 4}
	handler, err := web.New(all)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body string) {
		request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/upload", strings.NewReader(body))
		request.Header.Set("Content-Type", contentTypeB)
		got := recorder{httptest.NewRecorder()}
		handler.ServeHTTP(got, request)
		if got.Code >= http.StatusInternalServerError {
			t.Errorf("status %d", got.Code)
		}
		entries, err := os.ReadDir(folder)
		if err != nil {
			t.Fatal(err)
		}
		if stored := got.Code == http.StatusSeeOther; stored != (len(entries) > 0) {
			t.Errorf("status %d with %d files stored", got.Code, len(entries))
		}
		if least, most := countFiles(body); len(entries) > 0 && (len(entries) < least || len(entries) > most) {
			t.Errorf("%d files stored of %d to %d", len(entries), least, most)
		}
		for _, entry := range entries {
			if !entry.Type().IsRegular() || strings.HasPrefix(entry.Name(), ".") {
				t.Errorf("%s (%v) is not a plain file", entry.Name(), entry.Type())
			}
			if err := os.Remove(filepath.Join(folder, entry.Name())); err != nil {
				t.Fatal(err)
			}
		}
	})
}
