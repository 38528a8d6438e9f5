package web

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"iter"
	"mime"
	"mime/multipart"
	"net/http"
	"os"
	"strings"
	"time"

	"homepage/internal/upload"
)

const (
	fileField  = "file"
	maxFields  = 100       // parts of a form that are no files
	maxHeader  = 64 << 10  // bytes of a part's header or a field; multipart's own bound is 10 MiB
	readBuffer = 256 << 10 // bytes; multipart asks for 4 KiB at a time

	// Each paceBytes of a body must arrive within paceTime, a floor of 1 KiB/s:
	// a slow phone gets on, and who holds a connection for nothing is let go.
	paceTime  = 30 * time.Second
	paceBytes = 30 << 10
)

// form reads a multipart form (RFC 7578) as it comes in. It says of each error
// which answer it deserves.
type form struct {
	parts  *multipart.Reader
	header *headerLimit
	fields int   // parts that were no files
	bytes  int64 // of files
}

// newForm returns the form that the request's body holds, of at most limit
// bytes. It reads none of them yet. Its error is that the request is no form.
func newForm(w http.ResponseWriter, r *http.Request, limit int64) (*form, error) {
	body := &bodyReader{conn: http.NewResponseController(w), body: http.MaxBytesReader(w, r.Body, limit)}
	header := &headerLimit{body: bufio.NewReaderSize(endless(body), readBuffer), left: unlimited}
	r.Body = io.NopCloser(header)
	parts, err := r.MultipartReader()
	if err != nil {
		return nil, err
	}
	return &form{parts: parts, header: header}, nil
}

// files yields the files of the form. It ends well only after the form's
// closing boundary; what breaks the form's rules is an error.
func (f *form) files(limits Limits) iter.Seq2[upload.File, error] {
	return func(yield func(upload.File, error) bool) {
		for n := 0; ; n++ {
			part, name, err := f.nextFile()
			switch {
			case err != nil:
			case part == nil && n == 0:
				err = &formError{Message: "This field is required."}
			case part == nil:
				return
			case n == limits.Files:
				err = &formError{Message: fmt.Sprintf("Please choose at most %d files.", limits.Files)}
			}
			if !yield(upload.File{Name: name, Body: &fileReader{form: f, part: part, name: name, limit: limits.Bytes}}, err) || err != nil {
				return
			}
		}
	}
}

// nextFile returns the next file of the form, or no part after the form's
// closing boundary. It skips other fields.
func (f *form) nextFile() (part *multipart.Part, name string, err error) {
	for ; f.fields <= maxFields; f.fields++ {
		part, err := f.nextPart()
		if err != nil || part == nil {
			return nil, "", err
		}
		// Not Part.FileName, which hides what the client really sent.
		_, disposition, err := mime.ParseMediaType(part.Header.Get("Content-Disposition"))
		if err != nil || disposition["name"] != fileField {
			continue
		}
		name, isFile := disposition["filename"]
		if !isFile {
			return nil, "", &formError{Message: "No file was submitted. Check the encoding type on the form."}
		}
		if name == "" { // what a browser sends for a file input left alone
			continue
		}
		switch encoding := part.Header.Get("Content-Transfer-Encoding"); strings.ToLower(encoding) {
		case "", "7bit", "8bit", "binary":
		default: // RFC 7578 4.7 has no use for it; stored undecoded it would be another file
			return nil, "", fail(http.StatusUnsupportedMediaType, fmt.Errorf("a part has the transfer encoding %q", encoding))
		}
		return part, name, nil
	}
	return nil, "", fail(http.StatusBadRequest, fmt.Errorf("more than %d fields", maxFields))
}

// nextPart skips what is left of a field and reads the next part's header.
// There is no part after the closing boundary.
func (f *form) nextPart() (*multipart.Part, error) {
	f.header.left = maxHeader
	defer func() { f.header.left = unlimited }()
	// Not NextPart, which would decode quoted-printable and nothing else.
	part, err := f.parts.NextRawPart()
	if errors.Is(err, io.EOF) {
		return nil, nil //nolint:nilnil // the end is no error, and there is no part
	}
	return part, malformed(err)
}

// fileReader is the content of one file of a form. An empty file is a mistake,
// and all files together have a limit.
type fileReader struct {
	form  *form
	part  *multipart.Part
	name  string
	limit int64 // bytes of all files of the form
	some  bool  // something was read
}

func (f *fileReader) Read(p []byte) (int, error) {
	n, err := f.part.Read(p)
	f.some = f.some || n > 0
	f.form.bytes += int64(n)
	switch {
	case f.form.bytes > f.limit:
		return n, fail(http.StatusRequestEntityTooLarge, fmt.Errorf("files of more than %d bytes", f.limit))
	case errors.Is(err, io.EOF) && !f.some:
		return n, &formError{"The submitted file is empty.", f.name}
	case errors.Is(err, io.EOF):
		return n, io.EOF
	}
	return n, malformed(err)
}

// malformed marks an error of the form's parser as the client's, unless it
// came from the body and is marked already.
func malformed(err error) error {
	if _, ok := errors.AsType[*statusError](err); ok || err == nil {
		return err
	}
	return fail(http.StatusBadRequest, err)
}

// unlimited stands for no limit on what is read.
const unlimited = -1

// headerLimit bounds what multipart reads on its way to the next file.
type headerLimit struct {
	body io.Reader
	left int // bytes, or unlimited
}

func (h *headerLimit) Read(p []byte) (int, error) {
	if h.left == 0 {
		return 0, fail(http.StatusBadRequest, fmt.Errorf("a part's header or a field has more than %d bytes", maxHeader))
	}
	if h.left == unlimited {
		return h.body.Read(p)
	}
	n, err := h.body.Read(p[:min(len(p), h.left)])
	h.left -= n
	return n, err
}

// endless follows a body with an error instead of its end. A form ends by its
// closing boundary, but multipart also takes the end of the body for it when
// that comes where a part's header should be, so a form that was cut there
// would pass for whole. The line break is for clients that leave it out after
// the closing boundary, as they may.
func endless(body io.Reader) io.Reader {
	return io.MultiReader(body, strings.NewReader("\r\n"), cutShort{})
}

type cutShort struct{}

func (cutShort) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// bodyReader is a request's body that gives up when it comes too slowly, and
// says of each error which answer it deserves.
type bodyReader struct {
	conn *http.ResponseController
	body io.Reader

	// Of the pace: bytes since it was last met, and the time that was spent
	// waiting for them. A disk that makes the client wait does not count.
	bytes  int
	waited time.Duration
}

func (b *bodyReader) Read(p []byte) (int, error) {
	start := time.Now()
	if err := b.conn.SetReadDeadline(start.Add(paceTime - b.waited)); err != nil {
		return 0, fail(http.StatusInternalServerError, err)
	}
	n, err := b.body.Read(p)
	b.bytes += n
	b.waited += time.Since(start)
	if b.bytes >= paceBytes {
		b.bytes, b.waited = 0, 0
	}
	_, tooLarge := errors.AsType[*http.MaxBytesError](err)
	switch {
	case err == nil || errors.Is(err, io.EOF):
		return n, err
	case tooLarge:
		return n, fail(http.StatusRequestEntityTooLarge, err)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return n, fail(http.StatusRequestTimeout, fmt.Errorf("less than %d bytes in %v", paceBytes, paceTime))
	}
	return n, fail(http.StatusBadRequest, err) // cut short, or a chunk that is none
}
