package home

import (
	"context"
	"time"
)

// Load fetches the content of one section. It returns when ctx is done, and
// ends in its own time if ctx isn't. An error that is a *LoadError says more
// about itself. The visit is the one that caused the load; others may share
// what comes of it.
type Load[T any] func(ctx context.Context, visit Visit) (Answer[T], error)

// Visit is what a source may be told of a visit.
type Visit struct {
	RequestID   string
	Traceparent string // as it was received (W3C Trace Context), or empty
	Tracestate  string // as it was received, or empty

	// What the source of each section is told of the visitor.
	Promo           Visitor[Promo]
	Recommendations Visitor[Recommendations]
}

// Answer is what a source gave, and how long it may be shown without asking
// again. A time that is zero or past allows nothing.
type Answer[T any] struct {
	Content    T
	At         time.Time // when it was made
	Fresh      time.Time // until then it is as good as new
	Revalidate time.Time // until then it may be shown while the source is asked again
	Fallback   time.Time // until then it may be shown if asking again failed
	Ignored    Things    // of the visitor, by which the answer does not differ
	Again      Load[T]   // asks whether it is still the newest; nil if the answer is not to be kept for that
	Held       int       // bytes that Again holds besides Content
}

// LoadError is a failed load of a source that could be reached.
type LoadError struct {
	Err   error
	Final bool      // the source has spoken: no older answer may stand in for this one
	Until time.Time // the source is not to be asked again before; zero if it may be at once

	// Personal says that all this is about the visitor. It tells nothing of how
	// the source is, nor of other visitors.
	Personal bool
}

func (e *LoadError) Error() string { return e.Err.Error() }
func (e *LoadError) Unwrap() error { return e.Err }
