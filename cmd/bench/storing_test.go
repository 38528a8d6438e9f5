package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// storingBench is a bench that can measure what goes into an object store.
func storingBench(t *testing.T, tools tools) *bench {
	t.Helper()
	folder := t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(folder, "homepage"), "./cmd/homepage")
	build.Dir = "../.."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if err := os.CopyFS(folder, peerFiles); err != nil {
		t.Fatal(err)
	}
	services, err := startServices(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(services.close)
	small := plan{rounds: 1, storeRounds: 1, load: time.Second, smallFiles: 5, smallUpload: 100, bigUpload: 20 << 20}
	b := &bench{plan: small, folder: folder, tools: tools, services: services, kinds: newKinds(tools)}
	t.Cleanup(b.stopAll)
	return b
}

// The homepage and the tools that are there put small files and a large one
// into a store, and nothing is left of them.
func TestStoring(t *testing.T) {
	tools := lookTools(t.Context(), absolute(t, "../.."))
	b := storingBench(t, tools)
	measured := b.storing()
	for _, step := range measured.steps {
		if err := step.run(t.Context()); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
	}
	report := new(report)
	measured.add(report)
	table := report.tables[0]
	want := 1
	for _, tool := range []string{tools.aws, tools.rclone} {
		if tool != "" {
			want++
		}
	}
	if len(table.rows) != want {
		t.Errorf("the table has %d rows, want %d", len(table.rows), want)
	}
	for _, row := range table.rows {
		if row[1] == none || row[4] == none {
			t.Errorf("something was not measured: %v", row)
		}
	}
	if left, err := filepath.Glob(filepath.Join(b.folder, "*", "uploads")); err != nil || len(left) > 0 {
		t.Errorf("%v is left: %v", left, err)
	}
	t.Logf("\n%s", table.markdown())
}

// A tool that fails, and one that ends well without having copied all, have no
// figures.
func TestStoringSeesToolsFail(t *testing.T) {
	folder := t.TempDir()
	for name, script := range map[string]string{"aws": "#!/bin/sh\necho no such bucket\nexit 3\n", "rclone": "#!/bin/sh\n"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(script), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	tools := lookTools(t.Context(), absolute(t, "../.."))
	tools.aws, tools.rclone = filepath.Join(folder, "aws"), filepath.Join(folder, "rclone")
	b := storingBench(t, tools)
	measured := b.storing()
	for _, step := range measured.steps {
		err := step.run(t.Context())
		switch {
		case strings.HasSuffix(step.name, "aws s3 cp"):
			if err == nil || !strings.Contains(err.Error(), "exit status 3: no such bucket") {
				t.Errorf("%s: %v", step.name, err)
			}
		case strings.HasSuffix(step.name, "rclone copy"):
			if err == nil {
				t.Errorf("%s: no error", step.name)
			}
		case err != nil:
			t.Fatalf("%s: %v", step.name, err)
		}
	}
	report := new(report)
	measured.add(report)
	for _, row := range report.tables[0].rows[1:] {
		for _, cell := range row[1:] {
			if cell != none {
				t.Errorf("a tool that failed has figures: %v", row)
			}
		}
	}
}

// What the store holds is judged by the number and the size of the files.
func TestStoredWhole(t *testing.T) {
	folder := t.TempDir()
	c := batch{files: 3, size: 100, folder: filepath.Join(folder, "deep")}
	if err := c.write(); err != nil {
		t.Fatal(err)
	}
	if err := storedWhole(folder, 3, 100); err != nil {
		t.Error(err)
	}
	for what, err := range map[string]error{
		"a file is missing":   storedWhole(folder, 4, 100),
		"a file is too many":  storedWhole(folder, 2, 100),
		"files are too short": storedWhole(folder, 3, 101),
		"there is no folder":  storedWhole(filepath.Join(folder, "missing"), 0, 0),
	} {
		if err == nil {
			t.Errorf("%s: no error", what)
		}
	}
}

func absolute(t *testing.T, path string) string {
	t.Helper()
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return path
}
