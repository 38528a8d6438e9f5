package main

import (
	"net"
	"sync"
	"time"
)

// joiningListener accepts connections that send the beginning of an answer
// together with its rest.
//
// net/http passes an answer on in buffers of 4 KiB, so a page or a certificate
// that is larger costs two calls of the system, and its reader wakes twice.
type joiningListener struct{ net.Listener }

func (l joiningListener) Accept() (net.Conn, error) {
	accepted, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return newJoiningConn(accepted), nil
}

const (
	bufferSize = 4 << 10 // net/http's; were it another, nothing would be held
	holdTime   = time.Millisecond
)

// joiningConn holds a full buffer until the next write, to send both at once.
// Nearly always there is one, as the buffer was full before the answer ended.
// A piece of a streamed page may fill it by chance: it is held for holdTime.
type joiningConn struct {
	net.Conn
	mu    sync.Mutex
	held  []byte
	alone *time.Timer // sends what is held if nothing follows
}

func newJoiningConn(conn net.Conn) *joiningConn {
	c := &joiningConn{Conn: conn}
	c.alone = time.AfterFunc(holdTime, c.release)
	c.alone.Stop()
	return c
}

func (c *joiningConn) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	held := len(c.held)
	switch {
	case held > 0:
		c.alone.Stop()
		pieces := net.Buffers{c.held, p}
		n, err := pieces.WriteTo(c.Conn)
		c.held = c.held[:0]
		return max(0, int(n)-held), err
	case len(p) == bufferSize:
		c.held = append(c.held, p...)
		c.alone.Reset(holdTime)
		return len(p), nil
	}
	return c.Conn.Write(p)
}

// release sends what is held. The next write, if any, meets its error too.
func (c *joiningConn) release() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.send()
}

func (c *joiningConn) send() {
	if len(c.held) > 0 {
		_, _ = c.Conn.Write(c.held)
		c.held = c.held[:0]
	}
}

// Close does not wait for a write that is under way, since it is to end it, nor
// for a reader who takes nothing.
func (c *joiningConn) Close() error {
	if c.mu.TryLock() {
		c.alone.Stop()
		_ = c.SetWriteDeadline(time.Now().Add(holdTime))
		c.send()
		c.mu.Unlock()
	}
	return c.Conn.Close()
}

// CloseWrite is what net/http looks for in order to end an answer before the
// whole request was read.
func (c *joiningConn) CloseWrite() error {
	c.release()
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}
