package serve

import (
	"context"
	"net"
	"strings"
)

const unixPrefix = "unix:"

// Listen opens an address: host:port, or unix:PATH for a Unix socket that its
// owner and group can connect to. The socket goes when the listener is closed.
func Listen(ctx context.Context, address string) (net.Listener, error) {
	if path, ok := strings.CutPrefix(address, unixPrefix); ok {
		return listenUnix(ctx, path)
	}
	return new(net.ListenConfig).Listen(ctx, "tcp", address)
}

// URL says where a listener can be reached: http://host:port or unix:PATH.
func URL(address net.Addr) string {
	if address.Network() == "unix" {
		return unixPrefix + address.String()
	}
	return "http://" + address.String()
}
