// Package home gathers the two sections of the homepage from their sources,
// concurrently, and hands each over when it arrives, so that neither waits for
// the other. Each fails alone. Visitors who come together share one load; what
// a source allows to be kept is shown again without one; and a source that
// keeps failing is left alone for a while.
//
// It knows neither HTTP nor HTML: where content comes from and how long it
// keeps is the source's business, what it looks like is the page's.
package home

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
)

// Promo is the offer at the top of the page. Any field may be empty.
type Promo struct {
	Title  string
	Text   string
	URL    string // where the offer leads
	Action string // what the link to URL says
	Image  string // URL of a picture
}

// Empty tells whether there is nothing to say: a link or a picture alone is no
// offer.
func (p Promo) Empty() bool { return p.Title == "" && p.Text == "" }

// Equal tells whether both say the same.
func (p Promo) Equal(other Promo) bool { return p == other }

func (p Promo) size() int {
	return len(p.Title) + len(p.Text) + len(p.URL) + len(p.Action) + len(p.Image)
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

// Empty tells whether there are none.
func (r Recommendations) Empty() bool { return len(r) == 0 }

// Equal tells whether both say the same, in the same order.
func (r Recommendations) Equal(other Recommendations) bool { return slices.Equal(r, other) }

func (r Recommendations) size() int {
	const itself = 64 // bytes of a Recommendation with empty texts
	total := len(r) * itself
	for _, one := range r {
		total += len(one.Title) + len(one.URL) + len(one.Reason) + len(one.Image)
	}
	return total
}

// Home gathers the sections of homepages. It is safe for concurrent use.
type Home struct {
	promo           *source[Promo]
	recommendations *source[Recommendations]
	limit           int
	grace           time.Duration
}

// Options are what all homepages have in common.
type Options struct {
	Log         *slog.Logger  // of failures, once a load
	Concurrency int           // how many loads a page runs at once: 1 is one after the other, 0 is both together
	Grace       time.Duration // how long a page waits for sections that are nearly there
	// CacheBytes bounds, of each section, those that are kept for visitors. That
	// of nobody in particular is kept besides.
	CacheBytes int64

	// What pages show of a section, made once it is there. They may be nil.
	ShowPromo           func(*Section[Promo]) *HTML
	ShowRecommendations func(*Section[Recommendations]) *HTML
}

// New returns a homepage whose content comes from the two loads. They outlive
// the visitors who caused them, but not life.
func New(life context.Context, options Options, promo Load[Promo], recommendations Load[Recommendations]) *Home {
	limit := options.Concurrency
	if limit <= 0 {
		limit = -1 // errgroup's word for no limit
	}
	return &Home{
		promo:           newSource(life, options, "promo", func(v Visit) Visitor[Promo] { return v.Promo }, promo, options.ShowPromo),
		recommendations: newSource(life, options, "recommendations", func(v Visit) Visitor[Recommendations] { return v.Recommendations }, recommendations, options.ShowRecommendations),
		limit:           limit,
		grace:           options.Grace,
	}
}

// Page is a homepage for one visitor. Its sections arrive independently.
type Page struct {
	Promo           *Future[Promo]
	Recommendations *Future[Recommendations]
}

// Gather returns a page when both of its sections have arrived, the grace is
// over or ctx ends, whichever comes first. Sections that are late then are
// still on their way.
//
// The loads that it causes are told of the visit.
func (h *Home) Gather(ctx context.Context, visit Visit) Page {
	now := time.Now()
	promo, loadPromo := h.promo.join(now, visit)
	recommendations, loadRecommendations := h.recommendations.join(now, visit)
	if loadPromo != nil || loadRecommendations != nil {
		go h.load(loadPromo, loadRecommendations)
	}
	page := Page{promo, recommendations}
	grace := time.NewTimer(h.grace)
	defer grace.Stop()
	for _, arrived := range []<-chan struct{}{promo.Arrived(), recommendations.Arrived()} {
		select {
		case <-arrived:
		case <-grace.C:
			return page
		case <-ctx.Done():
			return page
		}
	}
	return page
}

// load runs the loads that are not nil, as many at once as the limit allows.
func (h *Home) load(loads ...func()) {
	// Not errgroup.WithContext, which would cancel the healthy section on the
	// first error. Errors stay in their sections instead.
	var group errgroup.Group
	group.SetLimit(h.limit)
	for _, load := range loads {
		if load != nil {
			group.Go(func() error {
				load()
				return nil
			})
		}
	}
	_ = group.Wait() // always nil
}
