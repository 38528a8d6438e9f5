package web

import (
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"homepage/internal/home"
)

// skeletonStyle is the style sheet that a streamed page carries inside.
const skeletonStyle = "skeleton.css"

// homeView is what home.html asks for.
type homeView struct {
	Flash *flashMessage // what the visitor has just stored
}

// homeSections are the sections of a whole page.
type homeSections struct {
	promo           *home.Section[home.Promo]
	recommendations *home.Section[home.Recommendations]
}

// homePages makes homepages: whole ones, and the parts of those that are
// streamed.
type homePages struct {
	*Look

	begin, beginStreamed homePiece
	end, endStreamed     homePiece
	last                 atomic.Pointer[madePage]
}

// madePage is a page for everyone, and what it is made of.
type madePage struct {
	promo, recommendations *home.HTML
	body                   *body
}

// homePiece is a beginning or an end of a page.
type homePiece struct {
	fragment[frame[homeView]]
	plain *home.HTML // without a flash message
}

func newHomePiece(set *template.Template, name string) (homePiece, error) {
	f, err := bind(set, name, frame[homeView]{homePath, homeView{
		&flashMessage{Files: []flashFile{{Name: "a-1.txt", Existed: "a.txt"}}, More: 1},
	}})
	if err != nil {
		return homePiece{}, err
	}
	plain, err := f.render(frame[homeView]{Path: homePath})
	return homePiece{f, newHTML(plain)}, err
}

func (p homePiece) with(flash *flashMessage) (*home.HTML, error) {
	if flash == nil {
		return p.plain, nil
	}
	html, err := p.render(frame[homeView]{homePath, homeView{flash}})
	return newHTML(html), err
}

func newHomePages(l siteLook) (*homePages, error) {
	set, err := l.parse("base.html", "home.html")
	if err != nil {
		return nil, err
	}
	h := &homePages{Look: l.Look}
	var errs [4]error
	h.begin, errs[0] = newHomePiece(set, "begin-whole")
	h.beginStreamed, errs[1] = newHomePiece(set, "begin-streamed")
	h.end, errs[2] = newHomePiece(set, "end-whole")
	h.endStreamed, errs[3] = newHomePiece(set, "end")
	if err := errors.Join(errs[:]...); err != nil {
		return nil, fmt.Errorf("home.html: %w", err)
	}
	return h, nil
}

// whole makes a whole page. It is a function of what it shows, so that its
// entity tag holds for everyone. The last page for everyone is kept; those for
// some visitors alone are not, but their sections are, so that they are soon made.
func (h *homePages) whole(flash *flashMessage, all homeSections) (*body, error) {
	promo, recommendations := h.promo.of(all.promo), h.recommendations.of(all.recommendations)
	if flash == nil && !all.promo.Personal && !all.recommendations.Personal {
		if last := h.last.Load(); last != nil && last.promo == promo && last.recommendations == recommendations {
			return last.body, nil
		}
		made := newBody(htmlType, slices.Concat(h.begin.plain.Plain, promo.Plain, recommendations.Plain, h.end.plain.Plain))
		h.last.Store(&madePage{promo, recommendations, made})
		return made, nil
	}
	begin, err := h.begin.with(flash)
	if err != nil {
		return nil, err
	}
	return newJoined(begin, promo, recommendations, h.end.plain), nil
}

// showHome answers 200 whatever the services do. Sections that arrive within
// the grace go out as a whole page; if one is late, the page begins without it.
func (s *server) showHome(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Cache-Control", "private, no-cache") // it speaks to one visitor, and of now
	for _, name := range s.Forward.Headers {
		w.Header().Add("Vary", name)
	}
	if r.Method == http.MethodHead {
		// Nobody will see the sections, so no service is called for them.
		w.Header().Set("Content-Type", htmlType)
		w.WriteHeader(http.StatusOK)
		return nil
	}
	start := time.Now()
	page := s.Gather(r.Context(), s.visit(w, r))
	if r.Context().Err() != nil {
		// The visitor has left, and the flash message waits for the next visit. Should
		// they only have closed their side, an empty 200 would mislead them.
		panic(http.ErrAbortHandler)
	}
	flash := s.flashes.take(w, r)
	if flash != nil {
		w.Header().Set("Cache-Control", "no-store") // it is shown once
	}
	all := homeSections{page.Promo.Section(), page.Recommendations.Section()}
	setServerTiming(w.Header(), start, all)
	if all.promo == nil || all.recommendations == nil {
		return s.streamHome(w, r, flash, page)
	}
	made, err := s.home.whole(flash, all)
	if err != nil {
		return err
	}
	s.countShown(all)
	made.send(w, r)
	return nil
}

// visit is what services may be told of a request.
func (s *server) visit(w http.ResponseWriter, r *http.Request) home.Visit {
	told := home.Visit{RequestID: requestID(w), Tracestate: strings.Join(r.Header.Values("Tracestate"), ",")}
	if parents := r.Header.Values("Traceparent"); len(parents) == 1 { // several say nothing
		told.Traceparent = parents[0]
	}
	if s.Forward.Visitor != nil {
		told.Promo, told.Recommendations = s.Forward.Visitor(r.Header)
	}
	return told
}

// setServerTiming says how long a visitor who came at start waited for each
// section that is there.
func setServerTiming(header http.Header, start time.Time, all homeSections) {
	var field []byte
	if all.promo != nil {
		field = appendTiming(field, "promo", start, all.promo.Arrived, all.promo.State)
	}
	if all.recommendations != nil {
		field = appendTiming(field, "recommendations", start, all.recommendations.Arrived, all.recommendations.State)
	}
	if len(field) > 0 {
		header.Set("Server-Timing", string(field))
	}
}

func appendTiming(field []byte, name string, start, arrived time.Time, state home.State) []byte {
	if len(field) > 0 {
		field = append(field, ", "...)
	}
	field = fmt.Appendf(field, "%s;dur=", name)
	field = strconv.AppendFloat(field, millis(max(0, arrived.Sub(start))), 'f', 1, 64)
	return fmt.Appendf(field, ";desc=%s", state)
}

// streamHome sends the page in pieces: all but the missing sections at once,
// and each of these when it arrives. From its first byte on nothing stops the
// page but the visitor leaving.
func (s *server) streamHome(w http.ResponseWriter, r *http.Request, flash *flashMessage, page home.Page) error {
	beginning, err := s.home.beginStreamed.with(flash)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", htmlType)
	h.Set("X-Accel-Buffering", "no") // nginx would hold the pieces back
	w.WriteHeader(http.StatusOK)
	out := newPieceWriter(w)
	send := func(pieces ...[]byte) { // errors mean that the visitor has left
		_, _ = out.Write(slices.Concat(pieces...))
		_ = out.conn.Flush()
	}
	send(beginning.Plain)
	var all homeSections // that went out
	defer func() { s.countShown(all) }()
	promo, recommendations := page.Promo.Arrived(), page.Recommendations.Arrived()
	for promo != nil || recommendations != nil {
		select {
		case <-promo:
			all.promo = page.Promo.Section()
			send(s.home.promo.arrivals[all.promo.State], s.home.promo.of(all.promo).Plain)
			promo = nil
		case <-recommendations:
			all.recommendations = page.Recommendations.Section()
			send(s.home.recommendations.arrivals[all.recommendations.State], s.home.recommendations.of(all.recommendations).Plain)
			recommendations = nil
		case <-r.Context().Done():
			panic(http.ErrAbortHandler) // the visitor has left: what there is must not look whole
		}
	}
	send(s.home.endStreamed.plain.Plain)
	return nil
}
