package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
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

	"github.com/google/go-cmp/cmp"
)

// resumed is an upload in parts, as a client sends it.
type resumed struct {
	name    string
	content []byte
	address string // its path on the site
	offset  int    // that the site told last
}

// newResumed returns another file of up to so many bytes, named by its digest.
func newResumed(most int) *resumed {
	source := rand.New(rand.NewPCG(rand.Uint64(), 0))
	content := bytes.Repeat([]byte{byte(source.Uint32())}, 2+source.IntN(most))
	content = binary.LittleEndian.AppendUint64(content, source.Uint64())
	return &resumed{name: digest(content) + ".bin", content: content}
}

// send sends a request for the upload.
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
func (u *resumed) begin(transport http.RoundTripper, site string) error {
	response, err := u.send(transport, http.MethodPost, site+"/upload", nil, map[string]string{
		"Upload-Complete": "?0", "Upload-Length": strconv.Itoa(len(u.content)), "Content-Disposition": `attachment; filename="` + u.name + `"`,
	})
	if err != nil {
		return err
	}
	_ = response.Body.Close()
	u.address = response.Header.Get("Location")
	if response.StatusCode != http.StatusCreated || u.address == "" {
		return fmt.Errorf("the beginning got %s and the Location %q", response.Status, u.address)
	}
	return nil
}

// ask asks how far the upload is. That never goes back.
func (u *resumed) ask(transport http.RoundTripper, site string) error {
	response, err := u.send(transport, http.MethodHead, site+u.address, nil, nil)
	if err != nil {
		return err
	}
	_ = response.Body.Close()
	offset, err := strconv.Atoi(response.Header.Get("Upload-Offset"))
	if err != nil || response.StatusCode != http.StatusNoContent {
		return fmt.Errorf("status %d with the offset %q", response.StatusCode, response.Header.Get("Upload-Offset"))
	}
	if offset < u.offset || offset > len(u.content) {
		return fmt.Errorf("the offset went from %d to %d of %d", u.offset, offset, len(u.content))
	}
	u.offset = offset
	return nil
}

// add sends so many bytes from the offset on, but not the end.
func (u *resumed) add(transport http.RoundTripper, site string, bytes int) error {
	response, err := u.send(transport, http.MethodPatch, site+u.address, io.LimitReader(u.rest(), int64(bytes)), map[string]string{
		"Upload-Complete": "?0", "Upload-Offset": strconv.Itoa(u.offset), "Content-Type": "application/partial-upload",
	})
	if err != nil {
		return err
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusNoContent {
		return errors.New(response.Status)
	}
	u.offset += bytes
	return nil
}

// rest is what comes after the offset.
func (u *resumed) rest() *bytes.Reader { return bytes.NewReader(u.content[u.offset:]) }

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
	acknowledged := map[string]string{} // digests by name
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
			upload = &resumed{name: "film.bin", content: film}
			if n < small {
				upload.content = film[:1<<10]
			}
			if err := upload.begin(transport, p.url); err != nil {
				t.Fatal(err)
			}
		}
		if err := upload.ask(transport, p.url); err != nil {
			t.Fatal(err)
		}
		lost := max(written-upload.offset, 0)
		again, worst = again+lost, max(worst, lost)
		if lost > mostLost {
			t.Errorf("%d bytes are lost", lost)
		}
		rest := upload.rest()
		var body io.Reader = rest
		if n < kills {
			after, pause := min(random.IntN(12<<20), rest.Len()), time.Duration(random.IntN(20))*time.Millisecond
			killer := &killing{Reader: rest, left: after, kill: func() { time.AfterFunc(pause, func() { _ = cmd.Process.Kill() }) }}
			if after == 0 {
				killer.kill()
			}
			body = killer
		}
		receipt, err := upload.goOn(transport, p.url, body)
		if err == nil {
			acknowledged[receipt.Name] = receipt.SHA256
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

	if diff := cmp.Diff(acknowledged, visibleIn(t, folder)); diff != "" {
		t.Errorf("what is there is not what was acknowledged:\n%s", diff)
	}
	t.Logf("%d files; %d bytes sent again in %d kills, %d at most", len(acknowledged), again, kills, worst)
}

// end kills the program, if it still runs, and waits for its end.
func end(t *testing.T, cmd *exec.Cmd, p *program) {
	t.Helper()
	_ = cmd.Process.Kill()
	for range p.lines {
	}
	_ = cmd.Wait() // says that it was killed
}
