package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is a running program with all its children, which are the processes
// of its group.
type process struct {
	group int
	log   string // file with what it said
	ended chan struct{}
	err   error // how it ended
}

// start runs a program in a folder of its own. It is killed with its children
// when ctx ends.
func start(ctx context.Context, folder string, env []string, command ...string) (*process, error) {
	log, err := os.Create(filepath.Join(folder, "log"))
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }() // the program has its own handle
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = folder, append(os.Environ(), env...), log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{group: cmd.Process.Pid, log: log.Name(), ended: make(chan struct{})}
	go func() {
		p.err = cmd.Wait()
		_ = syscall.Kill(-p.group, syscall.SIGKILL) // children that outlived it
		close(p.ended)
	}()
	return p, nil
}

// stop ends the program, and kills what has not ended soon after.
func (p *process) stop() {
	select {
	case <-p.ended: // its number may be another's by now
		return
	default:
	}
	_ = syscall.Kill(-p.group, syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(2 * time.Second):
		_ = syscall.Kill(-p.group, syscall.SIGKILL)
		<-p.ended
	}
}

// lastWords is the last line that the program said.
func (p *process) lastWords() string {
	said, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(said)), "\n")
	return lines[len(lines)-1]
}

// usage is what a process and its children use. Memory that they share counts
// once for each.
type usage struct {
	resident float64 // bytes now
	peak     float64 // bytes at most since the start, or resetPeak
	cpu      float64 // ticks of the clock since the start
}

var errNoProc = errors.New("memory is known on Linux alone")

// usage sums over the processes of the group.
func (p *process) usage() (usage, error) {
	var sum usage
	for _, folder := range p.each() {
		status, err := os.ReadFile(filepath.Join(folder, "status"))
		if err != nil {
			continue // it has just ended
		}
		sum.resident += kilobytes(string(status), "VmRSS:")
		sum.peak += kilobytes(string(status), "VmHWM:")
		stat := statFields(folder)
		if len(stat) > 12 {
			user, _ := strconv.ParseFloat(stat[11], 64)
			system, _ := strconv.ParseFloat(stat[12], 64)
			sum.cpu += user + system
		}
	}
	if sum.resident == 0 {
		return usage{}, errNoProc
	}
	return sum, nil
}

// resetPeak lets peak count from now.
func (p *process) resetPeak() {
	for _, folder := range p.each() {
		_ = os.WriteFile(filepath.Join(folder, "clear_refs"), []byte("5"), 0o200) // proc(5); without it peak counts from the start
	}
}

// settle waits until the program has worked off what its last visitors left
// behind, so that the next side has the machine for itself.
func (p *process) settle(ctx context.Context) {
	const pause, most = 25 * time.Millisecond, 10 * time.Second
	before, err := p.usage()
	for range int(most / pause) {
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
		if err != nil {
			return
		}
		var now usage
		if now, err = p.usage(); now.cpu <= before.cpu {
			return
		}
		before = now
	}
}

// each returns the folders in /proc of the processes of the group.
func (p *process) each() []string {
	all, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil
	}
	var out []string
	for _, folder := range all {
		if stat := statFields(folder); len(stat) > 2 && stat[2] == strconv.Itoa(p.group) {
			out = append(out, folder)
		}
	}
	return out
}

// statFields are the fields of stat from the third on, its state: the second
// is a name that may hold anything (proc(5)).
func statFields(folder string) []string {
	stat, err := os.ReadFile(filepath.Join(folder, "stat"))
	if err != nil {
		return nil
	}
	return strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
}

// kilobytes finds a line such as "VmRSS:  123 kB" and returns its bytes.
func kilobytes(status, name string) float64 {
	for line := range strings.Lines(status) {
		if rest, ok := strings.CutPrefix(line, name); ok {
			n, _ := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 64)
			return n * 1024
		}
	}
	return 0
}

// gone explains that the program has ended though it should run.
func (p *process) gone() error {
	return fmt.Errorf("it ended: %s", p.lastWords())
}
