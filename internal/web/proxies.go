package web

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Proxies are the proxies that are trusted to say whom they forward. The zero
// value trusts none.
//
// The client-IP middleware of chi is no match: it knows no Unix sockets, takes
// an address with a port for garbage, and finds no client if all are trusted.
type Proxies struct {
	prefixes []netip.Prefix
	unix     bool // whoever connects to a Unix socket
}

// ParseProxies reads addresses, CIDRs (RFC 4632, 3.1) and the word unix, with
// commas or spaces between them.
func ParseProxies(list string) (Proxies, error) {
	var p Proxies
	for word := range strings.FieldsFuncSeq(list, func(c rune) bool { return c == ',' || c == ' ' }) {
		if word == "unix" {
			p.unix = true
			continue
		}
		prefix, err := parsePrefix(word)
		if err != nil {
			return Proxies{}, err
		}
		p.prefixes = append(p.prefixes, prefix)
	}
	return p, nil
}

// String lists them as ParseProxies reads them.
func (p Proxies) String() string {
	var words []string
	for _, prefix := range p.prefixes {
		words = append(words, prefix.String())
	}
	if p.unix {
		words = append(words, "unix")
	}
	return strings.Join(words, ", ")
}

// parsePrefix reads a CIDR or a single address. One of IPv4 that is written as
// IPv6 becomes plain, as the addresses do that are compared with it.
func parsePrefix(s string) (netip.Prefix, error) {
	if !strings.Contains(s, "/") {
		address, err := netip.ParseAddr(s)
		if err == nil && address.Zone() != "" { // zones are not compared
			err = fmt.Errorf("%s has a zone", s)
		}
		address = address.Unmap()
		return netip.PrefixFrom(address, address.BitLen()), err
	}
	prefix, err := netip.ParsePrefix(s)
	if err == nil && prefix.Addr().Is4In6() {
		if prefix.Bits() < 96 {
			return netip.Prefix{}, fmt.Errorf("%s is more than IPv4", s)
		}
		prefix = netip.PrefixFrom(prefix.Addr().Unmap(), prefix.Bits()-96)
	}
	return prefix, err
}

// client returns the address that a request comes from, without a zone, or the
// zero address for a peer on a Unix socket. X-Forwarded-For is read from the
// right, where the nearest proxy wrote, for as long as those who wrote are
// trusted: what is left of that may be forged.
func (p Proxies) client(r *http.Request) netip.Addr {
	client := peer(r)
	rest := strings.Join(r.Header["X-Forwarded-For"], ",") // its lines are one list (RFC 9110, 5.3)
	for rest != "" && p.trusts(client) {
		comma := strings.LastIndexByte(rest, ',')
		element := strings.Trim(rest[comma+1:], " \t")
		rest = rest[:max(comma, 0)]
		if element == "" {
			continue // no element of the list (RFC 9110, 5.6.1)
		}
		hop, ok := parseHop(element)
		if !ok {
			break
		}
		client = hop
	}
	return client
}

func (p Proxies) trusts(address netip.Addr) bool {
	if !address.IsValid() {
		return p.unix
	}
	return slices.ContainsFunc(p.prefixes, func(prefix netip.Prefix) bool { return prefix.Contains(address) })
}

// peer returns the address at the other end of the connection, or the zero
// address on a Unix socket. There the other end chooses what RemoteAddr says.
func peer(r *http.Request) netip.Addr {
	if local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok && local.Network() == "unix" {
		return netip.Addr{}
	}
	remote, _ := netip.ParseAddrPort(r.RemoteAddr) // the zero address if there is none
	return remote.Addr().Unmap().WithZone("")
}

// parseHop reads an address of X-Forwarded-For. Some proxies add the port.
func parseHop(s string) (netip.Addr, bool) {
	if withPort, err := netip.ParseAddrPort(s); err == nil {
		return withPort.Addr().Unmap().WithZone(""), true
	}
	if inner, ok := strings.CutPrefix(s, "["); ok {
		if inner, ok = strings.CutSuffix(inner, "]"); !ok || !strings.Contains(inner, ":") {
			return netip.Addr{}, false
		}
		s = inner
	}
	address, err := netip.ParseAddr(s)
	return address.Unmap().WithZone(""), err == nil
}

// remote says in the log whom a request comes from. The peer's port tells its
// connections apart.
func (p Proxies) remote(r *http.Request) string {
	switch client := p.client(r); client {
	case netip.Addr{}:
		return "unix"
	case peer(r):
		return r.RemoteAddr
	default:
		return client.String()
	}
}
