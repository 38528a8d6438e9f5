package serve

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
)

// net/http answers a request that it can't read by itself, with a 400 or a 431
// say. No handler, hook or log line tells of it, and a connection that closes
// without a request looks the same when the client has just gone. What goes out
// on the connection is the one thing that tells: an answer that no handler was
// asked for.

// watch makes the server call refused with the status of each request that it
// refuses by itself. The listener and the handler that it returns are to be used
// in place of those given.
func watch(server *http.Server, listener net.Listener, handler http.Handler, refused func(status int)) (net.Listener, http.Handler) {
	type key struct{}
	server.ConnContext = func(ctx context.Context, conn net.Conn) context.Context {
		return context.WithValue(ctx, key{}, conn)
	}
	next := server.ConnState
	server.ConnState = func(conn net.Conn, state http.ConnState) {
		if state == http.StateIdle { // the handler's answer is out
			conn.(*watchedConn).handled.Store(false)
		}
		next(conn, state)
	}
	return watchedListener{listener, refused}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Context().Value(key{}).(*watchedConn).handled.Store(true)
		handler.ServeHTTP(w, r)
	})
}

type watchedListener struct {
	net.Listener
	refused func(status int)
}

func (l watchedListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &watchedConn{Conn: conn, refused: l.refused}, nil
}

// watchedConn is a connection that knows whether what it sends is a handler's.
type watchedConn struct {
	net.Conn
	refused func(status int)
	handled atomic.Bool // a handler has the request
	ended   atomic.Bool // the client sends no more
}

func (c *watchedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if errors.Is(err, io.EOF) {
		c.ended.Store(true)
	}
	return n, err
}

// Write tells of an answer that no handler gave. A client that left in the
// middle of its header has not been refused, though a 400 is sent after it.
func (c *watchedConn) Write(p []byte) (int, error) {
	if !c.handled.Load() && !c.ended.Load() {
		if status := statusOf(p); status >= http.StatusBadRequest {
			c.refused(status)
		}
	}
	return c.Conn.Write(p)
}

// CloseWrite is for the server, which closes that side first so that a client
// which is still sending can read why it was refused.
func (c *watchedConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// statusOf returns the status of the answer that p is the beginning of, or 0.
func statusOf(p []byte) int {
	const begin = len("HTTP/1.1 ")
	if len(p) < begin+3 {
		return 0
	}
	status, _ := strconv.Atoi(string(p[begin : begin+3]))
	return status
}
