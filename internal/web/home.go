package web

import (
	"bytes"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"homepage/internal/home"
)

// skeletonStyle is the style sheet that a streamed page carries inside.
const skeletonStyle = "skeleton.css"

// homeView is what home.html asks for.
type homeView struct {
	Flash *flashMessage // what the visitor has just stored
}

// sectionView is what the template of a section asks for.
type sectionView[T any] struct {
	State   home.State
	Content T
	AsOf    time.Time // when Content was made, if there should be something newer
}

// Failed tells whether there is nothing to show because something went wrong.
func (v sectionView[T]) Failed() bool { return v.State == home.Failed }

// Empty tells whether there is nothing to show today.
func (v sectionView[T]) Empty() bool { return v.State == home.Empty }

func view[T any](section *home.Section[T]) sectionView[T] {
	return sectionView[T]{section.State, section.Content, asOf(section)}
}

// asOf returns when the section's content was made, if its visitors should know
// because there was nothing newer to be had.
func asOf[T any](section *home.Section[T]) time.Time {
	if section.State != home.Stale || section.Err == nil {
		return time.Time{}
	}
	return section.At.UTC()
}

// content is what can be shown in a section.
type content[T any] interface{ Equal(other T) bool }

// looksSame tells whether visitors see no difference between two sections.
func looksSame[T content[T]](a, b *home.Section[T]) bool {
	return a == b || a.State == b.State && asOf(a).Equal(asOf(b)) && a.Content.Equal(b.Content)
}

// homeSections are the sections of a whole page.
type homeSections struct {
	promo           *home.Section[home.Promo]
	recommendations *home.Section[home.Recommendations]
}

// personal tells whether the page is not for everyone.
func (s homeSections) personal() bool { return s.promo.Personal || s.recommendations.Personal }

func (s homeSections) looksSame(other homeSections) bool {
	return looksSame(s.promo, other.promo) && looksSame(s.recommendations, other.recommendations)
}

// homePages makes homepages: whole ones, and the parts of those that are
// streamed. What looks the same is rendered once for all who get it. What is for
// some visitors alone is rendered each time, and none of it is kept: sections are
// small beside their HTML, so that the memory holds more of them.
type homePages struct {
	whole           *memo[homeSections, rendered] // without a flash message
	promo           sectionPieces[home.Promo]
	recommendations sectionPieces[home.Recommendations]

	begin, beginStreamed homePiece
	end, endStreamed     homePiece
}

// homePiece is a beginning or an end of a page.
type homePiece struct {
	fragment[frame[homeView]]
	plain []byte // without a flash message
}

func newHomePiece(set *template.Template, name string) (homePiece, error) {
	f, err := bind(set, name, frame[homeView]{homePath, homeView{
		&flashMessage{Files: []flashFile{{Name: "a-1.txt", Existed: "a.txt"}}, More: 1},
	}})
	if err != nil {
		return homePiece{}, err
	}
	plain, err := f.render(frame[homeView]{Path: homePath})
	return homePiece{f, plain}, err
}

func (p homePiece) with(flash *flashMessage) ([]byte, error) {
	if flash == nil {
		return p.plain, nil
	}
	return p.render(frame[homeView]{homePath, homeView{flash}})
}

// sectionPieces are what a section is on a page.
type sectionPieces[T content[T]] struct {
	whole    fragment[sectionView[T]]
	streamed *memo[*home.Section[T], []byte]
}

// rendered is a page, or why there is none.
type rendered struct {
	body *body
	err  error
}

func newHomePages(l look, log *slog.Logger) (*homePages, error) {
	set, err := l.parse("base.html", "home.html", "promo.html", "recommendations.html", "as-of.html")
	if err != nil {
		return nil, err
	}
	offer := home.Promo{Title: "T", Text: "X", URL: "/u", Action: "A", Image: "/i"}
	items := home.Recommendations{{Title: "T", URL: "/u", Reason: "R", Image: "/i"}, {}}
	h := &homePages{}
	var errs [6]error
	h.promo, errs[0] = newSectionPieces(set, "promo", log, offer)
	h.recommendations, errs[1] = newSectionPieces(set, "recommendations", log, items)
	h.begin, errs[2] = newHomePiece(set, "begin-whole")
	h.beginStreamed, errs[3] = newHomePiece(set, "begin-streamed")
	h.end, errs[4] = newHomePiece(set, "end-whole")
	h.endStreamed, errs[5] = newHomePiece(set, "end")
	if err := errors.Join(errs[:]...); err != nil {
		return nil, fmt.Errorf("home.html, promo.html and recommendations.html: %w", err)
	}
	h.whole = newMemo(homeSections.personal, homeSections.looksSame, func(all homeSections) rendered { return h.render(nil, all) })
	return h, nil
}

// newSectionPieces returns what the templates of the name make of a section. The
// example is a full one.
func newSectionPieces[T content[T]](set *template.Template, name string, log *slog.Logger, example T) (sectionPieces[T], error) {
	var none T
	examples := []sectionView[T]{
		{State: home.Fresh, Content: example},
		{State: home.Stale, Content: example, AsOf: time.Unix(0, 0)},
		{State: home.Stale, Content: none, AsOf: time.Unix(0, 0)},
		{State: home.Failed},
		{State: home.Empty},
	}
	whole, err1 := bind(set, name, examples...)
	streamed, err2 := bind(set, name+".html", examples...)
	personal := func(section *home.Section[T]) bool { return section.Personal }
	return sectionPieces[T]{whole, newMemo(personal, looksSame[T], func(section *home.Section[T]) []byte {
		html, err := streamed.render(view(section))
		if err != nil { // a mistake of ours; the rest of the page is worth more
			log.Error("section not rendered", "template", name, "err", err)
		}
		return html
	})}, errors.Join(err1, err2)
}

// onWhole is the section on a whole page.
func (p sectionPieces[T]) onWhole(section *home.Section[T]) ([]byte, error) {
	if section.State == home.Empty {
		return nil, nil
	}
	return p.whole.render(view(section))
}

// render makes a whole page. It is a function of what it shows, so that its
// entity tag holds for everyone.
func (h *homePages) render(flash *flashMessage, all homeSections) rendered {
	beginning, err1 := h.begin.with(flash)
	promo, err2 := h.promo.onWhole(all.promo)
	recommendations, err3 := h.recommendations.onWhole(all.recommendations)
	if err := errors.Join(err1, err2, err3); err != nil {
		return rendered{err: err}
	}
	html := bytes.Join([][]byte{beginning, promo, []byte("\n"), recommendations, []byte("\n"), h.end.plain}, nil)
	if flash != nil || all.personal() {
		return rendered{body: newBodyForOne(htmlType, html)}
	}
	return rendered{body: newBody(htmlType, html)}
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
	whole := s.home.whole.get
	if flash != nil {
		whole = func(all homeSections) rendered { return s.home.render(flash, all) }
	}
	made := whole(all)
	if made.err != nil {
		return made.err
	}
	s.countShown(all)
	made.body.send(w, r)
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
	send := func(piece []byte) { // errors mean that the visitor has left
		_, _ = out.Write(piece)
		_ = out.conn.Flush()
	}
	send(beginning)
	var all homeSections // that went out
	defer func() { s.countShown(all) }()
	promo, recommendations := page.Promo.Arrived(), page.Recommendations.Arrived()
	for promo != nil || recommendations != nil {
		select {
		case <-promo:
			all.promo = page.Promo.Section()
			send(s.home.promo.streamed.get(all.promo))
			promo = nil
		case <-recommendations:
			all.recommendations = page.Recommendations.Section()
			send(s.home.recommendations.streamed.get(all.recommendations))
			recommendations = nil
		case <-r.Context().Done():
			panic(http.ErrAbortHandler) // the visitor has left: what there is must not look whole
		}
	}
	send(s.home.endStreamed.plain)
	return nil
}
