package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"math/rand/v2"
	"mime/multipart"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"
)

// Whatever moment the program is killed at, every upload that it acknowledged
// is whole, and nothing is visible that is not.
func TestKilledAtRandomMoments(t *testing.T) {
	t.Parallel() // as it waits for the disk
	folder := t.TempDir()
	acknowledged := killAtRandomMoments(t, killsOf(t, 30), func() (*exec.Cmd, *program) { return spawn(t, folder) },
		func(_ int, transport http.RoundTripper, url string, source *rand.Rand) ([]receipt, error) {
			return send(transport, url, source)
		})

	checkKept(t, visibleIn(t, folder), acknowledged)
	if hidden, err := filepath.Glob(filepath.Join(folder, ".*")); err != nil || hidden != nil {
		t.Errorf("%q are left behind, %v", hidden, err)
	}
}

// killAtRandomMoments starts the program so often, lets senders upload to it, and
// kills it amid that. It returns the digests of the files that were acknowledged,
// by name.
func killAtRandomMoments(t *testing.T, kills int, begin func() (*exec.Cmd, *program), send func(sender int, transport http.RoundTripper, url string, source *rand.Rand) ([]receipt, error)) map[string]string {
	t.Helper()
	const senders = 4
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	var mu sync.Mutex
	acknowledged := map[string]string{}
	for range kills {
		cmd, p := begin()
		transport := &http.Transport{}
		var group sync.WaitGroup
		first := make(chan struct{}, senders)
		for sender := range senders {
			source := rand.New(rand.NewPCG(random.Uint64(), 0))
			group.Go(func() {
				for {
					receipts, err := send(sender, transport, p.url, source)
					if err != nil {
						return // the program is dead
					}
					mu.Lock()
					for _, r := range receipts {
						acknowledged[r.Name] = r.SHA256
					}
					mu.Unlock()
					select {
					case first <- struct{}{}:
					default:
					}
				}
			})
		}
		<-first
		moment := time.NewTimer(time.Duration(random.IntN(60)) * time.Millisecond)
		<-moment.C
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		group.Wait()
		for range p.lines {
		}
		_ = cmd.Wait() // says that it was killed
		transport.CloseIdleConnections()
	}
	return acknowledged
}

// killsOf returns how often a program is killed: KILLS times, or the usual times,
// which are few, since a kill takes a second of the suite.
func killsOf(t *testing.T, usual int) int {
	t.Helper()
	set := os.Getenv("KILLS")
	if set == "" {
		return usual
	}
	kills, err := strconv.Atoi(set)
	if err != nil {
		t.Fatal(err)
	}
	return kills
}

func digest(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

type receipt struct{ Name, SHA256 string }

// send uploads one or two files of up to 256 KiB that are named by their digests.
func send(transport http.RoundTripper, url string, source *rand.Rand) ([]receipt, error) {
	return sendSized(transport, url, source, 256<<10)
}

// sendSized uploads one or two files of up to most bytes that are named by their
// digests.
func sendSized(transport http.RoundTripper, url string, source *rand.Rand, most int) ([]receipt, error) {
	body := new(bytes.Buffer)
	writer := multipart.NewWriter(body)
	for range 1 + source.IntN(2) {
		content := bytes.Repeat([]byte{byte(source.Uint32())}, 1+source.IntN(most))
		content = binary.LittleEndian.AppendUint64(content, source.Uint64())
		part, err := writer.CreateFormFile("file", digest(content)+".bin")
		if err != nil {
			return nil, err
		}
		if _, err := part.Write(content); err != nil {
			return nil, err
		}
	}
	if err := writer.Close(); err != nil {
		return nil, err
	}
	request, err := http.NewRequest(http.MethodPost, url+"/upload", body)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", writer.FormDataContentType())
	request.Header.Set("Accept", "application/json")
	response, err := transport.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	var answer struct{ Files []receipt }
	err = json.NewDecoder(response.Body).Decode(&answer)
	return answer.Files, err
}
