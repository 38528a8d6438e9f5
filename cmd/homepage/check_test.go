package main

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestCheck(t *testing.T) {
	folder := filepath.Join("..", "..", "internal", "certificate", "testdata")
	for _, test := range []struct {
		args   []string
		status int
		want   []string
	}{
		{[]string{"check", filepath.Join(folder, "libreoffice-own-font.pdf")}, 0, []string{"table", "page 1", "LiberationSerif, as in the template", "PDF/A-1a is claimed, and not touched"}},
		{[]string{"check", filepath.Join(folder, "libreoffice-pdfa.pdf")}, 0, []string{"Times-Roman, a standard font", "missing:         0 1 2 3 4 5 6 7 8 9 - : T +", "PDF/A-2b is claimed, but no longer holds", "warning:"}},
		{[]string{"check", filepath.Join(folder, "hybrid.pdf")}, 0, []string{"hybrid", "PDF/A:           not claimed"}},
		{[]string{"check", filepath.Join(folder, "encrypted.pdf")}, 1, []string{"can't be used", "encrypted.pdf", "without a password"}},
		{[]string{"check", filepath.Join(folder, "none.pdf")}, 1, []string{"no such file"}},
		{[]string{"check"}, 2, []string{"one PDF"}},
		{[]string{"check", "a.pdf", "b.pdf"}, 2, []string{"one PDF"}},
		{[]string{"check", "--preview"}, 2, []string{"--preview has no value"}},
		{[]string{"check", "--preview=", "a.pdf"}, 2, []string{"--preview has no value"}},
		{[]string{"check", "--preview", "a.pdf"}, 2, []string{"one PDF"}},
		{[]string{"check", "--out", "a.pdf", "b.pdf"}, 2, []string{"no flag --out", "--preview OUT.pdf"}},
		{[]string{"check", "-h"}, 0, []string{"Usage: homepage check [--preview OUT.pdf] FILE"}},
	} {
		var out bytes.Buffer
		status := exitStatus(run(t.Context(), new(orders), test.args, env(nil), &out, io.Discard), &out)
		if status != test.status {
			t.Errorf("%v: exit status %d, want %d", test.args, status, test.status)
		}
		for _, want := range test.want {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%v: %q does not say %q", test.args, out.String(), want)
			}
		}
	}
}

// checkPreview runs check with these arguments. It returns its exit status and
// all that it says.
func checkPreview(t *testing.T, args ...string) (status int, said string) {
	t.Helper()
	var out bytes.Buffer
	err := run(t.Context(), new(orders), append([]string{"check"}, args...), env(nil), &out, io.Discard)
	status = exitStatus(err, &out)
	return status, out.String()
}

func TestPreview(t *testing.T) {
	template := fixture(t, "ghostscript")
	folder := t.TempDir()
	in, out := filepath.Join(folder, "template.pdf"), filepath.Join(folder, "preview.pdf")
	if err := os.WriteFile(in, template, 0o600); err != nil {
		t.Fatal(err)
	}
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(template) }))
	defer site.Close()
	stamped := regexp.MustCompile(`<3230[0-9a-f]{60}> Tj`) // 20…
	for _, args := range [][]string{
		{"--preview", out, in},
		{in, "--preview=" + out}, // in place of the one before
		{"-preview", out, site.URL},
	} {
		status, said := checkPreview(t, args...)
		preview, err := os.ReadFile(out)
		if status != 0 || err != nil || !strings.Contains(said, "preview:         "+out) {
			t.Errorf("%v: exit status %d and %q, want 0 and the preview: %v", args, status, said, err)
		}
		if !bytes.HasPrefix(preview, template) || !stamped.Match(preview) {
			t.Errorf("%v: the preview of %d bytes is no certificate", args, len(preview))
		}
		if err := os.WriteFile(out, []byte("an old preview"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if entries, err := os.ReadDir(folder); err != nil || len(entries) != 2 {
		t.Errorf("%v is left, want the template and the preview: %v", entries, err)
	}
}

func TestAPreviewThatCantBeWritten(t *testing.T) {
	template := fixture(t, "ghostscript")
	folder := t.TempDir()
	in, other, out := filepath.Join(folder, "template.pdf"), filepath.Join(folder, "other.pdf"), filepath.Join(folder, "preview.pdf")
	if err := os.WriteFile(in, template, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(in, other); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(out, []byte("an old preview"), 0o600); err != nil {
		t.Fatal(err)
	}
	unusable := filepath.Join("..", "..", "internal", "certificate", "testdata", "encrypted.pdf")
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"--preview", in, in}, "is the template itself"},
		{[]string{"--preview", other, in}, "is the template itself"},
		{[]string{"--preview", in, other}, "is the template itself"},
		{[]string{"--preview", folder, in}, "is not a file"},
		{[]string{"--preview", filepath.Join(folder, "none", "preview.pdf"), in}, "preview.pdf: no such file or directory"},
		{[]string{"--preview", out, unusable}, "the template can't be used"},
	} {
		if status, said := checkPreview(t, test.args...); status != 1 || !strings.Contains(said, test.want) {
			t.Errorf("%v: exit status %d and %q, want 1 and %q", test.args, status, said, test.want)
		}
	}
	if now, err := os.ReadFile(in); err != nil || !bytes.Equal(now, template) {
		t.Errorf("the template has changed: %v", err)
	}
	if now, err := os.ReadFile(out); err != nil || string(now) != "an old preview" {
		t.Errorf("the older preview is now %q: %v", now, err)
	}
}
