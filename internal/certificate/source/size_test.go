package source_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// What is announced as too large is not read.
func TestWhatIsSaidToBeTooLarge(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "40000000")
		if _, err := w.Write([]byte("%PDF-1.7\n")); err == nil {
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}
	}))
	defer server.Close()
	sparse := filepath.Join(t.TempDir(), "large.pdf")
	if err := os.WriteFile(sparse, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(sparse, 1<<40); err != nil {
		t.Fatal(err)
	}
	for _, location := range []string{server.URL, sparse} {
		if _, err := open(t.Context(), location, time.Minute); err == nil || !strings.Contains(err.Error(), "MiB, more than the 32 MiB") {
			t.Errorf("error %v, want the size", err)
		}
	}
}

// A file takes its size in memory once, and what reading it takes.
func TestMemory(t *testing.T) {
	picture := strings.Repeat("picture ", 2<<20)
	file := strings.Replace(string(fixture(t, "hand-written")), "startxref", "%"+picture+"\nstartxref", 1)
	path := filepath.Join(t.TempDir(), "large.pdf")
	if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := open(t.Context(), path, time.Minute)
	runtime.ReadMemStats(&after)
	if err != nil {
		t.Fatal(err)
	}
	if got, most := after.TotalAlloc-before.TotalAlloc, uint64(len(file)+len(file)/2); got > most {
		t.Errorf("%d bytes are allocated for a template of %d, want no more than %d", got, len(file), most)
	}
}
