package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"homepage/internal/upload/s3/s3test"
)

const objectStore = "s3://" + s3test.Bucket + "/the site"

// storeVariables are the settings for uploads to the store at the URL.
func storeVariables(url string) map[string]string {
	all := s3test.Environment(url)
	all["UPLOADS"] = objectStore
	return all
}

func lines(variables map[string]string) (all []string) {
	for name, value := range variables {
		all = append(all, name+"="+value)
	}
	return all
}

// A visitor's upload goes to the object store, and the homepage tells its name.
func TestUploadToObjectStore(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t)
	cmd, p := spawn(t, objectStore, lines(storeVariables(server.URL))...)
	visitor := client(t)
	response := sendFile(t, visitor, p.url, "notes.txt")
	if response.StatusCode != http.StatusSeeOther {
		t.Fatalf("status %d", response.StatusCode)
	}
	inParts, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.url+"/upload", strings.NewReader("whole"))
	if err != nil {
		t.Fatal(err)
	}
	inParts.Header.Set("Upload-Complete", "?1")
	other, err := visitor.Do(inParts)
	if err != nil {
		t.Fatal(err)
	}
	readAnswer(t, other)
	// Each record tells which request it comes from, as visitor and log know it.
	want := []string{response.Header.Get("X-Request-Id"), other.Header.Get("X-Request-Id")}
	var got []string
	for _, content := range server.Objects(t, "the site/forms/") {
		var record struct{ Request string }
		if err := json.Unmarshal(content, &record); err != nil {
			t.Error(err)
		}
		got = append(got, record.Request)
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("records of the requests %q, want %q", got, want)
	}
	kill(t, cmd)
	for line := range p.lines {
		if text := fmt.Sprint(line); strings.Contains(text, s3test.SecretKey) || strings.Contains(text, s3test.AccessKey) {
			t.Errorf("the log has a key: %s", text)
		}
	}
}

// What is wrong with the store or the words for it stops the start.
func TestObjectStoreRefused(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t)
	for name, test := range map[string]struct {
		variables map[string]string
		status    int
		want      string
	}{
		"no bucket":       {map[string]string{"UPLOADS": "s3://"}, 2, `UPLOADS (--uploads) is "s3://", but takes the path of a folder, or s3://BUCKET/PREFIX`},
		"another scheme":  {map[string]string{"UPLOADS": "https://host/bucket"}, 2, "s3://BUCKET/PREFIX"},
		"keys in it":      {map[string]string{"UPLOADS": "s3://key:hunter2@bucket"}, 2, "its value is not shown"},
		"no such bucket":  {map[string]string{"UPLOADS": "s3://elsewhere/a"}, 1, "UPLOADS is s3://elsewhere/a, where no upload can be stored: there is no bucket elsewhere; create it first"},
		"a wrong secret":  {map[string]string{"AWS_SECRET_ACCESS_KEY": "hunter2"}, 1, "AWS_SECRET_ACCESS_KEY does not belong to AWS_ACCESS_KEY_ID"},
		"a key left out":  {map[string]string{"AWS_ACCESS_KEY_ID": ""}, 1, "AWS_ACCESS_KEY_ID is missing"},
		"not an endpoint": {map[string]string{"AWS_ENDPOINT_URL": "storage"}, 1, "AWS_ENDPOINT_URL takes the http or https URL"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			variables := storeVariables(server.URL)
			variables["ADDR"] = "127.0.0.1:0"
			maps.Copy(variables, test.variables)
			var stderr bytes.Buffer
			err := run(t.Context(), new(orders), nil, env(variables), io.Discard, &stderr)
			if got := exitStatus(err, &stderr); got != test.status || !strings.Contains(stderr.String(), test.want) || strings.Contains(stderr.String(), "hunter2") {
				t.Errorf("exit status %d and %q, want %d and %q", got, stderr.String(), test.status, test.want)
			}
		})
	}
}

// While the store fails the program says so and serves everything else, and once
// it is back uploads work, without a restart.
func TestObjectStoreThatIsGone(t *testing.T) {
	t.Parallel()
	proxy := s3test.Start(t).Before(t)
	cmd, p := spawn(t, objectStore, lines(storeVariables(proxy.URL))...)
	defer kill(t, cmd)
	proxy.Set(s3test.Answer(http.StatusServiceUnavailable, "SlowDown"))
	if status, body := get(t, p.url+"/readyz"); status != http.StatusServiceUnavailable || body != "uploads can't be stored: the object store is busy\n" {
		t.Errorf("/readyz is %d %q", status, body)
	}
	if response := sendFile(t, client(t), p.url, "early.txt"); response.StatusCode != http.StatusServiceUnavailable || response.Header.Get("Retry-After") == "" {
		t.Errorf("an upload got %d with Retry-After %q", response.StatusCode, response.Header.Get("Retry-After"))
	}
	for _, path := range []string{"/", "/certificate", "/healthz"} {
		if status, _ := get(t, p.url+path); status != http.StatusOK {
			t.Errorf("%s is %d", path, status)
		}
	}
	proxy.Set(nil)
	if response := sendFile(t, client(t), p.url, "late.txt"); response.StatusCode != http.StatusSeeOther {
		t.Errorf("once it is back, an upload got %d", response.StatusCode)
	}
	p.await(t, "not ready")
	if status, _ := awaitReady(t, p.url); status != http.StatusOK {
		t.Errorf("once it is back, /readyz is %d", status)
	}
}

// awaitReady asks until the site is ready, for 15 s at most.
func awaitReady(t *testing.T, url string) (status int, body string) {
	t.Helper()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for began := time.Now(); time.Since(began) < 15*time.Second; <-tick.C {
		if status, body = get(t, url+"/readyz"); status == http.StatusOK {
			break
		}
	}
	return status, body
}

// Whatever moment the program is killed at, every upload that it acknowledged is
// in the store with a record, and a record names nothing that is not whole.
func TestKilledAtRandomMomentsBeforeAnObjectStore(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t)
	acknowledged := killAtRandomMoments(t, killsOf(t, 10),
		func() (*exec.Cmd, *program) { return spawn(t, objectStore, lines(storeVariables(server.URL))...) },
		func(sender int, transport http.RoundTripper, url string, source *rand.Rand) ([]receipt, error) {
			if sender == 0 {
				return sendSized(transport, url, source, 8<<20) // at times of more than one part
			}
			return send(transport, url, source)
		})

	stored := recordedIn(t, server)
	checkKept(t, stored, acknowledged)
	checkSweep(t, server, stored)
}
