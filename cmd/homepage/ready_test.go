package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// sendFile uploads a file and returns the answer, whose body is read.
func sendFile(t *testing.T, client *http.Client, url, name string) *http.Response {
	t.Helper()
	body := new(bytes.Buffer)
	writer := multipart.NewWriter(body)
	part, err := writer.CreateFormFile("file", name)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(part, name)
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	response, err := client.Post(url+"/upload", writer.FormDataContentType(), body)
	if err != nil {
		t.Fatal(err)
	}
	readAnswer(t, response)
	return response
}

func readAnswer(t *testing.T, response *http.Response) string {
	t.Helper()
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// An uploads folder that is gone and comes back: the probe says so, uploads are
// asked to come again, and then all is as before.
func TestAnUploadsFolderThatIsGone(t *testing.T) {
	p := start(t, nil)
	if err := os.Remove(p.folder); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if status, body := get(t, p.url+"/readyz"); status != http.StatusServiceUnavailable || body != "uploads can't be stored: the folder is missing\n" {
			t.Errorf("/readyz is %d %q", status, body)
		}
	}
	if status, _ := get(t, p.url+"/healthz"); status != http.StatusOK {
		t.Errorf("/healthz is %d, want 200", status)
	}
	if response := sendFile(t, client(t), p.url, "early.txt"); response.StatusCode != http.StatusServiceUnavailable || response.Header.Get("Retry-After") == "" {
		t.Errorf("an upload got %d with Retry-After %q", response.StatusCode, response.Header.Get("Retry-After"))
	}
	if err := os.Mkdir(p.folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if response := sendFile(t, client(t), p.url, "late.txt"); response.StatusCode != http.StatusSeeOther {
		t.Errorf("an upload got %d once the folder is there, want 303", response.StatusCode)
	}
	if got, err := os.ReadFile(filepath.Join(p.folder, "late.txt")); err != nil || string(got) != "late.txt" {
		t.Errorf("stored %q and %v", got, err)
	}
	if err := p.stop(); err != nil {
		t.Error(err)
	}
	var warnings []map[string]any
	for line := range p.lines {
		if line["msg"] == "not ready" {
			warnings = append(warnings, line)
		}
	}
	if len(warnings) != 1 || warnings[0]["level"] != "WARN" || !strings.Contains(fmt.Sprint(warnings[0]["err"]), p.folder) {
		t.Errorf("warnings %v, want one that names the folder", warnings)
	}
}

func terminate(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
}

// wantEnd waits for the program's end, and returns what it still said.
func wantEnd(t *testing.T, cmd *exec.Cmd, p *program) (lastWords []any) {
	t.Helper()
	for line := range p.lines {
		lastWords = append(lastWords, line["msg"])
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("the program ended with %v, want exit status 0", err)
	}
	return lastWords
}

func TestShutdownDelay(t *testing.T) {
	t.Parallel() // as the race detector lets each program end a second late
	spawnWith := func(t *testing.T, delay string) (*exec.Cmd, *program) {
		t.Helper()
		return spawnFile(t, os.Args[0], t.TempDir(), "TEST_BE_HOMEPAGE=1", "SHUTDOWN_DELAY="+delay)
	}

	t.Run("a second SIGTERM ends it, and a third the program", func(t *testing.T) {
		t.Parallel()
		cmd, p := spawnWith(t, "1h")
		keeping := client(t)
		keeping.Transport = &http.Transport{}
		defer keeping.CloseIdleConnections()
		slow, slower := startUpload(t, p.url), startUpload(t, p.url)
		terminate(t, cmd)
		p.await(t, "draining soon")
		if status, body := get(t, p.url+"/readyz"); status != http.StatusServiceUnavailable || body != "draining\n" {
			t.Errorf("/readyz is %d %q, want 503 and why", status, body)
		}
		response, err := keeping.Get(p.url + "/")
		if err != nil {
			t.Fatal(err)
		}
		if page := readAnswer(t, response); response.StatusCode != http.StatusOK || response.Close || !strings.HasSuffix(page, "</html>\n") {
			t.Errorf("the homepage is %d and the connection's end %v, want 200 and no end", response.StatusCode, response.Close)
		}
		if response := sendFile(t, keeping, p.url, "new.txt"); response.StatusCode != http.StatusSeeOther || response.Close {
			t.Errorf("a new upload got %d and the connection's end %v, want 303 and no end", response.StatusCode, response.Close)
		}

		terminate(t, cmd)
		p.await(t, "draining")
		if response := sendFile(t, client(t), p.url, "late.txt"); response.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("a new upload got %d in the drain, want 503", response.StatusCode)
		}
		if got := slow.finish(t); !strings.Contains(got, " 303 ") {
			t.Errorf("the running upload ended with %q, want a 303", got)
		}

		terminate(t, cmd)
		if got := wantEnd(t, cmd, p); slices.Contains(got, any("drained")) {
			t.Errorf("after the third signal it still said %v", got)
		}
		_ = slower.conn.Close()
	})
	t.Run("it ends by itself, and then a second SIGTERM ends the program", func(t *testing.T) {
		t.Parallel()
		cmd, p := spawnWith(t, "50ms")
		startUpload(t, p.url)
		terminate(t, cmd)
		p.await(t, "draining soon")
		p.await(t, "draining")
		terminate(t, cmd)
		if got := wantEnd(t, cmd, p); len(got) > 0 {
			t.Errorf("after the second signal it still said %v", got)
		}
	})
}

// Connections that take all file descriptors make uploads wait, and no more.
func TestFileDescriptorsRunOut(t *testing.T) {
	t.Parallel()
	file, err := executable()
	if err != nil {
		t.Fatal(err)
	}
	const most = 64
	limited := filepath.Join(t.TempDir(), "limited")
	if err := os.WriteFile(limited, fmt.Appendf(nil, "#!/bin/sh\nulimit -n %d\nexec %s\n", most, file), 0o700); err != nil {
		t.Fatal(err)
	}
	cmd, p := spawnFile(t, limited, t.TempDir())
	keeping := client(t)
	keeping.Transport = &http.Transport{}
	defer keeping.CloseIdleConnections()
	if response := sendFile(t, keeping, p.url, "before.txt"); response.StatusCode != http.StatusSeeOther {
		t.Fatalf("an upload got %d, want 303", response.StatusCode)
	}

	var held []*net.TCPConn
	for range most {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(p.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		held = append(held, conn.(*net.TCPConn))
	}
	out := false
	for line := range p.lines {
		if out = strings.Contains(fmt.Sprint(line["msg"]), "too many open files"); out {
			break
		}
	}
	if !out {
		t.Fatal("the program ended")
	}
	response, err := keeping.Get(p.url + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	if body := readAnswer(t, response); response.StatusCode != http.StatusServiceUnavailable || body != "uploads can't be stored: too many files are open\n" {
		t.Errorf("/readyz is %d %q", response.StatusCode, body)
	}
	if response := sendFile(t, keeping, p.url, "amid.txt"); response.StatusCode != http.StatusServiceUnavailable || response.Header.Get("Retry-After") == "" {
		t.Errorf("an upload got %d with Retry-After %q, want 503 with one", response.StatusCode, response.Header.Get("Retry-After"))
	}

	for _, conn := range held {
		if err := conn.CloseWrite(); err != nil {
			t.Fatal(err)
		}
	}
	for _, conn := range held { // once the program accepted and closed it
		if _, err := io.Copy(io.Discard, conn); err != nil && !errors.Is(err, syscall.ECONNRESET) {
			t.Fatal(err)
		}
	}
	if response := sendFile(t, client(t), p.url, "after.txt"); response.StatusCode != http.StatusSeeOther {
		t.Errorf("an upload got %d when the connections were closed, want 303", response.StatusCode)
	}
	kill(t, cmd)
}
