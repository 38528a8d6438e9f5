package web

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
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
	fileField     = "file"
	formOverhead  = 1 << 20          // bytes that a form may hold besides its files
	maxFields     = 100              // parts of a form that are no files
	stallTimeout  = 30 * time.Second // how long an upload may stand still
	answerTimeout = 30 * time.Second // how long a visitor may take to read the answer to it
	readBuffer    = 256 << 10        // bytes; multipart asks for 4 KiB at a time
)

// uploadView is what upload.html asks for.
type uploadView struct {
	Mistake *formError // what is wrong with the files; nil at first
	Limits  Limits
}

// formError is a mistake that the visitor can mend, in Django's words where it
// has them.
type formError struct {
	Message string
	File    string // the name of the file that it is about; may be empty
}

func (e *formError) Error() string {
	if e.File == "" {
		return e.Message
	}
	return e.File + ": " + e.Message
}

func (s *server) showUploadForm(w http.ResponseWriter, r *http.Request) error {
	return s.uploadPage.write(w, r, http.StatusOK, uploadView{Limits: s.Limits})
}

// receiveUpload stores the files of a form as they come in. It judges what it
// can from the headers, before it reads a byte of the body.
func (s *server) receiveUpload(w http.ResponseWriter, r *http.Request) error {
	limit := s.Limits.Bytes + formOverhead
	conn := http.NewResponseController(w)
	body := &bodyReader{conn: conn, body: http.MaxBytesReader(w, r.Body, limit)}
	r.Body = io.NopCloser(bufio.NewReaderSize(endless(body), readBuffer))
	form, err := r.MultipartReader()
	switch {
	case err != nil:
		return fail(http.StatusUnsupportedMediaType, err)
	case r.ContentLength > limit:
		return fail(http.StatusRequestEntityTooLarge, fmt.Errorf("%d bytes announced, %d allowed", r.ContentLength, limit))
	case !s.Ready():
		return fail(http.StatusServiceUnavailable, errors.New("draining"))
	case !s.uploads.TryAcquire(1):
		return fail(http.StatusServiceUnavailable, fmt.Errorf("%d uploads are running already", s.Limits.Concurrent))
	}
	defer s.uploads.Release(1)

	receipts, err := s.Receive(s.formFiles(form))
	// The server's own deadline counts from the headers, long ago by now.
	if err := conn.SetWriteDeadline(time.Now().Add(answerTimeout)); err != nil {
		return err
	}
	if mistake, ok := errors.AsType[*formError](err); ok {
		return s.showMistake(w, r, mistake)
	}
	if errors.Is(err, upload.ErrNoSpace) {
		return fail(http.StatusInsufficientStorage, err)
	}
	if err != nil {
		return err
	}
	s.notices.leave(w, receipts)
	if wantsJSON(r) {
		return writeReceipts(w, receipts)
	}
	http.Redirect(w, r, homePath, http.StatusSeeOther)
	return nil
}

// showMistake answers with the form again, or with the problem alone.
func (s *server) showMistake(w http.ResponseWriter, r *http.Request, mistake *formError) error {
	if wantsJSON(r) {
		return &statusError{status: http.StatusUnprocessableEntity, detail: mistake.Error()}
	}
	return s.uploadPage.write(w, r, http.StatusUnprocessableEntity, uploadView{mistake, s.Limits})
}

func writeReceipts(w http.ResponseWriter, receipts []upload.Receipt) error {
	type file struct {
		Name     string `json:"name"`
		Original string `json:"original"`
		Bytes    int64  `json:"bytes"`
		SHA256   string `json:"sha256"`
	}
	answer := struct {
		Files []file `json:"files"`
	}{make([]file, len(receipts))}
	for i, r := range receipts {
		answer.Files[i] = file{r.Name, r.Original, r.Bytes, hex.EncodeToString(r.SHA256[:])}
	}
	body, err := json.Marshal(answer)
	if err != nil {
		return err
	}
	writeBody(w, http.StatusCreated, "application/json", append(body, '\n'))
	return nil
}

// formFiles yields the files of a form as they come in. It ends well only
// after the form's closing boundary; what breaks the form's rules is an error.
func (s *server) formFiles(form *multipart.Reader) iter.Seq2[upload.File, error] {
	return func(yield func(upload.File, error) bool) {
		files, fields := 0, 0
		for {
			file, more, err := nextFile(form, &fields)
			switch {
			case err != nil:
			case !more && files == 0:
				err = &formError{Message: "This field is required."}
			case !more:
				return
			case files == s.Limits.Files:
				err = &formError{Message: fmt.Sprintf("Please choose at most %d files.", s.Limits.Files)}
			}
			files++
			if !yield(file, err) || err != nil {
				return
			}
		}
	}
}

// nextFile returns the next file of the form; there is no more after the form's
// closing boundary. It counts the other fields, which it skips.
func nextFile(form *multipart.Reader, fields *int) (file upload.File, more bool, err error) {
	for ; *fields <= maxFields; *fields++ {
		// Not NextPart, which would decode quoted-printable and nothing else.
		part, err := form.NextRawPart()
		if errors.Is(err, io.EOF) {
			return upload.File{}, false, nil
		}
		if err != nil {
			return upload.File{}, false, malformed(err)
		}
		// Not Part.FileName, which hides what the client really sent.
		_, disposition, err := mime.ParseMediaType(part.Header.Get("Content-Disposition"))
		if err != nil || disposition["name"] != fileField {
			continue
		}
		name, isFile := disposition["filename"]
		if !isFile {
			return upload.File{}, false, &formError{Message: "No file was submitted. Check the encoding type on the form."}
		}
		if name == "" { // what a browser sends for a file input left alone
			continue
		}
		switch encoding := part.Header.Get("Content-Transfer-Encoding"); strings.ToLower(encoding) {
		case "", "7bit", "8bit", "binary":
		default: // RFC 7578 4.7 has no use for it; stored undecoded it would be another file
			return upload.File{}, false, fail(http.StatusUnsupportedMediaType, fmt.Errorf("a part has the transfer encoding %q", encoding))
		}
		return upload.File{Name: name, Body: &partReader{part: part, name: name}}, true, nil
	}
	return upload.File{}, false, fail(http.StatusBadRequest, fmt.Errorf("more than %d fields", maxFields))
}

// partReader is the content of one file of a form. An empty file is a mistake.
type partReader struct {
	part *multipart.Part
	name string
	some bool // something was read
}

func (p *partReader) Read(b []byte) (int, error) {
	n, err := p.part.Read(b)
	p.some = p.some || n > 0
	switch {
	case err == nil:
		return n, nil
	case !errors.Is(err, io.EOF):
		return n, malformed(err)
	case !p.some:
		return n, &formError{"The submitted file is empty.", p.name}
	}
	return n, io.EOF
}

// malformed marks an error of the form's parser as the client's, unless it
// came from the body and is marked already.
func malformed(err error) error {
	if _, ok := errors.AsType[*statusError](err); ok {
		return err
	}
	return fail(http.StatusBadRequest, err)
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

// bodyReader is a request's body that gives up when nothing comes for a while,
// and says of each error which answer it deserves.
type bodyReader struct {
	conn *http.ResponseController
	body io.Reader
}

func (b *bodyReader) Read(p []byte) (int, error) {
	if err := b.conn.SetReadDeadline(time.Now().Add(stallTimeout)); err != nil {
		return 0, fail(http.StatusInternalServerError, err)
	}
	n, err := b.body.Read(p)
	_, tooLarge := errors.AsType[*http.MaxBytesError](err)
	switch {
	case err == nil || err == io.EOF:
		return n, err
	case tooLarge:
		return n, fail(http.StatusRequestEntityTooLarge, err)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return n, fail(http.StatusRequestTimeout, err)
	}
	return n, fail(http.StatusBadRequest, err) // cut short, or a chunk that is none
}
