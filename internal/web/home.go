package web

import (
	"bufio"
	"crypto/sha256"
	"fmt"
	"html/template"
	"iter"
	"net/http"
	"slices"
	"strings"
	"time"

	"homepage/internal/home"
	"homepage/internal/upload"
)

// skeletonStyle is what a streamed page carries inside.
const skeletonStyle = "skeleton.css"

// homeView is what home.html asks for: Sections once, and after that Figures.
type homeView struct {
	Notice   []upload.Receipt // what the visitor has just stored
	Streamed bool             // sections come after all else, in any order, each for its slot
	sections iter.Seq[*home.Section]
	parts    sectionParts
	shown    []*home.Section
}

// newHomeView returns a whole page of the sections.
func newHomeView(parts sectionParts, sections ...*home.Section) *homeView {
	return &homeView{parts: parts, sections: slices.Values(sections)}
}

func exampleHome() *homeView {
	view := newHomeView(nil)
	view.Streamed = true
	view.Notice = []upload.Receipt{{Name: "a-1.txt", Original: "a.txt", Bytes: 1}}
	return view
}

// Sections yields every section as HTML.
func (v *homeView) Sections() iter.Seq[template.HTML] {
	return func(yield func(template.HTML) bool) {
		for section := range v.sections {
			v.shown = append(v.shown, section)
			if !yield(v.parts.render(section)) {
				return
			}
		}
	}
}

// Figures tells of the sections shown how long their services took.
func (v *homeView) Figures() string { return v.parts.figures(v.shown) }

// wholePage is a homepage without a notice. Visitors who get the same sections
// get the same page.
type wholePage struct {
	body []byte
	etag string
	err  error
}

// showHome answers 200 whatever the services do. Sections that arrive within
// the grace go out as a whole page; if any is late, the page begins without it.
func (s *server) showHome(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Cache-Control", "private, no-cache") // it speaks to one visitor, and of now
	if r.Method == http.MethodHead {
		// Nobody will see the sections, so no service is called for them.
		w.Header().Set("Content-Type", htmlType)
		w.WriteHeader(http.StatusOK)
		return nil
	}
	arriving := s.Gather(r.Context())
	sections, timing, whole := collect(arriving, s.Grace)
	if r.Context().Err() != nil {
		return nil //nolint:nilerr // the visitor has left, and the notice waits for the next visit
	}
	slices.SortFunc(sections, byPlace)
	view := newHomeView(s.sections, sections...)
	view.Notice = s.notices.take(w, r)
	if view.Notice != nil {
		w.Header().Set("Cache-Control", "no-store") // it is shown once
	}
	if !whole {
		view.Streamed = true
		s.streamHome(w, r, view, arriving)
		return nil
	}
	w.Header().Set("Server-Timing", timing)
	if view.Notice != nil {
		return s.homePage.write(w, r, http.StatusOK, view)
	}
	return s.sendWhole(w, r, s.wholePage.get(sections))
}

// collect takes the sections that arrive within the grace and tells whether
// they are all. timing is a Server-Timing field of how long each was awaited.
func collect(arriving <-chan *home.Section, grace time.Duration) (sections []*home.Section, timing string, whole bool) {
	var (
		start = time.Now()
		over  <-chan time.Time // from the first wait on
		parts []string
	)
	for {
		var section *home.Section
		var open bool
		select {
		case section, open = <-arriving:
		default:
			if over == nil {
				timer := time.NewTimer(grace)
				defer timer.Stop()
				over = timer.C
			}
			select {
			case section, open = <-arriving:
			case <-over:
				return sections, "", false
			}
		}
		if !open {
			return sections, strings.Join(parts, ", "), true
		}
		sections = append(sections, section)
		parts = append(parts, fmt.Sprintf("%s;dur=%.1f;desc=%s", section.Name, millis(time.Since(start)), section.State))
	}
}

// renderWhole makes the page of the sections, without a notice.
func (s *server) renderWhole(sections []*home.Section) wholePage {
	body, err := s.homePage.render(frame[*homeView]{homePath, newHomeView(s.sections, sections...)})
	return wholePage{body, s.homeTag(sections), err}
}

// sendWhole answers with a page that others may have been sent before.
func (s *server) sendWhole(w http.ResponseWriter, r *http.Request, page wholePage) error {
	if page.err != nil {
		return page.err
	}
	w.Header().Set("ETag", page.etag)
	if matches(r.Header.Get("If-None-Match"), page.etag) {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	writeBody(w, http.StatusOK, htmlType, page.body)
	return nil
}

// homeTag names what a visitor sees, whatever the services took to deliver it
// and however it is compressed. Hence it is a weak tag (RFC 9110, 8.8.1).
func (s *server) homeTag(sections []*home.Section) string {
	digest := sha256.New()
	_, _ = digest.Write(s.homeFrame)
	for _, section := range sections {
		_, _ = digest.Write([]byte(s.sections.render(section)))
	}
	return fmt.Sprintf(`W/"%x"`, digest.Sum(nil)[:12])
}

// matches tells whether If-None-Match names the weak tag (RFC 9110, 13.1.2).
func matches(field, tag string) bool {
	for one := range strings.SplitSeq(field, ",") {
		one = strings.TrimSpace(one)
		if one == "*" || strings.TrimPrefix(one, "W/") == strings.TrimPrefix(tag, "W/") {
			return true
		}
	}
	return false
}

// streamHome sends the page in pieces: all but the missing sections at once,
// and each of these when it arrives. From its first byte on nothing stops the
// page but the visitor leaving, so there is no error to return.
func (s *server) streamHome(w http.ResponseWriter, r *http.Request, view *homeView, arriving <-chan *home.Section) {
	conn := http.NewResponseController(w)
	pieces := bufio.NewWriter(w)
	send := func() {
		// The time since the last piece was the services', not the visitor's.
		_ = conn.SetWriteDeadline(time.Now().Add(pieceTime))
		_ = pieces.Flush()
		_ = conn.Flush()
	}
	early := view.sections
	view.sections = func(yield func(*home.Section) bool) {
		for section := range early {
			if !yield(section) {
				return
			}
		}
		for {
			if len(arriving) == 0 {
				send() // what is written so far, since the next will be waited for
			}
			section, open := <-arriving
			if !open || r.Context().Err() != nil || !yield(section) {
				return
			}
		}
	}
	h := w.Header()
	h.Set("Content-Type", htmlType)
	h.Set("X-Accel-Buffering", "no") // nginx would hold the pieces back
	w.WriteHeader(http.StatusOK)
	if err := s.homePage.tmpl.Execute(pieces, frame[*homeView]{homePath, view}); err != nil && r.Context().Err() == nil {
		s.logFor(r).DebugContext(r.Context(), "page not sent whole", "err", err)
	}
	send()
}

// pieceTime is how long a visitor's connection may take for a piece of a page.
const pieceTime = time.Minute
