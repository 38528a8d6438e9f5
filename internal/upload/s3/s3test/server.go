// Package s3test runs a real S3-compatible store for tests, and a proxy that
// makes its answers go wrong.
package s3test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// Keys and bucket of the store.
const (
	AccessKey = "a-key"
	SecretKey = "not-so-secret"
	Bucket    = "uploads"
)

// Server is a store that runs until the test ends.
type Server struct{ URL string }

// Start starts versitygw, which "make setup" installs, with an empty bucket. If
// S3_TEST_SERVER is set, it uses the store at that URL, with the bucket for all
// tests.
func Start(t *testing.T) *Server {
	t.Helper()
	if other := os.Getenv("S3_TEST_SERVER"); other != "" {
		s := &Server{URL: other}
		s.await(t)
		err := s.Client(t).MakeBucket(t.Context(), Bucket, minio.MakeBucketOptions{})
		if code := minio.ToErrorResponse(err).Code; err != nil && code != minio.BucketAlreadyOwnedByYou && code != minio.BucketAlreadyExists {
			t.Fatal(err)
		}
		return s
	}
	binary, err := find("versitygw")
	if err != nil {
		t.Fatal(err)
	}
	folder, attributes := t.TempDir(), t.TempDir()
	address := freeAddress(t)
	//nolint:gosec // what it runs is found above
	cmd := exec.CommandContext(context.Background(), binary, "--port", address, "--access", AccessKey, "--secret", SecretKey,
		"--quiet", "--keep-alive", "posix", "--sidecar", attributes, folder)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // says that it was killed
	})
	s := &Server{URL: "http://" + address}
	s.await(t)
	if err := s.Client(t).MakeBucket(t.Context(), Bucket, minio.MakeBucketOptions{}); err != nil {
		t.Fatal(err)
	}
	return s
}

// find returns where a program is: on the path, or where make puts it.
func find(program string) (string, error) {
	if binary, err := exec.LookPath(program); err == nil {
		return binary, nil
	}
	_, file, _, _ := runtime.Caller(0)
	binary := filepath.Join(filepath.Dir(file), "../../../../.bin", program)
	if _, err := os.Stat(binary); err != nil {
		return "", fmt.Errorf("%s is needed, please run make setup: %w", program, err)
	}
	return binary, nil
}

func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}

// await waits until the store answers.
func (s *Server) await(t *testing.T) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	limit := time.NewTimer(20 * time.Second)
	defer limit.Stop()
	for {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(s.URL, "http://"))
		if err == nil {
			_ = conn.Close()
			return
		}
		select {
		case <-tick.C:
		case <-limit.C:
			t.Fatal(err)
		}
	}
}

// Environment returns the variables for a store at the URL, which is this one's
// or that of a proxy before it.
func Environment(url string) map[string]string {
	return map[string]string{
		"AWS_ENDPOINT_URL": url, "AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": AccessKey, "AWS_SECRET_ACCESS_KEY": SecretKey,
		"AWS_EC2_METADATA_DISABLED": "true",
	}
}

// Client returns a client of the store.
func (s *Server) Client(t *testing.T) *minio.Core {
	t.Helper()
	transport, err := minio.DefaultTransport(false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(transport.CloseIdleConnections) // which a store that outlives the test keeps open
	client, err := minio.NewCore(strings.TrimPrefix(s.URL, "http://"), &minio.Options{
		Creds: credentials.NewStaticV4(AccessKey, SecretKey, ""), Region: "us-east-1", BucketLookup: minio.BucketLookupPath, Transport: transport,
	})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// Keys returns the keys of all objects of the bucket below the prefix.
func (s *Server) Keys(t *testing.T, prefix string) (keys []string) {
	t.Helper()
	for object := range s.Client(t).Client.ListObjects(t.Context(), Bucket, minio.ListObjectsOptions{Prefix: prefix, Recursive: true}) {
		if object.Err != nil {
			t.Fatal(object.Err)
		}
		if strings.HasSuffix(object.Key, "/") {
			continue // a folder, which rclone lists if it is empty
		}
		keys = append(keys, object.Key)
	}
	return keys
}

// Objects returns all objects of the bucket below the prefix by their keys.
func (s *Server) Objects(t *testing.T, prefix string) map[string][]byte {
	t.Helper()
	client, all := s.Client(t), map[string][]byte{}
	for _, key := range s.Keys(t, prefix) {
		reader, object, _, err := client.GetObject(t.Context(), Bucket, key, minio.GetObjectOptions{})
		if err != nil {
			t.Fatal(err)
		}
		content := make([]byte, object.Size) // as growing to it costs dearly under the race detector
		_, err = io.ReadFull(reader, content)
		if err = errors.Join(err, reader.Close()); err != nil {
			t.Fatal(err)
		}
		all[key] = content
	}
	return all
}

// Open returns the keys of the multipart uploads that are open below the prefix.
func (s *Server) Open(t *testing.T, prefix string) (keys []string) {
	t.Helper()
	for open := range s.Client(t).ListIncompleteUploads(t.Context(), Bucket, prefix, true) {
		if open.Err != nil {
			t.Fatal(open.Err)
		}
		if open.UploadID == "" {
			continue // a folder, as rclone lists them
		}
		keys = append(keys, open.Key)
	}
	return keys
}

// Proxy stands before a store and lets its calls through, unless a fault has
// them.
type Proxy struct {
	URL   string
	fault atomic.Pointer[Fault]
}

// Fault answers a call in the store's place, or returns false to let it through.
// forward gets the store's own answer.
type Fault func(w http.ResponseWriter, r *http.Request, forward func(*http.Request) (*http.Response, error)) bool

// Before starts a proxy before the store. It keeps the Host header, so that
// signatures stay valid.
func (s *Server) Before(t *testing.T) *Proxy {
	t.Helper()
	target, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true}
	forward := func(r *http.Request) (*http.Response, error) {
		out := r.Clone(r.Context())
		out.URL.Scheme, out.URL.Host, out.Host, out.RequestURI = "http", target.Host, r.Host, ""
		if r.ContentLength == 0 {
			out.Body = http.NoBody
		}
		return transport.RoundTrip(out)
	}
	p := new(Proxy)
	p.Set(nil)
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	life, end := context.WithCancel(context.Background()) // of the calls, some of which are silent
	server := &http.Server{ReadHeaderTimeout: time.Minute, BaseContext: func(net.Listener) context.Context { return life }, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if fault := *p.fault.Load(); fault != nil && fault(w, r, forward) {
			return
		}
		answer, err := forward(r)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		defer func() { _ = answer.Body.Close() }()
		copyHeader(w, answer)
		_, _ = io.Copy(w, answer.Body)
	})}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() {
		end()
		_ = server.Close()
		transport.CloseIdleConnections()
	})
	p.URL = "http://" + listener.Addr().String()
	return p
}

func copyHeader(w http.ResponseWriter, answer *http.Response) {
	maps.Copy(w.Header(), answer.Header)
	w.WriteHeader(answer.StatusCode)
}

// Set makes calls from now on go wrong, or with nil, go through.
func (p *Proxy) Set(fault Fault) { p.fault.Store(&fault) }

// Answer is the fault of a store that answers with an error.
func Answer(status int, code string) Fault {
	return func(w http.ResponseWriter, r *http.Request, _ func(*http.Request) (*http.Response, error)) bool {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(status)
		_, _ = fmt.Fprintf(w, "<Error><Code>%s</Code><Message>as the test has it</Message></Error>", code)
		return true
	}
}

// Cut is the fault of a connection that ends before the answer.
func Cut(http.ResponseWriter, *http.Request, func(*http.Request) (*http.Response, error)) bool {
	panic(http.ErrAbortHandler)
}

// Silence is the fault of a store that takes nothing and answers nothing.
func Silence(_ http.ResponseWriter, r *http.Request, _ func(*http.Request) (*http.Response, error)) bool {
	<-r.Context().Done()
	return true
}

// SilenceAfter is the fault of a store that falls silent amid a body.
func SilenceAfter(bytes int64) Fault {
	return func(_ http.ResponseWriter, r *http.Request, _ func(*http.Request) (*http.Response, error)) bool {
		_, _ = io.CopyN(io.Discard, r.Body, bytes)
		<-r.Context().Done()
		return true
	}
}

// Lost is the fault of a call that the store carries out, though its answer
// never arrives.
func Lost(_ http.ResponseWriter, r *http.Request, forward func(*http.Request) (*http.Response, error)) bool {
	answer, err := forward(r)
	if err == nil {
		_, _ = io.Copy(io.Discard, answer.Body)
		_ = answer.Body.Close()
	}
	panic(http.ErrAbortHandler)
}

// Truncated is the fault of an answer that ends too early.
func Truncated(w http.ResponseWriter, r *http.Request, forward func(*http.Request) (*http.Response, error)) bool {
	answer, err := forward(r)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	defer func() { _ = answer.Body.Close() }()
	content, _ := io.ReadAll(answer.Body)
	copyHeader(w, answer)
	_, _ = w.Write(content[:len(content)/2])
	panic(http.ErrAbortHandler)
}

// Delayed is the fault of a store that takes its time.
func Delayed(by time.Duration) Fault {
	return func(_ http.ResponseWriter, r *http.Request, _ func(*http.Request) (*http.Response, error)) bool {
		timer := time.NewTimer(by)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-r.Context().Done():
		}
		return false
	}
}

// Only limits a fault to some calls.
func (f Fault) Only(calls func(*http.Request) bool) Fault {
	return func(w http.ResponseWriter, r *http.Request, forward func(*http.Request) (*http.Response, error)) bool {
		return calls(r) && f(w, r, forward)
	}
}

// Times limits a fault to the first n calls that it has.
func (f Fault) Times(n int64) Fault {
	var count atomic.Int64
	return func(w http.ResponseWriter, r *http.Request, forward func(*http.Request) (*http.Response, error)) bool {
		return count.Add(1) <= n && f(w, r, forward)
	}
}

// IsPart tells whether a call sends a part of a multipart upload.
func IsPart(r *http.Request) bool {
	return r.Method == http.MethodPut && r.URL.Query().Has("partNumber")
}

// IsComplete tells whether a call completes a multipart upload.
func IsComplete(r *http.Request) bool {
	return r.Method == http.MethodPost && r.URL.Query().Has("uploadId")
}

// IsRecord tells whether a call writes the record of a form.
func IsRecord(r *http.Request) bool {
	return r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/forms/")
}
