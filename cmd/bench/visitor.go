package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime/multipart"
	"net/http"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// seen is how a visitor saw a page arrive, in milliseconds.
type seen struct{ first, whole float64 }

// visit asks for a page over a new connection, as a first visitor does.
func visit(ctx context.Context, url string) (seen, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return seen{}, err
	}
	request.Close = true
	begin := time.Now()
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return seen{}, err
	}
	defer func() { _ = response.Body.Close() }()
	// The first byte of the page, not of the header: that is what is shown.
	first := make([]byte, 1)
	if _, err := io.ReadFull(response.Body, first); err != nil {
		return seen{}, err
	}
	at := inMillis(time.Since(begin))
	rest, err := io.ReadAll(response.Body)
	whole := inMillis(time.Since(begin))
	switch {
	case err != nil:
		return seen{}, err
	case response.StatusCode != http.StatusOK:
		return seen{}, fmt.Errorf("status %s", response.Status)
	case !wholePage(rest):
		return seen{}, errors.New("a section is missing in the page")
	}
	return seen{at, whole}, nil
}

func inMillis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// crowd asks for exactly so many pages over so many connections. Unlike wrk it
// waits for every answer, so that nothing is left to be worked off by a side
// whose pages take seconds.
func crowd(ctx context.Context, url string, connections, pages int) (loaded, error) {
	client := newClient(connections)
	defer client.CloseIdleConnections()
	var mu sync.Mutex
	var times figure
	var lacking int
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(connections)
	begin := time.Now()
	for range pages {
		group.Go(func() error {
			start := time.Now()
			whole, err := fetch(ctx, client, url)
			mu.Lock()
			defer mu.Unlock()
			times = append(times, inMillis(time.Since(start)))
			if !whole {
				lacking++
			}
			return err
		})
	}
	err := group.Wait()
	took := time.Since(begin)
	if err == nil && lacking > 0 {
		err = lackingError{lacking, pages}
	}
	return loaded{perSecond: float64(pages) / took.Seconds(), p50: times.percentile(50), p99: times.percentile(99)}, err
}

// newClient keeps as many connections as are used at once.
func newClient(connections int) *http.Client {
	return &http.Client{
		Transport:     &http.Transport{MaxIdleConnsPerHost: connections, DisableCompression: true, WriteBufferSize: 256 << 10},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// lackingError says that pages were answered, but without all their sections.
// The figures hold nevertheless.
type lackingError struct{ lacking, pages int }

func (e lackingError) Error() string {
	return fmt.Sprintf("%d of %d pages lacked a section", e.lacking, e.pages)
}

// fetch tells whether a page is whole.
func fetch(ctx context.Context, client *http.Client, url string) (whole bool, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return false, err
	}
	response, err := client.Do(request)
	if err != nil {
		return false, err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %s", response.Status)
	}
	return wholePage(body), err
}

// send uploads files of a size, each with a request of its own and so many at
// once, as a browser does it. It returns when all are answered.
func (s *side) send(ctx context.Context, files int, size int64, connections int) error {
	client := newClient(connections)
	defer client.CloseIdleConnections()
	block := randomBlock()
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(connections)
	for i := range files {
		group.Go(func() error {
			request, err := s.uploadRequest(ctx, fileName(i), size, io.LimitReader(&repeated{block: block}, size))
			if err != nil {
				return err
			}
			response, err := client.Do(request)
			if err != nil {
				return err
			}
			defer func() { _ = response.Body.Close() }()
			_, _ = io.Copy(io.Discard, response.Body) // for the next request on the connection
			switch response.StatusCode {
			case http.StatusCreated, http.StatusNoContent, http.StatusFound, http.StatusSeeOther:
			default:
				return fmt.Errorf("upload answered with %s", response.Status)
			}
			return nil
		})
	}
	return group.Wait()
}

// storedWhole fails if a folder, with those in it, has not so many files of the
// size and no other.
func storedWhole(folder string, files int, size int64) error {
	count := 0
	err := filepath.WalkDir(folder, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err == nil && info.Size() != size {
			err = fmt.Errorf("%s is not stored whole: it has %d bytes of %d", entry.Name(), info.Size(), size)
		}
		count++
		return err
	})
	if err == nil && count != files {
		err = fmt.Errorf("%d files of %d are stored", count, files)
	}
	return err
}

func fileName(i int) string { return "file-" + strconv.Itoa(i) + ".bin" }

// uploadRequest sends a file as the side takes it: as a form or raw.
func (s *side) uploadRequest(ctx context.Context, name string, size int64, content io.Reader) (*http.Request, error) {
	if !s.kind.form {
		request, err := http.NewRequestWithContext(ctx, http.MethodPut, s.url+"/upload/"+name, content)
		if err != nil {
			return nil, err
		}
		request.ContentLength = size
		return request, nil
	}
	var head bytes.Buffer
	form := multipart.NewWriter(&head)
	if _, err := form.CreateFormFile("file", name); err != nil {
		return nil, err
	}
	tail := "\r\n--" + form.Boundary() + "--\r\n"
	headSize := int64(head.Len())
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+"/upload", io.MultiReader(&head, content, bytes.NewReader([]byte(tail))))
	if err != nil {
		return nil, err
	}
	request.ContentLength = headSize + size + int64(len(tail))
	request.Header.Set("Content-Type", form.FormDataContentType())
	return request, nil
}

func randomBlock() []byte {
	block := make([]byte, 1<<20)
	_, _ = rand.Read(block) // never fails
	return block
}

// repeated is a block over and over: bytes that cost nothing to make.
type repeated struct {
	block []byte
	at    int
}

func (r *repeated) Read(p []byte) (int, error) {
	n := copy(p, r.block[r.at:])
	r.at = (r.at + n) % len(r.block)
	return n, nil
}
