package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// proxy is a program that stands between visitors and the site.
type proxy struct {
	program string
	args    []string // %s stands for the file of its configuration
	file    string   // the example in deploy, or none for a proxy as it is installed
	replace []string // what the machine at hand has instead: old and new in turn; ADDR, SITE and FOLDER are filled in
	around  string   // what the system's own configuration would say; %s stands for the example
	gzip    bool     // the proxy compresses
}

const nginxAlone = `
	daemon off; master_process off; pid FOLDER/pid; error_log stderr;
	events {}
	http {
		access_log off; client_body_temp_path FOLDER/body; proxy_temp_path FOLDER/proxy;
		fastcgi_temp_path FOLDER/fastcgi; uwsgi_temp_path FOLDER/uwsgi; scgi_temp_path FOLDER/scgi;
		%s
	}`

func proxies() map[string]proxy {
	nginx := []string{"-p", ".", "-c", "%s"}
	bare := "server { listen ADDR; location / { proxy_pass http://SITE; } }"
	return map[string]proxy{
		"nginx as it is":  {program: "nginx", args: nginx, around: fmt.Sprintf(nginxAlone, bare)},
		"nginx with gzip": {program: "nginx", args: nginx, around: fmt.Sprintf(nginxAlone, "gzip on; gzip_min_length 0;"+bare), gzip: true},
		"nginx.conf": {program: "nginx", args: nginx, file: "nginx.conf", around: nginxAlone, replace: []string{
			"listen 443 ", "listen ADDR ", "127.0.0.1:8000", "SITE", "/etc/ssl/homepage.crt", "FOLDER/both.pem", "/etc/ssl/homepage.key", "FOLDER/both.pem",
		}},
		"haproxy.cfg": {program: "haproxy", args: []string{"-db", "-f", "%s"}, file: "haproxy.cfg", around: "%s", replace: []string{
			"bind :443 ", "bind ADDR ", "127.0.0.1:8000", "SITE", "/etc/haproxy/homepage.pem", "FOLDER/both.pem",
		}},
		"Caddyfile": {program: "caddy", args: []string{"run", "--adapter", "caddyfile", "--config", "%s"}, file: "Caddyfile", around: "{\n\tadmin off\n\tauto_https off\n}\n%s", replace: []string{
			"www.example.com {", "https://ADDR {\n\ttls FOLDER/both.pem FOLDER/both.pem", "127.0.0.1:8000", "SITE",
		}},
	}
}

// findProxy returns where the program is.
func findProxy(t *testing.T, program string) string {
	t.Helper()
	binary, err := exec.LookPath(program)
	if err != nil {
		binary, err = exec.LookPath("/usr/sbin/" + program) // which is not on everyone's path
	}
	if err != nil {
		t.Skipf("needs %[1]s, from the package %[1]s", program)
	}
	return binary
}

// freeAddr returns an address for a program that can't be asked where it listens.
func freeAddr(t *testing.T) string {
	t.Helper()
	reserved, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer reserved.Close()
	return reserved.Addr().String()
}

// start runs the proxy in front of the site. The client that it returns speaks
// HTTP/2 to it where the proxy does.
func (p proxy) start(t *testing.T, site string) (url string, visitor *http.Client) {
	t.Helper()
	binary := findProxy(t, p.program)
	authority := httptest.NewUnstartedServer(nil) // for its certificate, and a client that trusts it
	authority.EnableHTTP2 = true
	authority.StartTLS()
	authority.Close()
	key, err := x509.MarshalPKCS8PrivateKey(authority.TLS.Certificates[0].PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	write := func(name string, content []byte) {
		if err := os.WriteFile(filepath.Join(folder, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("both.pem", append(
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: authority.Certificate().Raw}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})...))

	addr := freeAddr(t)
	config := p.around
	if p.file != "" {
		example, err := os.ReadFile(filepath.Join("deploy", p.file))
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(p.replace); i += 2 {
			if !bytes.Contains(example, []byte(p.replace[i])) {
				t.Fatalf("%s lacks %q", p.file, p.replace[i])
			}
		}
		config = fmt.Sprintf(p.around, strings.NewReplacer(p.replace...).Replace(string(example)))
	}
	write("config", []byte(strings.NewReplacer("ADDR", addr, "SITE", site, "FOLDER", folder).Replace(config)))

	var args []string
	for _, arg := range p.args {
		args = append(args, strings.ReplaceAll(arg, "%s", filepath.Join(folder, "config")))
	}
	running, ended := context.WithCancel(t.Context())
	cmd := exec.CommandContext(t.Context(), binary, args...)
	cmd.Dir = folder
	cmd.Env = append(os.Environ(), "HOME="+folder)
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = cmd.Wait()
		ended()
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-running.Done()
		if t.Failed() {
			t.Logf("%s said:\n%s", p.program, &said)
		}
	})
	for { // until it listens, which it does not say
		conn, err := new(net.Dialer).DialContext(running, "tcp", addr)
		if err == nil {
			_ = conn.Close()
			break
		}
		if running.Err() != nil {
			t.Fatalf("%s ended", p.program)
		}
	}
	if p.file == "" {
		return "http://" + addr, client(t)
	}
	visitor = authority.Client()
	visitor.CheckRedirect = client(t).CheckRedirect
	t.Cleanup(visitor.CloseIdleConnections)
	return "https://" + addr, visitor
}

// tap passes connections on to the site, and shows what it was sent, in lower
// case, as proxies differ in that.
type tap struct {
	addr string
	mu   sync.Mutex
	more sync.Cond
	sent []byte
}

func newTap(t *testing.T, site string) *tap {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	tapped := &tap{addr: listener.Addr().String()}
	tapped.more.L = &tapped.mu
	var passing sync.WaitGroup
	passing.Go(func() {
		for {
			from, err := listener.Accept()
			if err != nil {
				return // the test is over
			}
			to, err := new(net.Dialer).DialContext(t.Context(), "tcp", site)
			if err != nil {
				_ = from.Close()
				continue
			}
			closeBoth := sync.OnceFunc(func() { _ = errors.Join(from.Close(), to.Close()) })
			stop := context.AfterFunc(t.Context(), closeBoth)
			passing.Go(func() { _, _ = io.Copy(to, io.TeeReader(from, tapped)); closeBoth() })
			passing.Go(func() { _, _ = io.Copy(from, to); closeBoth(); stop() })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		passing.Wait()
	})
	return tapped
}

func (s *tap) Write(piece []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sent = append(s.sent, bytes.ToLower(piece)...)
	s.more.Broadcast()
	return len(piece), nil
}

// await waits until the site was sent all the texts.
func (s *tap) await(t *testing.T, texts ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	defer context.AfterFunc(ctx, func() { _, _ = s.Write(nil) })() // wakes it
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, text := range texts {
		for !bytes.Contains(s.sent, []byte(text)) {
			if ctx.Err() != nil {
				t.Fatalf("the site was not sent %q", text)
			}
			s.more.Wait()
		}
	}
}

// Pieces of a page get through a proxy as the program sends them: one that is
// as installed, one that compresses, and those that the examples set up.
func TestPagesStreamThroughProxies(t *testing.T) {
	for name, proxy := range proxies() {
		t.Run(name, func(t *testing.T) {
			p, promo, recco := slowly(t)
			url, visitor := proxy.start(t, strings.TrimPrefix(p.url, "http://"))
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
			if err != nil {
				t.Fatal(err)
			}
			if proxy.gzip {
				request.Header.Set("Accept-Encoding", "gzip")
			}
			response, err := visitor.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			body := io.Reader(response.Body)
			if proxy.gzip {
				if body, err = gzip.NewReader(body); err != nil {
					t.Fatal(err)
				}
			}
			if proxy.file != "" && response.ProtoMajor != 2 {
				t.Errorf("the proxy speaks %s, want HTTP/2", response.Proto)
			}
			readUntil(t, body, "The offer is on its way…")
			recco.open()
			readUntil(t, body, "A book on cake")
			promo.open()
			readUntil(t, body, "Cake on Friday")
			readUntil(t, body, "</html>")
		})
	}
}

// The examples pass an upload on while it comes, however large it is, and say
// whose it is.
func TestUploadsStreamThroughProxies(t *testing.T) {
	const half = 3 << 20 // more than nginx takes of a body by default
	for name, proxy := range proxies() {
		if proxy.file == "" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			p := start(t, nil)
			site := newTap(t, strings.TrimPrefix(p.url, "http://"))
			url, visitor := proxy.start(t, site.addr)
			if proxy.program == "haproxy" {
				site.await(t, "get /readyz ")
			}

			content := bytes.Repeat([]byte("0123456789abcdef"), 2*half/16)
			copy(content[half/2:], "so far so good")
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			pause, goOn := context.WithCancel(ctx)
			request, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/upload", io.MultiReader(
				strings.NewReader("--b\r\nContent-Disposition: form-data; name=file; filename=slow.txt\r\n\r\n"),
				bytes.NewReader(content[:half]),
				endsAfter(pause.Done()),
				bytes.NewReader(content[half:]),
				strings.NewReader("\r\n--b--\r\n"),
			))
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set("Content-Type", "multipart/form-data; boundary=b")
			request.Header.Set("Origin", url) // which the program compares with Host
			answered := make(chan int, 1)
			go func() {
				defer close(answered)
				response, err := visitor.Do(request)
				if err != nil {
					t.Error(err)
					return
				}
				_ = response.Body.Close()
				answered <- response.StatusCode
			}()
			defer func() { cancel(); <-answered }()
			site.await(t, "post /upload ", "x-forwarded-for: 127.0.0.1\r\n", "so far so good")
			goOn()
			if status := <-answered; status != http.StatusSeeOther {
				t.Errorf("the upload was answered with %d, want 303", status)
			}
			checkStored(t, p, "slow.txt", content)
		})
	}
}

// endsAfter is an empty reader that ends once the channel is closed.
type endsAfter <-chan struct{}

func (e endsAfter) Read([]byte) (int, error) {
	<-e
	return 0, io.EOF
}
