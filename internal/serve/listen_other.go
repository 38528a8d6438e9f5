//go:build !unix

package serve

import (
	"context"
	"errors"
	"net"
)

func listenUnix(context.Context, string) (net.Listener, error) {
	return nil, errors.New("Unix sockets are not supported on this system")
}

// Activated returns nil, as there is no systemd here.
func Activated() (net.Listener, error) {
	return nil, nil // none was passed, which is no error
}
