package web

import (
	"bufio"
	"crypto/sha256"
	"errors"
	"fmt"
	"html/template"
	"iter"
	"net/http"
	"slices"
	"strconv"
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
	Sections iter.Seq[template.HTML]
	Figures  func() string // how long the services took for the sections shown
}

// newHomeView returns a view of sections that may still have to arrive.
func newHomeView(parts sectionParts, sections iter.Seq[*home.Section]) homeView {
	var shown []*home.Section
	return homeView{
		Sections: func(yield func(template.HTML) bool) {
			for section := range sections {
				shown = append(shown, section)
				if !yield(parts.render(section)) {
					return
				}
			}
		},
		Figures: func() string { return parts.figures(shown) },
	}
}

// homeFrame is the whole page in the pieces round its sections and figures.
type homeFrame struct{ before, between, after string }

const sectionsMark, figuresMark = "@sections@", "@figures@"

// exampleHome has marks in place of sections and figures. The full one is
// streamed and has a notice.
func exampleHome(full bool) homeView {
	view := homeView{
		Streamed: full,
		Sections: slices.Values([]template.HTML{sectionsMark}),
		Figures:  func() string { return figuresMark },
	}
	if full {
		view.Notice = []upload.Receipt{{Name: "a-1.txt", Original: "a.txt", Bytes: 1}}
	}
	return view
}

func newHomeFrame(p page[homeView]) (homeFrame, error) {
	body, err := p.render(frame[homeView]{homePath, exampleHome(false)})
	before, rest, ok1 := strings.Cut(string(body), sectionsMark)
	between, after, ok2 := strings.Cut(rest, figuresMark)
	if err == nil && (!ok1 || !ok2) {
		err = errors.New("home.html: no sections, or no figures after them")
	}
	return homeFrame{before, between, after}, err
}

// wholePage is a homepage without a notice. Visitors who get the same sections
// get the same page.
type wholePage struct {
	body encodedBody
	etag string
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
	start := time.Now()
	sections, late := s.Gather(r.Context())
	if r.Context().Err() != nil {
		return nil //nolint:nilerr // the visitor has left, and the notice waits for the next visit
	}
	notice := s.notices.take(w, r)
	if notice != nil {
		w.Header().Set("Cache-Control", "no-store") // it is shown once
	}
	if late != nil {
		s.streamHome(w, r, notice, sections, late)
		return nil
	}
	w.Header().Set("Server-Timing", timing(start, sections))
	if notice != nil {
		view := newHomeView(s.sections, slices.Values(sections))
		view.Notice = notice
		return s.homePage.write(w, r, http.StatusOK, view)
	}
	sendWhole(w, r, s.wholePage.get(sections))
	return nil
}

// timing is a Server-Timing field of how long a visitor who came at start has
// waited for each section.
func timing(start time.Time, sections []*home.Section) string {
	field := make([]byte, 0, 128) // for most
	for i, section := range sections {
		if i > 0 {
			field = append(field, ", "...)
		}
		field = append(append(field, section.Name...), ";dur="...)
		field = strconv.AppendFloat(field, millis(max(0, section.Arrived.Sub(start))), 'f', 1, 64)
		field = append(append(field, ";desc="...), section.State...)
	}
	return string(field)
}

// pageBeginning is all of a homepage up to its figures, with the page's tag: it is
// of what a visitor sees, whatever the services took to deliver it and however
// it is compressed. Hence it is a weak one (RFC 9110, 8.8.1).
type pageBeginning struct {
	beginning
	etag string
}

func (s *server) newPageBeginning(sections []*home.Section) pageBeginning {
	shown := make([]string, len(sections))
	for i, section := range sections {
		shown[i] = string(s.sections.render(section))
	}
	text := s.homeFrame.before + strings.Join(shown, "\n") + s.homeFrame.between
	digest := sha256.Sum256([]byte(text + s.homeFrame.after))
	return pageBeginning{s.encoder.encode([]byte(text)), fmt.Sprintf(`W/"%x"`, digest[:12])}
}

func (s *server) newWholePage(sections []*home.Section) wholePage {
	beginning := s.pageBeginning.get(sections)
	end := template.HTMLEscapeString(s.sections.figures(sections)) + s.homeFrame.after
	return wholePage{beginning.endingWith([]byte(end)), beginning.etag}
}

// sendWhole answers with a page that others may have been sent before.
func sendWhole(w http.ResponseWriter, r *http.Request, page wholePage) {
	w.Header().Set("ETag", page.etag)
	if matches(r.Header.Get("If-None-Match"), page.etag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	body, coding := page.body.accepted(r.Header.Get("Accept-Encoding"))
	if coding != "" {
		w.Header().Set("Content-Encoding", coding) // which gzhttp then leaves alone
	}
	writeBody(w, http.StatusOK, htmlType, body)
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
func (s *server) streamHome(w http.ResponseWriter, r *http.Request, notice []upload.Receipt, early []*home.Section, late iter.Seq[*home.Section]) {
	conn := http.NewResponseController(w)
	pieces := bufio.NewWriter(w)
	send := func() {
		// The time since the last piece was the services', not the visitor's.
		_ = conn.SetWriteDeadline(time.Now().Add(pieceTime))
		_ = pieces.Flush()
		_ = conn.Flush()
	}
	view := newHomeView(s.sections, func(yield func(*home.Section) bool) {
		for _, section := range early {
			if !yield(section) {
				return
			}
		}
		send() // what is written so far, since the next will be waited for
		for section := range late {
			if !yield(section) {
				return
			}
			send()
		}
	})
	view.Notice, view.Streamed = notice, true
	h := w.Header()
	h.Set("Content-Type", htmlType)
	h.Set("X-Accel-Buffering", "no") // nginx would hold the pieces back
	w.WriteHeader(http.StatusOK)
	if err := s.homePage.tmpl.Execute(pieces, frame[homeView]{homePath, view}); err != nil && r.Context().Err() == nil {
		s.logFor(w).DebugContext(r.Context(), "page not sent whole", "err", err)
	}
	send()
}

// pieceTime is how long a visitor's connection may take for a piece of a page.
const pieceTime = time.Minute
