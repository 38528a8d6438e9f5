package web

import (
	"html"
	"io/fs"
	"log/slog"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"homepage/internal/home"
)

// sectionView is what the template of a section asks for.
type sectionView[T home.Content] struct {
	State   home.State
	Content *T        // nil if the section failed
	AsOf    time.Time // when Content was made, if there should be newer but could not be had
}

// sectionParts are the parts of the homepage by the names of their sections.
type sectionParts map[string]*sectionPart

// sectionPart is the part of the homepage for the sections of one name.
type sectionPart struct {
	title string // in a sentence
	html  *memo[*home.Section, piece]
}

// newSectionPart parses the file and tries it with the example, new and old,
// and without.
func newSectionPart[T home.Content](files fs.FS, file, title string, assets *Assets, encoder *encoder, log *slog.Logger, example T) (*sectionPart, error) {
	var none T
	f, err := newFragment(files, assets, []string{file, "as-of.html"},
		sectionView[T]{State: home.Fresh, Content: &example},
		sectionView[T]{State: home.Stale, Content: &none, AsOf: time.Unix(0, 0)},
		sectionView[T]{State: home.Failed})
	return &sectionPart{title, newMemo(looksSame, func(section *home.Section) piece {
		view := sectionView[T]{State: section.State, AsOf: asOf(section)}
		if content, ok := section.Content.(T); ok {
			view.Content = &content
		}
		body, err := f.render(view)
		if err != nil { // a mistake of ours; the rest of the page is worth more
			log.Error("section not rendered", "section", section.Name, "err", err)
		}
		return encoder.encode(body)
	})}, err
}

// looksSame tells whether two sections of one name are the same to a visitor.
func looksSame(a, b *home.Section) bool {
	return a == b || a.State == b.State && asOf(a).Equal(asOf(b)) && reflect.DeepEqual(a.Content, b.Content)
}

func allLookSame(a, b []*home.Section) bool { return slices.EqualFunc(a, b, looksSame) }

// asOf returns when the section's content was made if the visitor is to know
// that, since there should be newer.
func asOf(section *home.Section) time.Time {
	if section.State != home.Stale || section.Err == nil {
		return time.Time{}
	}
	return section.At.UTC()
}

func newSectionParts(files fs.FS, assets *Assets, encoder *encoder, log *slog.Logger) (sectionParts, error) {
	promo, err := newSectionPart(files, "promo.html", "the offer", assets, encoder, log,
		home.Promo{Title: "T", Text: "X", URL: "/u", Action: "A", Image: "/i"})
	if err != nil {
		return nil, err
	}
	recommendations, err := newSectionPart(files, "recommendations.html", "the recommendations", assets, encoder, log,
		home.Recommendations{{Title: "T", URL: "/u", Reason: "R", Image: "/i"}, {}})
	if err != nil {
		return nil, err
	}
	return sectionParts{home.PromoName: promo, home.RecommendationsName: recommendations}, nil
}

// render returns the section as HTML whose tags are balanced, since it is
// executed apart and html/template escapes what it is given.
func (p sectionParts) render(section *home.Section) piece {
	return p[section.Name].html.get(section)
}

// renderAll returns the sections as HTML, one after the other.
func (p sectionParts) renderAll(sections []*home.Section) string {
	var all strings.Builder
	for _, section := range sections {
		all.Write(p.render(section).plain)
	}
	return all.String()
}

// figures says, in HTML, how long the services of the sections took, and what they
// would have taken one after the other.
func (p sectionParts) figures(sections []*home.Section) string {
	if len(sections) == 0 {
		return ""
	}
	var each []string
	var sum time.Duration
	for _, section := range slices.SortedFunc(slices.Values(sections), byPlace) {
		each = append(each, formatTook(section.Took)+" for "+p[section.Name].title)
		sum += section.Took
	}
	return html.EscapeString("The services took " + strings.Join(each, " and ") + "; one after the other that makes " + formatTook(sum) + ".")
}

func byPlace(a, b *home.Section) int { return a.Place - b.Place }

// formatTook writes a time for people: 0.4 ms, 312 ms, 1.25 s.
func formatTook(d time.Duration) string {
	switch ms := millis(d); {
	case ms < 9.95:
		return strconv.FormatFloat(ms, 'f', 1, 64) + " ms"
	case ms < 999.5:
		return strconv.FormatFloat(ms, 'f', 0, 64) + " ms"
	default:
		return strconv.FormatFloat(ms/1000, 'f', 2, 64) + " s"
	}
}
