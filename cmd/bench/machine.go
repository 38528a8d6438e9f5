package main

import (
	"context"
	"debug/buildinfo"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
)

// describeMachine tells what the figures were measured on and with.
func describeMachine(ctx context.Context, tools tools) string {
	says := func(command ...string) string {
		if command[0] == "" {
			return ""
		}
		out, err := exec.CommandContext(ctx, command[0], command[1:]...).CombinedOutput() // nginx says its version to stderr
		if err != nil && command[0] != tools.wrk {                                        // wrk -v ends with 1
			return ""
		}
		return strings.TrimSpace(string(out))
	}
	cpu := firstMatch(`(?m)^model name\s*: (.*)$`, contentOf("/proc/cpuinfo"))
	if cpu == "" {
		cpu = says("sysctl", "-n", "machdep.cpu.brand_string")
	}
	parts := []string{fmt.Sprintf("%s, %d cores", cpu, runtime.NumCPU())}
	if memory := kilobytes(contentOf("/proc/meminfo"), "MemTotal:"); memory > 0 {
		parts = append(parts, number(memory/(1<<30))+" GiB of memory")
	}
	parts = append(parts, says("uname", "-sr"), "Go "+strings.TrimPrefix(runtime.Version(), "go"))
	if version := firstMatch(`nginx/(\S+)`, says(tools.nginx, "-v")); version != "" {
		parts = append(parts, "nginx "+version)
	}
	if version := firstMatch(`HAProxy version ([\d.]+)`, says(tools.haproxy, "-v")); version != "" {
		parts = append(parts, "HAProxy "+version)
	}
	if tools.python != "" {
		parts = append(parts, says(tools.python, "-c", versions))
	}
	if version := firstMatch(`wrk (?:debian/)?([\d.]+)`, says(tools.wrk, "-v")); version != "" {
		parts = append(parts, "wrk "+version)
	}
	if info, err := buildinfo.ReadFile(tools.versitygw); err == nil {
		parts = append(parts, "versitygw "+strings.TrimPrefix(info.Main.Version, "v"))
	}
	if version := firstMatch(`aws-cli/(\S+)`, says(tools.aws, "--version")); version != "" {
		parts = append(parts, "aws-cli "+version)
	}
	if version := firstMatch(`rclone v([\d.]+)`, says(tools.rclone, "version")); version != "" {
		parts = append(parts, "rclone "+version)
	}
	return strings.Join(parts, ", ")
}

// versions is what Python prints of itself and what Django runs on.
const versions = `
import importlib, platform
print("Python", platform.python_version(), end="")
for name, module in ("Django", "django"), ("uvicorn", "uvicorn"), ("uvloop", "uvloop"), ("httptools", "httptools"), ("httpx", "httpx"):
    print(",", name, importlib.import_module(module).__version__, end="")
`

func contentOf(file string) string {
	content, err := os.ReadFile(file)
	if err != nil {
		return "" // not on this system
	}
	return string(content)
}

// firstMatch is the first group of the first match, or nothing.
func firstMatch(pattern, text string) string {
	if found := regexp.MustCompile(pattern).FindStringSubmatch(text); found != nil {
		return strings.TrimSpace(found[1])
	}
	return ""
}
