package web_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"homepage/internal/web"
)

// behind returns the site behind trusted proxies, and what its log calls the
// client of a request.
func behind(tb testing.TB, trusted string) func(t *testing.T, peer string, forwarded ...string) string {
	tb.Helper()
	log := &logBuffer{}
	all, _ := deps(tb, log)
	handler := trusting(tb, trusted, all)
	return func(t *testing.T, peer string, forwarded ...string) string {
		t.Helper()
		request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/healthz", nil)
		request.RemoteAddr = peer
		for _, line := range forwarded {
			request.Header.Add("X-Forwarded-For", line)
		}
		log.mu.Lock()
		log.buf.Reset()
		log.mu.Unlock()
		handler.ServeHTTP(httptest.NewRecorder(), request)
		lines := log.lines(t, "request")
		if len(lines) != 1 {
			t.Fatalf("%d log lines, want one", len(lines))
		}
		remote, _ := lines[0]["remote"].(string)
		return remote
	}
}

// trusting returns a site that trusts the proxies of a list.
func trusting(tb testing.TB, list string, all web.Deps) http.Handler {
	tb.Helper()
	var err error
	if all.Proxies, err = web.ParseProxies(list); err != nil {
		tb.Fatal(err)
	}
	handler, err := web.New(all)
	if err != nil {
		tb.Fatal(err)
	}
	return handler
}

func TestTheClientBehindProxies(t *testing.T) {
	sites := map[string]func(*testing.T, string, ...string) string{} // by the proxies that they trust
	const trusted = "10.0.0.0/8,192.0.2.7 2001:db8:ffff::/48, ::ffff:198.51.100.0/120 fe80::/10"
	for _, test := range []struct {
		name, trusted, peer string
		forwarded           []string
		want                string
	}{
		{"no header", trusted, "10.0.0.1:80", nil, "10.0.0.1:80"},
		{"an empty header", trusted, "10.0.0.1:80", []string{"", " , "}, "10.0.0.1:80"},
		{"one proxy", trusted, "10.0.0.1:80", []string{"203.0.113.5"}, "203.0.113.5"},
		{"two proxies", trusted, "10.0.0.1:80", []string{"203.0.113.5, 192.0.2.7"}, "203.0.113.5"},
		{"a peer that is not trusted", trusted, "203.0.113.9:80", []string{"203.0.113.5"}, "203.0.113.9:80"},
		{"a neighbour of a trusted peer", trusted, "192.0.2.8:80", []string{"203.0.113.5"}, "192.0.2.8:80"},
		{"nobody is trusted", "", "10.0.0.1:80", []string{"203.0.113.5"}, "10.0.0.1:80"},
		{"forged from the left", trusted, "10.0.0.1:80", []string{"1.1.1.1, 10.0.0.2, 203.0.113.5"}, "203.0.113.5"},
		{"forged trust from the left", trusted, "10.0.0.1:80", []string{"1.1.1.1, 203.0.113.5, 10.0.0.2"}, "203.0.113.5"},
		{"forged in a line of its own", trusted, "10.0.0.1:80", []string{"1.1.1.1", "203.0.113.5"}, "203.0.113.5"},
		{"a list in several lines", trusted, "10.0.0.1:80", []string{"1.1.1.1, 203.0.113.5", "192.0.2.7", "10.1.2.3"}, "203.0.113.5"},
		{"all are trusted", trusted, "10.0.0.1:80", []string{"10.0.0.4, 10.0.0.3", "10.0.0.2"}, "10.0.0.4"},
		{"garbage from the client", trusted, "10.0.0.1:80", []string{"unknown"}, "10.0.0.1:80"},
		{"garbage behind a trusted hop", trusted, "10.0.0.1:80", []string{"1.1.1.1, <script>, 10.0.0.2"}, "10.0.0.2"},
		{"garbage left of the client", trusted, "10.0.0.1:80", []string{"a\tb,,;=, 203.0.113.5"}, "203.0.113.5"},
		{"a host name", trusted, "10.0.0.1:80", []string{"localhost"}, "10.0.0.1:80"},
		{"a Unix socket of a proxy", trusted, "10.0.0.1:80", []string{"203.0.113.5, unix:"}, "10.0.0.1:80"},
		{"empty elements", trusted, "10.0.0.1:80", []string{"203.0.113.5, , ", ","}, "203.0.113.5"},
		{"spaces and tabs", trusted, "10.0.0.1:80", []string{"\t203.0.113.5\t ,\t10.0.0.2 "}, "203.0.113.5"},
		{"an IPv4 port", trusted, "10.0.0.1:80", []string{"203.0.113.5:4711, 10.0.0.2:80"}, "203.0.113.5"},
		{"an IPv6 port", trusted, "10.0.0.1:80", []string{"[2001:db8::1]:443"}, "2001:db8::1"},
		{"brackets alone", trusted, "10.0.0.1:80", []string{"[2001:db8::1]"}, "2001:db8::1"},
		{"half a bracket", trusted, "10.0.0.1:80", []string{"[2001:db8::1"}, "10.0.0.1:80"},
		{"brackets round IPv4", trusted, "10.0.0.1:80", []string{"[203.0.113.5]"}, "10.0.0.1:80"},
		{"no such port", trusted, "10.0.0.1:80", []string{"203.0.113.5:99999"}, "10.0.0.1:80"},
		{"octal", trusted, "10.0.0.1:80", []string{"010.0.0.2"}, "10.0.0.1:80"},
		{"quoted", trusted, "10.0.0.1:80", []string{`"203.0.113.5"`}, "10.0.0.1:80"},
		{"IPv6 proxies", trusted, "[2001:db8:ffff::1]:80", []string{"2001:db8::5, 2001:db8:ffff:1::2"}, "2001:db8::5"},
		{"trusted IPv4 as IPv6", trusted, "[::ffff:10.0.0.1]:80", []string{"203.0.113.5, ::ffff:10.0.0.2"}, "203.0.113.5"},
		{"IPv4 as IPv6 in the setting", trusted, "198.51.100.9:80", []string{"203.0.113.5"}, "203.0.113.5"},
		{"a client's IPv4 as IPv6", trusted, "10.0.0.1:80", []string{"::ffff:203.0.113.5"}, "203.0.113.5"},
		{"a trusted peer with a zone", trusted, "[fe80::1%eth0]:80", []string{"203.0.113.5"}, "203.0.113.5"},
		{"a zone anyone may invent", trusted, "10.0.0.1:80", []string{"1.1.1.1, fe80::2%\"><script>"}, "1.1.1.1"},
		{"a peer with a zone", "", "[fe80::1%eth0]:80", nil, "[fe80::1%eth0]:80"},
		{"a Unix socket", "", "@", []string{"203.0.113.5"}, "unix"},
		{"a Unix socket that others are trusted beside", trusted, "@", []string{"203.0.113.5"}, "unix"},
		{"a trusted Unix socket", "unix", "@", []string{"1.1.1.1, 203.0.113.5"}, "203.0.113.5"},
		{"a trusted Unix socket without a name", "unix,10.0.0.0/8", "", []string{"203.0.113.5, 10.0.0.2"}, "203.0.113.5"},
		{"a trusted Unix socket that says nothing", "unix", "", nil, "unix"},
		{"a port beside a trusted Unix socket", "unix", "10.0.0.1:80", []string{"203.0.113.5"}, "10.0.0.1:80"},
		{"everyone is trusted", "0.0.0.0/0, ::/0", "10.0.0.1:80", []string{"203.0.113.5, 203.0.113.6"}, "203.0.113.5"},
		{"a prefix with an address in it", "10.1.2.3/8", "10.0.0.1:80", []string{"203.0.113.5"}, "203.0.113.5"},
	} {
		if sites[test.trusted] == nil {
			sites[test.trusted] = behind(t, test.trusted)
		}
		t.Run(test.name, func(t *testing.T) {
			if got := sites[test.trusted](t, test.peer, test.forwarded...); got != test.want {
				t.Errorf("the client is %q, want %q", got, test.want)
			}
		})
	}
}

func TestProxiesThatCantBeUnderstood(t *testing.T) {
	for _, list := range []string{"x", "10.0.0.0/33", "10.0.0/8", "10.0.0.1:80", "[::1]", "10.0.0.0/8;::1", "unix:/run/x", "UNIX", "fe80::1%eth0", "fe80::%eth0/64", "::ffff:0:0/95", "::/129", "/", "*", "localhost"} {
		if _, err := web.ParseProxies(list); err == nil {
			t.Errorf("%q is taken", list)
		}
	}
}

// Each client behind a proxy has a limit of its own, and is one client however
// it is written.
func TestTheLimitOfAClientBehindAProxy(t *testing.T) {
	all, _ := deps(t, io.Discard)
	all.Limits.PerClient = 1
	handler := trusting(t, "192.0.2.1", all)
	post := func(forwarded string, body io.Reader) int {
		request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/upload", body)
		request.RemoteAddr = "192.0.2.1:80"
		request.Header.Set("X-Forwarded-For", forwarded)
		request.Header.Set("Content-Type", contentTypeB)
		request.Header.Set("Accept", "application/json")
		got := recorder{httptest.NewRecorder()}
		handler.ServeHTTP(got, request)
		return got.Code
	}
	whole := rawForm(filePart(""))
	read, write := io.Pipe()
	done := make(chan int)
	go func() { done <- post("2001:db8:1:2::1", read) }()
	if _, err := io.WriteString(write, whole[:40]); err != nil { // returns when it has been read
		t.Fatal(err)
	}
	for forwarded, want := range map[string]int{
		"[2001:db8:1:2:ffff::1]:443":      http.StatusTooManyRequests,
		"203.0.113.1, 2001:db8:1:2::2%x":  http.StatusTooManyRequests, // what it claims to forward
		"2001:db8:1:2::3, 2001:db8:1:3::": http.StatusCreated,
		"203.0.113.1":                     http.StatusCreated,
	} {
		if got := post(forwarded, strings.NewReader(whole)); got != want {
			t.Errorf("X-Forwarded-For: %s gets %d, want %d", forwarded, got, want)
		}
	}
	_, _ = io.WriteString(write, whole[40:])
	_ = write.Close()
	if got := <-done; got != http.StatusCreated {
		t.Errorf("the running upload ended with %d, want 201", got)
	}
}

// Whoever connects to a Unix socket may bind its own end to any name.
func TestAUnixPeerCantNameItselfAnAddress(t *testing.T) {
	t.Chdir(t.TempDir()) // the names are relative
	log := &logBuffer{}
	all, _ := deps(t, log)
	handler := trusting(t, "10.0.0.1", all)
	listener, err := new(net.ListenConfig).Listen(t.Context(), "unix", "site.sock")
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(handler)
	_ = server.Listener.Close()
	server.Listener = listener
	server.Start()
	conn, err := net.DialUnix("unix", &net.UnixAddr{Name: "10.0.0.1:80", Net: "unix"}, &net.UnixAddr{Name: "site.sock", Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(conn, "GET /healthz HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 203.0.113.5\r\nConnection: close\r\n\r\n")
	_, _ = io.Copy(io.Discard, conn)
	_ = conn.Close()
	server.Close()
	if lines := log.lines(t, "request"); len(lines) != 1 || lines[0]["remote"] != "unix" {
		t.Errorf("the log has %v, want one request from unix", lines)
	}
}

// FuzzForwardedFor compares the client with what the older address package of
// the standard library makes of the same list.
func FuzzForwardedFor(f *testing.F) {
	for _, line := range []string{"203.0.113.5", "1.1.1.1, 10.0.0.2:80", "[2001:db8::1]:443,[::ffff:10.0.0.1]", "fe80::1%eth0", "a,10.0.0.1,,", "[1.1.1.1]:80"} {
		f.Add(line, "10.0.0.3")
	}
	remote := behind(f, "10.0.0.0/8")
	_, trusted, err := net.ParseCIDR("10.0.0.0/8")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, first, second string) {
		const peer = "10.0.0.1:80"
		want := peer
		elements := strings.Split(first+","+second, ",")
		for _, element := range slices.Backward(elements) {
			element = strings.Trim(element, " \t")
			if element == "" {
				continue
			}
			address := oldParse(element)
			if address == nil {
				break
			}
			want = address.String()
			if address.Equal(net.IPv4(10, 0, 0, 1)) {
				want = peer // the log has its port as well
			}
			if !trusted.Contains(address) {
				break
			}
		}
		if got := remote(t, peer, first, second); got != want {
			t.Errorf("the client is %q, want %q", got, want)
		}
	})
}

// oldParse reads an address that may have a port, brackets and a zone.
func oldParse(s string) net.IP {
	if strings.HasPrefix(s, "[") && strings.HasSuffix(s, "]") {
		s += ":0"
	}
	if host, port, err := net.SplitHostPort(s); err == nil {
		if n, err := net.LookupPort("tcp", port); err != nil || n < 0 || strings.Trim(port, "0123456789") != "" || port == "" {
			return nil
		}
		if strings.Contains(host, ":") != strings.HasPrefix(s, "[") {
			return nil // brackets are for IPv6, and for all of it
		}
		s = host
	}
	if address, zone, ok := strings.Cut(s, "%"); ok {
		if zone == "" || !strings.Contains(address, ":") || net.ParseIP(address).To4() != nil {
			return nil // zones are for IPv6 alone
		}
		s = address
	}
	return net.ParseIP(s)
}
