package home

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"
)

// remembered is what is known of a section for a visitor. It does not change.
type remembered[T content] struct {
	kept    *kept[T]    // the last answer, if it may be kept
	failure *failure[T] // the last load, if it failed
	began   time.Time   // when that load did
}

// size is what it takes besides what every entry takes, in bytes.
func (r *remembered[T]) size() (size int) {
	if r.kept != nil {
		size += r.kept.Content.size() + r.kept.Held + r.kept.fresh.HTML.size() + r.kept.stale.HTML.size()
	}
	if r.failure != nil {
		size += r.failure.section.HTML.size()
	}
	return size
}

// cache remembers the section of nobody in particular for good, and those of
// visitors within a number of bytes. Which of these have to go is judged by how
// often and how lately they were asked for (W-TinyLFU), so that a flood of
// visitors who come once doesn't push those out who come again.
type cache[T content] struct {
	nobody   atomic.Pointer[remembered[T]]
	visitors func() *otter.Cache[Visitor[T], *remembered[T]] // made when the first one comes
}

// entrySize is what an entry takes besides its texts, in bytes: about as measured
// with 10,000 of them.
const entrySize = 1 << 10

func newCache[T content](bytes int64) *cache[T] {
	c := new(cache[T])
	c.nobody.Store(new(remembered[T]))
	options := &otter.Options[Visitor[T], *remembered[T]]{
		MaximumWeight: uint64(max(bytes, 1)),
		// As many as there can be, so that it is counted from the first one on who
		// comes again. Else it would not be before the cache is half full.
		InitialCapacity: int(min(max(bytes, 1)/entrySize, 1<<20)) + 1,
		Weigher: func(v Visitor[T], r *remembered[T]) uint32 {
			return uint32(entrySize + len(v.values) + r.size()) //nolint:gosec // a source's answer is far below 4 GiB
		},
		// What has to go goes at once, and not when a goroutine gets to it.
		Executor: func(task func()) { task() },
		Logger:   new(otter.NoopLogger), // it would log panics of the functions here, which have none
	}
	c.visitors = sync.OnceValue(func() *otter.Cache[Visitor[T], *remembered[T]] { return otter.Must(options) })
	return c
}

// get never returns nil.
func (c *cache[T]) get(v Visitor[T]) *remembered[T] {
	if v == (Visitor[T]{}) {
		return c.nobody.Load()
	}
	if r, ok := c.visitors().GetIfPresent(v); ok {
		return r
	}
	return new(remembered[T])
}

func (c *cache[T]) set(v Visitor[T], r *remembered[T]) {
	switch {
	case v == (Visitor[T]{}):
		c.nobody.Store(r)
	case r.kept == nil && r.failure == nil:
		c.visitors().Invalidate(v)
	default:
		c.visitors().Set(v, r)
	}
}
