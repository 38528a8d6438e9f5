package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// resumed is an upload in parts, as a client sends it.
type resumed struct {
	content []byte
	address string // its path on the site
	offset  int    // that the site told last
}

// part sends a request for the upload.
func (u *resumed) send(transport http.RoundTripper, method, url string, body io.Reader, header map[string]string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(context.Background(), method, url, body)
	if err != nil {
		return nil, err
	}
	for name, value := range header {
		request.Header.Set(name, value)
	}
	return transport.RoundTrip(request)
}

// begin asks for an address.
func (u *resumed) begin(t *testing.T, transport http.RoundTripper, site string) {
	t.Helper()
	response, err := u.send(transport, http.MethodPost, site+"/upload", nil, map[string]string{
		"Upload-Complete": "?0", "Upload-Length": strconv.Itoa(len(u.content)), "Content-Disposition": `attachment; filename="film.bin"`,
	})
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	u.address = response.Header.Get("Location")
	if response.StatusCode != http.StatusCreated || u.address == "" {
		t.Fatalf("status %d, Location %q", response.StatusCode, u.address)
	}
}

// ask asks how far the upload is. That never goes back.
func (u *resumed) ask(t *testing.T, transport http.RoundTripper, site string) {
	t.Helper()
	response, err := u.send(transport, http.MethodHead, site+u.address, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	offset, err := strconv.Atoi(response.Header.Get("Upload-Offset"))
	if err != nil || response.StatusCode != http.StatusNoContent {
		t.Fatalf("status %d with the offset %q", response.StatusCode, response.Header.Get("Upload-Offset"))
	}
	if offset < u.offset {
		t.Errorf("the offset went back from %d to %d", u.offset, offset)
	}
	u.offset = offset
}

// goOn sends all from the offset on, and returns the receipt.
func (u *resumed) goOn(transport http.RoundTripper, site string, body io.Reader) (receipt, error) {
	response, err := u.send(transport, http.MethodPatch, site+u.address, body, map[string]string{
		"Upload-Complete": "?1", "Upload-Offset": strconv.Itoa(u.offset), "Content-Type": "application/partial-upload",
	})
	if err != nil {
		return receipt{}, err
	}
	defer response.Body.Close()
	var answer struct{ Files []receipt }
	content, err := io.ReadAll(response.Body)
	if err == nil {
		err = json.Unmarshal(content, &answer)
	}
	if err == nil && len(answer.Files) != 1 {
		err = fmt.Errorf("status %d: %s", response.StatusCode, content)
	}
	if err != nil {
		return receipt{}, err
	}
	return answer.Files[0], nil
}

// killing is a body that kills the program a while after so many bytes.
type killing struct {
	io.Reader

	left int
	kill func()
}

func (k *killing) Read(p []byte) (int, error) {
	if k.left >= 0 && k.left < len(p) {
		p = p[:max(k.left, 1)]
	}
	n, err := k.Reader.Read(p)
	if before := k.left; before > 0 {
		if k.left -= n; k.left <= 0 {
			k.kill()
		}
	}
	return n, err
}

// Whatever moment the program is killed at, an upload goes on at the offset that
// it told, at most 4 MiB are sent again, and it becomes one file and one receipt.
func TestKilledAmidAnUploadInParts(t *testing.T) {
	t.Parallel() // as it waits for the disk
	const size, mostLost = 40 << 20, 4 << 20
	kills := killsOf(t, 15)
	small := kills / 3 // of them, kills amid small uploads, so that most come while one is published
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	var key [32]byte
	film := make([]byte, size)
	_, _ = rand.NewChaCha8(key).Read(film)
	folder := t.TempDir()
	stored := map[string]string{} // digests by name
	var upload *resumed
	again, worst := 0, 0

	for n := 0; n <= kills || upload != nil; n++ {
		written := 0
		if upload != nil {
			// What a killed program wrote stays, recorded or not.
			info, err := os.Stat(filepath.Join(folder, ".resumable", filepath.Base(upload.address)))
			if err == nil {
				written = int(info.Size())
			}
		}
		cmd, p := spawn(t, folder)
		transport := &http.Transport{}
		if upload == nil {
			film[0]++ // another one
			upload = &resumed{content: film}
			if n < small {
				upload.content = film[:1<<10]
			}
			upload.begin(t, transport, p.url)
		}
		upload.ask(t, transport, p.url)
		lost := max(written-upload.offset, 0)
		again, worst = again+lost, max(worst, lost)
		if lost > mostLost {
			t.Errorf("%d bytes are lost", lost)
		}
		rest := upload.content[upload.offset:]
		var body io.Reader = bytes.NewReader(rest)
		if n < kills {
			after, pause := min(random.IntN(12<<20), len(rest)), time.Duration(random.IntN(20))*time.Millisecond
			killer := &killing{Reader: body, left: after, kill: func() { time.AfterFunc(pause, func() { _ = cmd.Process.Kill() }) }}
			if after == 0 {
				killer.kill()
			}
			body = killer
		}
		receipt, err := upload.goOn(transport, p.url, body)
		if err == nil {
			stored[receipt.Name] = receipt.SHA256
			if receipt.SHA256 != digest(upload.content) {
				t.Errorf("%s has the digest %s", receipt.Name, receipt.SHA256)
			}
			upload = nil
		} else if n >= kills {
			t.Errorf("the upload can't be finished: %v", err)
			upload = nil
		}
		end(t, cmd, p)
		transport.CloseIdleConnections()
	}

	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if entry.IsDir() {
			continue
		}
		content, err := os.ReadFile(filepath.Join(folder, entry.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if digest(content) != stored[entry.Name()] {
			t.Errorf("%s has no receipt, or is not what it says", entry.Name())
		}
		delete(stored, entry.Name())
	}
	for name := range stored {
		t.Errorf("%s has a receipt and is not there", name)
	}
	t.Logf("%d files; %d bytes sent again in %d kills, %d at most", len(entries)-1, again, kills, worst)
}

// end kills the program, if it still runs, and waits for its end.
func end(t *testing.T, cmd *exec.Cmd, p *program) {
	t.Helper()
	_ = cmd.Process.Kill()
	for range p.lines {
	}
	_ = cmd.Wait() // says that it was killed
}
