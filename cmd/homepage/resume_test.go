package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A drain does not wait for who sends a part: it ends that at an offset, and the
// next instance goes on there.
func TestDrainEndsParts(t *testing.T) {
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	p := start(t, map[string]string{"SHUTDOWN_TIMEOUT": "1m"})
	upload := &resumed{content: []byte("slow but whole")}
	if err := upload.begin(transport, p.url); err != nil {
		t.Fatal(err)
	}
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(p.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "PATCH %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/partial-upload\r\nUpload-Offset: 0\r\nUpload-Complete: ?1\r\nContent-Length: 14\r\nExpect: 100-continue\r\n\r\n", upload.address)
	reader := bufio.NewReader(conn)
	for line := " "; line != "\r\n"; { // of the 100
		if line, err = reader.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	_, _ = io.WriteString(conn, "slow")
	begun := time.Now()
	ended := make(chan error)
	go func() { ended <- p.stop() }()
	response, err := http.ReadResponse(reader, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusServiceUnavailable || response.Header.Get("Upload-Offset") == "" {
		t.Errorf("status %d with %v, want 503 with an offset", response.StatusCode, response.Header)
	}
	_ = conn.Close()
	if err := <-ended; err != nil || time.Since(begun) > 30*time.Second {
		t.Errorf("run returned %v after %v", err, time.Since(begun))
	}

	next := start(t, map[string]string{"UPLOADS": p.folder, "METRICS_ADDR": "127.0.0.1:0"})
	if err := upload.ask(transport, next.url); err != nil {
		t.Fatal(err)
	}
	stored, err := upload.goOn(transport, next.url, strings.NewReader(string(upload.content[upload.offset:])))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(filepath.Join(p.folder, stored.Name)); err != nil || string(got) != "slow but whole" {
		t.Errorf("stored %q and %v", got, err)
	}
	// It counts as any other upload does, once.
	if again, err := upload.goOn(transport, next.url, nil); err == nil {
		t.Errorf("a part at offset %d of a finished upload got %v", upload.offset, again)
	}
	counts := next.scrape(t)
	wanted := series{
		`homepage_uploads_total{result="stored"}`: 1, "homepage_upload_stored_bytes_total": 14, "homepage_upload_files_stored_total": 1,
		"homepage_uploads_running":                                                0,
		`homepage_uploads_total{result="conflict"}`:                               1,
		`homepage_requests_total{route="/upload/{id}",method="HEAD",code="204"}`:  1,
		`homepage_requests_total{route="/upload/{id}",method="PATCH",code="201"}`: 1,
	}
	for name, want := range wanted {
		if counts[name] != want {
			t.Errorf("%s is %v, want %v", name, counts[name], want)
		}
	}
}
