package certificate_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"homepage/internal/certificate"
	"homepage/pdfs"
)

const slot = certificate.Placeholder + "                     "

// pdf wraps content in what New looks for, no more.
func pdf(content string) string { return "%PDF-1.7\n" + content + "\n%%EOF\n" }

func TestNewRefuses(t *testing.T) {
	for _, test := range []struct{ name, file, want string }{
		{"nothing", "", "the file is empty"},
		{"another format", "<html>" + slot, "no %PDF- header"},
		{"half a file", "%PDF-1.7\n" + slot + strings.Repeat("x", 2000), "cut short"},
		{"a password", pdf(slot + "/Encrypt 5 0 R"), "encrypted"},
		{"no placeholder", pdf("(hello) Tj"), "not in the PDF as plain bytes"},
		{"two placeholders", pdf(slot + slot), "2 times; keep one"},
		{"no room", pdf("(%timestamp%) Tj"), "followed by 21 spaces, to make room for the stamp; it has 0"},
		{"a space too few", pdf(slot[:len(slot)-1]), "it has 20"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := certificate.New([]byte(test.file))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
		})
	}
}

func TestIssueChangesTheSlotAlone(t *testing.T) {
	file := pdf("(" + slot + " ) Tj")
	template, err := certificate.New([]byte(file))
	if err != nil {
		t.Fatal(err)
	}
	kathmandu := time.FixedZone("", 5*3600+45*60)
	for _, test := range []struct {
		at   time.Time
		want string
	}{
		{time.Date(2026, 11, 23, 4, 5, 6, 123456789, time.UTC), "2026-11-23T04:05:06.123456+00:00"},
		{time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), "2026-01-02T03:04:05.000000+00:00"},
		{time.Date(2026, 1, 2, 3, 4, 5, 6000, kathmandu), "2026-01-02T03:04:05.000006+05:45"},
	} {
		t.Run(test.want, func(t *testing.T) {
			var got bytes.Buffer
			if err := template.Issue(&got, test.at); err != nil {
				t.Fatal(err)
			}
			if want := strings.Replace(file, slot, test.want, 1); got.String() != want {
				t.Errorf("got  %q\nwant %q", got.String(), want)
			}
			if got.Len() != template.Size() || got.Len() != len(file) {
				t.Errorf("%d bytes issued, Size says %d, the template has %d", got.Len(), template.Size(), len(file))
			}
		})
	}
}

func TestIssueWritesNothingItCantStamp(t *testing.T) {
	template := shipped(t)
	var got bytes.Buffer
	if err := template.Issue(&got, time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)); err == nil || got.Len() > 0 {
		t.Errorf("year 10000: error %v and %d bytes, want an error and none", err, got.Len())
	}
}

type brokenWriter struct{ err error }

func (w brokenWriter) Write([]byte) (int, error) { return 0, w.err }

func TestIssueReturnsTheWritersError(t *testing.T) {
	gone := errors.New("gone")
	if err := shipped(t).Issue(brokenWriter{gone}, time.Now()); !errors.Is(err, gone) {
		t.Errorf("error %v, want the writer's", err)
	}
}

func shipped(tb testing.TB) *certificate.Template {
	tb.Helper()
	template, err := certificate.New(pdfs.CertificateTemplate)
	if err != nil {
		tb.Fatal(err)
	}
	return template
}

func BenchmarkIssue(b *testing.B) {
	template := shipped(b)
	at := time.Now()
	b.SetBytes(int64(template.Size()))
	b.ReportAllocs()
	for b.Loop() {
		if err := template.Issue(io.Discard, at); err != nil {
			b.Fatal(err)
		}
	}
}
