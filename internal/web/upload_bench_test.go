package web_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"homepage/internal/web"
)

// noise is endless content that can't be compressed, like most uploads.
type noise [64 << 10]byte

func newNoise() *noise {
	var n noise
	_, _ = rand.NewChaCha8([32]byte{}).Read(n[:])
	return &n
}

func (n *noise) Read(p []byte) (int, error) { return copy(p, n[:]), nil }

// BenchmarkUpload sends a form over loopback, where it is hashed, stored and
// synced.
func BenchmarkUpload(b *testing.B) {
	for _, mib := range []int64{1, 256} {
		b.Run(fmt.Sprintf("%d MiB", mib), func(b *testing.B) {
			all, folder := deps(b, io.Discard)
			all.Limits = web.Limits{Bytes: 1 << 30, Files: 1, Concurrent: 1, PerClient: 1}
			handler, err := web.New(all)
			if err != nil {
				b.Fatal(err)
			}
			server := httptest.NewServer(handler)
			defer server.Close()
			transport := &http.Transport{WriteBufferSize: 256 << 10}
			defer transport.CloseIdleConnections()

			head, tail, _ := strings.Cut(rawForm(filePart("")), "content")
			b.SetBytes(mib << 20)
			b.ReportAllocs()
			for b.Loop() {
				read, write := io.Pipe()
				go func() {
					_, _ = io.WriteString(write, head)
					_, _ = io.Copy(write, io.LimitReader(newNoise(), mib<<20))
					_, _ = io.WriteString(write, tail)
					_ = write.Close()
				}()
				request, err := http.NewRequestWithContext(b.Context(), http.MethodPost, server.URL+"/upload", read)
				if err != nil {
					b.Fatal(err)
				}
				request.ContentLength = int64(len(head)+len(tail)) + mib<<20
				request.Header.Set("Content-Type", contentTypeB)
				response, err := transport.RoundTrip(request)
				if err != nil {
					b.Fatal(err)
				}
				_ = response.Body.Close()
				if response.StatusCode != http.StatusSeeOther {
					b.Fatalf("status %d", response.StatusCode)
				}
				if err := os.Remove(filepath.Join(folder, "a.txt")); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
