package web_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"net/textproto"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"homepage/internal/upload"
	"homepage/internal/web"
)

// file is one file of a form.
type file struct{ name, content string }

// form encodes files as a browser does.
func form(t *testing.T, files ...file) (body *bytes.Buffer, contentType string) {
	t.Helper()
	body = new(bytes.Buffer)
	writer := multipart.NewWriter(body)
	for _, f := range files {
		part, err := writer.CreateFormFile("file", f.name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(part, f.content); err != nil {
			t.Fatal(err)
		}
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	return body, writer.FormDataContentType()
}

// names lists the upload folder, hidden files included.
func names(t *testing.T, s *site) []string {
	t.Helper()
	entries, err := os.ReadDir(s.folder)
	if err != nil {
		t.Fatal(err)
	}
	found := make([]string, len(entries))
	for i, entry := range entries {
		found[i] = entry.Name()
	}
	return found
}

// stored maps the names in the upload folder to the contents of the files.
func stored(t *testing.T, s *site) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, name := range names(t, s) {
		content, err := os.ReadFile(filepath.Join(s.folder, name))
		if err != nil {
			t.Fatal(err)
		}
		found[name] = string(content)
	}
	return found
}

// After an upload the homepage says what was stored: once, and to nobody else.
func TestUploadThenNotice(t *testing.T) {
	s := newSite(t)
	ann, bob := visitor(t), visitor(t)
	body, contentType := form(t, file{"notes.txt", "three books"}, file{`C:\x\notes.txt`, "four"})
	got := do(t, ann, http.MethodPost, s.url+"/upload", body, "Content-Type", contentType)
	if got.status != http.StatusSeeOther || got.header.Get("Location") != "/" {
		t.Fatalf("status %d to %q, want 303 to /", got.status, got.header.Get("Location"))
	}
	if diff := cmp.Diff(map[string]string{"notes.txt": "three books", "notes-1.txt": "four"}, stored(t, s)); diff != "" {
		t.Error(diff)
	}

	const thanks = "files are safely stored"
	if strings.Contains(do(t, bob, http.MethodGet, s.url+"/", nil).body, thanks) {
		t.Error("another visitor sees the notice")
	}
	do(t, ann, http.MethodHead, s.url+"/", nil) // shows nothing, so the notice stays
	first := do(t, ann, http.MethodGet, s.url+"/", nil)
	checkGolden(t, "home-after-upload", first)
	if got := first.header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("the page with the notice has Cache-Control %q", got)
	}
	if strings.Contains(do(t, ann, http.MethodGet, s.url+"/", nil).body, thanks) {
		t.Error("the notice is shown twice")
	}
}

func TestUploadForJSON(t *testing.T) {
	s := newSite(t)
	body, contentType := form(t, file{"../a.txt", "abc"})
	got := do(t, visitor(t), http.MethodPost, s.url+"/upload", body, "Content-Type", contentType, "Accept", "application/json")
	const want = `{"files":[{"name":"a.txt","original":"../a.txt","bytes":3,"sha256":"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"}]}` + "\n"
	if got.status != http.StatusCreated || got.body != want || got.header.Get("Content-Type") != "application/json" {
		t.Errorf("%d %s %s, want 201 with\n%s", got.status, got.header.Get("Content-Type"), got.body, want)
	}
	body, contentType = form(t, file{"../a.txt", "abc"})
	got = do(t, visitor(t), http.MethodPost, s.url+"/upload", body, "Content-Type", contentType, "Accept", "application/json")
	if want := `"name":"a-1.txt","original":"../a.txt","existed":"a.txt",`; !strings.Contains(got.body, want) {
		t.Errorf("%s, want %s in it", got.body, want)
	}
}

// contentTypeB announces a form with the boundary b.
const contentTypeB = "multipart/form-data; boundary=b"

// rawForm joins parts, each a header and its content, into a form with the
// boundary b.
func rawForm(parts ...string) string {
	return "--b\r\n" + strings.Join(parts, "\r\n--b\r\n") + "\r\n--b--\r\n"
}

func filePart(headers string) string {
	return "Content-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n" + headers + "\r\ncontent"
}

func TestValidationErrors(t *testing.T) {
	good := filePart("")
	for _, test := range []struct {
		name, body, want, golden string
	}{
		{"no parts", "--b--\r\n", "This field is required.", "upload-required"},
		{"a file input left alone", rawForm("Content-Disposition: form-data; name=\"file\"; filename=\"\"\r\nContent-Type: application/octet-stream\r\n\r\n"), "This field is required.", "upload-required"},
		{"another field alone", rawForm("Content-Disposition: form-data; name=\"title\"\r\n\r\nx"), "This field is required.", "upload-required"},
		{"an empty file", rawForm("Content-Disposition: form-data; name=\"file\"; filename=\"<b>.txt\"\r\n\r\n"), "<b>.txt: The submitted file is empty.", "upload-empty"},
		{"an empty file after a good one", rawForm(good, "Content-Disposition: form-data; name=\"file\"; filename=\"<b>.txt\"\r\n\r\n"), "<b>.txt: The submitted file is empty.", "upload-empty"},
		{"a text where a file should be", rawForm("Content-Disposition: form-data; name=\"file\"\r\n\r\na.txt"), "No file was submitted. Check the encoding type on the form.", "upload-no-file"},
		{"too many files", rawForm(good, good, good, good), "Please choose at most 3 files.", "upload-too-many"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newSite(t)
			post := func(accept string) answer {
				return do(t, visitor(t), http.MethodPost, s.url+"/upload", strings.NewReader(test.body), "Content-Type", contentTypeB, "Accept", accept)
			}
			got := post("text/html")
			if got.status != http.StatusUnprocessableEntity {
				t.Fatalf("status %d, want 422", got.status)
			}
			checkGolden(t, test.golden, got)
			if got := checkProblem(t, post("application/json"), http.StatusUnprocessableEntity); got != test.want {
				t.Errorf("detail %q, want %q", got, test.want)
			}
			if diff := cmp.Diff(map[string]string{}, stored(t, s)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

const tryAgain = "The upload did not arrive whole, so nothing was stored. Please try again."

// A form that is malformed, rather than filled in wrongly, gets a sentence that
// says what is wrong with it, and leaves nothing behind.
func TestMalformedForms(t *testing.T) {
	good := filePart("")
	field := "Content-Disposition: form-data; name=\"x\"\r\n\r\nx"
	disposed := func(disposition string) string {
		return rawForm(good, "Content-Disposition: form-data; "+disposition+"\r\n\r\nx")
	}
	const (
		useTheForm   = " Please use the form on this site."
		noBoundary   = "Nothing was stored, because the form has no line with the boundary that its Content-Type announces."
		bareLineFeed = "Nothing was stored, because part 1 of the form has a header line that ends in LF alone, where CR LF is needed."
		fields       = "The form has more than 100 fields besides its files, so nothing was stored. Please send fewer."
		bigHeader    = "Nothing was stored, because part 1 of the form has a header of more than 65536 bytes."
		encoded      = "Nothing was stored, because part 1 of the form has a Content-Transfer-Encoding such as base64; files must be sent as they are."
		nested       = "Nothing was stored, because part 2 of the form holds parts of its own (multipart/mixed); each file must be a part of the form itself."
		emptyName    = "Nothing was stored, because part 2 of the form has content, but its file name is empty."
		twice        = "Nothing was stored, because part 2 of the form can't be read: its Content-Disposition gives a parameter twice."
		quote        = "Nothing was stored, because part 2 of the form can't be read: its Content-Disposition has a quote in the wrong place."
	)
	for _, test := range []struct {
		name, body string
		status     int
		want       string
	}{
		{"no boundary at all", "hello", http.StatusBadRequest, noBoundary},
		{"another boundary", strings.ReplaceAll(rawForm(good), "--b", "--c"), http.StatusBadRequest, noBoundary},
		{"nothing", "", http.StatusBadRequest, noBoundary},
		{"no closing boundary", "--b\r\n" + good + "\r\n--b\r\n", http.StatusBadRequest, tryAgain},
		{"cut in a file", "--b\r\n" + good, http.StatusBadRequest, tryAgain},
		{"cut in a header", "--b\r\nContent-Disp", http.StatusBadRequest, tryAgain},
		{"cut after a boundary", "--b\r\n" + good + "\r\n--b", http.StatusBadRequest, tryAgain},
		{"cut in the closing boundary", "--b\r\n" + good + "\r\n--b-", http.StatusBadRequest, tryAgain},
		{"lines that end in LF", strings.ReplaceAll(rawForm(good), "\r\n", "\n"), http.StatusBadRequest, bareLineFeed},
		{"a header whose lines end in LF", rawForm(strings.ReplaceAll(good, "\r\n", "\n")), http.StatusBadRequest, bareLineFeed},
		{"a header that is none", rawForm(good, "hello\r\n\r\nx"), http.StatusBadRequest, "Nothing was stored, because part 2 of the form has a malformed header line."},
		{"too many fields", rawForm(repeat(101, field, good)...), http.StatusBadRequest, fields},
		{"5000 fields", rawForm(repeat(5000, field, good)...), http.StatusBadRequest, fields},
		{"a part header of 900 KiB", rawForm(filePart("X-Long: " + strings.Repeat("x", 900<<10) + "\r\n")), http.StatusBadRequest, bigHeader},
		{"a part header of a hundred thousand lines", rawForm(filePart(strings.Repeat("X: y\r\n", 100_000))), http.StatusBadRequest, bigHeader},
		{"a field of 900 KiB", rawForm(field+strings.Repeat("x", 900<<10), good), http.StatusBadRequest, "Nothing was stored, because part 1 of the form is a field of more than 65536 bytes."},
		{"a boundary that does not end", "--b" + strings.Repeat(" ", 900<<10), http.StatusBadRequest, bigHeader},
		{"a preamble that does not end", strings.Repeat("x\r\n", 300<<10), http.StatusBadRequest, "Nothing was stored, because the form has more than 65536 bytes before its first delimiter."},
		{"a part before the first boundary", good + "\r\n" + rawForm(good), http.StatusBadRequest, "Nothing was stored, because the form has a part before its first delimiter."},
		{"a part after the closing boundary", rawForm(good) + rawForm(good), http.StatusBadRequest, "Nothing was stored, because the form has a part after its closing delimiter."},
		{"a transfer encoding", rawForm(filePart("Content-Transfer-Encoding: base64\r\n")), http.StatusUnsupportedMediaType, encoded},
		{"two transfer encodings", rawForm(filePart("Content-Transfer-Encoding: 8bit\r\nContent-Transfer-Encoding: base64\r\n")), http.StatusUnsupportedMediaType, encoded},

		// Each beside a good file, whose 201 would hide that they were left out.
		{"no header at all", rawForm(good, "\r\nx"), http.StatusBadRequest, "Nothing was stored, because part 2 of the form has no Content-Disposition."},
		{"no Content-Disposition", rawForm(good, "Content-Type: text/plain\r\n\r\nx"), http.StatusBadRequest, "Nothing was stored, because part 2 of the form has no Content-Disposition."},
		{"two of them", rawForm(good, "Content-Disposition: form-data; name=x\r\n"+good), http.StatusBadRequest, "Nothing was stored, because part 2 of the form has more than one Content-Disposition."},
		{"a space before the colon", rawForm(good, strings.Replace(good, ":", " :", 1)), http.StatusBadRequest, "Nothing was stored, because part 2 of the form has a malformed header line."},
		{"no kind", rawForm(good, strings.Replace(good, "form-data; ", "", 1)), http.StatusBadRequest, `Nothing was stored, because part 2 of the form can't be read: its Content-Disposition does not begin with "form-data;".`},
		{"two file names", disposed(`name="file"; filename="b.txt"; filename="c.txt"`), http.StatusBadRequest, twice},
		{"two names", disposed(`name="file"; name="file"; filename="b.txt"`), http.StatusBadRequest, twice},
		{"a comment", disposed(`name="file"; filename="b.txt" (really)`), http.StatusBadRequest, quote},
		{"no closing quote", disposed(`name="file"; filename="b.txt`), http.StatusBadRequest, quote},
		{"neither name", disposed(``), http.StatusBadRequest, "Nothing was stored, because part 2 of the form can't be read: its Content-Disposition has neither a name nor a filename."},
		{"content, but an empty file name", disposed(`name="file"; filename=""`), http.StatusBadRequest, emptyName},
		{"content, but an empty file name without quotes", disposed(`name="file"; filename=`), http.StatusBadRequest, emptyName},
		{"a form in the form", rawForm(good, "Content-Disposition: form-data; name=\"file\"\r\nContent-Type: Multipart/Mixed; boundary=c\r\n\r\n--c\r\n"+good+"\r\n--c--"), http.StatusUnsupportedMediaType, nested},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newSite(t)
			got := do(t, visitor(t), http.MethodPost, s.url+"/upload", strings.NewReader(test.body), "Content-Type", contentTypeB, "Accept", "application/json")
			want := test.want
			if !strings.Contains(want, "Please") {
				want += useTheForm
			}
			if detail := checkProblem(t, got, test.status); detail != want {
				t.Errorf("detail %q, want %q", detail, want)
			}
			if files := stored(t, s); len(files) > 0 {
				t.Errorf("left behind: %v", files)
			}
			if lines := s.log.lines(t, "request failed"); len(lines) != 1 || lines[0]["level"] != "INFO" {
				t.Errorf("log lines %v, want one with the cause", lines)
			}
		})
	}
}

// What is unusual but leaves no doubt about what was meant is stored. The tests
// of package multipart have more ways to write a name.
func TestUnusualForms(t *testing.T) {
	good := filePart("")
	named := func(disposition string) string {
		return rawForm(good, "Content-Disposition: form-data; "+disposition+"\r\n\r\nx")
	}
	for _, test := range []struct {
		name, body string
		want       []string // the original names
	}{
		{"a backslash at the end", named(`name="file"; filename="b\"`), []string{"a.txt", `b\`}},
		{"raw quotes", named(`name="file"; filename="a"b".txt"`), []string{"a.txt", `a"b".txt`}},
		{"no quotes", named(`name=file; filename=my nötes.txt;;`), []string{"a.txt", "my nötes.txt"}},
		{"another field", named(`name="files[]"; filename="b.txt"`), []string{"a.txt", "b.txt"}},
		{"a field without a name", named(`name=""; filename="b.txt"`), []string{"a.txt", "b.txt"}},
		{"no field", named(`filename="b.txt"`), []string{"a.txt", "b.txt"}},
		{"an extended name", named(`name="file"; filename*=UTF-8''%C3%BC.txt`), []string{"a.txt", "ü.txt"}},
		{"a field beside it", named(`name="title"`), []string{"a.txt"}},
		{"a file input left alone beside it", rawForm(good, "Content-Disposition: form-data; name=\"more\"; filename=\"\"\r\n\r\n"), []string{"a.txt"}},
		{"a hundred fields", rawForm(repeat(100, "Content-Disposition: form-data; name=\"x\"\r\n\r\nx", good)...), []string{"a.txt"}},
		{"no line break after the closing boundary", strings.TrimSpace(rawForm(good)), []string{"a.txt"}},
		{"text before and after", "preamble\r\n" + rawForm(good) + "epilogue\r\n--b\r\n", []string{"a.txt"}},
		{"a harmless transfer encoding", rawForm(filePart("Content-Transfer-Encoding: 8BIT\r\n")), []string{"a.txt"}},
		{"a saved web page", rawForm(filePart("Content-Type: multipart/related; boundary=c\r\n")), []string{"a.txt"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newSite(t)
			got := do(t, visitor(t), http.MethodPost, s.url+"/upload", strings.NewReader(test.body), "Content-Type", contentTypeB, "Accept", "application/json")
			checkReceipts(t, got, test.want...)
			if found := names(t, s); len(found) != len(test.want) {
				t.Errorf("stored %q, want %d files", found, len(test.want))
			}
		})
	}
}

// A compressed body is refused, and the answer says what is accepted instead (RFC
// 9110, 15.5.16).
func TestContentEncoding(t *testing.T) {
	for encoding, want := range map[string]int{
		"gzip": http.StatusUnsupportedMediaType, "identity, BR": http.StatusUnsupportedMediaType, "gzip,gzip": http.StatusUnsupportedMediaType,
		"": http.StatusCreated, "Identity": http.StatusCreated, "identity, ,identity": http.StatusCreated,
	} {
		s := newSite(t)
		body, contentType := form(t, file{"a.txt", "content"})
		got := do(t, visitor(t), http.MethodPost, s.url+"/upload", body, "Content-Type", contentType, "Accept", "application/json", "Content-Encoding", encoding)
		if want == http.StatusCreated {
			checkReceipts(t, got, "a.txt")
			continue
		}
		const sentence = "The upload was compressed (Content-Encoding), so nothing was stored. Please send it without."
		if detail := checkProblem(t, got, want); detail != sentence || got.header.Get("Accept-Encoding") != "identity" {
			t.Errorf("%q: %q with Accept-Encoding %q", encoding, detail, got.header.Get("Accept-Encoding"))
		}
	}
}

// repeat returns the part n times, and then the last.
func repeat(n int, part, last string) []string {
	return append(slices.Repeat([]string{part}, n), last)
}

// The files of a form may have as many bytes together as the limit says, and
// not one more.
func TestTheLimitIsExact(t *testing.T) {
	for extra, want := range map[int]int{0: http.StatusSeeOther, 1: http.StatusRequestEntityTooLarge} {
		s := newSite(t)
		body, contentType := form(t, file{"a.bin", strings.Repeat("x", 1<<19)}, file{"b.bin", strings.Repeat("x", 1<<19+extra)})
		got := do(t, visitor(t), http.MethodPost, s.url+"/upload", body, "Content-Type", contentType)
		if got.status != want {
			t.Errorf("%d bytes over the limit: status %d, want %d", extra, got.status, want)
		}
		if files := names(t, s); want != http.StatusSeeOther && len(files) > 0 {
			t.Errorf("left behind: %v", files)
		}
	}
}

func TestTooLarge(t *testing.T) {
	body, contentType := form(t, file{"a.bin", strings.Repeat("x", 3<<20)})
	for name, body := range map[string]io.Reader{
		"announced": bytes.NewReader(body.Bytes()),
		"chunked":   struct{ io.Reader }{bytes.NewReader(body.Bytes())}, // hides the length from the client
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			got := do(t, visitor(t), http.MethodPost, s.url+"/upload", body, "Content-Type", contentType)
			if got.status != http.StatusRequestEntityTooLarge {
				t.Errorf("status %d, want 413", got.status)
			}
			if diff := cmp.Diff(map[string]string{}, stored(t, s)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// dial connects to the site as a client that may do as it likes.
func dial(t *testing.T, s *site) net.Conn {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// statusLine reads the first line of an answer.
func statusLine(t *testing.T, conn net.Conn) string {
	t.Helper()
	line, err := textproto.NewConn(conn).ReadLine()
	if err != nil {
		t.Fatal(err)
	}
	return line
}

// sendHead sends the head of an upload with the given headers. The body is the
// caller's to send, or not.
func sendHead(conn net.Conn, headers ...string) {
	fmt.Fprintf(conn, "POST /upload HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n", strings.Join(headers, "\r\n"))
}

// A client that writes its whole body before it reads, as browsers do, still
// gets the page that says why it was refused.
func TestARefusalReachesAClientThatIsStillSending(t *testing.T) {
	roomy := web.Limits{Bytes: 1 << 30, Files: 1, Concurrent: 1, PerClient: 1}
	for name, test := range map[string]struct {
		change      func(*web.Deps)
		contentType string
		want        string
	}{
		"too large":  {func(d *web.Deps) { d.Limits.Bytes = 1 << 20 }, contentTypeB, "413"},
		"not a form": {func(*web.Deps) {}, "text/plain", "415"},
		"no space": {func(d *web.Deps) {
			d.Receive = func(upload.Form) ([]upload.Receipt, error) { return nil, upload.ErrNoSpace }
		}, contentTypeB, "507"},
		"busy":      {func(d *web.Deps) { d.Limits.Concurrent = 0 }, contentTypeB, "503"},
		"too many":  {func(d *web.Deps) { d.Limits.PerClient = 0 }, contentTypeB, "429"},
		"malformed": {func(*web.Deps) {}, contentTypeB, "400"},
		"asked for": {func(*web.Deps) {}, contentTypeB + "\r\nExpect: 100-continue", "400"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, func(d *web.Deps) { d.Limits = roomy }, test.change)
			conn := dial(t, s)
			const length = 64 << 20
			sendHead(conn, "Content-Type: "+test.contentType, fmt.Sprint("Content-Length: ", length))
			chunk := make([]byte, 1<<20)
			for range length / len(chunk) {
				if _, err := conn.Write(chunk); err != nil {
					t.Fatalf("the connection was reset while sending: %v", err)
				}
			}
			reader := bufio.NewReader(conn)
			response, err := http.ReadResponse(reader, nil)
			if err == nil && response.StatusCode == http.StatusContinue {
				response, err = http.ReadResponse(reader, nil)
			}
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			body, err := io.ReadAll(response.Body)
			if err != nil || !strings.Contains(string(body), test.want) || !strings.Contains(string(body), "</html>") {
				t.Errorf("%v and %s, want the whole page of a %s", err, body, test.want)
			}
		})
	}
}

// What the headers rule out is refused before any of the body has come, and the
// connection is not kept for a body that may never come.
func TestRefusedBeforeTheBody(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		headers []string
		want    int
	}{
		"another origin":      {[]string{"Content-Type: " + contentTypeB, "Content-Length: 97", "Origin: https://evil.example"}, http.StatusForbidden},
		"another site":        {[]string{"Content-Type: " + contentTypeB, "Content-Length: 97", "Sec-Fetch-Site: cross-site"}, http.StatusForbidden},
		"not a form":          {[]string{"Content-Type: text/plain", "Content-Length: 97"}, http.StatusUnsupportedMediaType},
		"compressed":          {[]string{"Content-Type: " + contentTypeB, "Content-Length: 97", "Content-Encoding: gzip"}, http.StatusUnsupportedMediaType},
		"announced too large": {[]string{"Content-Type: " + contentTypeB, "Content-Length: 999999999"}, http.StatusRequestEntityTooLarge},
		"not asked for":       {[]string{"Content-Type: " + contentTypeB, "Content-Length: 999999999", "Expect: 100-continue"}, http.StatusRequestEntityTooLarge},
		"chunked":             {[]string{"Content-Type: text/plain", "Transfer-Encoding: chunked"}, http.StatusUnsupportedMediaType},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // it waits for the connection to end
			conn := dial(t, newSite(t))
			if err := conn.SetReadDeadline(time.Now().Add(8 * time.Second)); err != nil {
				t.Fatal(err)
			}
			sendHead(conn, test.headers...)
			reader := bufio.NewReader(conn)
			response, err := http.ReadResponse(reader, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			if response.StatusCode != test.want || !response.Close {
				t.Errorf("status %d, closing %v, want %d and that it closes", response.StatusCode, response.Close, test.want)
			}
			if _, err := io.Copy(io.Discard, response.Body); err != nil {
				t.Fatal(err)
			}
			if _, err := reader.ReadByte(); !errors.Is(err, io.EOF) {
				t.Errorf("error %v after the answer, want the end", err)
			}
		})
	}
}

// startUpload sends the beginning of a form, once the site has asked for the
// body and so is receiving. rest is what is left to send.
func startUpload(t *testing.T, s *site) (conn net.Conn, rest string) {
	t.Helper()
	conn = dial(t, s)
	whole := rawForm(filePart(""))
	sendHead(conn, "Content-Type: "+contentTypeB, fmt.Sprint("Content-Length: ", len(whole)), "Expect: 100-continue")
	const goOn = "HTTP/1.1 100 Continue\r\n\r\n"
	got := make([]byte, len(goOn))
	if _, err := io.ReadFull(conn, got); err != nil || string(got) != goOn {
		t.Fatalf("%q and %v, want the site to ask for the body", got, err)
	}
	middle := strings.LastIndex(whole, "tent")
	fmt.Fprint(conn, whole[:middle])
	return conn, whole[middle:]
}

// One upload too many is asked to come back later; the running ones go on.
func TestTooManyUploadsAtOnce(t *testing.T) {
	s := newSite(t, func(d *web.Deps) { d.Limits.Concurrent = 1 })
	conn, rest := startUpload(t, s)
	got := postFile(t, s, "")
	if got.status != http.StatusServiceUnavailable || got.header.Get("Retry-After") == "" {
		t.Errorf("status %d with Retry-After %q, want 503", got.status, got.header.Get("Retry-After"))
	}
	fmt.Fprint(conn, rest)
	if got := statusLine(t, conn); !strings.Contains(got, " 303 ") {
		t.Errorf("the running upload ended with %q, want a 303", got)
	}
	if diff := cmp.Diff(map[string]string{"a.txt": "content"}, stored(t, s)); diff != "" {
		t.Error(diff)
	}
	if got := postFile(t, s, ""); got.status != http.StatusSeeOther {
		t.Errorf("the next upload ended with %d, want 303", got.status)
	}
}

// A client that goes away leaves nothing behind.
func TestTheClientVanishes(t *testing.T) {
	s := newSite(t)
	conn, _ := startUpload(t, s)
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	for len(s.log.lines(t, "request failed")) == 0 {
		runtime.Gosched()
	}
	if line := s.log.lines(t, "request failed")[0]; line["status"] != 400.0 || line["level"] != "INFO" {
		t.Errorf("log line %v, want a 400 that is the client's doing", line)
	}
	if files := names(t, s); len(files) > 0 {
		t.Errorf("left behind: %v", files)
	}
}

// An upload that comes too slowly is cut off, and one that is merely slow is
// not. Time passes only when all goroutines wait.
func TestAStalledUpload(t *testing.T) {
	for _, test := range []struct {
		name  string
		chunk string // sent every second
	}{
		{"nothing comes", ""},
		{"a byte a second comes", "x"},
		{"half the least pace comes", strings.Repeat("x", 512)},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				conn, folder := serveSlowly(t)
				fmt.Fprint(conn, "--b\r\n"+filePart(""))
				for range 5 * 60 { // longer than any of the server's deadlines
					time.Sleep(time.Second)
					fmt.Fprint(conn, strings.Repeat("x", 1100))
				}
				// What came since the pace was last met counts towards it.
				start := time.Now()
				var dripping sync.WaitGroup
				dripping.Go(func() {
					for err := error(nil); err == nil; _, err = fmt.Fprint(conn, test.chunk) {
						time.Sleep(time.Second)
					}
				})
				defer dripping.Wait()
				defer conn.Close()
				response, err := http.ReadResponse(bufio.NewReader(conn), nil)
				if err != nil {
					t.Fatal(err)
				}
				body, err := io.ReadAll(response.Body)
				if err != nil {
					t.Fatal(err)
				}
				if response.StatusCode != http.StatusRequestTimeout {
					t.Errorf("status %d, want 408", response.StatusCode)
				}
				checkGolden(t, "error-408", answer{response.StatusCode, response.Header, string(body)})
				if got := time.Since(start); got > 60*time.Second {
					t.Errorf("cut off after %v, want at most twice the time that a pace allows", got)
				}
				if files := names(t, &site{folder: folder}); len(files) > 0 {
					t.Errorf("left behind: %v", files)
				}
			})
		})
	}
}

// serveSlowly serves the site on a connection whose waiting synctest can see,
// and sends it the head of an upload.
func serveSlowly(t *testing.T) (conn net.Conn, folder string) {
	t.Helper()
	all, folder := deps(t, io.Discard)
	handler, err := web.New(all)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: handler, ReadTimeout: time.Minute, WriteTimeout: time.Minute}
	listener := &pipeListener{conns: make(chan net.Conn, 1), closed: make(chan struct{})}
	go func() { _ = server.Serve(listener) }()
	conn, far := net.Pipe()
	listener.conns <- far
	t.Cleanup(func() {
		_ = conn.Close()
		_ = server.Shutdown(context.WithoutCancel(t.Context())) // waits until the connection has ended, as synctest demands
	})
	sendHead(conn, "Content-Type: "+contentTypeB, "Content-Length: 999999")
	return conn, folder
}

// pipeListener accepts connections that never leave the process, so that
// synctest can see their waiting.
type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	close(l.closed)
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.IPAddr{} }

// checkReceipts checks that there are receipts for the files with these original
// names, and for no others.
func checkReceipts(t *testing.T, got answer, originals ...string) {
	t.Helper()
	if got.status != http.StatusCreated {
		t.Errorf("status %d for files %q: %s", got.status, originals, got.body)
		return
	}
	var receipts struct {
		Files []struct{ Name, Original string }
	}
	if err := json.Unmarshal([]byte(got.body), &receipts); err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, receipt := range receipts.Files {
		found = append(found, receipt.Original)
	}
	if diff := cmp.Diff(originals, found); diff != "" {
		t.Error(diff)
	}
}
