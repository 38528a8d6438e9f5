package main

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A hangup while the program waits for its first template is no end: the
// template is read once more.
func TestAHangupDuringTheStart(t *testing.T) {
	t.Parallel()
	template := fixture(t, "ghostscript")
	asked, answer := make(chan struct{}, 2), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked <- struct{}{}
		<-answer
		_, _ = w.Write(template)
	}))
	defer server.Close()
	file, err := executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), file)
	cmd.Env = append(os.Environ(), "ADDR=127.0.0.1:0", "UPLOADS="+t.TempDir(), "CERTIFICATE_TEMPLATE="+server.URL)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &program{lines: logLines(t, stderr)}
	<-asked
	for range 3 { // which are as good as one
		if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
	}
	close(answer)
	p.await(t, "certificate template reloaded")
	<-asked
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	p.await(t, "drained")
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

// openTerminal opens a pseudo terminal: the side of its screen and keys, and that
// of its programs (pty(7), ioctl_tty(2)).
func openTerminal(t *testing.T) (screen, terminal *os.File) {
	t.Helper()
	screen, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = screen.Close() })
	if err := unix.IoctlSetPointerInt(int(screen.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(int(screen.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = terminal.Close() })
	return screen, terminal
}

// A program at a terminal drains and ends when that is closed, whether it has
// its input there or its log.
func TestTheTerminalIsClosed(t *testing.T) {
	t.Parallel()
	file, err := executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second) // it should not go on
	t.Cleanup(cancel)
	begin := func(t *testing.T, cmd *exec.Cmd) {
		t.Helper()
		cmd.Env = append(os.Environ(), "ADDR=127.0.0.1:0", "UPLOADS="+t.TempDir())
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
	}

	t.Run("input", func(t *testing.T) {
		screen, terminal := openTerminal(t)
		cmd := exec.CommandContext(ctx, file)
		cmd.Stdin = terminal
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 0} // as a shell has it
		stderr, err := cmd.StderrPipe()
		if err != nil {
			t.Fatal(err)
		}
		begin(t, cmd)
		_ = terminal.Close()
		p := &program{lines: logLines(t, stderr)}
		p.url = fmt.Sprint(p.await(t, "listening")["url"])
		slow := startUpload(t, p.url)
		_ = screen.Close() // the system sends SIGHUP
		p.await(t, "draining")
		if err := cmd.Process.Signal(syscall.SIGHUP); err != nil { // as the shell does
			t.Fatal(err)
		}
		if got := slow.finish(t); !strings.Contains(got, " 303 ") {
			t.Errorf("the running upload ended with %q, want a 303", got)
		}
		p.await(t, "drained")
		if err := cmd.Wait(); err != nil {
			t.Errorf("the program ended with %v, want exit status 0", err)
		}
	})
	t.Run("log", func(t *testing.T) {
		screen, terminal := openTerminal(t)
		cmd := exec.CommandContext(ctx, file)
		cmd.Stderr = terminal
		begin(t, cmd)
		_ = terminal.Close()
		lines := bufio.NewScanner(screen)
		await := func(message string) {
			t.Helper()
			for lines.Scan() {
				if strings.Contains(lines.Text(), "msg="+message) {
					return
				}
			}
			t.Fatalf("the log ended without %q", message)
		}
		await("listening")
		if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		await("drained")
		if err := cmd.Wait(); err != nil {
			t.Errorf("the program ended with %v, want exit status 0", err)
		}
	})
}

// nohup(1) has a program go on when its terminal is closed.
func TestNohup(t *testing.T) {
	t.Parallel()
	file, err := executable()
	if err != nil {
		t.Fatal(err)
	}
	_, terminal := openTerminal(t)
	cmd := exec.CommandContext(t.Context(), "sh", "-c", `trap "" HUP; exec "$0"`, file)
	cmd.Env = append(os.Environ(), "ADDR=127.0.0.1:0", "UPLOADS="+t.TempDir())
	cmd.Stdin = terminal
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &program{lines: logLines(t, stderr)}
	p.await(t, "listening")
	if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	p.await(t, "certificate template reloaded")
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	p.await(t, "drained")
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}
