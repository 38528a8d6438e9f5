package service

import (
	"cmp"
	"context"
	"net"
	"net/netip"
	"strconv"
	"time"
)

// The waits of RFC 8305, section 8.
const (
	resolutionDelay = 50 * time.Millisecond  // for IPv6 addresses, once there are IPv4 ones
	attemptDelay    = 250 * time.Millisecond // between attempts to connect
)

// dialer connects to names that have more than one address as RFC 8305 says
// ("Happy Eyeballs"), so that a dead address costs a moment and not the call.
// Go's own gives the first address of a family seconds before it tries the
// next, and waits for both families' addresses however late one is.
type dialer struct {
	resolver *net.Resolver
	timeout  time.Duration
}

// found is what looking up the addresses of one family gave.
type found struct {
	addresses []netip.Addr
	six       bool
	err       error
}

// attempt is an attempt to connect that has ended.
type attempt struct {
	conn net.Conn
	err  error
}

// dial connects to host:port. The transport lets dials outlive the call that
// they were for, so they have the timeout of their own.
func (d dialer) dial(ctx context.Context, _, address string) (net.Conn, error) {
	host, service, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	port, err := strconv.ParseUint(service, 10, 16)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel() // ends the lookups and attempts that came too late

	progress := progressOf(ctx)
	lookups, attempts := make(chan found), make(chan attempt)
	looking, trying := 0, 0
	var candidates candidates
	if literal, err := netip.ParseAddr(host); err == nil {
		candidates.add(literal)
	} else {
		progress.reach(lookingUp)
		looking = 2
		go d.lookUp(ctx, host, true, lookups)
		go d.lookUp(ctx, host, false, lookups)
	}
	var (
		tried                bool
		wait                 <-chan time.Time // before the next attempt
		lookupErr, dialError error            // the first of each
	)
	for {
		if wait == nil {
			if next, ok := candidates.next(); ok {
				progress.reach(connecting)
				tried = true
				trying++
				go try(ctx, netip.AddrPortFrom(next, uint16(port)), attempts)
				wait = time.After(attemptDelay)
			}
		}
		if looking == 0 && trying == 0 && candidates.empty() {
			return nil, cmp.Or(dialError, lookupErr)
		}
		select {
		case found := <-lookups:
			looking--
			lookupErr = cmp.Or(lookupErr, found.err)
			candidates.add(found.addresses...)
			if !tried {
				wait = nil
				if looking > 0 && !found.six {
					wait = time.After(resolutionDelay)
				}
			}
		case attempt := <-attempts:
			if attempt.err == nil {
				return attempt.conn, nil
			}
			trying--
			dialError = cmp.Or(dialError, attempt.err)
			wait = nil
		case <-wait:
			wait = nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// lookUp looks up the addresses of one family.
func (d dialer) lookUp(ctx context.Context, host string, six bool, lookups chan<- found) {
	family := "ip4"
	if six {
		family = "ip6"
	}
	addresses, err := d.resolver.LookupNetIP(ctx, family, host)
	select {
	case lookups <- found{addresses, six, err}:
	case <-ctx.Done():
	}
}

// try connects to an address. A connection that comes too late is closed.
func try(ctx context.Context, address netip.AddrPort, attempts chan<- attempt) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address.String())
	select {
	case attempts <- attempt{conn, err}:
	case <-ctx.Done():
		if err == nil {
			_ = conn.Close() // nothing was sent on it
		}
	}
}

// candidates are the addresses that have not been tried, in the order of the
// resolver (RFC 6724) in each family. The families take turns.
type candidates struct {
	six, four []netip.Addr
	fourNext  bool
}

func (c *candidates) add(addresses ...netip.Addr) {
	for _, address := range addresses {
		if address = address.Unmap(); address.Is4() {
			c.four = append(c.four, address)
		} else {
			c.six = append(c.six, address)
		}
	}
}

func (c *candidates) empty() bool { return len(c.six)+len(c.four) == 0 }

func (c *candidates) next() (address netip.Addr, ok bool) {
	family := &c.six
	if len(c.six) == 0 || c.fourNext && len(c.four) > 0 {
		family = &c.four
	}
	if len(*family) == 0 {
		return netip.Addr{}, false
	}
	c.fourNext = family == &c.six
	address, *family = (*family)[0], (*family)[1:]
	return address, true
}
