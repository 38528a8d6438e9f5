// Package home gathers the sections of the homepage from their sources,
// concurrently, so that a page takes as long as its slowest source and not as
// long as all of them. Each section fails alone.
//
// It knows neither HTTP nor HTML: where content comes from is a Source's
// business, how it looks is the page's.
package home

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
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

// Source loads the content of one section. Load returns when ctx is done.
type Source struct {
	Name string
	Load func(ctx context.Context) (Content, error)
}

// Section is what one source gave for one page.
type Section struct {
	Name    string  // its source's name
	Content Content // nil if and only if Err is not
	Err     error
	Took    time.Duration // from the call of Load, without any wait for its turn
}

// Home is a page of sections. It is safe for concurrent use.
type Home struct {
	sources []Source
	limit   int
}

// New returns a page of the given sources, of which at most limit are loaded
// at once: 1 loads one after the other, 0 all together.
func New(limit int, sources ...Source) *Home {
	if limit <= 0 {
		limit = -1 // errgroup's word for no limit
	}
	return &Home{sources: sources, limit: limit}
}

// Gather loads every section and returns them in the order of their sources.
func (h *Home) Gather(ctx context.Context) []Section {
	sections := make([]Section, len(h.sources))
	// Not errgroup.WithContext, which would cancel the healthy sections on the
	// first error. Each goroutine keeps its error in its section instead.
	var group errgroup.Group
	group.SetLimit(h.limit)
	for i, source := range h.sources {
		group.Go(func() error {
			start := time.Now()
			content, err := load(ctx, source)
			sections[i] = Section{Name: source.Name, Content: content, Err: err, Took: time.Since(start)}
			return nil
		})
	}
	_ = group.Wait() // always nil
	return sections
}

// load calls the source and holds it to Section's promise. It recovers, since
// a panic in a goroutine of its own would end the program and not the request.
func load(ctx context.Context, source Source) (content Content, err error) {
	defer func() {
		if p := recover(); p != nil {
			content, err = nil, fmt.Errorf("%s: panic: %v", source.Name, p)
		}
	}()
	content, err = source.Load(ctx)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: %w", source.Name, err)
	case content == nil:
		return nil, fmt.Errorf("%s: no content", source.Name)
	}
	return content, nil
}
