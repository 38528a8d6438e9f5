//go:build unix

package serve

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"syscall"
)

func listenUnix(ctx context.Context, path string) (net.Listener, error) {
	if most := len(syscall.RawSockaddrUnix{}.Path) - 1; len(path) > most {
		return nil, fmt.Errorf("%s is too long: the path of a Unix socket has at most %d bytes", path, most)
	}
	if err := removeStale(context.WithoutCancel(ctx), path); err != nil { // it takes no time
		return nil, err
	}
	// The socket appears with its mode, 0660, so that at no time others can
	// connect. The umask is the whole process's; nothing else makes a file now.
	umask := syscall.Umask(0o117)
	defer syscall.Umask(umask)
	return new(net.ListenConfig).Listen(ctx, "unix", path)
}

// removeStale removes the socket of a program that is gone. Who listens there
// is known by connecting: without anyone, it is refused (connect(2)).
func removeStale(ctx context.Context, path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode().Type() != fs.ModeSocket:
		return fmt.Errorf("%s exists and is not a socket", path)
	}
	conn, err := new(net.Dialer).DialContext(ctx, "unix", path)
	switch {
	case err == nil:
		_ = conn.Close()
		return fmt.Errorf("another program is listening on %s", path)
	case !errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("another program may be listening on %s: %w", path, err)
	}
	return os.Remove(path)
}
