package service_test

import (
	"net"
	"strconv"
	"syscall"
	"testing"
	"time"

	"homepage/internal/service"
)

// occupy takes a port of 127.0.0.2 so that it lets nobody connect and doesn't
// say so, like a machine that is gone: nobody takes a connection from its
// queue, and the queue is full.
func occupy(t *testing.T, text string) {
	t.Helper()
	port, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Close(fd) })
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 2}}); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	address := net.TCPAddr{IP: net.IPv4(127, 0, 0, 2), Port: port}
	for {
		conn, err := net.DialTimeout("tcp", address.String(), 100*time.Millisecond)
		if err != nil {
			return
		}
		t.Cleanup(func() { _ = conn.Close() })
	}
}

// The second address of a name is tried after a moment (RFC 8305, 5).
func TestANameWithADeadAddress(t *testing.T) {
	dns, resolver := startNameServer(t)
	dns.set("127.0.0.2", "127.0.0.1")
	_, s := serve(t, time.Minute, answer(200, `{"title":"T"}`))
	occupy(t, s.URL.Port())
	client, _ := newClient(t, service.Options{Resolver: resolver})
	start := time.Now()
	checkPromo(t, client.Promo(named(t, s)), "T")
	if took := time.Since(start); took < 250*time.Millisecond || took > 10*time.Second {
		t.Errorf("took %v, want 250ms", took)
	}
}

func TestPhaseOfConnecting(t *testing.T) {
	dns, resolver := startNameServer(t)
	dns.set("127.0.0.2")
	_, s := serve(t, time.Minute, answer(200, `{"title":"T"}`))
	occupy(t, s.URL.Port())
	client, _ := newClient(t, service.Options{Resolver: resolver, Timeout: 100 * time.Millisecond})
	_, err := client.Promo(named(t, s))(t.Context(), visit)
	checkError(t, err, "no whole answer within 100ms: still connecting to promo.test")
}
