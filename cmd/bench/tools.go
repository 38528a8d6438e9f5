package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// tools are the programs that the sides and the measures need. One that is not
// there is an empty path.
type tools struct {
	wrk, nginx, haproxy, python, qpdf string
	versitygw, aws, rclone            string
	npm                               string   // with Node and OpenSSL
	missing                           []string // what could not be had, and so is not measured
}

// packages of Debian and Ubuntu. uvloop and httptools are what uvicorn is
// quick with.
const packages = "wrk nginx haproxy python3-django uvicorn python3-uvloop python3-httptools python3-httpx python3-aiofiles qpdf npm openssl awscli rclone"

// findTools looks the tools up, and lets apt install what is missing.
func findTools(ctx context.Context, root string, progress io.Writer) tools {
	found := lookTools(ctx, root)
	if len(found.missing) == 0 {
		return found
	}
	apt, err := exec.LookPath("apt-get")
	if err != nil {
		return found
	}
	var sudo []string
	if os.Geteuid() != 0 {
		sudo = []string{"sudo"}
	}
	install := append([]string{apt, "install", "-y", "-qq", "--no-install-recommends"}, strings.Fields(packages)...)
	for _, args := range [][]string{{apt, "update", "-qq"}, install} {
		args = append(append(slices.Clip(sudo), "env", "DEBIAN_FRONTEND=noninteractive"), args...)
		fmt.Fprintln(progress, strings.Join(args, " "))
		cmd := exec.CommandContext(ctx, args[0], args[1:]...)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, progress, progress // sudo may ask for a password
		if err := cmd.Run(); err != nil {
			fmt.Fprintln(progress, "That failed, so what is missing is not measured:", err)
			break
		}
	}
	return lookTools(ctx, root)
}

func lookTools(ctx context.Context, root string) tools {
	var t tools
	for _, tool := range []struct {
		path  *string
		names []string
		text  string
		works func(path string) bool
	}{
		{&t.wrk, []string{"wrk"}, "wrk, so pages and certificates a second", anyTool},
		{&t.nginx, []string{"nginx", "/usr/sbin/nginx"}, "nginx, so all beside it", anyTool},
		{&t.haproxy, []string{"haproxy", "/usr/sbin/haproxy"}, "HAProxy, so replicas behind a balancer", anyTool},
		// The system's Python has the packages of the system, another one in
		// the path may not.
		{&t.python, []string{"python3", "/usr/bin/python3"}, "Python with django, uvicorn, uvloop, httptools, httpx and aiofiles, so all beside Django", func(path string) bool {
			return exec.CommandContext(ctx, path, "-c", "import django, uvicorn, uvloop, httptools, httpx, aiofiles").Run() == nil
		}},
		{&t.npm, []string{"npm"}, "npm, node and openssl, so certificates signed by @signpdf", func(string) bool {
			_, noNode := exec.LookPath("node")
			_, noOpenSSL := exec.LookPath("openssl")
			return noNode == nil && noOpenSSL == nil
		}},
		{&t.versitygw, []string{filepath.Join(root, ".bin", "versitygw")}, "versitygw, which make builds, so uploads into an object store", anyTool},
		// Those of the system first: a version manager's script in the path
		// would take time of its own.
		{&t.aws, []string{"/usr/bin/aws", "aws"}, "aws, so uploads into an object store beside it", anyTool},
		{&t.rclone, []string{"/usr/bin/rclone", "rclone"}, "rclone, so uploads into an object store beside it", anyTool},
		{&t.qpdf, []string{"qpdf"}, "qpdf, so whether certificates are valid", anyTool},
	} {
		for _, name := range tool.names {
			if path, err := exec.LookPath(name); err == nil && tool.works(path) {
				*tool.path = path
				break
			}
		}
		if *tool.path == "" {
			t.missing = append(t.missing, tool.text)
		}
	}
	return t
}

func anyTool(string) bool { return true }
