package web

import (
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/go-chi/chi/v5"

	"homepage/internal/upload"
)

// Meter counts what visitors do. Its methods must not block.
type Meter interface {
	RequestBegan()
	// RequestEnded is told the pattern of the route, or nothing if there is none
	// for the path and method, and the status of the answer, or 0 if it was cut
	// off. The method is the client's word.
	RequestEnded(route, method string, status int, took time.Duration)
	SectionShown(section, state string)
	CertificateIssued()
	UploadRefused(reason string) // one of the words that refusalOf knows
}

// patterns returns a function that finds the pattern of a request's route. It
// looks the request up anew: what the router found is lost outside it, and some
// requests are answered before they reach it.
func patterns(router chi.Router) func(*http.Request) string {
	contexts := sync.Pool{New: func() any { return chi.NewRouteContext() }}
	return func(r *http.Request) string {
		found := contexts.Get().(*chi.Context)
		defer contexts.Put(found)
		found.Reset()
		path := r.URL.Path
		if r.URL.RawPath != "" {
			path = r.URL.RawPath // as the router has it
		}
		pattern := router.Find(found, r.Method, path)
		if pattern == "" && r.Method == http.MethodHead {
			found.Reset()
			pattern = router.Find(found, http.MethodGet, path)
		}
		return pattern
	}
}

// count counts a request whose answer is out.
func (s *server) count(r *http.Request, status int, aborted bool, took time.Duration) {
	if aborted {
		status = 0
	}
	s.Meter.RequestEnded(s.routeOf(r), r.Method, status, took)
}

// countShown counts the sections that a visitor got, which are those that are
// not nil.
func (s *server) countShown(all homeSections) {
	if s.Meter == nil {
		return
	}
	if all.promo != nil {
		s.Meter.SectionShown("promo", string(all.promo.State))
	}
	if all.recommendations != nil {
		s.Meter.SectionShown("recommendations", string(all.recommendations.State))
	}
}

func isUpload(r *http.Request) bool {
	return r.Method == http.MethodPost && r.URL.Path == uploadPath || r.Method == http.MethodPatch && isPart(r)
}

// errDraining says that no upload is taken any more.
var errDraining = errors.New("draining")

const refusalInvalid = "invalid" // the form comes again with its error

// refusalOf is a word for why an upload was not stored.
func refusalOf(err *statusError) string {
	switch err.status {
	case http.StatusBadRequest:
		if err.detail == cutShort || err.detail == cutShortPart {
			return "cut_short"
		}
		return "malformed"
	case http.StatusForbidden:
		return "cross_origin"
	case http.StatusNotFound:
		return "unknown" // a part of no upload
	case http.StatusConflict:
		return "conflict" // a part that begins elsewhere
	case http.StatusRequestTimeout:
		return "timeout"
	case http.StatusRequestEntityTooLarge:
		return "too_large"
	case http.StatusUnsupportedMediaType:
		return "unsupported"
	case http.StatusUnprocessableEntity:
		return refusalInvalid
	case http.StatusTooManyRequests:
		return "client_limit"
	case http.StatusServiceUnavailable:
		if errors.Is(err, errDraining) {
			return "draining"
		}
		if _, ok := errors.AsType[*upload.UnavailableError](err); ok {
			return "unavailable"
		}
		return "busy"
	case http.StatusInsufficientStorage:
		return "no_space"
	}
	return "failed"
}
