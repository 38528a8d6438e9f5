package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// peerFiles are the peers' set-ups and what the services answer.
//
//go:embed peers/django/*.py peers/django/templates peers/haproxy peers/nginx peers/services peers/signpdf peers/wrk peers/certificate-template.pdf
var peerFiles embed.FS

// services are the promo and the recommendation service. They give every side
// the same content: as JSON, and for nginx, which can't render that, as the
// HTML that the others make of it. Under /kept/ they allow it to be kept,
// under /stale/ to be shown while they are asked again. Whom they are told of, they
// recommend a book of their own.
type services struct {
	addr  string
	pace  atomic.Pointer[pace]
	calls atomic.Int64
	told  atomic.Int64 // of them, calls with a cookie
	http  *http.Server
}

func startServices(ctx context.Context) (*services, error) {
	s := &services{}
	s.pace.Store(&pace{})
	stuff := make([]byte, workingPace().hash)
	mux := http.NewServeMux()
	for _, a := range []struct{ path, file, kind, keep string }{
		{"/promo", "promo.json", "application/json", "no-store"},
		{"/recommendations", "recommendations.json", "application/json", "no-store"},
		{"/kept/promo", "promo.json", "application/json", "max-age=3600"},
		{"/kept/recommendations", "recommendations.json", "application/json", "max-age=3600"},
		{"/stale/promo", "promo.json", "application/json", "max-age=0, stale-while-revalidate=3600"},
		{"/stale/recommendations", "recommendations.json", "application/json", "max-age=0, stale-while-revalidate=3600"},
		{"/html/promo", "promo.html", "text/html; charset=utf-8", "no-store"},
		{"/html/recommendations", "recommendations.html", "text/html; charset=utf-8", "no-store"},
	} {
		body, err := fs.ReadFile(peerFiles, "peers/services/"+a.file)
		if err != nil {
			return nil, err
		}
		mux.HandleFunc("GET "+a.path, func(w http.ResponseWriter, r *http.Request) {
			s.calls.Add(1)
			body := body
			if visitor := r.Header.Get("Cookie"); visitor != "" {
				s.told.Add(1)
				body = bytes.Replace(body, []byte("Treasure Island"), []byte("Treasure Island for "+visitor), 1)
			}
			pace := s.pace.Load()
			if pace.gate != nil {
				select {
				case <-pace.gate:
				case <-r.Context().Done():
					return
				}
			}
			if pace.wait > 0 {
				select {
				case <-time.After(pace.wait):
				case <-r.Context().Done():
					return
				}
			}
			if pace.hash > 0 {
				_ = sha256.Sum256(stuff[:pace.hash])
			}
			w.Header().Set("Content-Type", a.kind)
			w.Header().Set("Cache-Control", a.keep)
			_, _ = w.Write(body) //nolint:gosec // to who called, and what it sent; it has gone if this fails
		})
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("services: %w", err)
	}
	s.addr = listener.Addr().String()
	s.http = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = s.http.Serve(listener) }() // until close
	return s, nil
}

func (s *services) close() { _ = s.http.Close() }

// url is the address of what the services have under path.
func (s *services) url(path string) string { return "http://" + s.addr + path }
