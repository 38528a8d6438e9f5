package main

import (
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"
)

func TestVersion(t *testing.T) {
	revision := debug.BuildSetting{Key: "vcs.revision", Value: "abcdef0123456789abcdef0123456789abcdef01"}
	day := debug.BuildSetting{Key: "vcs.time", Value: "2026-11-26T15:30:00Z"}
	for _, test := range []struct {
		version  string
		settings []debug.BuildSetting
		want     string
	}{
		{"v1.2.3", nil, "homepage v1.2.3 (go1.26.10)"},
		{"v1.2.3", []debug.BuildSetting{revision, day, {Key: "vcs.modified", Value: "false"}}, "homepage v1.2.3 (commit abcdef012345, 2026-11-26, go1.26.10)"},
		{"v1.2.3+dirty", []debug.BuildSetting{revision, day, {Key: "vcs.modified", Value: "true"}}, "homepage v1.2.3+dirty (commit abcdef012345, 2026-11-26, go1.26.10) (modified)"},
	} {
		if got := version(&debug.BuildInfo{GoVersion: "go1.26.10", Main: debug.Module{Version: test.version}, Settings: test.settings}); got != test.want {
			t.Errorf("%q, want %q", got, test.want)
		}
	}
}

// A stripped program still has what the build recorded.
func TestTheBuiltProgramTellsItsVersion(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "homepage")
	command := func(name string, args ...string) string {
		t.Helper()
		out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput()
		if err != nil {
			t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
		}
		return strings.TrimSpace(string(out))
	}
	command("go", "build", "-buildvcs=auto", "-ldflags=-s -w", "-o", binary, ".")
	got := command(binary, "--version")
	if want := " " + command("go", "env", "GOVERSION") + ")"; !strings.HasPrefix(got, "homepage ") || !strings.Contains(got, want) {
		t.Errorf("%q does not tell %q", got, want)
	}
	// Source code that was downloaded as an archive has no commit to tell.
	if commit, err := exec.CommandContext(t.Context(), "git", "log", "-1", "--format=%H").Output(); err == nil {
		if want := "(commit " + string(commit[:12]) + ", 20"; !strings.Contains(got, want) {
			t.Errorf("%q does not tell %q", got, want)
		}
	}
}
