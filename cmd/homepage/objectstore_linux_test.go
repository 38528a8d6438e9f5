package main

import (
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"

	"homepage/internal/upload/s3/s3test"
)

// Eight large uploads at once take at most 64 MiB of memory more than none does:
// how large they are makes no difference.
func TestMemoryOfUploadsToAnObjectStore(t *testing.T) {
	const uploads, most = 8, 64 << 10 // KiB
	size := int64(40 << 20)
	if text := os.Getenv("UPLOAD_TEST_BYTES"); text != "" {
		size, _ = strconv.ParseInt(text, 10, 64)
	}
	server := s3test.Start(t)
	cmd, p := spawn(t, objectStore, lines(storeVariables(server.URL))...)
	defer kill(t, cmd)
	sendFile(t, client(t), p.url, "first.txt")
	rest := memory(t, cmd.Process.Pid, "VmRSS")
	var group sync.WaitGroup
	for range uploads {
		group.Go(func() {
			read, write := io.Pipe()
			form := multipart.NewWriter(write)
			go func() {
				part, _ := form.CreateFormFile("file", "large.bin")
				_, _ = io.Copy(part, io.LimitReader(zeros{}, size))
				_ = form.Close()
				_ = write.Close()
			}()
			response, err := http.Post(p.url+"/upload", form.FormDataContentType(), read)
			if err != nil {
				t.Error(err)
				return
			}
			defer response.Body.Close()
			if response.StatusCode != http.StatusOK {
				t.Errorf("status %d", response.StatusCode)
			}
		})
	}
	group.Wait()
	http.DefaultClient.CloseIdleConnections()
	peak := memory(t, cmd.Process.Pid, "VmHWM")
	t.Logf("%d KiB at rest, %d KiB at the peak of %d uploads of %d bytes", rest, peak, uploads, size)
	if peak-rest > most {
		t.Errorf("%d KiB more than at rest, want at most %d", peak-rest, most)
	}
}

// memory returns a line of the kernel's about a process's memory, in KiB.
func memory(t *testing.T, pid int, name string) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(line, name+":"); ok {
			n, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(value), " kB"))
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatalf("the kernel says nothing of %s", name)
	return 0
}

// zeros is an endless stream.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
