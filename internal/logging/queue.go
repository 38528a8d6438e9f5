// Package logging keeps a program from waiting for the reader of its log. It
// knows nothing of what is logged, and chooses no format.
package logging

import (
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// most is how many bytes of lines may wait while as many are being written:
// some thousand lines, which is a second or more of a busy site.
const most = 1 << 20

// lastTry is how long Close waits for a reader that does not read.
const lastTry = time.Second

// Queue is a writer of log lines that never blocks and never fails, for slog's
// handlers, which write one whole line at a time. Lines that there is no room
// for, or that can't be written, are dropped and counted. Once lines can be
// written again, one of them says how many are missing in that place.
type Queue struct {
	done chan struct{} // closed when the last line is written

	mu      sync.Mutex
	changed sync.Cond // there are lines, or closed is set
	lines   []byte    // that wait
	refused int64     // lines that came after those
	closed  bool

	dropped atomic.Int64
}

// NewQueue returns a queue that writes lines to w. The format makes a handler
// for the line on what was dropped, which is a warning.
func NewQueue(w io.Writer, format func(io.Writer) slog.Handler) *Queue {
	q := &Queue{done: make(chan struct{})}
	q.changed.L = &q.mu
	out := &output{w: w}
	out.direct = format(out)
	go q.run(out)
	return q
}

// Write takes a line, which ends with a newline and has no other one.
func (q *Queue) Write(line []byte) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed || len(q.lines)+len(line) > most {
		q.refused++
		q.dropped.Add(1)
		return len(line), nil
	}
	if len(q.lines) == 0 {
		q.changed.Signal()
	}
	q.lines = append(q.lines, line...)
	return len(line), nil
}

// Dropped returns how many lines were dropped so far.
func (q *Queue) Dropped() int64 { return q.dropped.Load() }

// Close writes what waits, and gives up after a second. Later lines are dropped.
func (q *Queue) Close() {
	q.mu.Lock()
	q.closed = true
	q.changed.Signal()
	q.mu.Unlock()
	select {
	case <-q.done:
	case <-time.After(lastTry):
	}
}

// take waits for lines, and exchanges them for the room of earlier ones. It
// returns nothing once the queue is closed and empty.
func (q *Queue) take(room []byte) (lines []byte, refused int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.lines) == 0 && !q.closed {
		q.changed.Wait()
	}
	lines, refused = q.lines, q.refused
	q.lines, q.refused = room[:0], 0
	return lines, refused
}

// run writes lines as they come, all that wait at once.
func (q *Queue) run(out *output) {
	defer close(q.done)
	for lines, refused := q.take(nil); len(lines) > 0; lines, refused = q.take(lines) {
		failed := out.put(lines)
		q.dropped.Add(failed)
		out.missing += failed + refused
		_ = out.report() // or before the next lines
	}
}
