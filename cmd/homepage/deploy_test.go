package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// deployed returns a file of the folder deploy.
func deployed(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("deploy", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// firstMatch returns what the pattern's group matches first.
func firstMatch(t *testing.T, pattern, text string) string {
	t.Helper()
	match := regexp.MustCompile(pattern).FindStringSubmatch(text)
	if match == nil {
		t.Fatalf("%s is not in\n%s", pattern, text)
	}
	return match[1]
}

// systemd understands the units, and finds little that they leave open.
func TestSystemdUnits(t *testing.T) {
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("needs systemd-analyze, from the package systemd")
	}
	file, err := executable()
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	const installed = "/usr/local/bin/homepage"
	for _, unit := range []string{"homepage.service", "homepage.socket"} {
		if err := os.WriteFile(filepath.Join(folder, unit), []byte(strings.ReplaceAll(deployed(t, unit), installed, file)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{
		{"verify", "--recursive-errors=no", "./homepage.service", "./homepage.socket"},
		{"security", "--offline=true", "--threshold=20", "./homepage.service"}, // tenths of an exposure level
	} {
		cmd := exec.CommandContext(t.Context(), "systemd-analyze", args...)
		cmd.Dir = folder
		out, err := cmd.CombinedOutput()
		if err != nil || args[0] == "verify" && strings.Contains(string(out), "homepage") { // it tells of other units as well
			t.Errorf("systemd-analyze %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}

// systemd kills what has not ended in time, so that must be more than the
// program takes to drain.
func TestSystemdWaitsForTheDrain(t *testing.T) {
	s, err := parseSettings(nil, env(nil), nil)
	if err != nil {
		t.Fatal(err)
	}
	limit, err := time.ParseDuration(firstMatch(t, `(?m)^TimeoutStopSec=(.+)$`, deployed(t, "homepage.service")))
	if err != nil || limit <= s.ShutdownTimeout {
		t.Errorf("systemd waits %v (%v), and the drain may take %v", limit, err, s.ShutdownTimeout)
	}
}

// The image is made by the Go that go.mod names, and holds a program that runs
// as nobody special, with nothing of the checkout beside it.
func TestContainerfile(t *testing.T) {
	text := regexp.MustCompile(`(?m)^#.*\n`).ReplaceAllString(strings.ReplaceAll(deployed(t, "Containerfile"), "\\\n", ""), "")
	module, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	want := firstMatch(t, `(?m)^toolchain go(.+)$`, string(module))
	if got := firstMatch(t, `(?m)^FROM docker\.io/library/golang:(\S+) AS build$`, text); got != want {
		t.Errorf("it is built by Go %s, and go.mod says %s", got, want)
	}
	build, image, found := strings.Cut(text, "\nFROM scratch\n")
	if !found || strings.Contains(image, "FROM ") {
		t.Fatal("the image does not begin empty")
	}
	for _, want := range []string{"CGO_ENABLED=0 ", " -trimpath "} {
		if !strings.Contains(build, want) {
			t.Errorf("it is built without %s", want)
		}
	}

	variables := map[string]string{}
	for line := range strings.Lines(image) {
		instruction, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch instruction {
		case "COPY":
			if !strings.HasPrefix(rest, "--from=build ") {
				t.Errorf("%q is copied from the checkout", rest)
			}
		case "ENV":
			for assignment := range strings.FieldsSeq(rest) {
				name, value, _ := strings.Cut(assignment, "=")
				variables[name] = value
			}
		case "ADD", "ARG", "RUN":
			t.Errorf("the image is not only made of copies: %q", line)
		}
	}
	s, err := parseSettings(nil, env(variables), nil)
	if err != nil || len(variables) != 2 || s.Addr != ":8000" {
		t.Errorf("the settings are %v, error %v; want every address on port 8000, and the uploads", variables, err)
	}
	if got := firstMatch(t, `(?m)^VOLUME (.+)$`, image); got != s.Uploads {
		t.Errorf("the volume is %s, and uploads go to %s", got, s.Uploads)
	}
	user := firstMatch(t, `(?m)^USER ([1-9]\d*:[1-9]\d*)$`, image) // numbers, which Kubernetes needs to see that it isn't root
	if want := "COPY --from=build --chown=" + user + " /out/uploads " + s.Uploads + "\n"; !strings.Contains(image, want) {
		t.Errorf("the image lacks %q", want)
	}
}
