//go:build unix

package serve

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Activated returns the listener that systemd passed (sd_listen_fds(3)), or nil
// if it passed none to this process. Closing a Unix socket that was passed
// leaves it in place: those who connect then are the next instance's.
func Activated() (net.Listener, error) {
	const first = 3 // SD_LISTEN_FDS_START
	pid, passed := os.Getenv("LISTEN_PID"), os.Getenv("LISTEN_FDS")
	for _, name := range []string{"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"} {
		if err := os.Unsetenv(name); err != nil { // they are no child's
			return nil, err
		}
	}
	if pid != strconv.Itoa(os.Getpid()) {
		return nil, nil // none was passed, which is no error
	}
	count, err := strconv.Atoi(passed)
	switch {
	case err != nil || count < 1:
		return nil, fmt.Errorf("LISTEN_FDS is %q, but one socket is needed", passed)
	case count == 1:
		return inherited(first)
	}
	var got []string
	for fd := first; fd < first+count; fd++ {
		listener, err := inherited(fd)
		if err != nil {
			got = append(got, err.Error())
			break
		}
		got = append(got, URL(listener.Addr()))
		_ = listener.Close()
	}
	return nil, fmt.Errorf("LISTEN_FDS passes %d sockets (%s), but only one can be served", count, strings.Join(got, ", "))
}

// inherited takes over a descriptor that the process was started with. The
// listener has a copy of it that children don't get.
func inherited(fd int) (net.Listener, error) {
	listening, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
	if err != nil {
		return nil, fmt.Errorf("descriptor %d: %w", fd, err)
	}
	if listening == 0 {
		return nil, fmt.Errorf("descriptor %d is a socket that doesn't listen; a socket unit needs Accept=no and ListenStream", fd)
	}
	file := os.NewFile(uintptr(fd), "LISTEN_FDS")
	defer func() { _ = file.Close() }()
	return net.FileListener(file)
}
