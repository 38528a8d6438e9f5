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
	formOverhead  = 1 << 20          // bytes that a form may have besides its files
	answerTimeout = 30 * time.Second // for sending the answer to an upload
)

// uploadView is what upload.html shows.
type uploadView struct {
	Mistake *validationError // nil until a form was refused
	Limits  Limits
}

// validationError says what the visitor must change for the form to be
// accepted, in Django's words where it has them.
type validationError struct {
	Message string
	File    string // the file that it is about, if it is about one
}

func (e *validationError) Error() string {
	if e.File == "" {
		return e.Message
	}
	return e.File + ": " + e.Message
}

func (s *server) showUploadForm(w http.ResponseWriter, r *http.Request) error {
	return s.uploadPage.write(w, r, http.StatusOK, uploadView{Limits: s.Limits})
}

// admit gives an upload a place among those that run, until release is called.
func (s *server) admit(w http.ResponseWriter, r *http.Request) (release func(), err error) {
	if s.Draining() {
		return nil, fail(http.StatusServiceUnavailable, errDraining)
	}
	if !s.uploads.TryAcquire(1) {
		return nil, fail(http.StatusServiceUnavailable, fmt.Errorf("%d uploads are already running", s.Limits.Concurrent))
	}
	client := s.Proxies.clientOf(r)
	if !s.clients.tryAcquire(client) {
		s.uploads.Release(1)
		w.Header().Set("Retry-After", "5")
		return nil, &statusError{
			http.StatusTooManyRequests, "You have too many uploads running at once. Please try again in a few seconds.",
			fmt.Errorf("%v has %d uploads running already", client, s.Limits.PerClient),
		}
	}
	return func() {
		s.clients.release(client)
		s.uploads.Release(1)
	}, nil
}

// admitForm returns the form in the request's body, which may have at most limit
// bytes, if it can be read and there is a place for it. It reads nothing yet.
func (s *server) admitForm(w http.ResponseWriter, r *http.Request, limit int64) (f *form, release func(), err error) {
	f, err = newForm(w, r, limit)
	if err != nil {
		return nil, nil, err
	}
	if r.ContentLength > limit {
		return nil, nil, fail(http.StatusRequestEntityTooLarge, fmt.Errorf("%d bytes announced, %d allowed", r.ContentLength, limit))
	}
	release, err = s.admit(w, r)
	return f, release, err
}

// receiveUpload stores the files of a form as they stream in. Whatever it can
// refuse by the headers alone, it refuses before it reads any of the body.
func (s *server) receiveUpload(w http.ResponseWriter, r *http.Request) error {
	if beginsUpload(r) {
		return s.beginUpload(w, r)
	}
	form, release, err := s.admitForm(w, r, s.Limits.Bytes+formOverhead)
	if err != nil {
		return err
	}
	defer release()

	receipts, err := s.Receive(upload.Form{Size: r.ContentLength, Request: requestID(w), Files: form.files(s.Limits)})
	// The server's own deadline counts from the headers, which may be long ago.
	if err := http.NewResponseController(w).SetWriteDeadline(time.Now().Add(answerTimeout)); err != nil {
		return err
	}
	if invalid, ok := errors.AsType[*validationError](err); ok {
		return s.showInvalid(w, r, invalid)
	}
	if errors.Is(err, upload.ErrNoSpace) {
		return fail(http.StatusInsufficientStorage, err)
	}
	if _, ok := errors.AsType[*upload.UnavailableError](err); ok {
		return failWith(http.StatusServiceUnavailable, "Uploads can't be stored just now, so nothing was. It has been noted; please try again in a moment.", err)
	}
	if err != nil {
		return err
	}
	if wantsJSON(r) {
		return writeReceipts(w, receipts)
	}
	s.flashes.leave(w, r, receipts)
	http.Redirect(w, r, homePath, http.StatusSeeOther)
	return nil
}

// showInvalid shows the form again with its error, or to a client that wants
// JSON the error alone.
func (s *server) showInvalid(w http.ResponseWriter, r *http.Request, invalid *validationError) error {
	if wantsJSON(r) {
		return &statusError{status: http.StatusUnprocessableEntity, detail: invalid.Error()}
	}
	if s.Meter != nil {
		s.Meter.UploadRefused(refusalInvalid)
	}
	w.Header().Set(gzhttp.HeaderNoCompression, "1") // sent whole at once, see linger
	return s.uploadPage.write(w, r, http.StatusUnprocessableEntity, uploadView{invalid, s.Limits})
}

func writeReceipts(w http.ResponseWriter, receipts []upload.Receipt) error {
	type file struct {
		Name     string `json:"name"`
		Original string `json:"original"`
		Existed  string `json:"existed,omitempty"` // see upload.Receipt
		Bytes    int64  `json:"bytes"`
		SHA256   string `json:"sha256"`
	}
	answer := struct {
		Files []file `json:"files"`
	}{make([]file, len(receipts))}
	for i, r := range receipts {
		answer.Files[i] = file{r.Name, r.Original, r.Existed, r.Bytes, hex.EncodeToString(r.SHA256[:])}
	}
	body, err := json.Marshal(answer)
	if err != nil {
		return err
	}
	writeBody(w, http.StatusCreated, "application/json", append(body, '\n'))
	return nil
}
