package s3_test

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/minio/minio-go/v7/pkg/signer"
	"go.uber.org/goleak"

	"homepage/internal/upload"
	"homepage/internal/upload/s3"
	"homepage/internal/upload/s3/s3test"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 4 * time.Second

// options are those for the store at the URL, with a prefix of the test's own.
func options(t *testing.T, url string) s3.Options {
	t.Helper()
	variables := s3test.Environment(url)
	return s3.Options{
		Location: s3.Location{Bucket: s3test.Bucket, Prefix: "the site/" + strings.ReplaceAll(t.Name(), "/", ".")},
		Getenv:   func(name string) string { return variables[name] },
	}
}

// open opens the store at the URL.
func open(t *testing.T, url string) *s3.Store {
	t.Helper()
	store, err := s3.OpenImpatient(options(t, url), patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return store
}

type sent struct {
	name string
	body io.Reader
}

func text(name, content string) sent { return sent{name, strings.NewReader(content)} }

// severalParts is how many bytes make two parts, as a part has 6 MiB.
const severalParts = 6<<20 + 1

func large(name string, size int64) sent {
	return sent{name, io.LimitReader(rand.Reader, size)}
}

func files(all ...sent) iter.Seq2[upload.File, error] {
	return func(yield func(upload.File, error) bool) {
		for _, one := range all {
			if !yield(upload.File{Name: one.name, Body: one.body}, nil) {
				return
			}
		}
	}
}

// record is what a form's record says.
type record struct {
	Time  time.Time
	Files []struct {
		Name, Original, Key, SHA256 string
		Bytes                       int64
	}
}

// visible returns the files that records name, by their names in receipts, and
// fails the test if one is not as its record says.
func visible(t *testing.T, server *s3test.Server) map[string][]byte {
	t.Helper()
	prefix := "the site/" + strings.ReplaceAll(t.Name(), "/", ".") + "/"
	objects, all := server.Objects(t, prefix), map[string][]byte{}
	for key, content := range objects {
		if !strings.HasPrefix(key, prefix+"forms/") || string(content) == "swept\n" {
			continue
		}
		var form record
		if err := json.Unmarshal(content, &form); err != nil {
			t.Fatal(err)
		}
		for _, one := range form.Files {
			content, ok := objects[one.Key]
			if sum := sha256.Sum256(content); !ok || int64(len(content)) != one.Bytes || hex.EncodeToString(sum[:]) != one.SHA256 {
				t.Errorf("%s is not what its record says", one.Key)
			}
			all[strings.TrimPrefix(one.Key, prefix+"files/")] = content
		}
	}
	return all
}

// leftovers returns the keys of what no record names.
func leftovers(t *testing.T, server *s3test.Server) (keys []string) {
	t.Helper()
	prefix := "the site/" + strings.ReplaceAll(t.Name(), "/", ".") + "/"
	named := visible(t, server)
	for _, key := range server.Keys(t, prefix+"files/") {
		if _, ok := named[strings.TrimPrefix(key, prefix+"files/")]; !ok {
			keys = append(keys, key)
		}
	}
	return append(keys, server.Open(t, prefix+"files/")...)
}

// What is stored is what was sent, small or large, and two files of one name
// are both kept.
func TestReceive(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t)
	store := open(t, server.URL)
	const size = 2 * severalParts
	receipts, err := store.Receive(upload.Form{Size: -1, Files: files(text(`C:\notes.txt`, "three books"), large("notes.txt", size), text("Übung 3?.pdf", ""), large("one part.bin", 6<<20))})
	if err != nil {
		t.Fatal(err)
	}
	names, there := []string{"notes.txt", "notes.txt", "Übung 3_.pdf", "one part.bin"}, visible(t, server)
	if len(receipts) != len(names) || len(there) != len(names) {
		t.Fatalf("%d receipts and %d files, want %d", len(receipts), len(there), len(names))
	}
	form, _, _ := strings.Cut(receipts[0].Name, "/")
	for n, r := range receipts {
		if want := fmt.Sprintf("%s/%d/%s", form, n, names[n]); r.Name != want {
			t.Errorf("the name %q, want %q", r.Name, want)
		}
		content, ok := there[r.Name]
		if !ok || int64(len(content)) != r.Bytes || sha256.Sum256(content) != r.SHA256 {
			t.Errorf("%s is not what its receipt says", r.Name)
		}
	}
	if want := `C:\notes.txt`; receipts[0].Original != want {
		t.Errorf("the original name %q, want %q", receipts[0].Original, want)
	}
	if left := leftovers(t, server); left != nil {
		t.Errorf("left over: %q", left)
	}
}

// A small form announced as larger or smaller than it is, is stored all the same.
func TestAnnouncedSize(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t)
	store := open(t, server.URL)
	for _, size := range []int64{0, 10, 11, 12, 1 << 20} {
		receipts, err := store.Receive(upload.Form{Size: size, Files: files(text("a", "three books"))})
		if err != nil || receipts[0].Bytes != 11 {
			t.Errorf("%d bytes announced: %+v, %v", size, receipts, err)
		}
	}
	if _, err := store.Receive(upload.Form{Size: 5, Files: files(large("a", severalParts))}); err != nil {
		t.Error(err)
	}
	visible(t, server)
}

// Of a form that fails nothing is visible, and at once nothing is there.
func TestFailedForm(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t)
	store := open(t, server.URL)
	cut := errors.New("cut")
	broken := sent{"broken", io.MultiReader(io.LimitReader(rand.Reader, severalParts), iotest.ErrReader(cut))}
	for _, test := range []struct {
		name  string
		files iter.Seq2[upload.File, error]
	}{
		{"a body that is cut amid its parts", files(text("small", "x"), large("large", severalParts), broken)},
		{"a body that ends without its end", files(text("small", "x"), sent{"cut", io.MultiReader(strings.NewReader("x"), iotest.ErrReader(errors.Join(cut, io.ErrUnexpectedEOF)))})},
		{"a form without its end", func(yield func(upload.File, error) bool) {
			_ = yield(upload.File{Name: "large", Body: io.LimitReader(rand.Reader, severalParts)}, nil) && yield(upload.File{}, cut)
		}},
	} {
		if receipts, err := store.Receive(upload.Form{Size: -1, Files: test.files}); !errors.Is(err, cut) || receipts != nil {
			t.Errorf("%s: %v, %v", test.name, receipts, err)
		}
		if there, left := visible(t, server), leftovers(t, server); len(there) > 0 || left != nil {
			t.Errorf("%s: %d files are visible, and there are %q", test.name, len(there), left)
		}
	}
}

// Each fault of the store ends in a reason for anyone to see, soon and with
// nothing visible, and once it is over, uploads work without further ado.
func TestFaults(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t)
	always := func(*http.Request) bool { return true }
	for _, test := range []struct {
		name   string
		fault  s3test.Fault
		calls  func(*http.Request) bool
		reason string
	}{
		{"500", s3test.Answer(500, "InternalError"), always, "the object store fails"},
		{"503 SlowDown", s3test.Answer(503, "SlowDown"), always, "the object store is busy"},
		{"a key that was withdrawn", s3test.Answer(403, "AccessDenied"), always, "the object store refuses the key"},
		{"a bucket that is gone", s3test.Answer(404, "NoSuchBucket"), always, "the bucket is missing"},
		{"cut connections", s3test.Cut, always, "the object store can't be reached"},
		{"silence", s3test.Silence, always, "the object store does not answer"},
		{"silence amid a part", s3test.SilenceAfter(1 << 20), s3test.IsPart, "the object store does not answer"},
		{"silence at the end", s3test.Silence, s3test.IsComplete, "the object store does not answer"},
		{"silence at the record", s3test.Silence, s3test.IsRecord, "the object store does not answer"},
		{"500 at a part", s3test.Answer(500, "InternalError"), s3test.IsPart, "the object store fails"},
		{"500 at the end", s3test.Answer(500, "InternalError"), s3test.IsComplete, "the object store fails"},
		{"a quota", s3test.Answer(403, "QuotaExceeded"), s3test.IsPart, ""},
		{"a full disk", s3test.Answer(507, "XMinioStorageFull"), s3test.IsRecord, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			proxy := server.Before(t)
			store := open(t, proxy.URL)
			proxy.Set(test.fault.Only(test.calls))
			began := time.Now()
			receipts, err := store.Receive(upload.Form{Size: -1, Files: files(text("small", "x"), large("large", severalParts))})
			took := time.Since(began)
			unavailable, _ := errors.AsType[*upload.UnavailableError](err)
			switch {
			case receipts != nil:
				t.Error("there are receipts")
			case test.reason == "":
				if !errors.Is(err, upload.ErrNoSpace) {
					t.Errorf("%v, want ErrNoSpace", err)
				}
			case unavailable == nil || unavailable.Reason != test.reason:
				t.Errorf("%v, want the reason %q", err, test.reason)
			}
			if took > 2*patience { // which makes 30 s of the patience in earnest
				t.Errorf("an answer after %v, want less than %v", took, 2*patience)
			}
			if there := visible(t, server); len(there) > 0 {
				t.Errorf("%d files are visible", len(there))
			}
			if strings.Contains(fmt.Sprint(err), s3test.SecretKey) {
				t.Errorf("the error tells the secret: %v", err)
			}
			proxy.Set(nil)
			if _, err := store.Receive(upload.Form{Size: -1, Files: files(text("small", "x"), large("large", severalParts))}); err != nil {
				t.Errorf("once it is over: %v", err)
			}
			if there := visible(t, server); len(there) != 2 {
				t.Errorf("once it is over, %d files are visible, want 2", len(there))
			}
		})
	}
}

// A call that fails once is repeated, whether or not the store carried it out.
func TestPassingFaults(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t)
	small := func(r *http.Request) bool {
		return r.Method == http.MethodPut && strings.HasSuffix(r.URL.Path, "/small")
	}
	begin := func(r *http.Request) bool { return r.Method == http.MethodPost && r.URL.Query().Has("uploads") }
	for fault, make := range map[string]s3test.Fault{
		"500": s3test.Answer(500, "InternalError"), "503": s3test.Answer(503, "SlowDown"), "409": s3test.Answer(409, "ConditionalRequestConflict"),
		"cut": s3test.Cut, "lost answer": s3test.Lost, "truncated answer": s3test.Truncated,
	} {
		for call, is := range map[string]func(*http.Request) bool{
			"small file": small, "begin": begin, "part": s3test.IsPart, "complete": s3test.IsComplete, "record": s3test.IsRecord,
		} {
			t.Run(fault+" of "+call, func(t *testing.T) {
				t.Parallel()
				proxy := server.Before(t)
				store := open(t, proxy.URL)
				proxy.Set(make.Times(1).Only(is))
				if _, err := store.Receive(upload.Form{Size: -1, Files: files(text("small", "x"), large("large", severalParts))}); err != nil {
					t.Error(err)
				}
				if there := visible(t, server); len(there) != 2 {
					t.Errorf("%d files are visible, want 2", len(there))
				}
			})
		}
	}
}

// A record whose every answer is lost was stored all the same, and what is there
// stays: whoever reads records finds whole files.
func TestUncertainRecord(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t)
	proxy := server.Before(t)
	store := open(t, proxy.URL)
	proxy.Set(s3test.Fault(func(w http.ResponseWriter, r *http.Request, forward func(*http.Request) (*http.Response, error)) bool {
		if s3test.IsRecord(r) {
			return s3test.Lost(w, r, forward)
		}
		return r.Method == http.MethodGet && s3test.Cut(w, r, forward)
	}))
	_, err := store.Receive(upload.Form{Size: -1, Files: files(text("small", "x"), large("large", severalParts))})
	if _, ok := errors.AsType[*upload.UnavailableError](err); !ok {
		t.Errorf("%v, want an UnavailableError", err)
	}
	proxy.Set(nil)
	if there := visible(t, server); len(there) != 2 {
		t.Errorf("%d files are there, want 2", len(there))
	}
	if err := store.Sweep(t.Context(), time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if there := visible(t, server); len(there) != 2 {
		t.Errorf("%d files are there after a sweep, want 2", len(there))
	}
}

// Readiness follows the store.
func TestTry(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t)
	proxy := server.Before(t)
	store, err := s3.OpenImpatient(options(t, proxy.URL), 4*patience) // of which a try has a quarter
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		fault  s3test.Fault
		reason string
	}{
		{nil, ""},
		{s3test.Answer(500, "InternalError"), "the object store fails"},
		{s3test.Silence, "the object store does not answer"},
		{s3test.Answer(403, "QuotaExceeded"), "too little space is left"},
		{s3test.Answer(403, "RequestTimeTooSkewed"), "the clock differs from the object store's"},
		{nil, ""},
	} {
		proxy.Set(test.fault)
		if reason, err := store.Try(); reason != test.reason || (err == nil) != (reason == "") {
			t.Errorf("%q, %v; want %q", reason, err, test.reason)
		}
	}
	if err := store.Close(); err != nil {
		t.Error(err)
	}
	if left := server.Keys(t, "the site/TestTry/"); len(left) > 0 {
		t.Errorf("Close leaves %q", left)
	}
}

// The start tells apart what is wrong.
func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t)
	for name, test := range map[string]struct {
		variables map[string]string
		bucket    string
		fault     s3test.Fault
		want      string
	}{
		"an unknown key":               {variables: map[string]string{"AWS_ACCESS_KEY_ID": "other"}, want: "does not know AWS_ACCESS_KEY_ID"},
		"a wrong secret":               {variables: map[string]string{"AWS_SECRET_ACCESS_KEY": "wrong"}, want: "AWS_SECRET_ACCESS_KEY does not belong to AWS_ACCESS_KEY_ID"},
		"no key":                       {variables: map[string]string{"AWS_ACCESS_KEY_ID": ""}, want: "AWS_ACCESS_KEY_ID is missing"},
		"no secret":                    {variables: map[string]string{"AWS_SECRET_ACCESS_KEY": ""}, want: "AWS_SECRET_ACCESS_KEY is missing"},
		"neither":                      {variables: map[string]string{"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, want: "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are missing"},
		"AWS without a region":         {variables: map[string]string{"AWS_ENDPOINT_URL": "", "AWS_REGION": ""}, want: "AWS_REGION is missing"},
		"an endpoint that is no URL":   {variables: map[string]string{"AWS_ENDPOINT_URL": "storage:9000"}, want: "AWS_ENDPOINT_URL takes the http or https URL"},
		"an endpoint of another kind":  {variables: map[string]string{"AWS_ENDPOINT_URL": "ftp://storage"}, want: "AWS_ENDPOINT_URL takes the http or https URL"},
		"an endpoint with a password":  {variables: map[string]string{"AWS_ENDPOINT_URL": "http://a:hunter2@storage"}, want: "AWS_ENDPOINT_URL takes the http or https URL"},
		"nobody there":                 {variables: map[string]string{"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}, want: "can't be reached"},
		"a bucket that is not there":   {bucket: "elsewhere", want: "there is no bucket elsewhere"},
		"a clock that is off":          {fault: s3test.Answer(403, "RequestTimeTooSkewed"), want: "the clock of this machine"},
		"a key without rights":         {fault: s3test.Answer(403, "AccessDenied"), want: "may not store"},
		"If-None-Match ignored":        {fault: unconditional(func(r *http.Request) bool { return r.Method == http.MethodPut && !s3test.IsPart(r) }), want: "ignores If-None-Match for PUT"},
		"it ignored at multipart ends": {fault: unconditional(s3test.IsComplete), want: "ignores If-None-Match for CompleteMultipartUpload"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			proxy := server.Before(t)
			proxy.Set(test.fault)
			variables := s3test.Environment(proxy.URL)
			maps.Copy(variables, test.variables)
			options := options(t, proxy.URL)
			options.Getenv = func(name string) string { return variables[name] }
			if test.bucket != "" {
				options.Location.Bucket = test.bucket
			}
			_, err := s3.OpenImpatient(options, patience)
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%v, want %q", err, test.want)
			}
			if left := server.Keys(t, options.Location.Prefix); len(left) > 0 {
				t.Errorf("there is %q", left)
			}
		})
	}
}

// unconditional is the fault of a store that does not know the header.
func unconditional(calls func(*http.Request) bool) s3test.Fault {
	return func(_ http.ResponseWriter, r *http.Request, _ func(*http.Request) (*http.Response, error)) bool {
		if !calls(r) {
			return false
		}
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		r.Header.Del("If-None-Match")
		r.Header.Del("Authorization")
		host := r.URL.Host
		r.URL.Host = r.Host
		signed := signer.SignV4(*r, s3test.AccessKey, s3test.SecretKey, "", "us-east-1")
		r.URL.Host = host
		r.Header = signed.Header
		return false
	}
}

func TestParseLocation(t *testing.T) {
	for text, want := range map[string]s3.Location{
		"s3://bucket":           {Bucket: "bucket"},
		"s3://bucket/":          {Bucket: "bucket"},
		"s3://bucket/a":         {Bucket: "bucket", Prefix: "a"},
		"s3://bucket/a/our b/":  {Bucket: "bucket", Prefix: "a/our b"},
		"s3://my.bucket-1/ü":    {Bucket: "my.bucket-1", Prefix: "ü"},
		"s3:/bucket":            {},
		"s3://":                 {},
		"s3:///a":               {},
		"s3://UPPER/a":          {},
		"s3://user:pw@bucket/a": {},
		"s3://bucket//a":        {},
		"s3://bucket/a/../b":    {},
		"s3://bucket/a//":       {},
		"s3://bucket/.":         {},
		"s3://bucket/a?b=c":     {},
		"s3://bucket/a#b":       {},
		"https://bucket/a":      {},
	} {
		got, err := s3.ParseLocation(text)
		if got != want || (err == nil) != (want.Bucket != "") {
			t.Errorf("%s: %+v, %v; want %+v", text, got, err, want)
		}
	}
}

// An upload whose store answers slowly, but does answer, is stored.
func TestSlowStore(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t)
	proxy := server.Before(t)
	store := open(t, proxy.URL)
	proxy.Set(s3test.Delayed(patience / 16))
	if _, err := store.Receive(upload.Form{Size: -1, Files: files(text("small", "x"), large("large", severalParts))}); err != nil {
		t.Error(err)
	}
}
