package web

import (
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"log/slog"
	"sync/atomic"
	"time"

	"homepage/internal/home"
)

// NewLook returns the look of a site. It parses and tries the templates of the
// homepage's sections, so that one with a mistake fails here. Should one fail later
// all the same, that is logged, and the section says that it could not be fetched.
func NewLook(templates fs.FS, assets *Assets, siteName string, log *slog.Logger) (*Look, error) {
	style, err := readStyle(templates, skeletonStyle)
	if err != nil {
		return nil, err
	}
	l := &Look{files: templates, assets: assets, name: siteName, style: style}
	set, err := siteLook{Look: l}.parse("promo.html", "recommendations.html", "as-of.html")
	if err != nil {
		return nil, err
	}
	err1 := l.promo.bind(set, "promo", log, home.Promo{Title: "T", Text: "X", URL: "/u", Action: "A", Image: "/i"})
	err2 := l.recommendations.bind(set, "recommendations", log, home.Recommendations{{Title: "T", URL: "/u", Reason: "R", Image: "/i"}, {}})
	if err := errors.Join(err1, err2); err != nil {
		return nil, fmt.Errorf("promo.html and recommendations.html: %w", err)
	}
	return l, nil
}

// Promo makes what pages show of the offer.
func (l *Look) Promo(section *home.Section[home.Promo]) *home.HTML { return l.promo.show(section) }

// Recommendations makes what pages show of the recommendations.
func (l *Look) Recommendations(section *home.Section[home.Recommendations]) *home.HTML {
	return l.recommendations.show(section)
}

// sectionView is what the template of a section asks for.
type sectionView[T any] struct {
	State   home.State
	Content T
	AsOf    time.Time // when Content was made, if there should be something newer
}

// Failed tells whether there is nothing to show because something went wrong.
func (v sectionView[T]) Failed() bool { return v.State == home.Failed }

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

// arrival is what is said of a section when it arrives on a streamed page.
type arrival struct{ State home.State }

// Failed tells whether there is nothing to show because something went wrong.
func (a arrival) Failed() bool { return a.State == home.Failed }

// Empty tells whether there is nothing to show today.
func (a arrival) Empty() bool { return a.State == home.Empty }

// content is what can be shown in a section.
type content[T any] interface{ Equal(other T) bool }

// sectionHTML makes the HTML of a section. It remembers the last, since a service
// that is asked again mostly gives the same.
type sectionHTML[T content[T]] struct {
	log      *slog.Logger
	template fragment[sectionView[T]]
	empty    home.HTML
	failed   *home.HTML
	arrivals map[home.State][]byte // what comes before it on a streamed page
	last     atomic.Pointer[shown[T]]
}

// shown is a section and its HTML.
type shown[T any] struct {
	section *home.Section[T]
	html    *home.HTML
}

// bind finds the templates of a section. The example is a full one.
func (s *sectionHTML[T]) bind(set *template.Template, name string, log *slog.Logger, example T) (err error) {
	var none T
	s.log = log.With("template", name)
	if s.template, err = bind(set, name,
		sectionView[T]{State: home.Fresh, Content: example},
		sectionView[T]{State: home.Stale, Content: example, AsOf: time.Unix(0, 0)},
		sectionView[T]{State: home.Stale, Content: none, AsOf: time.Unix(0, 0)},
	); err != nil {
		return err
	}
	failed, err := s.template.render(sectionView[T]{State: home.Failed})
	if err != nil {
		return err
	}
	s.failed = newHTML(failed)
	arrives, err := bind[arrival](set, name+"-arrives")
	if err != nil {
		return err
	}
	s.arrivals = map[home.State][]byte{}
	for _, state := range []home.State{home.Fresh, home.Stale, home.Empty, home.Failed} {
		if s.arrivals[state], err = arrives.render(arrival{state}); err != nil {
			return err
		}
	}
	return nil
}

// of returns the HTML of a section, which mostly has it already.
func (s *sectionHTML[T]) of(section *home.Section[T]) *home.HTML {
	if section.HTML != nil {
		return section.HTML
	}
	return s.show(section)
}

// show makes the HTML of a section.
func (s *sectionHTML[T]) show(section *home.Section[T]) *home.HTML {
	switch section.State {
	case home.Empty:
		return &s.empty
	case home.Failed:
		return s.failed
	case home.Fresh, home.Stale:
	}
	if last := s.last.Load(); last != nil && looksSame(last.section, section) {
		return last.html
	}
	rendered, err := s.template.render(view(section))
	if err != nil { // a mistake of ours; the rest of the page is worth more
		s.log.Error("section not rendered", "err", err)
		return s.failed
	}
	html := newHTML(rendered)
	s.last.Store(&shown[T]{section, html})
	return html
}

// looksSame tells whether visitors see no difference between two sections.
func looksSame[T content[T]](a, b *home.Section[T]) bool {
	return a.State == b.State && asOf(a).Equal(asOf(b)) && a.Content.Equal(b.Content)
}
