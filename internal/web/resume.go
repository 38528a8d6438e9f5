package web

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"homepage/internal/resumable"
	"homepage/internal/upload"
)

// Resumable receives files in parts, see resumable.Uploads.
type Resumable interface {
	Create(ctx context.Context, name string, first resumable.Part) (id string, state upload.State, err error)
	State(ctx context.Context, id string) (upload.State, error)
	Append(ctx context.Context, id string, part resumable.Part) (upload.State, error)
	Remove(ctx context.Context, id string) error
	Left(state upload.State) time.Duration
}

// Resumable uploads speak draft-ietf-httpbis-resumable-upload, whose sections
// the comments name. An upload's address is all that it takes to go on with it,
// so it is in no log, no page and no Referer.

const (
	idParam   = "id"
	partType  = "application/partial-upload" // section 6
	parts     = uploadPath + "/"
	typesBase = "https://iana.org/assignments/http-problem-types#"

	cutShortPart = "The upload was cut off. What arrived before is kept: ask for the offset (HEAD) and go on there."
)

// isPart tells whether a request is for the address of an upload.
func isPart(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, parts) }

// beginsUpload tells whether a post begins an upload in parts (section 4.2). A
// form stays one, whatever the field says: clients may add it to any request.
func beginsUpload(r *http.Request) bool {
	if r.Method != http.MethodPost || r.URL.Path != uploadPath {
		return false
	}
	_, ok := completeOf(r)
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return ok && kind != "multipart/form-data"
}

func (s *server) beginUpload(w http.ResponseWriter, r *http.Request) error {
	part, err := newPart(w, r)
	if err != nil {
		return err
	}
	name, err := fileName(r)
	if err != nil {
		return err
	}
	release, err := s.admit(w, r)
	if err != nil {
		return err
	}
	defer release()
	id, state, err := s.Resumable.Create(r.Context(), name, part)
	if err != nil {
		return s.partFailed(w, upload.State{}, err)
	}
	s.announce(w, r, id, state)
	state, err = s.Resumable.Append(r.Context(), id, part)
	return s.answerPart(w, state, err, http.StatusCreated)
}

// announce tells the address of the upload at once, so that the client can go on
// even if it never sees the answer. Only clients of a version that is known here
// are told: others may take a 104 for something else (appendix B; the field goes
// with the RFC, and so does this condition).
func (s *server) announce(w http.ResponseWriter, r *http.Request, id string, state upload.State) {
	const field = "Upload-Draft-Interop-Version"
	h := w.Header()
	h.Set("Location", parts+id) // in the final answer, too (section 4.2.2)
	h.Set("Upload-Limit", s.limitOf(state))
	if version, _ := integerOf(r, field); version == 8 || version == 9 {
		h.Set(field, strconv.FormatInt(version, 10))
		w.WriteHeader(statusResumptionSupported)
		h.Del(field)
	}
}

const statusResumptionSupported = 104 // section 5

func (s *server) receivePart(w http.ResponseWriter, r *http.Request) error {
	h := w.Header()
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != partType {
		h.Set("Accept-Patch", partType) // RFC 5789, 2.2
		return failWith(http.StatusUnsupportedMediaType, "A part of an upload has the type "+partType+".", fmt.Errorf("the type %q", kind))
	}
	offset, hasOffset := integerOf(r, "Upload-Offset")
	_, hasComplete := completeOf(r)
	if !hasOffset || !hasComplete {
		return failWith(http.StatusBadRequest, "A part needs the fields Upload-Offset, a whole number, and Upload-Complete, ?0 or ?1.", errors.New("no Upload-Offset or no Upload-Complete"))
	}
	part, err := newPart(w, r)
	if err != nil {
		return err
	}
	if part.SHA256 != nil && !part.Last {
		return failWith(http.StatusBadRequest, "Repr-Digest belongs to the request that begins or completes the upload.", errors.New("Repr-Digest with another part"))
	}
	part.Offset = offset
	release, err := s.admit(w, r)
	if err != nil {
		return err
	}
	defer release()
	state, err := s.Resumable.Append(r.Context(), chi.URLParam(r, idParam), part)
	return s.answerPart(w, state, err, http.StatusNoContent)
}

// newPart reads the header fields that all parts have.
func newPart(w http.ResponseWriter, r *http.Request) (resumable.Part, error) {
	if err := refuseEncoded(w, r); err != nil {
		return resumable.Part{}, err
	}
	digest, err := reprDigest(r)
	if err != nil {
		return resumable.Part{}, failWith(http.StatusBadRequest, "Repr-Digest takes the SHA-256 of the whole file, as sha-256=:BASE64: (RFC 9530).", err)
	}
	length, ok := integerOf(r, "Upload-Length")
	if !ok {
		length = -1
	}
	last, _ := completeOf(r)
	body := &bodyReader{conn: http.NewResponseController(w), body: r.Body}
	return resumable.Part{Size: r.ContentLength, Length: length, Last: last, SHA256: digest, Request: requestID(w), Body: body, Stop: body.stop}, nil
}

// fileName returns the sender's name for the file (RFC 6266), or nothing.
func fileName(r *http.Request) (string, error) {
	lines := r.Header.Values("Content-Disposition")
	if len(lines) == 0 {
		return "", nil
	}
	_, parameters, err := mime.ParseMediaType(lines[0])
	if err == nil && len(lines) > 1 {
		err = errors.New("more than one")
	}
	if err != nil {
		return "", failWith(http.StatusBadRequest, "The Content-Disposition of the upload can't be read, so nothing was stored.", fmt.Errorf("Content-Disposition: %w", err))
	}
	return parameters["filename"], nil
}

// answerPart answers a request that brought a part: with the status given, or
// with the receipt if the upload is finished.
func (s *server) answerPart(w http.ResponseWriter, state upload.State, err error, status int) error {
	// As for forms, the server's own deadline may have passed long ago.
	if err := http.NewResponseController(w).SetWriteDeadline(time.Now().Add(answerTimeout)); err != nil {
		return err
	}
	if err != nil {
		return s.partFailed(w, state, err)
	}
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	if state.Receipt != nil {
		h.Del("Location")
		h.Set("Upload-Complete", sfBoolean(true))
		h.Set("Repr-Digest", "sha-256=:"+base64.StdEncoding.EncodeToString(state.SHA256[:])+":")
		return writeReceipts(w, []upload.Receipt{*state.Receipt})
	}
	s.setState(h, state)
	w.WriteHeader(status)
	return nil
}

// partFailed marks an error of an upload with the answer it deserves, and tells
// how far the upload is.
func (s *server) partFailed(w http.ResponseWriter, state upload.State, err error) error {
	if errors.Is(err, resumable.ErrEvicted) {
		// Whoever sent this has gone on elsewhere. A 2xx could only mislead.
		panic(http.ErrAbortHandler)
	}
	h := w.Header()
	h.Set("Upload-Complete", sfBoolean(false))
	if !state.Touched.IsZero() && state.Receipt == nil {
		h.Set("Upload-Offset", strconv.FormatInt(state.Offset, 10))
	}
	gone := func(status int, detail string) error {
		h.Set("Upload-Complete", sfBoolean(true)) // nothing is left to go on with (section 4.1.2)
		h.Del("Upload-Offset")
		h.Del("Location")
		return failWith(status, detail, err)
	}
	offset, isOffset := errors.AsType[*upload.OffsetError](err)
	_, isLength := errors.AsType[*resumable.LengthError](err)
	_, isUnavailable := errors.AsType[*upload.UnavailableError](err)
	marked, isMarked := errors.AsType[*statusError](err)
	switch {
	case errors.Is(err, upload.ErrUnknown):
		h.Del("Upload-Complete")
		return failWith(http.StatusNotFound, "There is no such upload. It may have expired; please begin anew.", err)
	case isOffset:
		h.Set("Upload-Offset", strconv.FormatInt(offset.Want, 10))
		return failWith(http.StatusConflict, "The upload is at another offset. Please go on there.", err)
	case errors.Is(err, resumable.ErrFinished):
		h.Set("Upload-Offset", strconv.FormatInt(state.Offset, 10))
		return failWith(http.StatusConflict, "The upload is complete and takes no more.", err)
	case errors.Is(err, resumable.ErrTooLarge):
		h.Set("Upload-Limit", s.limit())
		return fail(http.StatusRequestEntityTooLarge, err)
	case isLength:
		return failWith(http.StatusBadRequest, "What was said of the length of the upload does not agree.", err)
	case errors.Is(err, resumable.ErrEmpty):
		return gone(http.StatusUnprocessableEntity, "The submitted file is empty.")
	case errors.Is(err, resumable.ErrDigest):
		return gone(http.StatusUnprocessableEntity, "What arrived is not what its Repr-Digest says, so nothing was stored. Please send it again.")
	case errors.Is(err, resumable.ErrDraining):
		return failWith(http.StatusServiceUnavailable, "The site restarts. What arrived is kept; please go on in a few seconds.", fmt.Errorf("%w: %w", errDraining, err))
	case errors.Is(err, upload.ErrNoSpace):
		return failWith(http.StatusInsufficientStorage, "We have no room left to store that. What arrived before is kept. It has been noted; please go on later.", err)
	case isUnavailable:
		return failWith(http.StatusServiceUnavailable, "Uploads can't be stored just now. It has been noted; please go on in a moment.", err)
	case isMarked && marked.status < http.StatusInternalServerError:
		return failWith(marked.status, cutShortPart, err)
	}
	return err
}

func (s *server) showUploadState(w http.ResponseWriter, r *http.Request) error {
	state, err := s.Resumable.State(r.Context(), chi.URLParam(r, idParam))
	if err != nil {
		return s.partFailed(w, upload.State{}, err)
	}
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	if state.Length >= 0 {
		h.Set("Upload-Length", strconv.FormatInt(state.Length, 10))
	}
	s.setState(h, state)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *server) cancelUpload(w http.ResponseWriter, r *http.Request) error {
	if err := s.Resumable.Remove(r.Context(), chi.URLParam(r, idParam)); err != nil {
		return s.partFailed(w, upload.State{}, err)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// showUploadLimits tells clients that uploads can be resumed here (section
// 4.1.4).
func (s *server) showUploadLimits(w http.ResponseWriter, _ *http.Request) error {
	h := w.Header()
	h.Set("Upload-Limit", s.limit())
	h.Set("Allow", "GET, POST, HEAD, OPTIONS")
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// setState tells how far an upload is.
func (s *server) setState(h http.Header, state upload.State) {
	h.Set("Upload-Complete", sfBoolean(state.Receipt != nil))
	h.Set("Upload-Offset", strconv.FormatInt(state.Offset, 10))
	h.Set("Upload-Limit", s.limitOf(state))
}

// limit is what any upload is bound by, and limitOf adds what is left of the
// life of one.
func (s *server) limit() string { return fmt.Sprintf("max-size=%d", s.Limits.Bytes) }

func (s *server) limitOf(state upload.State) string {
	return fmt.Sprintf("%s, max-age=%d", s.limit(), int64(s.Resumable.Left(state).Seconds()))
}

// offsetProblem is what the problem type for a wrong offset adds (section 7.1).
type offsetProblem struct {
	Expected int64 `json:"expected-offset"`
	Provided int64 `json:"provided-offset"`
}

// specify gives the error the problem type that the draft has for it (section 7).
func (v *errorView) specify(err error) {
	if offset, ok := errors.AsType[*upload.OffsetError](err); ok {
		v.Type, v.offsetProblem = typesBase+"mismatching-upload-offset", &offsetProblem{offset.Want, offset.Got}
	}
	if _, ok := errors.AsType[*resumable.LengthError](err); ok {
		v.Type = typesBase + "inconsistent-upload-length"
	}
}
