package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"

	"github.com/klauspost/compress/gzhttp"
)

// statusError is an error that knows which answer it deserves: whose fault it
// is is said where it is known. Its cause is for the log alone.
type statusError struct {
	status int
	detail string // replaces the status's sentence for the visitor; may be empty
	cause  error  // nil if the status says it all
}

func (e *statusError) Error() string {
	if e.cause == nil {
		return http.StatusText(e.status)
	}
	return e.cause.Error()
}

func (e *statusError) Unwrap() error { return e.cause }

// fail marks an error with the answer it deserves.
func fail(status int, cause error) error { return &statusError{status: status, cause: cause} }

// failWith does the same, with a sentence of its own for the visitor.
func failWith(status int, detail string, cause error) error {
	return &statusError{status, detail, cause}
}

// sentence is what a visitor is told of a status: what happened and what to do
// next, never a cause.
func sentence(status int) string {
	switch status {
	case http.StatusBadRequest:
		return "We could not make sense of the request, so nothing was stored. Please go back and try again."
	case http.StatusForbidden:
		return "The request came from another site, so it was not carried out. Please use the form on this one."
	case http.StatusNotFound:
		return "There is nothing at this address. It may have moved, or the link may have a slip in it. Please start from the homepage."
	case http.StatusMethodNotAllowed:
		return "This address can't be used that way. Please start from the homepage."
	case http.StatusRequestTimeout:
		return "Nothing more arrived for a while, so the connection was given up and nothing was stored. Please try again."
	case http.StatusRequestEntityTooLarge:
		return "That is more than we can take at once, so nothing was stored. Please send less at a time."
	case http.StatusUnsupportedMediaType:
		return "The upload was not sent as a form with files (multipart/form-data with a boundary). Please use the form on this site."
	case http.StatusUnprocessableEntity:
		return "The form has a mistake in it, so nothing was stored. Please put it right and send it again."
	case http.StatusInternalServerError:
		return "Something went wrong on our side. It has been noted; please try again in a moment."
	case http.StatusServiceUnavailable:
		return "We are busy just now. Please try again in a few seconds."
	case http.StatusInsufficientStorage:
		return "We have no room left to store that, so nothing was stored. It has been noted; please try again later."
	}
	return ""
}

// errorView is what error.html asks for, and a problem of RFC 9457.
type errorView struct {
	Type    string `json:"type"`
	Heading string `json:"title"`
	Status  int    `json:"status"`
	Detail  string `json:"detail"`
	Request string `json:"request"` // the id by which the log knows it

	*offsetProblem
}

// handler answers a request or returns an error, before its first byte, that
// handle turns into the answer.
type handler func(http.ResponseWriter, *http.Request) error

// handle is the one place where an error becomes an answer.
func (s *server) handle(h handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := h(w, r); err != nil {
			w.Header().Set(gzhttp.HeaderNoCompression, "1") // so that the page goes out whole at once, see linger
			s.refuse(w, r, err)
		}
	}
}

// refuse logs the error's cause, once, and answers with its status.
func (s *server) refuse(w http.ResponseWriter, r *http.Request, err error) {
	marked, ok := errors.AsType[*statusError](err)
	if !ok {
		marked = &statusError{status: http.StatusInternalServerError, cause: err}
	}
	if marked.cause != nil {
		level := slog.LevelInfo // the visitor's doing
		if marked.status >= http.StatusInternalServerError {
			level = slog.LevelError
		}
		s.logFor(w).Log(r.Context(), level, "request failed", "status", marked.status, "err", err)
	}
	if s.Meter != nil && isUpload(r) {
		s.Meter.UploadRefused(refusalOf(marked))
	}
	view := newErrorView(marked.status, requestID(w))
	if marked.detail != "" {
		view.Detail = marked.detail
	}
	view.specify(err)
	h := w.Header()
	maps.Copy(h, s.policies)
	if isPart(r) {
		h.Set("Referrer-Policy", "no-referrer") // the address is a key
	}
	h.Set("Cache-Control", "no-store")
	h.Del("Content-Disposition")
	if marked.status == http.StatusServiceUnavailable {
		h.Set("Retry-After", "5")
	}
	body, contentType := s.errorBody(r, view)
	writeBody(w, marked.status, contentType, body)
}

func newErrorView(status int, request string) errorView {
	return errorView{Type: "about:blank", Heading: http.StatusText(status), Status: status, Detail: sentence(status), Request: request}
}

// errorBody writes the error in the form that the client asked for. Neither
// can fail: the template was executed at start, the struct is plain.
func (s *server) errorBody(r *http.Request, view errorView) (body []byte, contentType string) {
	if wantsJSON(r) || isPart(r) || beginsUpload(r) {
		body, _ = json.Marshal(view)
		return append(body, '\n'), "application/problem+json"
	}
	body, err := s.errorPage.render(frame[errorView]{r.URL.Path, view})
	if err != nil {
		return fmt.Appendf(nil, "%d %s\n", view.Status, view.Heading), "text/plain; charset=utf-8"
	}
	return body, htmlType
}

// wantsJSON tells whether the client names JSON among what it accepts.
// Browsers that open a page never do.
func wantsJSON(r *http.Request) bool {
	accept := r.Header.Get("Accept")
	return quality(accept, "application/json") > 0 || quality(accept, "application/problem+json") > 0
}
