// Package web is the site as its visitors see it: routes, pages, errors and
// the rules of HTTP. What the pages show and what happens to an upload is
// decided in other packages, which know nothing of this one.
package web

import (
	"bufio"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"golang.org/x/sync/semaphore"

	"homepage/internal/certificate"
	"homepage/internal/home"
	"homepage/internal/upload"
)

// Deps is all that the site uses. Every field but Forward and Meter is required.
type Deps struct {
	Look        *Look
	Gather      func(context.Context, home.Visit) home.Page
	Forward     Forward                      // what services are told of visitors; the zero value if nothing
	Certificate func() *certificate.Template // the one in service
	Receive     func(upload.Form) ([]upload.Receipt, error)
	Resumable   Resumable
	Limits      Limits
	Proxies     Proxies                               // that say who their clients are; the zero value if there are none
	CookieKey   []byte                                // signs cookies; at least 32 bytes
	Now         func() time.Time                      // in the zone that certificates show
	Draining    func() bool                           // true once new uploads are to be refused
	Unready     func(context.Context) (reason string) // why load balancers should send visitors elsewhere, for anyone to see; or empty
	Log         *slog.Logger
	Meter       Meter // nil if nobody counts
}

// Forward is what of a request the homepage's services are told.
type Forward struct {
	Headers []string // that are looked at: homepages vary by them
	Visitor func(http.Header) (home.Visitor[home.Promo], home.Visitor[home.Recommendations])
}

// Limits bound what visitors may upload.
type Limits struct {
	Bytes      int64 // a request
	Files      int   // a request
	Concurrent int64 // requests at once
	PerClient  int   // of them, requests of one client
}

// server is the site with its pages parsed.
type server struct {
	Deps
	flashes  flashMessages
	policies http.Header                // of pages
	routeOf  func(*http.Request) string // its pattern
	uploads  *semaphore.Weighted
	clients  *clientLimit // who uploads
	// Writers that send a small certificate at one go. A large one goes past
	// their buffers.
	outgoing sync.Pool

	home       *homePages
	uploadPage page[uploadView]
	verifyPage page[verifyView]
	errorPage  page[errorView]
}

const (
	homePath        = "/"
	certificatePath = "/certificate"
	uploadPath      = "/upload"
	partPath        = uploadPath + "/{" + idParam + "}"
	verifyPath      = "/verify" // if certificates are signed
	healthPath      = "/healthz"
	readyPath       = "/readyz"
)

// New returns the site. It parses and tries every page, so that a template
// with a mistake fails here.
func New(deps Deps) (http.Handler, error) {
	s := &server{
		Deps:     deps,
		flashes:  flashMessages{deps.CookieKey, deps.Now},
		uploads:  semaphore.NewWeighted(deps.Limits.Concurrent),
		clients:  newClientLimit(deps.Limits.PerClient),
		outgoing: sync.Pool{New: func() any { return bufio.NewWriterSize(nil, pieceSize) }},
	}
	l := siteLook{deps.Look, s.signed()}
	var errs [4]error
	s.home, errs[0] = newHomePages(l)
	s.uploadPage, errs[1] = newPage(l, "upload.html", uploadView{}, uploadView{&validationError{"A mistake.", "a.txt"}, deps.Limits})
	s.errorPage, errs[2] = newPage(l, "error.html", errorView{}, newErrorView(http.StatusNotFound, "ID"))
	s.verifyPage, errs[3] = newPage(l, "verify.html", verifyView{}, verifyView{Verdict: &certificate.Verdict{Problem: "A problem."}}, verifyView{
		&validationError{"A mistake.", "a.pdf"}, 1, &certificate.Verdict{Genuine: true, Stamp: certificate.StampLayout},
	})
	if err := errors.Join(errs[:]...); err != nil {
		return nil, err
	}
	s.policies = newPolicies(deps.Look.style)
	router := s.routes()
	s.routeOf = patterns(router)
	return s.wrap(router)
}

func (s *server) routes() chi.Router {
	router := chi.NewRouter()
	router.Use(middleware.GetHead) // HEAD wherever there is GET
	router.NotFound(s.handle(func(http.ResponseWriter, *http.Request) error {
		return fail(http.StatusNotFound, nil)
	}))
	router.MethodNotAllowed(s.handle(func(w http.ResponseWriter, r *http.Request) error {
		w.Header().Set("Allow", allowed(router, r.URL.Path)) // RFC 9110, 15.5.6
		return fail(http.StatusMethodNotAllowed, nil)
	}))

	shown := router.With(s.setPolicies)
	shown.Get(homePath, s.handle(s.showHome))
	router.Get(certificatePath, s.handle(s.sendCertificate))
	shown.Get(uploadPath, s.handle(s.showUploadForm))
	shown.Post(uploadPath, s.handle(s.receiveUpload))
	router.Options(uploadPath, s.handle(s.showUploadLimits))
	router.Head(partPath, s.handle(s.showUploadState))
	router.Patch(partPath, s.handle(s.receivePart))
	router.Delete(partPath, s.handle(s.cancelUpload))
	if s.signed() {
		shown.Get(verifyPath, s.handle(s.showVerifyForm))
		shown.Post(verifyPath, s.handle(s.verifyCertificate))
	}

	shown.Get(assetPrefix+"*", s.handle(s.Look.assets.serve))
	router.Get(healthPath, func(w http.ResponseWriter, _ *http.Request) { writeProbe(w, http.StatusOK, "alive") })
	router.Get(readyPath, s.showReadiness)
	return router
}

// allowed lists the methods that the path has.
func allowed(routes chi.Routes, path string) string {
	var methods []string
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodHead, http.MethodPatch, http.MethodDelete, http.MethodOptions} {
		if routes.Match(chi.NewRouteContext(), method, path) || method == http.MethodHead && slices.Contains(methods, http.MethodGet) {
			methods = append(methods, method)
		}
	}
	return strings.Join(methods, ", ")
}
