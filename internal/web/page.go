package web

import (
	"bytes"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/clipperhouse/uax29/v2/graphemes"

	"homepage/internal/home"
)

// Look is what pages are made of.
type Look struct {
	files  fs.FS // templates
	assets *Assets
	name   string       // the site's
	style  template.CSS // of skeletonStyle; the policy of pages has its digest

	promo           sectionHTML[home.Promo]
	recommendations sectionHTML[home.Recommendations]
}

// siteLook is the look of a site.
type siteLook struct {
	*Look

	signed bool // certificates are, so that pages lead to where they are verified
}

// parse parses the named templates, and what the site says of itself, as one set.
func (l siteLook) parse(names ...string) (*template.Template, error) {
	funcs := template.FuncMap{
		"site":   func() string { return l.name },
		"asset":  l.assets.URL,
		"signed": func() bool { return l.signed },
		"bytes":  formatBytes,
		"link":   safeLink,
		"first":  firstLetter,
		"inline": func(name string) (template.CSS, error) {
			if name != skeletonStyle {
				return "", fmt.Errorf("no style but that of %s can be inline", skeletonStyle)
			}
			return l.style, nil
		},
	}
	return template.New(names[0]).Funcs(funcs).ParseFS(l.files, append(names, "site.html")...)
}

// fragment is a template bound to the type of its data, so that one that asks
// for a field that doesn't exist fails at start and not for a visitor.
type fragment[T any] struct {
	set  *template.Template
	name string
}

// bind returns the template of the name, once it has tried it with every
// example. Give it a full one and an empty one, since a zero value enters
// neither with nor range.
func bind[T any](set *template.Template, name string, examples ...T) (fragment[T], error) {
	f := fragment[T]{set, name}
	for _, example := range examples {
		if _, err := f.render(example); err != nil {
			return fragment[T]{}, err
		}
	}
	return f, nil
}

func (f fragment[T]) render(data T) ([]byte, error) {
	var body bytes.Buffer
	if err := f.set.ExecuteTemplate(&body, f.name, data); err != nil {
		return nil, err
	}
	return body.Bytes(), nil
}

// page is base.html round a file of its own.
type page[T any] struct {
	fragment[frame[T]]
}

// frame is what base.html asks for: the page's own data, and what surrounds it.
type frame[T any] struct {
	Path string // the page's path, to mark it in the navigation
	Data T
}

func newPage[T any](l siteLook, name string, examples ...T) (page[T], error) {
	var frames []frame[T]
	for _, example := range examples {
		frames = append(frames, frame[T]{homePath, example}, frame[T]{uploadPath, example})
	}
	set, err := l.parse("base.html", name)
	if err != nil {
		return page[T]{}, err
	}
	f, err := bind(set, "base.html", frames...)
	if err != nil {
		return page[T]{}, fmt.Errorf("%s: %w", name, err)
	}
	return page[T]{f}, nil
}

// write answers with the whole page, or with nothing if the template fails.
func (p page[T]) write(w http.ResponseWriter, r *http.Request, status int, data T) error {
	body, err := p.render(frame[T]{r.URL.Path, data})
	if err != nil {
		return err
	}
	writeBody(w, status, htmlType, body)
	return nil
}

const htmlType = "text/html; charset=utf-8"

// readStyle reads a style sheet that a page carries inside, with the line ends
// that a browser makes of others before it takes the digest.
func readStyle(files fs.FS, name string) (template.CSS, error) {
	content, err := fs.ReadFile(files, name)
	if err != nil {
		return "", err
	}
	style := strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(string(content))
	if !utf8.ValidString(style) || strings.ContainsRune(style, 0) || strings.Contains(strings.ToLower(style), "</style") {
		return "", fmt.Errorf("%s: not a style sheet in UTF-8 that can stand in a page", name)
	}
	return template.CSS(style), nil //nolint:gosec // the site's own file
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
	if err != nil || u.Scheme != "" && u.Scheme != "http" && u.Scheme != "https" || strings.ContainsFunc(u.Host, notOfHosts) {
		return ""
	}
	return u.String()
}

// notOfHosts tells whether no name or address of a host has the character.
// url.Parse takes nearly all of them (RFC 3986, 3.2.2).
func notOfHosts(r rune) bool {
	return r < utf8.RuneSelf && !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-._~:[]%", r)
}

// firstLetter returns what stands in for a missing picture: the first letter,
// digit or symbol of a title, with all that belongs to it (UAX #29), such as
// accents. Quotes, spaces and what can't be seen are passed over.
func firstLetter(title string) string {
	for character := graphemes.FromString(title); character.Next(); {
		if strings.ContainsFunc(character.Value(), isShown) {
			return character.Value()
		}
	}
	return ""
}

func isShown(r rune) bool { return unicode.In(r, unicode.L, unicode.N, unicode.S) }

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
