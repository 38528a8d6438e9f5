package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// TestMain lets the test binary be the program itself, for spawnSelf.
func TestMain(m *testing.M) {
	if os.Getenv("TEST_BE_HOMEPAGE") == "1" {
		main()
		return
	}
	goleak.VerifyTestMain(sharing{m})
}

// sharing runs the tests, and then ends what they share.
type sharing struct{ *testing.M }

func (m sharing) Run() (code int) {
	code = m.M.Run()
	for _, end := range shared.ends {
		if err := end(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	return code
}

var shared struct {
	mu   sync.Mutex
	ends []func() error
}

// atEnd calls the function when all tests are over.
func atEnd(end func() error) {
	shared.mu.Lock()
	defer shared.mu.Unlock()
	shared.ends = append(shared.ends, end)
}

// executable is the path of the program as users run it, which make builds in the
// same way. It has no race detector, which takes memory and time of its own.
var executable = sync.OnceValues(func() (string, error) {
	folder, err := os.MkdirTemp("", "homepage-test")
	if err != nil {
		return "", err
	}
	atEnd(func() error { return os.RemoveAll(folder) })
	file := filepath.Join(folder, "homepage")
	build := exec.Command("go", "build", "-ldflags=-s -w", "-o", file, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return file, nil
})

// program is a running program.
type program struct {
	url     string
	folder  string // of its uploads
	lines   <-chan map[string]any
	hangups chan<- os.Signal
	metrics string       // where its metrics are, if anywhere
	stop    func() error // drains it and returns what run returned
}

// start runs the program on a free port, with an upload folder of its own and
// the given variables.
func start(t *testing.T, variables map[string]string) *program {
	t.Helper()
	folder := t.TempDir()
	all := map[string]string{"ADDR": "127.0.0.1:0", "UPLOADS": folder, "SHUTDOWN_TIMEOUT": "10s"}
	maps.Copy(all, variables)
	ctx, cancel := context.WithCancel(t.Context())
	read, write := io.Pipe()
	ended, hangups := make(chan error, 1), make(chan os.Signal, 1)
	go func() {
		err := run(ctx, &orders{hangups: hangups}, nil, env(all), io.Discard, write)
		_ = write.Close()
		ended <- err
	}()
	p := &program{folder: folder, lines: logLines(t, read), hangups: hangups}
	stopped := false
	p.stop = func() error {
		stopped = true
		cancel()
		return <-ended
	}
	t.Cleanup(func() {
		if !stopped {
			if err := p.stop(); err != nil {
				t.Error(err)
			}
		}
	})
	line := p.await(t, "listening")
	p.url, p.metrics = fmt.Sprint(line["url"]), fmt.Sprint(line["metrics"])
	return p
}

// logLines reads JSON lines until the log ends. Nobody has to take them.
func logLines(t *testing.T, log io.Reader) <-chan map[string]any {
	t.Helper()
	lines := make(chan map[string]any, 1000)
	go func() {
		defer close(lines)
		scanner := bufio.NewScanner(log)
		for scanner.Scan() {
			var line map[string]any
			if err := json.Unmarshal(scanner.Bytes(), &line); err != nil {
				line = map[string]any{"msg": scanner.Text()}
			}
			select {
			case lines <- line:
			default:
			}
		}
	}()
	return lines
}

// await returns the next log line with the message.
func (p *program) await(t *testing.T, message string) map[string]any {
	t.Helper()
	for line := range p.lines {
		if line["msg"] == message {
			return line
		}
	}
	t.Fatalf("the program ended without logging %q", message)
	return nil
}

// client keeps no connections, so that none outlives its test.
func client(t *testing.T) *http.Client {
	t.Helper()
	return &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func get(t *testing.T, url string) (status int, body string) {
	t.Helper()
	response, err := client(t).Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(content)
}

func TestItRunsWithoutSettings(t *testing.T) {
	p := start(t, nil)
	status, page := get(t, p.url+"/")
	if status != http.StatusOK {
		t.Errorf("status %d", status)
	}
	for _, want := range []string{"The Winter Reading Challenge", "Frankenstein", `href="/certificate"`, `href="/upload"`, "</html>"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	for _, match := range regexp.MustCompile(`(?:src|href)="(/static/[^"]+)"`).FindAllStringSubmatch(page, -1) {
		if status, _ := get(t, p.url+match[1]); status != http.StatusOK {
			t.Errorf("%s: status %d", match[1], status)
		}
	}
}

// The homepage against real services that are programs of their own to it.
func TestServicesElsewhere(t *testing.T) {
	var running, most atomic.Int32
	answer := func(body string) *httptest.Server {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			now := running.Add(1)
			defer running.Add(-1)
			for seen := most.Load(); now > seen && !most.CompareAndSwap(seen, now); seen = most.Load() {
			}
			_, _ = io.WriteString(w, body)
		}))
		t.Cleanup(server.Close)
		return server
	}
	promo := answer(`{"title":"Cake on Friday"}`)
	recco := answer(`{"items":[{"title":"A book on cake"}]}`)
	refusing := httptest.NewServer(nil)
	refusing.Close()

	for _, test := range []struct {
		name          string
		promo, recco  string
		want, wantNot []string
		failed        string // the URL that the log names
	}{
		{"both", promo.URL, recco.URL, []string{"Cake on Friday", "A book on cake"}, []string{"could not fetch"}, ""},
		{"promo down", refusing.URL, recco.URL, []string{"could not fetch it just now", "A book on cake"}, nil, refusing.URL},
		{"recommendations down", promo.URL, refusing.URL, []string{"Cake on Friday", "could not fetch your recommendations"}, nil, refusing.URL},
		{"only promo given", promo.URL, "", []string{"Cake on Friday", "Frankenstein"}, nil, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := start(t, map[string]string{"PROMO_SERVICE_URL": test.promo, "RECCO_SERVICE_URL": test.recco})
			status, page := get(t, p.url+"/")
			if status != http.StatusOK {
				t.Errorf("status %d, want 200 whatever the services do", status)
			}
			for _, want := range test.want {
				if !strings.Contains(page, want) {
					t.Errorf("the page lacks %q", want)
				}
			}
			for _, wantNot := range test.wantNot {
				if strings.Contains(page, wantNot) {
					t.Errorf("the page says %q", wantNot)
				}
			}
			if test.failed != "" {
				if line := p.await(t, "section failed"); !strings.Contains(fmt.Sprint(line["err"]), test.failed) {
					t.Errorf("log line %v does not name %s", line, test.failed)
				}
			}
		})
	}

	t.Run("one after the other", func(t *testing.T) {
		most.Store(0)
		p := start(t, map[string]string{"PROMO_SERVICE_URL": promo.URL, "RECCO_SERVICE_URL": recco.URL, "HOMEPAGE_CONCURRENCY": "1"})
		for range 20 {
			get(t, p.url+"/")
		}
		if got := most.Load(); got != 1 {
			t.Errorf("%d services were called at once, want 1", got)
		}
	})

	// Each service answers only when the other has been called too.
	t.Run("together", func(t *testing.T) {
		met := make(chan struct{})
		meet := func(w http.ResponseWriter, r *http.Request) {
			select {
			case met <- struct{}{}:
			case <-met:
			case <-r.Context().Done():
			}
			_, _ = io.WriteString(w, "{}")
		}
		a, b := httptest.NewServer(http.HandlerFunc(meet)), httptest.NewServer(http.HandlerFunc(meet))
		defer a.Close()
		defer b.Close()
		p := start(t, map[string]string{"PROMO_SERVICE_URL": a.URL, "RECCO_SERVICE_URL": b.URL})
		if _, page := get(t, p.url+"/"); strings.Contains(page, "could not fetch") {
			t.Error("the services were not called at once")
		}
	})
}

// checkCertificate reads a certificate as its reader's programs will.
func checkCertificate(t *testing.T, file string) (stamp time.Time) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), "qpdf", "--check", file).CombinedOutput(); err != nil {
		t.Errorf("qpdf --check: %v\n%s", err, out)
	}
	text, err := exec.CommandContext(t.Context(), "pdftotext", file, "-").CombinedOutput()
	if err != nil {
		t.Fatalf("pdftotext: %v\n%s", err, text)
	}
	stamps := regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}[+-]\d\d:\d\d`).FindAllString(string(text), -1)
	// The footnote explains a time as an example.
	stamps = slices.DeleteFunc(stamps, func(stamp string) bool { return stamp == "2026-12-31T23:48:59.607000+01:00" })
	if len(stamps) != 1 || bytes.Contains(text, []byte("%timestamp%")) {
		t.Fatalf("the text shows the stamps %v, want one and no placeholder:\n%s", stamps, text)
	}
	stamp, err = time.Parse(time.RFC3339Nano, stamps[0])
	if err != nil {
		t.Fatal(err)
	}
	return stamp
}

func TestCertificate(t *testing.T) {
	for _, test := range []struct{ zone, offset string }{{"", "+00:00"}, {"Asia/Kathmandu", "+05:45"}, {"America/Phoenix", "-07:00"}} {
		t.Run(test.offset, func(t *testing.T) {
			p := start(t, map[string]string{"CERTIFICATE_TIMEZONE": test.zone})
			before := time.Now().Truncate(time.Microsecond)
			_, body := get(t, p.url+"/certificate")
			after := time.Now()
			file := filepath.Join(t.TempDir(), "certificate.pdf")
			if err := os.WriteFile(file, []byte(body), 0o600); err != nil {
				t.Fatal(err)
			}
			stamp := checkCertificate(t, file)
			if stamp.Before(before) || stamp.After(after) {
				t.Errorf("stamped %v, want between %v and %v", stamp, before, after)
			}
			if got := stamp.Format("-07:00"); got != test.offset {
				t.Errorf("offset %s, want %s", got, test.offset)
			}
		})
	}
}

// What can't work stops the start with the setting and the reason.
func TestItRefusesToStart(t *testing.T) {
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	file := filepath.Join(t.TempDir(), "plain.txt")
	if err := os.WriteFile(file, []byte("no PDF"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, variable, value string
		wants                 []string
	}{
		{"a port that is taken", "ADDR", taken.Addr().String(), []string{"ADDR", taken.Addr().String(), "address already in use"}},
		{"a template that is missing", "CERTIFICATE_TEMPLATE", file + ".pdf", []string{"CERTIFICATE_TEMPLATE", file + ".pdf", "no such file"}},
		{"a template that is no PDF", "CERTIFICATE_TEMPLATE", file, []string{"CERTIFICATE_TEMPLATE", file, "no PDF"}},
		{"an upload folder that is a file", "UPLOADS", file, []string{"UPLOADS", file, "not a directory"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			variables := map[string]string{"ADDR": "127.0.0.1:0", "UPLOADS": t.TempDir()}
			variables[test.variable] = test.value
			var stderr bytes.Buffer
			err := run(t.Context(), new(orders), nil, env(variables), io.Discard, &stderr)
			if got := exitStatus(err, &stderr); got != 1 {
				t.Errorf("exit status %d, want 1", got)
			}
			for _, want := range test.wants {
				if !strings.Contains(stderr.String(), want) {
					t.Errorf("%q does not say %q", stderr.String(), want)
				}
			}
			if strings.Contains(stderr.String(), "listening") {
				t.Error("it says that it listens")
			}
		})
	}
}

// slowUpload is a form that is sent half, and the rest on finish.
type slowUpload struct {
	name string // by the digest of its content, see checkKept
	conn net.Conn
	rest []byte
}

// startUpload returns when the program is receiving the upload: it has asked
// for the body.
func startUpload(t *testing.T, url string) *slowUpload {
	t.Helper()
	body := new(bytes.Buffer)
	writer := multipart.NewWriter(body)
	const begin, rest = "slow ", "but whole"
	name := digest([]byte(begin+rest)) + ".txt"
	part, err := writer.CreateFormFile("file", name)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(part, begin)
	half := body.Len()
	fmt.Fprint(part, rest)
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	fmt.Fprintf(conn, "POST /upload HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n", writer.FormDataContentType(), body.Len())
	const goOn = "HTTP/1.1 100 Continue\r\n\r\n"
	got := make([]byte, len(goOn))
	if _, err := io.ReadFull(conn, got); err != nil || string(got) != goOn {
		t.Fatalf("%q and %v, want the program to ask for the body", got, err)
	}
	if _, err := conn.Write(body.Next(half)); err != nil {
		t.Fatal(err)
	}
	return &slowUpload{name, conn, body.Bytes()}
}

// finish sends the rest and returns the first line of the answer.
func (u *slowUpload) finish(t *testing.T) string {
	t.Helper()
	line, err := u.end()
	if err != nil {
		t.Fatal(err)
	}
	return line
}

func (u *slowUpload) end() (string, error) {
	if _, err := u.conn.Write(u.rest); err != nil {
		return "", err
	}
	return bufio.NewReader(u.conn).ReadString('\n')
}

func TestDrain(t *testing.T) {
	p := start(t, nil)
	slow := startUpload(t, p.url)
	if status, _ := get(t, p.url+"/readyz"); status != http.StatusOK {
		t.Errorf("/readyz is %d, want 200", status)
	}
	ended := make(chan error)
	go func() { ended <- p.stop() }()
	p.await(t, "draining")

	for path, want := range map[string]int{"/readyz": 503, "/healthz": 200, "/": 200} {
		if status, _ := get(t, p.url+path); status != want {
			t.Errorf("%s is %d while draining, want %d", path, status, want)
		}
	}
	keeping := &http.Client{Transport: &http.Transport{}}
	response, err := keeping.Post(p.url+"/upload", "multipart/form-data; boundary=b", strings.NewReader("--b--"))
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("a new upload while draining got %d, want 503", response.StatusCode)
	}
	if !response.Close {
		t.Error("a connection is kept alive while draining")
	}

	if got := slow.finish(t); !strings.Contains(got, " 303 ") {
		t.Errorf("the running upload ended with %q, want a 303", got)
	}
	if err := <-ended; err != nil {
		t.Errorf("run returned %v", err)
	}
	if got, err := os.ReadFile(filepath.Join(p.folder, slow.name)); err != nil || string(got) != "slow but whole" {
		t.Errorf("stored %q and %v", got, err)
	}
	p.await(t, "drained")
}

func TestDrainEndsInTime(t *testing.T) {
	p := start(t, map[string]string{"SHUTDOWN_TIMEOUT": "50ms"})
	startUpload(t, p.url)
	if err := p.stop(); err != nil {
		t.Errorf("run returned %v", err)
	}
	if line := p.await(t, "requests cut off; SHUTDOWN_TIMEOUT was too short for them"); line["level"] != "WARN" {
		t.Errorf("log line %v", line)
	}
}

// spawn runs the program as a process of its own, with the given variables.
func spawn(t *testing.T, folder string, variables ...string) (*exec.Cmd, *program) {
	t.Helper()
	file, err := executable()
	if err != nil {
		t.Fatal(err)
	}
	return spawnFile(t, file, folder, variables...)
}

// spawnSelf is spawn with the race detector, if the tests have it: a program
// that it complains of exits with a status of its own.
func spawnSelf(t *testing.T, folder string) (*exec.Cmd, *program) {
	t.Helper()
	return spawnFile(t, os.Args[0], folder, "TEST_BE_HOMEPAGE=1")
}

// kill ends a process as a crash would.
func kill(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // says that it was killed
}

func spawnFile(t *testing.T, file, folder string, variables ...string) (*exec.Cmd, *program) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), file)
	cmd.Env = slices.Concat(os.Environ(), []string{"ADDR=127.0.0.1:0", "UPLOADS=" + folder}, variables)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &program{folder: folder, lines: logLines(t, stderr)}
	p.url = fmt.Sprint(p.await(t, "listening")["url"])
	return cmd, p
}

func TestSignals(t *testing.T) {
	t.Parallel() // as the race detector lets each program end a second late
	signal := func(t *testing.T, cmd *exec.Cmd) {
		t.Helper()
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
	}
	wait := func(t *testing.T, cmd *exec.Cmd, p *program) (lastWords []any) {
		t.Helper()
		for line := range p.lines { // until its end, as Wait closes the pipe
			lastWords = append(lastWords, line["msg"])
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("the program ended with %v, want exit status 0", err)
		}
		return lastWords
	}

	t.Run("SIGTERM with nothing running", func(t *testing.T) {
		t.Parallel()
		cmd, p := spawnSelf(t, t.TempDir())
		signal(t, cmd)
		wait(t, cmd, p)
	})
	t.Run("SIGTERM amid an upload", func(t *testing.T) {
		t.Parallel()
		cmd, p := spawnSelf(t, t.TempDir())
		slow := startUpload(t, p.url)
		signal(t, cmd)
		p.await(t, "draining")
		if got := slow.finish(t); !strings.Contains(got, " 303 ") {
			t.Errorf("the upload ended with %q, want a 303", got)
		}
		wait(t, cmd, p)
	})
	t.Run("a second SIGTERM stops at once", func(t *testing.T) {
		t.Parallel()
		cmd, p := spawnSelf(t, t.TempDir())
		slow := startUpload(t, p.url)
		signal(t, cmd)
		p.await(t, "draining")
		signal(t, cmd)
		if got := wait(t, cmd, p); len(got) > 0 {
			t.Errorf("after the second signal it still said %v", got)
		}
		if _, err := os.Stat(filepath.Join(p.folder, slow.name)); err == nil {
			t.Error("half an upload is visible")
		}
	})
}
