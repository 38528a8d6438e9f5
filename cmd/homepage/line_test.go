package main

import (
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// line is the network between a browser and the program, as it is out there:
// slow, stalling, or cut. It looks at nothing that it carries.
type line struct {
	url      string
	listener *net.TCPListener
	target   string
	running  sync.WaitGroup

	mu      sync.Mutex
	rate    int // bytes a second to the program, or 0 for all there is
	stalled bool
	isCut   bool
	changed chan struct{} // closed when one of these changes
	ended   bool
	conns   map[*net.TCPConn]struct{}
	calls   int   // connections that were asked for
	carried int64 // bytes to the program
}

// newLine lays a line to the program at the URL, on which all is well so far.
func newLine(t *testing.T, url string) *line {
	t.Helper()
	listener, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	l := &line{
		url: "http://" + listener.Addr().String(), listener: listener, target: strings.TrimPrefix(url, "http://"),
		changed: make(chan struct{}), conns: map[*net.TCPConn]struct{}{},
	}
	l.running.Go(l.accept)
	t.Cleanup(func() {
		_ = listener.Close()
		l.change(func() { l.ended = true })
		l.hangUp()
		l.running.Wait()
	})
	return l
}

// slow lets no more than so many bytes a second through to the program, of each
// connection.
func (l *line) slow(bytesPerSecond int) {
	l.change(func() { l.rate = bytesPerSecond })
}

// stall keeps all connections, takes new ones, and moves nothing.
func (l *line) stall() {
	l.change(func() { l.stalled = true })
}

// cut ends all connections, and new ones as soon as they come. It keeps the port,
// which would go to another test else.
func (l *line) cut() {
	l.change(func() { l.isCut = true })
	l.hangUp()
}

// restore makes all well again.
func (l *line) restore() {
	l.change(func() { l.rate, l.stalled, l.isCut = 0, false, false })
}

// lead leads new connections to the program at another URL.
func (l *line) lead(url string) {
	l.change(func() { l.target = strings.TrimPrefix(url, "http://") })
}

// bytes is how many bytes went to the program so far.
func (l *line) bytes() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.carried
}

// called is how many connections were asked for so far.
func (l *line) called() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.calls
}

func (l *line) change(set func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	set()
	close(l.changed)
	l.changed = make(chan struct{})
}

func (l *line) hangUp() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for conn := range l.conns {
		reset(conn)
	}
}

// reset ends a connection as a network does that is gone, without a good-bye.
func reset(conn *net.TCPConn) {
	_ = conn.SetLinger(0)
	_ = conn.Close()
}

func (l *line) accept() {
	for {
		conn, err := l.listener.AcceptTCP()
		if err != nil {
			return // the test is over
		}
		l.mu.Lock()
		l.calls++
		gone := l.isCut || l.ended
		l.mu.Unlock()
		if gone {
			reset(conn)
			continue
		}
		l.running.Go(func() { l.carry(conn) })
	}
}

// carry joins a browser's connection with one to the program.
func (l *line) carry(browser *net.TCPConn) {
	defer reset(browser)
	l.mu.Lock()
	target := l.target
	l.mu.Unlock()
	to, err := net.Dial("tcp", target)
	if err != nil {
		return
	}
	program := to.(*net.TCPConn)
	defer reset(program)
	l.mu.Lock()
	if l.isCut || l.ended {
		l.mu.Unlock()
		return
	}
	l.conns[browser], l.conns[program] = struct{}{}, struct{}{}
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.conns, browser)
		delete(l.conns, program)
	}()
	var both sync.WaitGroup
	both.Go(func() { l.move(program, browser, true) })
	both.Go(func() { l.move(browser, program, false) })
	both.Wait()
}

// move carries what one end sends to the other, until one of them is gone.
func (l *line) move(to, from *net.TCPConn, paced bool) {
	part := make([]byte, 16<<10)
	due := time.Now()
	for {
		n, err := from.Read(part)
		if err == nil {
			due = l.hold(due, n, paced)
			_, err = to.Write(part[:n])
			if paced {
				l.change(func() { l.carried += int64(n) })
			}
		}
		switch {
		case err == nil:
		case errors.Is(err, io.EOF):
			_ = to.CloseWrite()
			return
		default:
			reset(from)
			reset(to)
			return
		}
	}
}

// hold returns when so many bytes may go on, and when that was due, given when
// the bytes before them were.
func (l *line) hold(due time.Time, n int, paced bool) time.Time {
	if late := time.Now().Add(-time.Second / 10); due.Before(late) {
		due = late // a line does not make up for more
	}
	for {
		l.mu.Lock()
		rate, moves, changed := l.rate, !l.stalled || l.isCut || l.ended, l.changed
		l.mu.Unlock()
		var passed <-chan time.Time
		if moves && (!paced || rate == 0) {
			return due
		} else if moves {
			next := due.Add(time.Duration(n) * time.Second / time.Duration(rate))
			if !next.After(time.Now()) {
				return next
			}
			passed = time.After(time.Until(next))
		}
		select {
		case <-passed: // and looks again
		case <-changed:
		}
	}
}
