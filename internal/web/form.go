package web

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"os"
	"strings"
	"time"

	"homepage/internal/multipart"
	"homepage/internal/upload"
)

const (
	fileField = "file"
	maxFields = 100 // parts of a form that are not files

	// A body must bring paceBytes every paceTime, which is at least 1 KiB/s: a
	// slow phone gets through, and a client that only holds a connection open
	// is cut off.
	paceTime  = 30 * time.Second
	paceBytes = 30 << 10
)

// form reads the files of a multipart form as it streams in. It marks every
// error with the answer it deserves.
type form struct {
	parts  *multipart.Reader
	fields int   // parts so far that were not files
	bytes  int64 // of files, so far
}

// newForm returns the form in the request's body, which may have at most limit
// bytes. It reads nothing yet. The error says why the request does not announce
// a form.
func newForm(w http.ResponseWriter, r *http.Request, limit int64) (*form, error) {
	body := &bodyReader{conn: http.NewResponseController(w), body: http.MaxBytesReader(w, r.Body, limit)}
	parts, err := multipart.NewReader(body, r.Header.Get("Content-Type"))
	if err != nil {
		return nil, err
	}
	return &form{parts: parts}, nil
}

// files yields the files of the form. It ends without an error only after the
// form's closing delimiter; a form that is complete but not acceptable is a
// validationError.
func (f *form) files(limits Limits) iter.Seq2[upload.File, error] {
	return func(yield func(upload.File, error) bool) {
		for n := 0; ; n++ {
			name, err := f.nextFile()
			switch {
			case errors.Is(err, io.EOF) && n == 0:
				err = &validationError{Message: "This field is required."}
			case errors.Is(err, io.EOF):
				return
			case err != nil:
			case n == limits.Files:
				err = &validationError{Message: fmt.Sprintf("Please choose at most %d files.", limits.Files)}
			}
			if !yield(upload.File{Name: name, Body: &fileReader{form: f, name: name, limit: limits.Bytes}}, err) || err != nil {
				return
			}
		}
	}
}

// nextFile skips other fields and returns the name of the form's next file, or
// io.EOF after its closing delimiter.
func (f *form) nextFile() (name string, err error) {
	for ; f.fields <= maxFields; f.fields++ {
		part, err := f.parts.Next()
		switch {
		case err != nil:
			return "", malformed(err)
		case part.Name != fileField:
			continue
		case !part.HasFileName:
			return "", &validationError{Message: "No file was submitted. Check the encoding type on the form."}
		case part.FileName == "": // what a browser sends if no file was chosen
			continue
		}
		switch encoding := part.Header.Get("Content-Transfer-Encoding"); strings.ToLower(encoding) {
		case "", "7bit", "8bit", "binary":
		default: // deprecated by RFC 7578, 4.7; stored without decoding, it would be a different file
			return "", fail(http.StatusUnsupportedMediaType, fmt.Errorf("a part has the transfer encoding %q", encoding))
		}
		return part.FileName, nil
	}
	return "", fail(http.StatusBadRequest, fmt.Errorf("more than %d fields", maxFields))
}

// fileReader reads the content of one file of a form. An empty file is a
// validationError, and all files of the form share one limit.
type fileReader struct {
	form     *form
	name     string
	limit    int64 // bytes of all files of the form
	nonEmpty bool
}

func (f *fileReader) Read(p []byte) (int, error) {
	n, err := f.form.parts.Read(p)
	f.nonEmpty = f.nonEmpty || n > 0
	f.form.bytes += int64(n)
	switch {
	case f.form.bytes > f.limit:
		return n, fail(http.StatusRequestEntityTooLarge, fmt.Errorf("the files have more than %d bytes", f.limit))
	case errors.Is(err, io.EOF) && !f.nonEmpty:
		return n, &validationError{"The submitted file is empty.", f.name}
	}
	return n, malformed(err)
}

// malformed marks a malformed form as the client's fault. The body's own errors
// are marked already.
func malformed(err error) error {
	if errors.Is(err, multipart.ErrMalformed) {
		return fail(http.StatusBadRequest, err)
	}
	return err
}

// bodyReader reads a request's body. It gives up on one that comes too slowly,
// and marks every error with the answer it deserves.
type bodyReader struct {
	conn *http.ResponseController
	body io.Reader

	// Since the pace was last met: how many bytes have come, and how long they
	// were waited for. Time that the client waits for the disk does not count.
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
	return n, fail(http.StatusBadRequest, err) // cut short, or badly chunked
}
