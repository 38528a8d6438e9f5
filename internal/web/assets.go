package web

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// assetPrefix is where assets are served.
const assetPrefix = "/static/"

const fingerprintSize = 6 // bytes

// Assets serves the files that pages link to under names that carry a
// fingerprint of their content, so that browsers may keep them for good: a
// changed file has another name. Only those names exist, folders don't.
//
// During a rollout a page of one release asks a replica of another for its
// files. A style sheet or picture of an unknown fingerprint is answered with the
// present one, not to be kept, since nearly right is better than a bare page. A
// script is not: it would act on a page that it was not written for, and pages
// do their job without.
type Assets struct {
	urls  map[string]string // by the file's own name
	files map[string]*body  // by the part of the URL after assetPrefix
}

// NewAssets reads every file of files. A script or a style sheet names another
// file by its path from its own folder, as in import "./queue.js", and is served
// with that file's own URL in its place. Lines of a script that hold nothing but a
// comment stay behind.
func NewAssets(files fs.FS) (*Assets, error) {
	a := &Assets{urls: map[string]string{}, files: map[string]*body{}}
	err := fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		return a.add(files, name)
	})
	return a, err
}

// add reads a file, and before it those that it names.
func (a *Assets) add(files fs.FS, name string, by ...string) error {
	if slices.Contains(by, name) {
		return fmt.Errorf("static files %s name each other in a circle", strings.Join(by, ", "))
	}
	if _, ok := a.urls[name]; ok {
		return nil
	}
	extension := path.Ext(name)
	content, err := fs.ReadFile(files, name)
	if err != nil {
		return err
	}
	contentType, err := mediaType(extension)
	if err != nil {
		return fmt.Errorf("static file %s: %w", name, err)
	}
	if extension == ".js" {
		// They are a fifth of what scripts take on the wire.
		content = regexp.MustCompile(`(?m)^\s*//.*\n`).ReplaceAll(content, nil)
	}
	if extension == ".js" || extension == ".css" {
		content = regexp.MustCompile(`"\./[^"]+"`).ReplaceAllFunc(content, func(quoted []byte) []byte {
			other := path.Join(path.Dir(name), string(quoted[1:len(quoted)-1]))
			if failed := a.add(files, other, append(by, name)...); failed != nil {
				err = fmt.Errorf("static file %s: %w", name, failed)
			}
			return strconv.AppendQuote(nil, a.urls[other])
		})
		if err != nil {
			return err
		}
	}
	digest := sha256.Sum256(content)
	fingerprinted := strings.TrimSuffix(name, extension) + "." + hex.EncodeToString(digest[:fingerprintSize]) + extension
	a.urls[name] = assetPrefix + fingerprinted
	a.files[fingerprinted] = newBody(contentType, content)
	return nil
}

// mediaType does not ask the machine, as package mime does: where a table there
// says otherwise, browsers would run no script and apply no style.
func mediaType(extension string) (string, error) {
	switch extension {
	case ".css":
		return "text/css; charset=utf-8", nil
	case ".js":
		return "text/javascript; charset=utf-8", nil
	case ".svg":
		return "image/svg+xml", nil
	case ".png":
		return "image/png", nil
	case ".jpg", ".jpeg":
		return "image/jpeg", nil
	case ".webp":
		return "image/webp", nil
	case ".avif":
		return "image/avif", nil
	case ".gif":
		return "image/gif", nil
	case ".ico":
		return "image/vnd.microsoft.icon", nil
	}
	return "", fmt.Errorf("no media type is known for %q", extension)
}

// URL returns the path under which the file is served.
func (a *Assets) URL(name string) (string, error) {
	u, ok := a.urls[name]
	if !ok {
		return "", fmt.Errorf("no asset %q", name)
	}
	return u, nil
}

func (a *Assets) serve(w http.ResponseWriter, r *http.Request) error {
	name := strings.TrimPrefix(r.URL.Path, assetPrefix)
	caching := "public, max-age=31536000, immutable" // RFC 8246
	file, ok := a.files[name]
	if !ok {
		caching = "no-store" // this name belongs to other content
		file, ok = a.files[a.standIn(name)]
	}
	if !ok {
		return fail(http.StatusNotFound, nil)
	}
	w.Header().Set("Cache-Control", caching)
	file.send(w, r)
	return nil
}

// standIn returns which file to answer with for one that another release has,
// or nothing.
func (a *Assets) standIn(fingerprinted string) string {
	extension := path.Ext(fingerprinted)
	stem := strings.TrimSuffix(fingerprinted, extension)
	fingerprint := path.Ext(stem)
	digest, err := hex.DecodeString(strings.TrimPrefix(fingerprint, "."))
	if err != nil || len(digest) != fingerprintSize || extension == ".js" {
		return ""
	}
	return strings.TrimPrefix(a.urls[strings.TrimSuffix(stem, fingerprint)+extension], assetPrefix)
}
