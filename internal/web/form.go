package web

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
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

	cutShort = "The upload did not arrive whole, so nothing was stored. Please try again."
)

// form reads the files of a multipart form as it streams in. It marks every
// error with the answer it deserves.
type form struct {
	parts  *multipart.Reader
	part   int   // the number of the part that was begun last, from 1
	fields int   // parts so far that were not files
	bytes  int64 // of files, so far
}

// newForm returns the form in the request's body, which may have at most limit
// bytes. It reads nothing yet. The error says why the request does not announce
// a form that can be read.
func newForm(w http.ResponseWriter, r *http.Request, limit int64) (*form, error) {
	if err := refuseEncoded(w, r); err != nil {
		return nil, err
	}
	body := &bodyReader{conn: http.NewResponseController(w), body: http.MaxBytesReader(w, r.Body, limit)}
	parts, err := multipart.NewReader(body, r.Header.Get("Content-Type"))
	if err != nil {
		return nil, fail(http.StatusUnsupportedMediaType, err)
	}
	return &form{parts: parts}, nil
}

// refuseEncoded refuses a body with a content coding: stored without decoding, it
// would be a different file.
func refuseEncoded(w http.ResponseWriter, r *http.Request) error {
	for encoding := range strings.SplitSeq(strings.Join(r.Header.Values("Content-Encoding"), ","), ",") {
		if encoding = strings.TrimSpace(encoding); encoding != "" && !strings.EqualFold(encoding, "identity") {
			w.Header().Set("Accept-Encoding", "identity") // RFC 9110, 15.5.16
			return failWith(http.StatusUnsupportedMediaType,
				"The upload was compressed (Content-Encoding), so nothing was stored. Please send it without.",
				fmt.Errorf("the content encoding %q", encoding))
		}
	}
	return nil
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
			case n == limits.Files && n == 1:
				err = &validationError{Message: "Please choose one file."}
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
// io.EOF after its closing delimiter. Whatever the name of its field, a part
// with a file name is a file.
func (f *form) nextFile() (name string, err error) {
	for f.fields <= maxFields {
		part, err := f.parts.Next()
		if err != nil {
			return "", malformed(err)
		}
		f.part++
		if part.HasFileName && part.FileName != "" {
			return part.FileName, f.checkEncoding(part)
		}
		if err := f.checkField(part); err != nil {
			return "", err
		}
		f.fields++
	}
	return "", failWith(http.StatusBadRequest,
		fmt.Sprintf("The form has more than %d fields besides its files, so nothing was stored. Please send fewer.", maxFields),
		fmt.Errorf("more than %d fields", maxFields))
}

// checkField makes sure that a part without a file name may be skipped.
func (f *form) checkField(part multipart.Part) error {
	switch {
	case part.HasFileName: // empty, as browsers send it if no file was chosen
		if _, err := io.ReadFull(f.parts, make([]byte, 1)); !errors.Is(err, io.EOF) {
			if err != nil {
				return malformed(err)
			}
			return f.badPart(http.StatusBadRequest, "has content, but its file name is empty")
		}
	case slices.ContainsFunc(part.Header["Content-Type"], func(s string) bool {
		return strings.HasPrefix(strings.ToLower(s), "multipart/")
	}):
		return f.badPart(http.StatusUnsupportedMediaType, "holds parts of its own (multipart/mixed); each file must be a part of the form itself")
	case part.Name == fileField:
		return &validationError{Message: "No file was submitted. Check the encoding type on the form."}
	}
	return nil
}

// checkEncoding refuses a file in a transfer encoding, which is deprecated (RFC
// 7578, 4.7): stored without decoding, it would be a different file.
func (f *form) checkEncoding(part multipart.Part) error {
	for _, encoding := range part.Header["Content-Transfer-Encoding"] {
		switch strings.ToLower(encoding) {
		case "", "7bit", "8bit", "binary":
		default:
			return f.badPart(http.StatusUnsupportedMediaType, "has a Content-Transfer-Encoding such as base64; files must be sent as they are")
		}
	}
	return nil
}

// badPart refuses the part that was begun last.
func (f *form) badPart(status int, problem string) error {
	return badForm(status, &multipart.MalformedError{Part: f.part, Problem: problem})
}

// badForm says what is wrong with a form.
func badForm(status int, wrong *multipart.MalformedError) error {
	subject := "the form"
	if wrong.Part > 0 {
		subject = fmt.Sprintf("part %d of the form", wrong.Part)
	}
	detail := fmt.Sprintf("Nothing was stored, because %s %s. Please use the form on this site.", subject, wrong.Problem)
	if errors.Is(wrong, io.ErrUnexpectedEOF) {
		detail = cutShort
	}
	return failWith(status, detail, wrong)
}

// malformed marks a malformed form as the client's fault. The body's own errors
// are marked already.
func malformed(err error) error {
	if wrong, ok := errors.AsType[*multipart.MalformedError](err); ok {
		return badForm(http.StatusBadRequest, wrong)
	}
	return err
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

// bodyReader reads a request's body. It gives up on one that comes too slowly,
// and marks every error with the answer it deserves.
type bodyReader struct {
	conn *http.ResponseController
	body io.Reader

	// Since the pace was last met: how many bytes have come, and how long they
	// were waited for. Time that the client waits for the disk does not count.
	bytes  int
	waited time.Duration

	mu      sync.Mutex
	stopped bool
}

// errStopped is the error of a body that was stopped.
var errStopped = errors.New("the body was stopped")

// stop ends a Read that waits, and every one after it. It may be called from
// another goroutine, as long as the request is being answered.
func (b *bodyReader) stop() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stopped = true
	_ = b.conn.SetReadDeadline(time.Now()) // it could be set by the Read before
}

// waitUntil sets the deadline of the next Read.
func (b *bodyReader) waitUntil(deadline time.Time) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.stopped {
		return errStopped
	}
	return b.conn.SetReadDeadline(deadline)
}

func (b *bodyReader) Read(p []byte) (int, error) {
	start := time.Now()
	if err := b.waitUntil(start.Add(paceTime - b.waited)); err != nil {
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
	return n, failWith(http.StatusBadRequest, cutShort, err) // or badly chunked
}
