// Command bench measures the homepage beside what people would use instead:
// nginx without a program behind it, and the Django views that it ports. It
// starts everything itself on loopback, measures all sides in turn, stops
// everything, prints the tables and writes them, with charts, into README.md
// beside it, and a summary into the repository's own.
//
// It knows the homepage as its visitors do, by the built binary alone.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

// timeMost bounds what is measured; installing and building come before it.
const timeMost = 4*time.Minute + 45*time.Second

// own is the folder of this program in the repository, a module of its own.
const own = "cmd/bench"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	rehearse := flags.Bool("rehearse", false, "try everything once and briefly, print the figures and write nothing")
	if err := flags.Parse(args); err != nil {
		return err
	}
	plan := fullPlan()
	if *rehearse {
		plan = rehearsal()
	}
	root, err := repository()
	if err != nil {
		return err
	}
	tools := findTools(ctx, root, stderr)
	raiseFileLimit()

	// Not in the system's folder for such things, which is often in memory: an
	// upload there would be on no disk.
	if err := os.MkdirAll(filepath.Join(root, ".bin"), 0o750); err != nil {
		return err
	}
	folder, err := os.MkdirTemp(filepath.Join(root, ".bin"), "bench-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	report, err := measureAll(ctx, plan, root, folder, tools, stderr)
	if err != nil {
		return err
	}
	fmt.Fprintln(stdout, report.text())
	if *rehearse {
		return nil
	}
	return report.write(root)
}

// repository returns the folder above the working one, or that one, which has
// this program's source: the homepage is built from there.
func repository() (string, error) {
	folder, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(folder, own, "go.mod")); err == nil {
			return folder, nil
		}
		above := filepath.Dir(folder)
		if above == folder {
			return "", errors.New("run it inside the homepage's repository")
		}
		folder = above
	}
}

// measureAll starts the sides, takes every step of every measure, and stops all.
func measureAll(ctx context.Context, plan plan, root, folder string, tools tools, progress io.Writer) (*report, error) {
	fmt.Fprintln(progress, "Building the homepage and the floor.")
	for _, program := range []struct{ module, source string }{{"", "./cmd/homepage"}, {own, "./peers/floor"}} {
		build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", filepath.Join(folder, filepath.Base(program.source)), program.source)
		build.Dir, build.Env, build.Stderr = filepath.Join(root, program.module), append(os.Environ(), "CGO_ENABLED=0"), progress
		if err := build.Run(); err != nil {
			return nil, fmt.Errorf("build %s: %w", program.source, err)
		}
	}
	if err := os.CopyFS(folder, peerFiles); err != nil {
		return nil, err
	}
	if tools.npm != "" {
		if err := installSignpdf(ctx, tools.npm, folder); err != nil {
			tools.npm, tools.missing = "", append(tools.missing, fmt.Sprintf("@signpdf (%v)", err))
		}
	}
	services, err := startServices(ctx)
	if err != nil {
		return nil, err
	}
	defer services.close()

	begin := time.Now()
	ctx, cancel := context.WithTimeout(ctx, timeMost)
	defer cancel()
	b := &bench{
		plan: plan, folder: folder, tools: tools, services: services, kinds: newKinds(tools),
		sides: map[*kind]*side{}, started: map[*kind]figure{}, rest: map[*kind]float64{}, whole: map[pageKey]figure{}, loads: map[pageKey]*loads{},
	}
	defer b.stopAll()
	report := &report{machine: describeMachine(ctx, tools), date: begin, plan: plan, missing: tools.missing}
	measures := b.measures()
	count, done := 0, 0
	for _, m := range measures {
		count += len(m.steps)
	}
	for _, m := range measures {
		for _, step := range m.steps {
			_, _ = fmt.Fprintf(progress, "%3d %% %4.0f s  %s\n", 100*done/count, time.Since(begin).Seconds(), step.name)
			done++
			err := step.run(ctx)
			switch {
			case errors.Is(ctx.Err(), context.DeadlineExceeded):
				report.failures = append(report.failures, fmt.Sprintf("The time of %v was over at “%s”: it and what comes after it was not measured.", timeMost, step.name))
				report.took = time.Since(begin)
				report.add(measures)
				return report, nil
			case ctx.Err() != nil:
				return nil, errors.New("interrupted, nothing written")
			case err != nil:
				fmt.Fprintln(progress, "            ", err)
				report.failures = append(report.failures, fmt.Sprintf("“%s”: %v.", step.name, err))
			}
		}
	}
	report.took = time.Since(begin)
	report.add(measures)
	return report, nil
}
