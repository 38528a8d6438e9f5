// Package home gathers the sections of the homepage from their sources,
// concurrently, and hands each over when it arrives, so that no section waits
// for another. Each fails alone. Visitors who come together share one load;
// what a source allows to be kept is shown again without one; and a source
// that keeps failing is left alone for a while.
//
// It knows neither HTTP nor HTML: where content comes from and how long it
// keeps is a Source's business, how it looks is the page's.
package home

import (
	"context"
	"iter"
	"log/slog"
	"sync"
	"time"
)

// Content is what a section shows: a Promo or Recommendations.
type Content interface{ isContent() }

// Promo is the offer at the top of the page. Any field may be empty.
type Promo struct {
	Title  string
	Text   string
	URL    string // where the offer leads
	Action string // what the link to URL says
	Image  string // URL of a picture
}

// Recommendation is one thing a visitor may like. Any field may be empty.
type Recommendation struct {
	Title  string
	URL    string
	Reason string // why this one
	Image  string // URL of a picture
}

// Recommendations are in the order of the service that made them.
type Recommendations []Recommendation

func (Promo) isContent()           {}
func (Recommendations) isContent() {}

// Names of the sections.
const (
	PromoName           = "promo"
	RecommendationsName = "recommendations"
)

// State tells what a section has come to.
type State string

// The states of a section.
const (
	Fresh  State = "fresh"  // as its source has it now, or allows it to be shown as such
	Stale  State = "stale"  // older than that: a new load is under way, or has failed
	Failed State = "failed" // nothing to show
)

// Section is what one source gave. It is shared by pages and never changes, so
// that two of the same address look the same.
type Section struct {
	Name    string // its source's name
	Place   int    // its source's place among the sources, from 0
	State   State
	Content Content       // nil if and only if State is Failed
	Err     error         // of the last load; not nil if State is Failed, or Stale for want of better
	At      time.Time     // when the source made Content
	Took    time.Duration // the last load, on a page of its own or an earlier one
	Arrived time.Time     // when that load was over
}

// Home is a page of sections. It is safe for concurrent use.
type Home struct {
	sources []*source
	limit   int
	grace   time.Duration

	mu     sync.Mutex
	newest *round // or nil
}

// New returns a page of the given sources, of which it waits for at most limit
// at once: 1 loads one after the other, 0 all together. The page waits for
// sections that are nearly there for as long as grace. Loads outlive the
// visitors who caused them, but not life. Failures are logged, once a load.
func New(life context.Context, log *slog.Logger, limit int, grace time.Duration, sources ...Source) *Home {
	if limit <= 0 {
		limit = -1 // errgroup's word for no limit
	}
	h := &Home{limit: limit, grace: grace}
	for place, s := range sources {
		h.sources = append(h.sources, newSource(life, log.With("section", s.Name), place, s))
	}
	return h
}

// Gather returns the sections that are there when the grace is over, or as soon
// as all are, in the order of the sources. late yields each of the others when
// it arrives, and whether the next has still to be waited for; it is nil if there
// are none. When ctx ends, so does the waiting.
func (h *Home) Gather(ctx context.Context) (early []*Section, late iter.Seq2[*Section, bool]) {
	r := h.join(time.Now())
	n := r.wait(ctx, h.grace)
	early = r.early(n)
	if n == len(r.arrivals) {
		return early, nil
	}
	return early, func(yield func(*Section, bool) bool) {
		for i := n; i < len(r.arrivals); i++ {
			select {
			case <-r.arrivals[i].done:
			case <-ctx.Done():
				return
			}
			if !yield(r.arrivals[i].section, i+1 < len(r.arrivals) && r.arrived() == i+1) {
				return
			}
		}
	}
}
