package main

import (
	"bytes"
	"io"
	"path/filepath"
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
		{[]string{"check", "-h"}, 0, []string{"Usage: homepage check FILE"}},
	} {
		var out bytes.Buffer
		status := exitStatus(run(t.Context(), test.args, env(nil), &out, io.Discard), &out)
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
