package service_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"homepage/internal/service"
)

// nameServer is a DNS server. It knows the same addresses for every name.
type nameServer struct {
	mu        sync.Mutex
	addresses []netip.Addr
	silent    map[dnsmessage.Type]bool
	late      map[dnsmessage.Type]time.Duration // is waited before an answer
}

func (n *nameServer) set(addresses ...string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.addresses = nil
	for _, address := range addresses {
		n.addresses = append(n.addresses, netip.MustParseAddr(address))
	}
}

func (n *nameServer) delay(kind dnsmessage.Type, wait time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.late = map[dnsmessage.Type]time.Duration{kind: wait}
}

// startNameServer returns a name server, and a resolver that asks it.
func startNameServer(t *testing.T, silent ...dnsmessage.Type) (*nameServer, *net.Resolver) {
	t.Helper()
	server := &nameServer{silent: map[dnsmessage.Type]bool{}}
	for _, kind := range silent {
		server.silent[kind] = true
	}
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	// Go's resolver waits for an answer for seconds after nobody needs it.
	var mu sync.Mutex
	asking := []io.Closer{conn}
	t.Cleanup(func() {
		mu.Lock()
		defer mu.Unlock()
		for _, c := range asking {
			_ = c.Close()
		}
	})
	go func() {
		buffer := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(buffer)
			if err != nil {
				return
			}
			if wait, answer := server.answer(buffer[:n]); answer != nil {
				time.AfterFunc(wait, func() { _, _ = conn.WriteTo(answer, from) })
			}
		}
	}()
	return server, &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(ctx, "udp", conn.LocalAddr().String())
		mu.Lock()
		defer mu.Unlock()
		if err == nil {
			asking = append(asking, c)
		}
		return c, err
	}}
}

func (n *nameServer) answer(packet []byte) (wait time.Duration, answer []byte) {
	n.mu.Lock()
	defer n.mu.Unlock()
	var message dnsmessage.Message
	if message.Unpack(packet) != nil || len(message.Questions) == 0 {
		return 0, nil
	}
	question := message.Questions[0]
	if n.silent[question.Type] {
		return 0, nil
	}
	reply := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: message.ID, Response: true, Authoritative: true},
		Questions: message.Questions,
	}
	for _, address := range n.addresses {
		resource := dnsmessage.Resource{Header: dnsmessage.ResourceHeader{Name: question.Name, Type: question.Type, Class: dnsmessage.ClassINET}}
		switch {
		case address.Is4() && question.Type == dnsmessage.TypeA:
			resource.Body = &dnsmessage.AResource{A: address.As4()}
		case address.Is6() && question.Type == dnsmessage.TypeAAAA:
			resource.Body = &dnsmessage.AAAAResource{AAAA: address.As16()}
		default:
			continue
		}
		reply.Answers = append(reply.Answers, resource)
	}
	if len(n.addresses) == 0 {
		reply.RCode = dnsmessage.RCodeNameError
	}
	packed, err := reply.Pack()
	if err != nil {
		return 0, nil
	}
	return n.late[question.Type], packed
}

// named returns the service under a name that a name server must know.
func named(t *testing.T, s service.Service) service.Service {
	t.Helper()
	return at(t, s.URL.Scheme+"://promo.test:"+s.URL.Port())
}

// listen starts a server that hands every connection to handle, one after the
// other, and counts them.
func listen(t *testing.T, handle func(number int, conn *net.TCPConn)) (s service.Service, connections *atomic.Int32) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	connections = new(atomic.Int32)
	done := make(chan struct{})
	t.Cleanup(func() {
		_ = listener.Close()
		<-done
	})
	go func() {
		defer close(done)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			handle(int(connections.Add(1)), conn.(*net.TCPConn))
			_ = conn.Close()
		}
	}()
	return at(t, "http://"+listener.Addr().String()), connections
}

const rawAnswer = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 13\r\n\r\n" + `{"title":"T"}`

// readRequest reads the header of a request.
func readRequest(conn net.Conn) {
	buffer := make([]byte, 4096)
	for text := ""; !strings.HasSuffix(text, "\r\n\r\n"); {
		n, err := conn.Read(buffer)
		if err != nil {
			return
		}
		text += string(buffer[:n])
	}
}

func reset(conn *net.TCPConn) {
	_ = conn.SetLinger(0)
	_ = conn.Close()
}

func TestANameWithAnAddressThatRefuses(t *testing.T) {
	dns, resolver := startNameServer(t)
	dns.set("::1", "127.0.0.9", "127.0.0.1") // the service is on the last
	_, s := serve(t, time.Minute, answer(200, `{"title":"T"}`))
	client, _ := newClient(t, service.Options{Resolver: resolver})
	checkPromo(t, client.Promo(named(t, s)), "T")
}

func TestAddressesThatAreNeverAnswered(t *testing.T) {
	for _, kind := range []dnsmessage.Type{dnsmessage.TypeA, dnsmessage.TypeAAAA} {
		t.Run(kind.String(), func(t *testing.T) {
			dns, resolver := startNameServer(t, kind)
			dns.set("127.0.0.1", "::1")
			server := httptest.NewUnstartedServer(answer(200, `{"title":"T"}`))
			defer server.Close()
			if kind == dnsmessage.TypeA {
				listener, err := net.Listen("tcp6", "[::1]:0")
				if err != nil {
					t.Log("this machine has no IPv6: ", err)
					return
				}
				server.Listener = listener
			}
			server.Start()
			client, _ := newClient(t, service.Options{Resolver: resolver, Timeout: 4 * time.Second})
			checkPromo(t, client.Promo(named(t, at(t, server.URL))), "T")
		})
	}
}

// IPv6 is preferred though its addresses come a moment later (RFC 8305, 3). On
// a busy machine the moment may be too long, though not each time.
func TestTheResolutionDelay(t *testing.T) {
	dns, resolver := startNameServer(t)
	dns.set("127.0.0.1", "::1")
	dns.delay(dnsmessage.TypeAAAA, 5*time.Millisecond)
	_, s := serve(t, time.Minute, answer(200, `{"title":"IPv4"}`))
	listener, err := net.Listen("tcp", "[::1]:"+s.URL.Port())
	if err != nil {
		t.Log("this machine has no IPv6, or the port is taken: ", err)
		return
	}
	six := httptest.NewUnstartedServer(answer(200, `{"title":"IPv6"}`))
	six.Listener = listener
	six.Start()
	defer six.Close()
	client, _ := newClient(t, service.Options{Resolver: resolver, ConnectionLife: time.Nanosecond})
	load := client.Promo(named(t, s))
	seen := map[string]int{}
	for range 10 {
		got, err := load(t.Context(), visit)
		checkError(t, err)
		seen[got.Content.Title]++
	}
	if seen["IPv6"] == 0 {
		t.Errorf("seen %v, want IPv6", seen)
	}
}

func TestLiteralAddresses(t *testing.T) {
	listener, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Log("this machine has no IPv6: ", err)
		return
	}
	server := httptest.NewUnstartedServer(answer(200, `{"title":"T"}`))
	server.Listener = listener
	server.Start()
	defer server.Close()
	client, _ := newClient(t, service.Options{})
	checkPromo(t, client.Promo(at(t, server.URL)), "T")
}

// A failure names the phase that it hit.
func TestPhases(t *testing.T) {
	block := make(chan struct{})
	silence := func(int, *net.TCPConn) { <-block }
	t.Run("name: no answer", func(t *testing.T) {
		_, resolver := startNameServer(t, dnsmessage.TypeA, dnsmessage.TypeAAAA)
		client, _ := newClient(t, service.Options{Resolver: resolver, Timeout: 50 * time.Millisecond})
		_, err := client.Promo(at(t, "http://promo.test/"))(t.Context(), visit)
		checkError(t, err, "GET http://promo.test/: no whole answer within 50ms: still looking up the name promo.test")
	})
	t.Run("name: unknown", func(t *testing.T) {
		_, resolver := startNameServer(t)
		client, _ := newClient(t, service.Options{Resolver: resolver})
		_, err := client.Promo(at(t, "http://promo.test/"))(t.Context(), visit)
		checkError(t, err, "GET http://promo.test/: looking up the name promo.test: lookup promo.test", "no such host")
	})
	t.Run("connection: refused", func(t *testing.T) {
		client, _ := newClient(t, service.Options{})
		_, err := client.Promo(at(t, "http://reader:secret@127.0.0.1:1/"))(t.Context(), visit)
		checkError(t, err, "GET http://xxxxx@127.0.0.1:1/: connecting to 127.0.0.1: dial tcp 127.0.0.1:1", "refused")
	})
	t.Run("TLS: no answer", func(t *testing.T) {
		s, _ := listen(t, silence)
		s.URL.Scheme = "https"
		client, _ := newClient(t, service.Options{Timeout: 50 * time.Millisecond})
		_, err := client.Promo(s)(t.Context(), visit)
		checkError(t, err, "no whole answer within 50ms: still in the TLS handshake with 127.0.0.1")
		block <- struct{}{}
	})
	t.Run("TLS: unknown authority", func(t *testing.T) {
		server := quiet(httptest.NewUnstartedServer(answer(200, "{}")))
		server.StartTLS()
		defer server.Close()
		client, _ := newClient(t, service.Options{Roots: x509.NewCertPool()})
		_, err := client.Promo(at(t, server.URL))(t.Context(), visit)
		checkError(t, err, "in the TLS handshake with 127.0.0.1: ", "unknown authority")
	})
	t.Run("TLS: plain http", func(t *testing.T) {
		client, s := serve(t, time.Minute, answer(200, "{}"))
		s.URL.Scheme = "https"
		_, err := client.Promo(s)(t.Context(), visit)
		checkError(t, err, "in the TLS handshake with 127.0.0.1: tls: first record does not look like a TLS handshake")
	})
	t.Run("answer: none", func(t *testing.T) {
		s, _ := listen(t, silence)
		client, _ := newClient(t, service.Options{Timeout: 50 * time.Millisecond})
		_, err := client.Promo(s)(t.Context(), visit)
		checkError(t, err, "no whole answer within 50ms: still waiting for the answer")
		block <- struct{}{}
	})
	t.Run("answer: half a header", func(t *testing.T) {
		s, _ := listen(t, func(_ int, conn *net.TCPConn) {
			readRequest(conn)
			_, _ = conn.Write([]byte("HTTP/1.1 200"))
			<-block
		})
		client, _ := newClient(t, service.Options{Timeout: 50 * time.Millisecond})
		_, err := client.Promo(s)(t.Context(), visit)
		checkError(t, err, "no whole answer within 50ms: still reading the answer")
		block <- struct{}{}
	})
	t.Run("answer: another protocol", func(t *testing.T) {
		s, _ := listen(t, func(_ int, conn *net.TCPConn) { _, _ = conn.Write([]byte("SSH-2.0-OpenSSH_9.2\r\n")) })
		client, _ := newClient(t, service.Options{})
		_, err := client.Promo(s)(t.Context(), visit)
		checkError(t, err, "HTTP") // of which the words depend on which came first
	})
	t.Run("body: drips", func(t *testing.T) {
		client, s := serve(t, 50*time.Millisecond, func(w http.ResponseWriter, r *http.Request) {
			drip := time.NewTicker(time.Millisecond)
			defer drip.Stop()
			for r.Context().Err() == nil {
				_, _ = w.Write([]byte(" "))
				_ = http.NewResponseController(w).Flush()
				<-drip.C
			}
		})
		_, err := client.Promo(s)(t.Context(), visit)
		checkError(t, err, "no whole answer within 50ms: still reading the answer")
	})
	t.Run("body: cut", func(t *testing.T) {
		s, _ := listen(t, func(_ int, conn *net.TCPConn) {
			readRequest(conn)
			_, _ = conn.Write([]byte(rawAnswer[:len(rawAnswer)-3]))
		})
		client, _ := newClient(t, service.Options{})
		_, err := client.Promo(s)(t.Context(), visit)
		checkError(t, err, "reading the answer: unexpected EOF")
	})
}

// One in 20 new connections is reset before an answer; no visitor sees it.
func TestConnectionsThatAreReset(t *testing.T) {
	s, connections := listen(t, func(number int, conn *net.TCPConn) {
		readRequest(conn)
		if number%20 == 0 {
			reset(conn)
			return
		}
		_, _ = conn.Write([]byte(rawAnswer))
	})
	client, _ := newClient(t, service.Options{})
	load := client.Promo(s)
	for range 400 {
		checkPromo(t, load, "T")
	}
	if got := connections.Load(); got != 421 {
		t.Errorf("%d connections, want 421", got)
	}
}

func TestWhatIsTriedAgain(t *testing.T) {
	for name, test := range map[string]struct {
		scheme string
		handle func(conn *net.TCPConn)
		want   int32 // connections
	}{
		"a reset":                    {"http", func(conn *net.TCPConn) { readRequest(conn); reset(conn) }, 2},
		"an end":                     {"http", func(conn *net.TCPConn) { readRequest(conn) }, 2},
		"an end before the request":  {"http", func(*net.TCPConn) {}, 2},
		"a reset before the request": {"http", reset, 2},
		"a reset in the handshake":   {"https", func(conn *net.TCPConn) { _, _ = conn.Read(make([]byte, 100)); reset(conn) }, 2},
		"an end in the handshake":    {"https", func(conn *net.TCPConn) { _, _ = conn.Read(make([]byte, 4096)) }, 2},
		"nothing after a byte":       {"http", func(conn *net.TCPConn) { readRequest(conn); _, _ = conn.Write([]byte("H")) }, 1},
		"nothing after half an answer": {"http", func(conn *net.TCPConn) {
			readRequest(conn)
			_, _ = conn.Write([]byte(rawAnswer[:70]))
		}, 1},
		"nothing after a refusal": {"http", func(conn *net.TCPConn) {
			readRequest(conn)
			_, _ = conn.Write([]byte("HTTP/1.1 503 Busy\r\nConnection: close\r\n\r\n"))
		}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			s, connections := listen(t, func(_ int, conn *net.TCPConn) { test.handle(conn) })
			s.URL.Scheme = test.scheme
			client, _ := newClient(t, service.Options{})
			_, err := client.Promo(s)(t.Context(), visit)
			checkError(t, err, "GET ")
			if got := connections.Load(); got != test.want {
				t.Errorf("%d connections, want %d", got, test.want)
			}
		})
	}
}

// freezer is a way to a server whose connections can be made to go silent, as
// they do when a machine goes away without a word.
type freezer struct {
	listener net.Listener
	target   string
	mu       sync.Mutex
	frozen   chan struct{} // closed when the connections up to now are frozen
	conns    []net.Conn
}

func startFreezer(t *testing.T, target string) *freezer {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &freezer{listener: listener, target: target, frozen: make(chan struct{})}
	t.Cleanup(func() {
		_ = listener.Close()
		f.mu.Lock()
		defer f.mu.Unlock()
		for _, conn := range f.conns {
			_ = conn.Close()
		}
	})
	go func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", target)
			if err != nil {
				_ = near.Close()
				continue
			}
			f.mu.Lock()
			f.conns = append(f.conns, near, far)
			frozen := f.frozen
			f.mu.Unlock()
			go f.copy(near, far, frozen)
			go f.copy(far, near, frozen)
		}
	}()
	return f
}

func (f *freezer) copy(to, from net.Conn, frozen chan struct{}) {
	buffer := make([]byte, 4096)
	for {
		n, err := from.Read(buffer)
		select {
		case <-frozen:
			return
		default:
		}
		if err != nil {
			_ = to.Close()
			return
		}
		_, _ = to.Write(buffer[:n])
	}
}

func (f *freezer) freeze() {
	f.mu.Lock()
	defer f.mu.Unlock()
	close(f.frozen)
	f.frozen = make(chan struct{})
}

// An HTTP/2 connection that has gone silent costs time, but no visitor's page.
func TestASilentHTTP2Connection(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer(200, `{"title":"`+r.Proto+`"}`)(w, r)
	}))
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	way := startFreezer(t, server.Listener.Addr().String())
	client, _ := newClient(t, service.Options{Roots: roots(server), Timeout: 4 * time.Second})
	load := client.Promo(at(t, "https://"+way.listener.Addr().String()))
	checkPromo(t, load, "HTTP/2.0")
	way.freeze()
	checkPromo(t, load, "HTTP/2.0")
	checkPromo(t, load, "HTTP/2.0")
}

// With HTTP/1.1 it costs one page, whatever the number of connections.
func TestASilentConnection(t *testing.T) {
	var together sync.WaitGroup
	together.Add(2)
	var calls atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if calls.Add(1) <= 2 { // so that there are two connections
			together.Done()
			together.Wait()
		}
		answer(200, `{"title":"T"}`)(w, r)
	}))
	defer server.Close()
	way := startFreezer(t, server.Listener.Addr().String())
	client, _ := newClient(t, service.Options{Timeout: time.Second})
	s := at(t, "http://"+way.listener.Addr().String())
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() { checkPromo(t, client.Promo(s), "T") })
	}
	both.Wait()
	way.freeze()
	load := client.Promo(s)
	_, err := load(t.Context(), visit)
	checkError(t, err, "still waiting for the answer")
	checkPromo(t, load, "T")
	checkPromo(t, load, "T")
}

// A name that moves is noticed, though the old address goes on answering.
func TestANameThatMoves(t *testing.T) {
	dns, resolver := startNameServer(t)
	_, old := serve(t, time.Minute, answer(200, `{"title":"old"}`))
	listener, err := net.Listen("tcp", "[::1]:"+old.URL.Port())
	if err != nil {
		t.Log("this machine has no IPv6, or the port is taken: ", err)
		return
	}
	moved := httptest.NewUnstartedServer(answer(200, `{"title":"new"}`))
	moved.Listener = listener
	moved.Start()
	defer moved.Close()
	for _, test := range []struct {
		life time.Duration
		want string
	}{{time.Hour, "old"}, {time.Nanosecond, "new"}} {
		client, _ := newClient(t, service.Options{Resolver: resolver, ConnectionLife: test.life})
		load := client.Promo(named(t, old))
		dns.set("127.0.0.1")
		checkPromo(t, load, "old")
		dns.set("::1")
		checkPromo(t, load, test.want)
	}
}

// Old connections are closed when new ones take their place.
func TestOldConnectionsAreClosed(t *testing.T) {
	closed := make(chan struct{}, 20)
	server := httptest.NewUnstartedServer(answer(200, `{"title":"T"}`))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateClosed {
			closed <- struct{}{}
		}
	}
	server.Start()
	defer server.Close()
	client, _ := newClient(t, service.Options{ConnectionLife: time.Nanosecond})
	load := client.Promo(at(t, server.URL))
	for range 10 {
		checkPromo(t, load, "T")
	}
	for range 9 {
		<-closed
	}
}

func TestClientCertificates(t *testing.T) {
	for name, version := range map[string]uint16{"TLS 1.2": tls.VersionTLS12, "TLS 1.3": tls.VersionTLS13} {
		t.Run(name, func(t *testing.T) {
			for auth, want := range map[tls.ClientAuthType]string{
				tls.RequestClientCert:    "",
				tls.RequireAnyClientCert: "; the service asks for a client certificate, which is not supported",
			} {
				server := quiet(httptest.NewUnstartedServer(answer(200, `{"title":"T"}`)))
				server.TLS = &tls.Config{ClientAuth: auth, MaxVersion: version}
				server.StartTLS()
				client, _ := newClient(t, service.Options{Roots: roots(server)})
				_, err := client.Promo(at(t, server.URL))(t.Context(), visit)
				checkError(t, err, want)
				server.Close()
			}
		})
	}
}

// A service may move things about on its own host, and send us nowhere else.
func TestRedirects(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("called elsewhere") }))
	defer elsewhere.Close()
	client, s := serve(t, time.Minute, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Key") != "key" || r.Header.Get("Referer") != "" {
			t.Errorf("%s: header %v", r.URL, r.Header)
		}
		host := r.Host
		location := map[string]string{
			"/moved":      "/there",
			"/relative":   "there",
			"/absolute":   "http://" + host + "/there",
			"/capitals":   "HTTP://LOCALHOST:" + strings.Split(host, ":")[1] + "/there",
			"/three":      "/two",
			"/two":        "/one",
			"/one":        "/there",
			"/four":       "/three",
			"/loop":       "/loop",
			"/away":       elsewhere.URL,
			"/slashes":    "//" + strings.TrimPrefix(elsewhere.URL, "http://"),
			"/port":       "http://127.0.0.1/there",
			"/upward":     "https://" + host + "/there",
			"/script":     "javascript:alert(1)",
			"/file":       "file:///etc/passwd",
			"/unreadable": "http://[",
		}[r.URL.Path]
		if r.URL.Path == "/there" {
			answer(200, `{"title":"T"}`)(w, r)
			return
		}
		if location != "" {
			w.Header().Set("Location", location)
		}
		w.WriteHeader(http.StatusTemporaryRedirect)
	})
	s.Header = http.Header{"X-Key": {"key"}}
	for path, want := range map[string]string{
		"/moved":      "",
		"/relative":   "",
		"/absolute":   "",
		"/three":      "",
		"/four":       "redirected more than 3 times; got status 307",
		"/loop":       "redirected more than 3 times",
		"/away":       "redirected to another host",
		"/slashes":    "redirected to another host",
		"/port":       "redirected to another host",
		"/capitals":   "redirected to another host", // 127.0.0.1 is not localhost
		"/upward":     "in the TLS handshake",       // on the same host and port
		"/script":     "redirected to what is not an http or https URL",
		"/file":       "redirected to what is not an http or https URL",
		"/unreadable": "redirected to what is not an http or https URL",
		"/nowhere":    "redirected without saying where to",
	} {
		moved := service.Service{URL: s.URL.JoinPath(path), Header: s.Header}
		got, err := client.Promo(moved)(t.Context(), visit)
		checkError(t, err, want)
		if want == "" && got.Content.Title != "T" {
			t.Errorf("%s: %+v", path, got.Content)
		}
	}
}

func TestRedirectsKeepTLS(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://"+r.Host+"/", http.StatusFound)
	}))
	defer server.Close()
	client, _ := newClient(t, service.Options{Roots: roots(server)})
	_, err := client.Promo(at(t, server.URL))(t.Context(), visit)
	checkError(t, err, "redirected from https to http; got status 302")
}

// Proxies are for visitors' ways out. Loopback would go round them, a name
// does not.
func TestProxiesAreNotUsed(t *testing.T) {
	proxy := httptest.NewServer(answer(200, `{"title":"from the proxy"}`))
	defer proxy.Close()
	t.Setenv("HTTP_PROXY", proxy.URL)
	dns, resolver := startNameServer(t)
	dns.set("127.0.0.1")
	_, s := serve(t, time.Minute, answer(200, `{"title":"T"}`))
	client, _ := newClient(t, service.Options{Resolver: resolver})
	checkPromo(t, client.Promo(named(t, s)), "T")
}

// More than was announced is not read, and spoils no later call.
func TestMoreThanContentLength(t *testing.T) {
	s, _ := listen(t, func(_ int, conn *net.TCPConn) {
		readRequest(conn)
		_, _ = fmt.Fprint(conn, rawAnswer, `{"title":"more"}`)
	})
	client, _ := newClient(t, service.Options{})
	load := client.Promo(s)
	for range 3 {
		checkPromo(t, load, "T")
	}
}

// roots trusts a server's certificate.
func roots(server *httptest.Server) *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(server.Certificate())
	return pool
}
