package web

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"mime"
	"net/http"
	"os"
	"strings"
	"time"

	"homepage/internal/upload"
)

const (
	fileField = "file"
	maxFields = 100 // parts of a form that are no files

	// Each paceBytes of a body must arrive within paceTime, a floor of 1 KiB/s:
	// a slow phone gets on, and who holds a connection for nothing is let go.
	paceTime  = 30 * time.Second
	paceBytes = 30 << 10
)

// form reads a multipart form (RFC 7578) as it comes in. It says of each error
// which answer it deserves.
type form struct {
	parts  *multipartReader
	fields int   // parts that were no files
	bytes  int64 // of files
}

// newForm returns the form that the request's body holds, of at most limit
// bytes. It reads none of them yet. Its error is that the request is no form.
func newForm(w http.ResponseWriter, r *http.Request, limit int64) (*form, error) {
	body := &bodyReader{conn: http.NewResponseController(w), body: http.MaxBytesReader(w, r.Body, limit)}
	parts, err := newMultipartReader(r.Header, body)
	if err != nil {
		return nil, err
	}
	return &form{parts: parts}, nil
}

// files yields the files of the form. It ends well only after the form's
// closing boundary; what breaks the form's rules is an error.
func (f *form) files(limits Limits) iter.Seq2[upload.File, error] {
	return func(yield func(upload.File, error) bool) {
		for n := 0; ; n++ {
			name, err := f.nextFile()
			switch {
			case errors.Is(err, io.EOF) && n == 0:
				err = &formError{Message: "This field is required."}
			case errors.Is(err, io.EOF):
				return
			case err != nil:
			case n == limits.Files:
				err = &formError{Message: fmt.Sprintf("Please choose at most %d files.", limits.Files)}
			}
			if !yield(upload.File{Name: name, Body: &fileReader{form: f, name: name, limit: limits.Bytes}}, err) || err != nil {
				return
			}
		}
	}
}

// nextFile returns the name of the form's next file, or io.EOF after the form's
// closing delimiter. It skips other fields.
func (f *form) nextFile() (name string, err error) {
	for ; f.fields <= maxFields; f.fields++ {
		header, err := f.parts.nextPart()
		if err != nil {
			return "", malformed(err)
		}
		_, disposition, err := mime.ParseMediaType(header.Get("Content-Disposition"))
		if err != nil || disposition["name"] != fileField {
			continue
		}
		name, isFile := disposition["filename"]
		if !isFile {
			return "", &formError{Message: "No file was submitted. Check the encoding type on the form."}
		}
		if name == "" { // what a browser sends for a file input left alone
			continue
		}
		switch encoding := header.Get("Content-Transfer-Encoding"); strings.ToLower(encoding) {
		case "", "7bit", "8bit", "binary":
		default: // RFC 7578 4.7 has no use for it; stored undecoded it would be another file
			return "", fail(http.StatusUnsupportedMediaType, fmt.Errorf("a part has the transfer encoding %q", encoding))
		}
		return name, nil
	}
	return "", fail(http.StatusBadRequest, fmt.Errorf("more than %d fields", maxFields))
}

// fileReader is the content of one file of a form. An empty file is a mistake,
// and all files together have a limit.
type fileReader struct {
	form  *form
	name  string
	limit int64 // bytes of all files of the form
	some  bool  // something was read
}

func (f *fileReader) Read(p []byte) (int, error) {
	n, err := f.form.parts.Read(p)
	f.some = f.some || n > 0
	f.form.bytes += int64(n)
	switch {
	case f.form.bytes > f.limit:
		return n, fail(http.StatusRequestEntityTooLarge, fmt.Errorf("files of more than %d bytes", f.limit))
	case errors.Is(err, io.EOF) && !f.some:
		return n, &formError{"The submitted file is empty.", f.name}
	}
	return n, malformed(err)
}

// malformed marks an error of the form's parser as the client's, unless it
// came from the body and is marked already. The end is no error.
func malformed(err error) error {
	if _, ok := errors.AsType[*statusError](err); ok || err == nil || errors.Is(err, io.EOF) {
		return err
	}
	return fail(http.StatusBadRequest, err)
}

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
