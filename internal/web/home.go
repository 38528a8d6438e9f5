package web

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"html/template"
	"iter"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"homepage/internal/home"
	"homepage/internal/upload"
)

// skeletonStyle is what a streamed page carries inside.
const skeletonStyle = "skeleton.css"

// homeView is what home.html asks for. A page is made of it once, with marks, and
// cut there to be put together with what each visitor gets.
type homeView struct {
	Notice   []upload.Receipt // what the visitor has just stored
	Streamed bool             // sections come after all else, in any order, each for its slot
	Sections template.HTML
	Figures  template.HTML // how long the services took for the sections shown
}

// Nothing that a page says looks like a mark, since its < is escaped.
const sectionsMark, figuresMark template.HTML = "<sections>", "<figures>"

// homeFrame is a homepage in the pieces round its sections and figures.
type homeFrame struct{ before, between, after string }

func newHomeFrame(p page[homeView], notice []upload.Receipt, streamed bool) (homeFrame, error) {
	body, err := p.render(frame[homeView]{homePath, homeView{notice, streamed, sectionsMark, figuresMark}})
	before, rest, ok1 := strings.Cut(string(body), string(sectionsMark))
	between, after, ok2 := strings.Cut(rest, string(figuresMark))
	if err == nil && (!ok1 || !ok2) {
		err = errors.New("home.html: no sections, or no figures after them")
	}
	return homeFrame{before, between, after}, err
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
		return s.streamHome(w, r, notice, sections, late)
	}
	w.Header().Set("Server-Timing", timing(start, sections))
	if notice == nil {
		sendWhole(w, r, s.wholePage.get(sections))
		return nil
	}
	frame, err := newHomeFrame(s.homePage, notice, false)
	if err != nil {
		return err
	}
	sendWhole(w, r, s.endPage(s.beginPage(frame, sections), sections))
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

// pageBeginning is a whole page up to its figures. Its tag is of what a visitor
// sees, whatever the services took to deliver it and however it is compressed.
// Hence it is a weak one (RFC 9110, 8.8.1).
type pageBeginning struct {
	piece
	after string // what follows the figures
	etag  string
}

func (s *server) beginPage(frame homeFrame, sections []*home.Section) pageBeginning {
	text := frame.before + s.sections.renderAll(sections) + frame.between
	digest := sha256.Sum256([]byte(text + frame.after))
	return pageBeginning{s.encoder.encode([]byte(text)), frame.after, fmt.Sprintf(`W/"%x"`, digest[:12])}
}

// wholePage is a homepage in either coding, and its tag.
type wholePage struct {
	plain, gzip func() []byte
	etag        string
}

func (s *server) endPage(beginning pageBeginning, sections []*home.Section) wholePage {
	end := stored([]byte(s.sections.figures(sections) + beginning.after))
	return wholePage{
		plain: sync.OnceValue(func() []byte { return join(false, beginning.piece, end) }),
		gzip:  sync.OnceValue(func() []byte { return join(true, beginning.piece, end) }),
		etag:  beginning.etag,
	}
}

// sendWhole answers with a page that others may have been sent before.
func sendWhole(w http.ResponseWriter, r *http.Request, page wholePage) {
	w.Header().Set("ETag", page.etag)
	if matches(r.Header.Get("If-None-Match"), page.etag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	body := page.plain
	if acceptsGzip(r) {
		body = page.gzip
		w.Header().Set("Content-Encoding", "gzip") // which gzhttp then leaves alone
	}
	writeBody(w, http.StatusOK, htmlType, body())
}

// acceptsGzip tells whether the client takes gzip (RFC 9110, 12.5.3).
func acceptsGzip(r *http.Request) bool {
	return quality(r.Header.Get("Accept-Encoding"), "gzip") > 0
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

// beginStream returns all of a streamed page but the sections that are late, its
// figures and its end.
func (s *server) beginStream(frame homeFrame, early []*home.Section) piece {
	return s.encoder.encode([]byte(frame.before + s.sections.renderAll(early)))
}

// streamHome sends the page in pieces: all but the missing sections at once,
// and each of these when it arrives. From its first byte on nothing stops the
// page but the visitor leaving.
func (s *server) streamHome(w http.ResponseWriter, r *http.Request, notice []upload.Receipt, early []*home.Section, late iter.Seq2[*home.Section, bool]) error {
	frame, beginning := s.streamed, s.streamBeginning.get(early)
	if notice != nil {
		var err error
		if frame, err = newHomeFrame(s.homePage, notice, true); err != nil {
			return err
		}
		beginning = s.beginStream(frame, early)
	}
	h := w.Header()
	h.Set("Content-Type", htmlType)
	h.Set("X-Accel-Buffering", "no") // nginx would hold the pieces back
	gzip := acceptsGzip(r)
	if gzip {
		h.Set("Content-Encoding", "gzip")
	}
	w.WriteHeader(http.StatusOK)
	conn, body := http.NewResponseController(w), newBodyWriter(w, gzip)
	send := func(p piece, flush bool) {
		// The time since the last piece was the services', not the visitor's.
		_ = conn.SetWriteDeadline(time.Now().Add(pieceTime))
		body.write(p)
		if flush {
			_ = conn.Flush()
		}
	}
	send(beginning, true)
	shown := slices.Clone(early)
	for section, more := range late {
		send(s.sections.render(section), more)
		shown = append(shown, section)
	}
	send(stored([]byte(frame.between+s.sections.figures(shown)+frame.after)), false)
	body.close()
	return nil
}

// pieceTime is how long a visitor's connection may take for a piece of a page.
const pieceTime = time.Minute
