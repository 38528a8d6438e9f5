package home

import "time"

// State tells what has become of a section.
type State string

// The states of a section.
const (
	Fresh  State = "fresh"  // as its source has it now, or allows it to be shown as such
	Stale  State = "stale"  // older than that: a new load is under way, or has failed
	Empty  State = "empty"  // its source has nothing to show today
	Failed State = "failed" // nothing to show
)

// Section is what one source gave. Pages share it, so it never changes.
type Section[T any] struct {
	State   State
	Content T         // zero if State is Failed or Empty
	Err     error     // of the last load; not nil if State is Failed, or Stale for want of better
	At      time.Time // when the source made Content
	Arrived time.Time // when that load was over

	Personal bool  // it is for visitors of whom the source was told the same, and not for everyone
	HTML     *HTML // what pages show of it, see Options; nil if nobody makes that beforehand
}

// HTML is what pages show of a section. It is made when the section arrives, and
// kept with it.
type HTML struct {
	Plain    []byte
	Deflated []byte // the same (RFC 1951), such that it can stand between others
}

// size is what it takes, in bytes.
func (h *HTML) size() int {
	if h == nil {
		return 0
	}
	return len(h.Plain) + len(h.Deflated)
}

// Future is a section that may still be on its way. It is safe for concurrent
// use.
type Future[T any] struct {
	arrived chan struct{}
	section *Section[T]
}

// NewFuture returns the future of a section that has not arrived.
func NewFuture[T any]() *Future[T] { return &Future[T]{arrived: make(chan struct{})} }

// arrived returns the future of a section that has arrived.
func arrived[T any](section *Section[T]) *Future[T] {
	future := NewFuture[T]()
	future.Resolve(section)
	return future
}

// Resolve makes the section arrive. It must be called at most once.
func (f *Future[T]) Resolve(section *Section[T]) {
	f.section = section
	close(f.arrived)
}

// Arrived returns a channel that is closed when the section has arrived.
func (f *Future[T]) Arrived() <-chan struct{} { return f.arrived }

// Section returns the section, or nil if it has not arrived.
func (f *Future[T]) Section() *Section[T] {
	select {
	case <-f.arrived:
		return f.section
	default:
		return nil
	}
}
