package web

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/klauspost/compress/gzhttp"

	"homepage/internal/upload"
)

const (
	formOverhead  = 1 << 20          // bytes that a form may hold besides its files
	answerTimeout = 30 * time.Second // how long a visitor may take to read the answer to an upload
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
	form, err := newForm(w, r, limit)
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

	size := r.ContentLength
	if size < 0 { // chunked: it may be anything that is allowed
		size = s.Limits.Bytes
	}
	receipts, err := s.Receive(size, form.files(s.Limits))
	// The server's own deadline counts from the headers, long ago by now.
	if err := http.NewResponseController(w).SetWriteDeadline(time.Now().Add(answerTimeout)); err != nil {
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
	s.notices.leave(w, r, receipts)
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
	w.Header().Set(gzhttp.HeaderNoCompression, "1") // so that it goes out whole at once, see linger
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
