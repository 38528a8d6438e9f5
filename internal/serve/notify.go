package serve

import (
	"net"
	"os"
	"time"
)

// notify tells systemd how the program is doing (sd_notify(3)), if systemd
// wants to know.
func notify(state string) error {
	socket := os.Getenv("NOTIFY_SOCKET") // a path, or an abstract name after @
	if socket == "" {
		return nil
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetWriteDeadline(time.Now().Add(time.Second)); err != nil { // a full socket must not hold up a drain
		return err
	}
	_, err = conn.Write([]byte(state))
	return err
}
