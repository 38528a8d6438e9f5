package web

import (
	"bytes"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"net/url"
	"strconv"
)

// page is a template bound to the type of its data, so that a template which
// asks for a field that is not there fails at start and not for a visitor.
type page[T any] struct {
	tmpl *template.Template
}

// frame is what base.html asks for: the page's own data, and what surrounds it.
type frame[T any] struct {
	Path string // the page's path, to mark it in the navigation
	Data T
}

// newPage parses base.html and the named page, and executes them with every
// example. Give one that is full and one that is empty, since a zero value
// enters neither with nor range.
func newPage[T any](files fs.FS, name string, assets *Assets, examples ...T) (page[T], error) {
	funcs := template.FuncMap{
		"asset": assets.URL,
		"bytes": formatBytes,
		"link":  safeLink,
		"first": firstLetter,
	}
	tmpl, err := template.New("base.html").Funcs(funcs).ParseFS(files, "base.html", name)
	if err != nil {
		return page[T]{}, err
	}
	p := page[T]{tmpl}
	for _, example := range examples {
		if _, err := p.render("/", example); err != nil {
			return page[T]{}, fmt.Errorf("page %s: %w", name, err)
		}
	}
	return p, nil
}

func (p page[T]) render(path string, data T) ([]byte, error) {
	var body bytes.Buffer
	if err := p.tmpl.Execute(&body, frame[T]{path, data}); err != nil {
		return nil, err
	}
	return body.Bytes(), nil
}

// write answers with the whole page, or with nothing if the template fails.
func (p page[T]) write(w http.ResponseWriter, r *http.Request, status int, data T) error {
	body, err := p.render(r.URL.Path, data)
	if err != nil {
		return err
	}
	writeBody(w, status, "text/html; charset=utf-8", body)
	return nil
}

// writeBody answers with a body that is complete.
func writeBody(w http.ResponseWriter, status int, contentType string, body []byte) {
	h := w.Header()
	if h.Get("Cache-Control") == "" {
		h.Set("Cache-Control", "private, no-cache") // pages speak to one visitor, and of now
	}
	h.Set("Content-Type", contentType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) //nolint:gosec // it comes from html/template or encoding/json; writing fails only when the visitor has gone
}

// safeLink returns the URL if a page may show it, else nothing: one that is
// relative, or whose scheme is http or https. The services' URLs go through it.
func safeLink(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "" && u.Scheme != "http" && u.Scheme != "https" {
		return ""
	}
	return u.String()
}

// firstLetter stands in for a picture that is missing.
func firstLetter(s string) string {
	for _, r := range s {
		return string(r)
	}
	return ""
}

// formatBytes writes a size for people: 812 bytes, 3.4 MiB.
func formatBytes(n int64) string {
	if n == 1 {
		return "1 byte"
	}
	size, units := float64(n), []string{"bytes", "KiB", "MiB", "GiB", "TiB"}
	for size >= 1024 && len(units) > 1 {
		size, units = size/1024, units[1:]
	}
	if size == float64(int64(size)) {
		return fmt.Sprintf("%.0f %s", size, units[0])
	}
	return fmt.Sprintf("%.1f %s", size, units[0])
}
