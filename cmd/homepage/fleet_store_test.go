package main

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"

	"homepage/internal/upload/s3"
	"homepage/internal/upload/s3/s3test"
)

// sharedStore is where all replicas of a fleet put uploads.
type sharedStore struct {
	variables []string                             // UPLOADS, and what goes with it
	stored    func(t *testing.T) map[string]string // the digests of what is visible in it, by names as in receipts
}

// sharedFolder is a store for replicas on one machine.
func sharedFolder(t *testing.T) sharedStore {
	t.Helper()
	folder := t.TempDir()
	return sharedStore{[]string{"UPLOADS=" + folder}, func(t *testing.T) map[string]string {
		t.Helper()
		return visibleIn(t, folder)
	}}
}

// sharedBucket is a store for replicas on many machines.
func sharedBucket(t *testing.T, server *s3test.Server) sharedStore {
	t.Helper()
	return sharedStore{lines(storeVariables(server.URL)), func(t *testing.T) map[string]string {
		t.Helper()
		return recordedIn(t, server)
	}}
}

// sharedNewBucket is one that nobody else looks into.
func sharedNewBucket(t *testing.T) sharedStore {
	t.Helper()
	return sharedBucket(t, s3test.Start(t))
}

// visibleIn returns the digests of the files in a folder of uploads, by their
// names. What is not published yet has a name that is hidden.
func visibleIn(t *testing.T, folder string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	visible := map[string]string{}
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), ".") {
			continue
		}
		content, err := os.ReadFile(filepath.Join(folder, entry.Name()))
		if err != nil {
			t.Fatal(err)
		}
		visible[entry.Name()] = digest(content)
	}
	return visible
}

// recordedIn returns the digests of the files that an object store has records
// of, by their names in receipts, and checks that each is there as its record
// says.
func recordedIn(t *testing.T, server *s3test.Server) map[string]string {
	t.Helper()
	recorded, client := map[string]string{}, server.Client(t)
	for key, content := range server.Objects(t, "the site/forms/") {
		var form struct {
			Files []struct{ Key, SHA256 string }
		}
		if err := json.Unmarshal(content, &form); err != nil {
			t.Fatalf("%s: %v", key, err)
		}
		for _, file := range form.Files {
			object, _, _, err := client.GetObject(t.Context(), s3test.Bucket, file.Key, minio.GetObjectOptions{})
			if err != nil {
				t.Fatalf("%s has a record and is not there: %v", file.Key, err)
			}
			content, err := io.ReadAll(object) // one by one, as they may be many
			if err = errors.Join(err, object.Close()); err != nil {
				t.Fatal(err)
			}
			name := strings.TrimPrefix(file.Key, "the site/files/")
			if recorded[name] = digest(content); recorded[name] != file.SHA256 {
				t.Errorf("%s is not what its record says", file.Key)
			}
		}
	}
	return recorded
}

// checkKept checks that what was acknowledged is stored, and that nothing stored
// is half: visitors name files by their digests.
func checkKept(t *testing.T, stored, acknowledged map[string]string) {
	t.Helper()
	for name, got := range stored {
		if want, _, _ := strings.Cut(path.Base(name), "."); want != got {
			t.Errorf("%s is visible and not whole", name)
		}
	}
	for name, want := range acknowledged {
		if stored[name] != want {
			t.Errorf("%s was acknowledged and is not there whole", name)
		}
	}
	t.Logf("%d files acknowledged, %d there", len(acknowledged), len(stored))
}

// checkSweep checks that a sweep removes what killed programs left in an object
// store, and nothing else.
func checkSweep(t *testing.T, server *s3test.Server, stored map[string]string) {
	t.Helper()
	t.Logf("before a sweep there are %d objects of files and %d open uploads", countObjects(t, server, "the site/files/"), len(server.Open(t, "the site/")))
	variables := storeVariables(server.URL)
	location, err := s3.ParseLocation(objectStore)
	if err != nil {
		t.Fatal(err)
	}
	store, err := s3.Open(s3.Options{Location: location, Getenv: func(name string) string { return variables[name] }})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if err := store.Sweep(t.Context(), time.Now().Add(time.Minute)); err != nil {
		t.Error(err)
	}
	if swept, open := countObjects(t, server, "the site/files/"), server.Open(t, "the site/"); swept != len(stored) || len(open) > 0 {
		t.Errorf("a sweep leaves %d objects of files and %d open uploads, want the %d that have records", swept, len(open), len(stored))
	}
}

// countObjects returns how many objects are below a prefix.
func countObjects(t *testing.T, server *s3test.Server, prefix string) (count int) {
	t.Helper()
	for object := range server.Client(t).Client.ListObjects(t.Context(), s3test.Bucket, minio.ListObjectsOptions{Prefix: prefix, Recursive: true}) {
		if object.Err != nil {
			t.Fatal(object.Err)
		}
		count++
	}
	return count
}
