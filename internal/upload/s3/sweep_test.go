package s3_test

import (
	"crypto/rand"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"

	"homepage/internal/upload"
	"homepage/internal/upload/s3/s3test"
)

// A sweep removes what killed programs left, and nothing else.
func TestSweep(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t)
	store := open(t, server.URL)
	client, prefix := server.Client(t), "the site/"+t.Name()+"/"
	put := func(key string) {
		t.Helper()
		if _, err := client.PutObject(t.Context(), s3test.Bucket, key, strings.NewReader("x"), 1, "", "", minio.PutObjectOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := store.Receive(upload.Form{Size: -1, Files: files(text("kept", "x"), large("kept too", severalParts))}); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"files/AAAA/0/orphan", "files/AAAA/1/orphan", "files/ZZZZ/0/orphan", "probe/KILLED"} {
		put(prefix + key)
	}
	put("the site/TestSweep elsewhere")

	before := len(server.Keys(t, "the site/TestSweep"))
	if err := store.Sweep(t.Context(), time.Now().Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	if after := len(server.Keys(t, "the site/TestSweep")); after != before {
		t.Errorf("a sweep of what is older than an hour leaves %d of %d objects", after, before)
	}

	for range 2 { // the second sweep removes the tombstones of the first
		if err := store.Sweep(t.Context(), time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		if left, there := leftovers(t, server), visible(t, server); left != nil || len(there) != 2 {
			t.Errorf("a sweep leaves %q, and %d of 2 files that are visible", left, len(there))
		}
	}
	if forms := server.Keys(t, prefix+"forms/"); len(forms) != 1 {
		t.Errorf("%d records and tombstones, want 1 record", len(forms))
	}
	if others := server.Keys(t, "the site/TestSweep elsewhere"); len(others) != 1 {
		t.Error("a sweep removes what is not below the prefix")
	}
	if probes := server.Keys(t, prefix+"probe/"); len(probes) != 1 {
		t.Errorf("%d probes, want the one that is in use", len(probes))
	}
}

// A sweep aborts multipart uploads that nobody goes on with. Of a key there may be
// several.
func TestSweepOpenUploads(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t)
	store, client, prefix := open(t, server.URL), server.Client(t), "the site/"+t.Name()+"/"
	for _, key := range []string{"files/MMMM/0/open", "files/MMMM/0/open", "files/ZZZZ/1/open"} {
		if _, err := client.NewMultipartUpload(t.Context(), s3test.Bucket, prefix+key, minio.PutObjectOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		age  time.Duration
		want int
	}{{time.Hour, 3}, {-time.Minute, 0}} {
		if err := store.Sweep(t.Context(), time.Now().Add(-test.age)); err != nil {
			t.Fatal(err)
		}
		if open := server.Open(t, prefix); len(open) != test.want {
			t.Errorf("a sweep of what is older than %v leaves %d open uploads, want %d", test.age, len(open), test.want)
		}
	}
}

// A form that a sweep took can't be published any more: its sender learns so, and
// nothing of it is visible.
func TestSweptWhileItRuns(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t)
	store, other := open(t, server.URL), open(t, server.URL)
	arriving := func(yield func(upload.File, error) bool) {
		if !yield(upload.File{Name: "small", Body: strings.NewReader("x")}, nil) {
			return
		}
		if err := other.Sweep(t.Context(), time.Now().Add(time.Minute)); err != nil {
			t.Error(err)
		}
		yield(upload.File{Name: "small", Body: io.LimitReader(rand.Reader, 9)}, nil)
	}
	_, err := store.Receive(upload.Form{Size: -1, Files: arriving})
	if unavailable, ok := errors.AsType[*upload.UnavailableError](err); !ok || unavailable.Reason != "the upload took too long" {
		t.Errorf("%v, want that it took too long", err)
	}
	if there := visible(t, server); len(there) > 0 {
		t.Errorf("%d files are visible", len(there))
	}
}

// A form that is slow, but not silent, is left alone as a whole.
func TestSweepSparesSlowForms(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t)
	store, other := open(t, server.URL), open(t, server.URL)
	arriving := func(yield func(upload.File, error) bool) {
		if !yield(upload.File{Name: "small", Body: strings.NewReader("x")}, nil) {
			return
		}
		first := time.Now()
		yield(upload.File{Name: "large", Body: io.MultiReader(io.LimitReader(rand.Reader, 8<<20), calling(func() {
			// Times in the store are of whole seconds.
			timer := time.NewTimer(2*time.Second - time.Since(first))
			<-timer.C
		}), io.LimitReader(rand.Reader, 8<<20), calling(func() {
			if err := other.Sweep(t.Context(), time.Now().Add(-1500*time.Millisecond)); err != nil {
				t.Error(err)
			}
		}))}, nil)
	}
	_, err := store.Receive(upload.Form{Size: -1, Files: arriving})
	if err != nil {
		t.Error(err)
	}
	if there := visible(t, server); len(there) != 2 {
		t.Errorf("%d files are visible, want 2", len(there))
	}
}

// calling is a reader that is empty, and calls a function when it is read.
type calling func()

func (c calling) Read([]byte) (int, error) {
	c()
	return 0, io.EOF
}
