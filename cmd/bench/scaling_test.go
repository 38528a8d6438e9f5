package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// Fleets of one, two and three replicas send whole pages and certificates
// through the balancer.
func TestScaling(t *testing.T) {
	tools := lookTools(t.Context(), "../..")
	if tools.wrk == "" || tools.haproxy == "" {
		t.Skip("needs wrk and haproxy, from the packages of those names")
	}
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
	defer services.close()
	b := &bench{plan: plan{rounds: 1, load: time.Second}, folder: folder, tools: tools, services: services, kinds: newKinds(tools)}
	defer b.stopAll()
	measured := b.scaling()
	for _, step := range measured.steps {
		if err := step.run(t.Context()); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
	}
	report := new(report)
	measured.add(report)
	table := report.tables[0]
	if len(table.rows) != 3 {
		t.Fatalf("the table has %d rows, want one for each fleet:\n%s", len(table.rows), table.markdown())
	}
	for i, row := range table.rows {
		for _, cell := range row {
			if cell == none {
				t.Errorf("of %d replicas something was not measured: %v", i+1, row)
			}
		}
	}
	t.Logf("\n%s", table.markdown())
}
