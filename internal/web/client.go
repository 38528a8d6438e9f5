package web

import (
	"net/http"
	"net/netip"
	"sync"
)

// clientOf is the one place that decides who a client is: an IPv4 address, or
// the /64 of an IPv6 address, of which one subscriber has at least as many
// addresses. All requests that come without an address, by a Unix socket say,
// are one client's.
func (p Proxies) clientOf(r *http.Request) netip.Prefix {
	address := p.client(r)
	bits := address.BitLen()
	if address.Is6() {
		bits = 64
	}
	client, _ := address.Prefix(bits)
	return client
}

// clientLimit bounds how much each client has running at once. Clients that
// have nothing running take no memory.
type clientLimit struct {
	most int

	mu      sync.Mutex
	running map[netip.Prefix]int
}

func newClientLimit(most int) *clientLimit {
	return &clientLimit{most: most, running: map[netip.Prefix]int{}}
}

func (l *clientLimit) tryAcquire(client netip.Prefix) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.running[client] >= l.most {
		return false
	}
	l.running[client]++
	return true
}

func (l *clientLimit) release(client netip.Prefix) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.running[client]--
	if l.running[client] == 0 {
		delete(l.running, client)
	}
}
