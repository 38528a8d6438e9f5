package logging_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"homepage/internal/logging"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// format is slog's text without the time.
func format(w io.Writer) slog.Handler {
	return slog.NewTextHandler(w, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}})
}

// report is the line on lines that were dropped.
func report(lines int) string {
	return fmt.Sprintf("level=WARN msg=\"log lines dropped, as they could not be written\" lines=%d\n", lines)
}

// reader is the reader of a log. It takes what is written once it is let.
type reader struct {
	reads chan struct{} // one for each write, or closed

	mu  sync.Mutex
	got bytes.Buffer
}

func (r *reader) Write(lines []byte) (int, error) {
	<-r.reads
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.got.Write(lines)
}

func (r *reader) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.got.String()
}

func TestLinesComeInOrderAndAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &reader{reads: make(chan struct{})}
		close(r.reads)
		queue := logging.NewQueue(r, format)
		log := slog.New(format(queue))
		want := ""
		for n := range 1000 {
			log.Info("line", "n", n)
			want += fmt.Sprintf("level=INFO msg=line n=%d\n", n)
			if n%100 == 0 {
				synctest.Wait()
				if got := r.String(); got != want {
					t.Fatalf("%q before it is closed, want %q", got, want)
				}
			}
		}
		queue.Close()
		if got := r.String(); got != want || queue.Dropped() != 0 {
			t.Errorf("%d dropped, got %q", queue.Dropped(), got)
		}
		log.Info("too late")
		if got := queue.Dropped(); got != 1 {
			t.Errorf("after it is closed %d lines are dropped, want 1", got)
		}
	})
}

// A reader that stops costs lines. One line stands where they are missing.
func TestAReaderThatStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &reader{reads: make(chan struct{})}
		queue := logging.NewQueue(r, format)
		line := func(n int) string { return fmt.Sprintf("%6d %s\n", n, strings.Repeat("x", 1000)) }
		const lines = 5000
		for n := range lines {
			if _, err := io.WriteString(queue, line(n)); err != nil {
				t.Fatal(err)
			}
			synctest.Wait() // the first is being written
		}
		kept := 1 + 1<<20/len(line(0))
		if got := queue.Dropped(); got != int64(lines-kept) {
			t.Errorf("%d lines dropped, want %d", got, lines-kept)
		}
		close(r.reads)
		synctest.Wait()
		if got := r.String(); !strings.HasSuffix(got, "\n"+report(lines-kept)) {
			t.Errorf("the log ends in %q, want the report before there are more lines", got[max(0, len(got)-1500):])
		}
		if _, err := io.WriteString(queue, line(lines)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		var want strings.Builder
		for n := range kept {
			want.WriteString(line(n))
		}
		want.WriteString(report(lines-kept) + line(lines))
		if got := r.String(); got != want.String() {
			t.Errorf("got %d bytes that end in %q, want %d that end in %q", len(got), got[len(got)-1500:], want.Len(), want.String()[want.Len()-1500:])
		}
		queue.Close()
	})
}

// failing is a log that can't be written at times, as on a full disk.
type failing struct {
	bytes.Buffer
	room int // bytes
}

func (f *failing) Write(lines []byte) (int, error) {
	n, _ := f.Buffer.Write(lines[:min(f.room, len(lines))])
	f.room -= n
	if n < len(lines) {
		return n, errors.New("full")
	}
	return n, nil
}

// Lines that fail are counted until one is written, and a torn line is ended.
func TestLinesThatFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &failing{room: 10}
		queue := logging.NewQueue(f, format)
		for _, lines := range []string{"one\n", "two\n", "three\n", "four\n"} {
			_, _ = io.WriteString(queue, lines)
			synctest.Wait()
		}
		f.room = 5 // for a part of the report
		_, _ = io.WriteString(queue, "five\n")
		synctest.Wait()
		f.room = 1000
		_, _ = io.WriteString(queue, "six\n")
		queue.Close()
		if got, want := f.String(), "one\ntwo\nth\nleve\n"+report(3)+"six\n"; got != want {
			t.Errorf("%q, want %q", got, want)
		}
		if got := queue.Dropped(); got != 3 {
			t.Errorf("%d lines dropped, want 3", got)
		}
	})
}

func TestTheReportKeepsToTheLevel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &failing{}
		queue := logging.NewQueue(f, func(w io.Writer) slog.Handler {
			return slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelError})
		})
		_, _ = io.WriteString(queue, "one\n")
		synctest.Wait()
		f.room = 1000
		_, _ = io.WriteString(queue, "two\n")
		queue.Close()
		if got := f.String(); got != "two\n" {
			t.Errorf("got %q", got)
		}
	})
}

// Close waits a second for a reader that has stopped, and no longer.
func TestCloseGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &reader{reads: make(chan struct{})}
		queue := logging.NewQueue(r, format)
		_, _ = io.WriteString(queue, "one\n")
		synctest.Wait()
		_, _ = io.WriteString(queue, "two\n")
		go func() {
			<-time.After(900 * time.Millisecond)
			r.reads <- struct{}{}
		}()
		begin := time.Now()
		queue.Close()
		if took := time.Since(begin); took != time.Second {
			t.Errorf("it took %v, want a second", took)
		}
		if got := r.String(); got != "one\n" {
			t.Errorf("got %q", got)
		}
		close(r.reads)
	})
}

func TestManyWritersAtOnce(t *testing.T) {
	var got bytes.Buffer // which the queue's own goroutine alone writes
	queue := logging.NewQueue(&got, format)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 1000 {
				_, _ = io.WriteString(queue, "whole\n")
			}
		})
	}
	group.Wait()
	queue.Close()
	if got.String() != strings.Repeat("whole\n", 8000) {
		t.Errorf("%d bytes and %d dropped", got.Len(), queue.Dropped())
	}
}

// The cost of a request's line: written nowhere, to a pipe that is read, and to
// that through a queue.
func BenchmarkLine(b *testing.B) {
	for _, to := range []string{"nowhere", "straight", "queue"} {
		b.Run(to, func(b *testing.B) {
			read, write, err := os.Pipe()
			if err != nil {
				b.Fatal(err)
			}
			drained := make(chan struct{})
			go func() {
				_, _ = io.Copy(io.Discard, read)
				close(drained)
			}()
			queue := logging.NewQueue(write, format)
			log := slog.New(slog.NewJSONHandler(map[string]io.Writer{"nowhere": io.Discard, "straight": write, "queue": queue}[to], nil))
			b.ReportAllocs()
			for b.Loop() {
				log.LogAttrs(b.Context(), slog.LevelInfo, "request", slog.String("request", "0123456789abcdef"), slog.String("method", "GET"),
					slog.String("path", "/certificate"), slog.Int("status", 200), slog.Int("bytes", 12345), slog.Float64("ms", 1.234),
					slog.Bool("aborted", false), slog.String("remote", "192.0.2.1:12345"))
			}
			queue.Close()
			b.ReportMetric(float64(queue.Dropped())/float64(b.N), "dropped/op")
			_ = write.Close()
			<-drained
			_ = read.Close()
		})
	}
}
