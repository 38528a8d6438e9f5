package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// A pipe passes a write on only when it is read, so a write that returns while
// nobody reads has been held.
func TestAFullBufferWaitsForTheNextWrite(t *testing.T) {
	full, rest := bytes.Repeat([]byte("a"), bufferSize), []byte("the rest")
	for _, test := range []struct {
		name   string
		follow func(*joiningConn) error // after the full buffer
		after  time.Duration
		want   []byte
	}{
		{"it goes with the rest", func(c *joiningConn) error { return writeAll(c, rest) }, 0, append(bytes.Clone(full), rest...)},
		{"it goes alone if nothing follows", func(*joiningConn) error { return nil }, holdTime, full},
		{"it goes before the end", (*joiningConn).Close, 0, full},
		{"it goes before the end of the answers", (*joiningConn).CloseWrite, 0, full},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server, client := net.Pipe()
				conn := newJoiningConn(server)
				start := time.Now()
				if err := writeAll(conn, full); err != nil {
					t.Fatal(err)
				}
				followed := make(chan error)
				go func() { followed <- test.follow(conn) }()
				got := make([]byte, len(test.want))
				if _, err := io.ReadFull(client, got); err != nil || !bytes.Equal(got, test.want) {
					t.Errorf("read %d bytes, %v, want %d", len(got), err, len(test.want))
				}
				if waited := time.Since(start); waited != test.after {
					t.Errorf("read after %v, want %v", waited, test.after)
				}
				if err := <-followed; err != nil {
					t.Error(err)
				}
				_ = conn.Close()
				if more, err := io.ReadAll(client); len(more) > 0 || err != nil {
					t.Errorf("then %d bytes more, %v", len(more), err)
				}
			})
		})
	}
}

func writeAll(w io.Writer, p []byte) error {
	n, err := w.Write(p)
	if err == nil && n != len(p) {
		return fmt.Errorf("%d of %d bytes written", n, len(p))
	}
	return err
}

func TestOtherWritesAreNotHeld(t *testing.T) {
	for _, size := range []int{1, bufferSize - 1, bufferSize + 1} {
		synctest.Test(t, func(t *testing.T) {
			server, client := net.Pipe()
			conn := newJoiningConn(server)
			start := time.Now()
			go func() { _, _ = conn.Write(make([]byte, size)) }()
			if _, err := io.ReadFull(client, make([]byte, size)); err != nil || time.Since(start) > 0 {
				t.Errorf("%d bytes: %v after %v", size, err, time.Since(start))
			}
			_ = conn.Close()
		})
	}
}

// A reader who takes nothing keeps a connection neither open nor writing.
func TestCloseWaitsForNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, _ := net.Pipe()
		holding := newJoiningConn(server)
		if _, err := holding.Write(make([]byte, bufferSize)); err != nil {
			t.Fatal(err)
		}
		_ = holding.Close()

		server, _ = net.Pipe()
		conn := newJoiningConn(server)
		written := make(chan error)
		go func() {
			_, err := conn.Write([]byte("stuck"))
			written <- err
		}()
		synctest.Wait()
		_ = conn.Close()
		if err := <-written; err == nil {
			t.Error("the write succeeded")
		}
	})
}
