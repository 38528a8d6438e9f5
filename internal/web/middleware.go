package web

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/go-chi/chi/v5/middleware"
	"github.com/klauspost/compress/gzhttp"
	"github.com/klauspost/compress/gzip"
)

// wrap puts the middleware round the router. The first of the list is the
// outermost: it sees a request first and its answer last.
func (s *server) wrap(router http.Handler) (http.Handler, error) {
	compress, err := gzhttp.NewWrapper(
		gzhttp.ContentTypes([]string{"text/html", "text/css", "text/javascript", "image/svg+xml", "application/json"}),
		gzhttp.CompressionLevel(gzip.StatelessCompression), // a page that waits for a section holds no coder, which would be 200 KiB and more
		gzhttp.EnableZstd(false)) // one coding is enough, and kept bodies have it too
	if err != nil {
		return nil, err
	}
	list := []func(http.Handler) http.Handler{
		withRequestID,   // first, since every line and page after it names the request
		linger,          // outside the log, whose time ends when the answer is out
		s.logAccess,     // outside all that can answer, so that every answer has its line
		s.recoverPanics, // next to the log, whose writer knows whether bytes are out
		noSniff,         // outside all that can answer, so that every answer has it
		joinLists,       // outside all that read such a list, the library's compression too
		s.refuseForeign, // outside the router, so that a foreign post is refused before its body is read
		func(next http.Handler) http.Handler { return compress(next) },
	}
	h := router
	for _, middleware := range slices.Backward(list) {
		h = middleware(h)
	}
	return h, nil
}

const requestIDHeader = "X-Request-Id"

// withRequestID gives the request a name of our own. A name that the client
// sends is not taken: it could forge another's. The answer's header is where
// all look it up: a context for it would cost a copy of the request.
func withRequestID(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(requestIDHeader, rand.Text()[:12])
		next.ServeHTTP(w, r)
	})
}

// logFor returns a logger whose lines name the request that w answers.
func (s *server) logFor(w http.ResponseWriter) *slog.Logger {
	return s.Log.With("request", requestID(w))
}

func requestID(w http.ResponseWriter) string { return w.Header().Get(requestIDHeader) }

// joinLists joins the lines of headers that are lists into one, as which they
// are read (RFC 9110, 5.3).
func joinLists(next http.Handler) http.Handler {
	lists := []string{"Accept", "Accept-Encoding", "If-None-Match"}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, name := range lists {
			if lines := r.Header[name]; len(lines) > 1 {
				r.Header[name] = []string{strings.Join(lines, ", ")}
			}
		}
		next.ServeHTTP(w, r)
	})
}

// linger reads on for a while when the answer went out before the body was in.
// Otherwise the connection would be reset while the client is still sending,
// and the answer, a 413 say, would be lost to it. It ends when the client has
// stopped sending, and closes a connection on which more might come.
func linger(next http.Handler) http.Handler {
	const (
		mostBytes = 256 << 20
		mostTime  = 30 * time.Second
		mostPause = time.Second
	)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Body == http.NoBody {
			next.ServeHTTP(w, r)
			return
		}
		conn, body := http.NewResponseController(w), &watchedBody{ReadCloser: r.Body}
		// HTTP/1 servers else close the body with the first byte of the answer.
		// What can't do this needs no lingering either.
		_ = conn.EnableFullDuplex()
		watched := *r // the server looks at its own request's body
		watched.Body = body
		next.ServeHTTP(&closingWriter{w, body}, &watched)
		if body.ended {
			return
		}
		_ = conn.Flush()
		// A client that waits to be asked for the body, and was not, sends none.
		if body.begun || !strings.EqualFold(r.Header.Get("Expect"), "100-continue") {
			start := time.Now()
			buffer := make([]byte, 32<<10)
			for read := 0; read < mostBytes && time.Since(start) < mostTime; {
				_ = conn.SetReadDeadline(time.Now().Add(mostPause))
				n, err := body.Read(buffer)
				if err != nil {
					break
				}
				read += n
			}
		}
		if !body.ended {
			_ = conn.SetReadDeadline(time.Now()) // the server need not wait for the rest either
		}
	})
}

// watchedBody is a request's body that knows how far it was read.
type watchedBody struct {
	io.ReadCloser
	begun, ended bool
}

func (b *watchedBody) Read(p []byte) (int, error) {
	b.begun = true
	n, err := b.ReadCloser.Read(p)
	b.ended = b.ended || errors.Is(err, io.EOF)
	return n, err
}

// closingWriter closes the connection after an answer that goes out before the
// body was in, so that the rest is never taken for another request.
type closingWriter struct {
	http.ResponseWriter
	body *watchedBody
}

func (w *closingWriter) WriteHeader(status int) {
	if status >= http.StatusOK && !w.body.ended {
		w.Header().Set("Connection", "close")
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *closingWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// logAccess writes one line a request, when its answer is out, and counts it.
func (s *server) logAccess(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		answer := middleware.NewWrapResponseWriter(w, r.ProtoMajor)
		aborted := true
		if s.Meter != nil {
			s.Meter.RequestBegan()
		}
		defer func() {
			took := time.Since(start)
			if s.Meter != nil {
				s.count(r, answer.Status(), aborted, took)
			}
			level := slog.LevelInfo
			if isProbe(r) {
				level = slog.LevelDebug // a probe every few seconds would drown the visitors
			}
			if !s.Log.Enabled(r.Context(), level) {
				return
			}
			s.Log.LogAttrs(r.Context(), level, "request", slog.String("request", requestID(w)),
				slog.String("method", r.Method), slog.String("path", pathForLog(r)),
				slog.Int("status", answer.Status()), slog.Int("bytes", answer.BytesWritten()), slog.Float64("ms", millis(took)),
				slog.Bool("aborted", aborted), slog.String("remote", s.Proxies.remote(r)))
		}()
		next.ServeHTTP(answer, r)
		aborted = false
	})
}

// pathForLog is the path without the id of an upload, which is a key.
func pathForLog(r *http.Request) string {
	if isPart(r) {
		return uploadPath + "/…"
	}
	return r.URL.Path
}

// millis is a time as log lines give it, in milliseconds.
func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func isProbe(r *http.Request) bool {
	return r.URL.Path == healthPath || r.URL.Path == readyPath
}

// noSniff keeps browsers from guessing what an answer is.
func noSniff(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		next.ServeHTTP(w, r)
	})
}

// newPolicies returns the headers that tell browsers to allow a page only what
// the site itself uses. Pages may carry the style sheet inside.
func newPolicies(style template.CSS) http.Header {
	digest := sha256.Sum256([]byte(style))
	policy := strings.Join([]string{
		"default-src 'none'",
		"style-src 'self' 'sha256-" + base64.StdEncoding.EncodeToString(digest[:]) + "'",
		"script-src 'self'",
		"connect-src 'self'",          // the upload script
		"img-src 'self' http: https:", // the services' pictures may be anywhere
		"form-action 'self'",
		"base-uri 'none'",
		"frame-ancestors 'none'",
	}, "; ")
	return http.Header{
		"Content-Security-Policy":    {policy},
		"Cross-Origin-Opener-Policy": {"same-origin"},
		"Permissions-Policy":         {"camera=(), geolocation=(), microphone=()"},
		"Referrer-Policy":            {"strict-origin-when-cross-origin"},
	}
}

// setPolicies is for the routes whose answers a browser shows. A certificate is
// downloaded; without them one takes a fifteenth less of the processor.
func (s *server) setPolicies(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		maps.Copy(w.Header(), s.policies)
		next.ServeHTTP(w, r)
	})
}

// refuseForeign refuses what a page of another site sends. It judges by
// headers alone.
func (s *server) refuseForeign(next http.Handler) http.Handler {
	protection := http.NewCrossOriginProtection()
	protection.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.refuse(w, r, fail(http.StatusForbidden, protection.Check(r)))
	}))
	return protection.Handler(next)
}

// recoverPanics turns a panic into the error page or, once bytes are out, into
// an aborted transfer, so that half an answer does not look whole.
func (s *server) recoverPanics(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := w.(middleware.WrapResponseWriter) // logAccess's
		defer func() {
			p := recover()
			if p == nil {
				return
			}
			if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(p) // a handler's own abort, which it has logged
			}
			err := fmt.Errorf("panic: %v\n%s", p, debug.Stack())
			if answer.Status() == 0 {
				s.refuse(answer, r, err)
				return
			}
			s.logFor(answer).ErrorContext(r.Context(), "answer aborted", "err", err)
			panic(http.ErrAbortHandler)
		}()
		next.ServeHTTP(answer, r)
	})
}
