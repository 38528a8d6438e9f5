//go:build unix

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// piped is a program with a pipe for its log, which the test reads itself.
type piped struct {
	cmd  *exec.Cmd
	url  string
	pipe *os.File
	log  *bufio.Scanner
}

// spawnPiped returns when the program listens.
func spawnPiped(t *testing.T) *piped {
	t.Helper()
	file, err := executable()
	if err != nil {
		t.Fatal(err)
	}
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = read.Close() })
	p := &piped{cmd: exec.CommandContext(t.Context(), file), pipe: read, log: bufio.NewScanner(read)}
	p.cmd.Env = append(os.Environ(), "ADDR=127.0.0.1:0", "UPLOADS="+t.TempDir())
	p.cmd.Stderr = write
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = write.Close() // here
	p.url, _ = p.line(t, "listening")["url"].(string)
	return p
}

// next returns the next log line, or nil after the last.
func (p *piped) next(t *testing.T) (line map[string]any) {
	t.Helper()
	if !p.log.Scan() {
		return nil
	}
	if err := json.Unmarshal(p.log.Bytes(), &line); err != nil {
		t.Fatalf("%q: %v", p.log.Text(), err)
	}
	return line
}

// line returns the next log line with the message.
func (p *piped) line(t *testing.T, message string) map[string]any {
	t.Helper()
	for line := p.next(t); line != nil; line = p.next(t) {
		if line["msg"] == message {
			return line
		}
	}
	t.Fatalf("the log ended without %q", message)
	return nil
}

// ask makes requests that each have a long line in the log.
func (p *piped) ask(t *testing.T, requests int) {
	t.Helper()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: 10 * time.Second}
	for n := range requests {
		response, err := client.Head(p.url + "/nothing/" + strings.Repeat("x", 1000))
		if err != nil {
			t.Fatalf("request %d: %v", n, err)
		}
		_ = response.Body.Close()
		if response.StatusCode != http.StatusNotFound {
			t.Fatalf("request %d: status %d", n, response.StatusCode)
		}
	}
}

// end ends the program with a signal, after a drain.
func (p *piped) end(t *testing.T) {
	t.Helper()
	begin := time.Now()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("the program ended with %v, want exit status 0", err)
	}
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("it took %v to end", took)
	}
}

// The site goes on when the reader of its log has gone away.
func TestTheReaderOfTheLogGoesAway(t *testing.T) {
	t.Parallel()
	p := spawnPiped(t)
	_ = p.pipe.Close()
	p.ask(t, 100)
	p.end(t)
}

// The site goes on when the reader of its log stops reading. When it reads
// again, one line says how many are missing, and that is true.
func TestTheReaderOfTheLogStopsReading(t *testing.T) {
	t.Parallel()
	const requests = 4000
	p := spawnPiped(t)
	p.ask(t, requests)
	seen := 0
	var dropped float64
	for line := p.next(t); line != nil; line = p.next(t) {
		if line["msg"] == "request" {
			seen++
		}
		if line["level"] == "WARN" {
			if dropped, _ = line["lines"].(float64); dropped > 0 {
				break
			}
		}
	}
	if dropped == 0 || seen+int(dropped) != requests {
		t.Errorf("%d lines and %v dropped, want %d together", seen, dropped, requests)
	}
	t.Logf("%d lines and %v dropped", seen, dropped)
	p.ask(t, 1)
	p.line(t, "request")
	p.end(t)
	p.line(t, "drained")
}

// A log that nobody reads doesn't keep the program from ending. Its last lines
// are those that it could write.
func TestItEndsThoughNobodyReadsTheLog(t *testing.T) {
	t.Parallel()
	p := spawnPiped(t)
	p.ask(t, 500)
	p.end(t)
	if _, err := io.Copy(io.Discard, p.pipe); err != nil {
		t.Error(err)
	}
}

// Nor does an error that nobody reads.
func TestAnErrorThatNobodyReads(t *testing.T) {
	t.Parallel()
	file, err := executable()
	if err != nil {
		t.Fatal(err)
	}
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	defer write.Close()
	if err := write.SetWriteDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if _, err := write.Write(make([]byte, 4<<20)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("%v, want the pipe to be full", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, file, "--log-level=loud")
	cmd.Stderr = write
	begin := time.Now()
	_ = cmd.Run()
	if status, took := cmd.ProcessState.ExitCode(), time.Since(begin); status != 2 || took > 8*time.Second {
		t.Errorf("exit status %d after %v, want 2 after a second", status, took)
	}
}
