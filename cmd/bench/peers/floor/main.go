// Command floor copies a request's raw body to a file and does nothing else: no
// form, no digest, no sync, no clean name. No upload over HTTP can cost less in
// Go, so it tells how much of a time is the transfer's own.
package main

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path"
	"time"
)

const copyBuffer = 256 << 10 // bytes; larger ones gain nothing

func main() {
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	if err := serve(os.Getenv("ADDR"), os.Getenv("UPLOADS")); err != nil {
		log.Error("floor", "err", err)
		os.Exit(1)
	}
}

func serve(addr, uploads string) error {
	folder, err := os.OpenRoot(uploads)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "floor\n") })
	mux.HandleFunc("PUT /upload/{name}", func(w http.ResponseWriter, r *http.Request) {
		if err := store(folder, path.Base(r.URL.Path), r.Body); err != nil {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		w.WriteHeader(http.StatusCreated)
	})
	server := &http.Server{Addr: addr, Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	return server.ListenAndServe()
}

func store(folder *os.Root, name string, body io.Reader) error {
	file, err := folder.Create(name)
	if err != nil {
		return err
	}
	// Without its ReadFrom, which would copy in small pieces of its own.
	_, err = io.CopyBuffer(struct{ io.Writer }{file}, body, make([]byte, copyBuffer))
	return errors.Join(err, file.Close())
}
