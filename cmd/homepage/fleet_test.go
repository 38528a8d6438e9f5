package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// fleet is three replicas, each a process, behind HAProxy as the example in
// deploy/fleet sets it up.
type fleet struct {
	url       string // the balancer's
	variables []string
	replicas  map[string]*replica // by their names in the example
	balancer  *program
	store     sharedStore
}

type replica struct {
	addr string
	cmd  *exec.Cmd
	*program
}

func replicaNames() []string { return []string{"one", "two", "three"} }

// startFleet runs the replicas with the variables.
func startFleet(t *testing.T, store sharedStore, variables ...string) *fleet {
	t.Helper()
	haproxy := findProxy(t, "haproxy")
	f := &fleet{variables: append(store.variables, variables...), replicas: map[string]*replica{}, store: store}
	t.Cleanup(func() {
		for _, r := range f.replicas {
			kill(t, r.cmd)
		}
	})
	edits := []string{"inter 2s fall 2 rise 1", "inter 200ms fall 2 rise 1"}
	for i, name := range replicaNames() {
		f.start(t, name, "127.0.0.1:0")
		edits = append(edits, fmt.Sprintf("172.30.0.%d:8000", 11+i), f.replicas[name].addr)
	}
	addr := freeAddr(t)
	f.url = "http://" + addr
	edits = append(edits, "bind :8080", "bind "+addr)
	example := deployed(t, "fleet/haproxy.cfg")
	for i := 0; i < len(edits); i += 2 {
		if !strings.Contains(example, edits[i]) {
			t.Fatalf("fleet/haproxy.cfg lacks %q", edits[i])
		}
	}
	config := write(t, "haproxy.cfg", []byte(strings.NewReplacer(edits...).Replace(example)))
	cmd := exec.CommandContext(t.Context(), haproxy, "-db", "-f", config)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	f.balancer = &program{lines: logLines(t, stderr)}
	t.Cleanup(func() { kill(t, cmd) })
	for { // until it listens, which it does not say
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", addr)
		if err == nil {
			_ = conn.Close()
			return f
		}
		if t.Context().Err() != nil {
			t.Fatal(err)
		}
	}
}

// start runs the replica, at the address that the balancer knows it by.
func (f *fleet) start(t *testing.T, name, addr string) {
	t.Helper()
	file, err := executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd, p := spawnFile(t, file, "", append([]string{"ADDR=" + addr}, f.variables...)...)
	f.replicas[name] = &replica{strings.TrimPrefix(p.url, "http://"), cmd, p}
}

// sees waits until the balancer has seen that a replica is UP, or DOWN.
func (f *fleet) sees(t *testing.T, name, state string) {
	t.Helper()
	f.hears(t, "Server homepage/"+name+" is "+state)
}

// hears waits until the balancer says something.
func (f *fleet) hears(t *testing.T, words string) {
	t.Helper()
	late := time.After(20 * time.Second)
	for {
		select {
		case line, ok := <-f.balancer.lines:
			if !ok {
				t.Fatal("the balancer ended")
			}
			if strings.Contains(fmt.Sprint(line["msg"]), words) {
				return
			}
		case <-late:
			t.Fatalf("the balancer did not say %q", words)
		}
	}
}

// restart does what a rollout does: SIGTERM, its end, a new start, and on with
// the next one when the balancer knows that it is there.
func (f *fleet) restart(t *testing.T, name string) {
	t.Helper()
	old := f.replicas[name]
	terminate(t, old.cmd)
	wantEnd(t, old.cmd, old.program)
	f.start(t, name, old.addr)
	f.sees(t, name, "UP")
}

// oneConn keeps one connection at a time. Unlike http.Transport it never sends a
// request again that failed.
type oneConn struct {
	addr   string
	conn   net.Conn
	reader *bufio.Reader
}

func (c *oneConn) RoundTrip(r *http.Request) (*http.Response, error) {
	if c.conn == nil {
		conn, err := new(net.Dialer).DialContext(r.Context(), "tcp", c.addr)
		if err != nil {
			return nil, err
		}
		c.conn, c.reader = conn, bufio.NewReader(conn)
	}
	response, err := c.ask(r)
	if err != nil || response.Close {
		c.close()
	}
	return response, err
}

// ask returns an answer whose body is here.
func (c *oneConn) ask(r *http.Request) (*http.Response, error) {
	if err := r.Write(c.conn); err != nil {
		return nil, err
	}
	response, err := http.ReadResponse(c.reader, r)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	response.Body = io.NopCloser(bytes.NewReader(content))
	return response, err
}

func (c *oneConn) close() {
	if c.conn != nil {
		_ = c.conn.Close()
		c.conn = nil
	}
}

// get returns the body of a 200.
func (c *oneConn) get(ctx context.Context, url string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	response, err := c.RoundTrip(request)
	if err != nil {
		return "", err
	}
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = errors.New(response.Status)
	}
	return string(body), err
}

// failure is a request that failed.
type failure struct {
	visitor      string
	began, ended time.Time
	err          error
}

// crowd is visitors who come again and again, each over a connection of their
// own.
type crowd struct {
	fleet *fleet
	kinds []visitorKind
	leave context.CancelFunc
	gone  sync.WaitGroup
	busy  chan struct{} // closed once there is load

	goneOn atomic.Int64 // uploads in parts that were finished after a failure

	mu           sync.Mutex
	asked        map[string]int // by the kind of visitor
	failures     []failure
	acknowledged map[string]string // digests by name
	found        map[string]string // the same, of what is in the store at the end
}

// visitorKind is visitors who ask for one thing.
type visitorKind struct {
	name  string
	count int
	pause time.Duration
	come  func(c *crowd) (ask func(*oneConn) error)
}

// readers ask for homepages and certificates, and check how old the page is that
// they see.
func readers(services *datedServices) []visitorKind {
	return []visitorKind{
		{"homepage", 4, 10 * time.Millisecond, func(c *crowd) func(*oneConn) error {
			return func(conn *oneConn) error {
				began := time.Now()
				page, err := conn.get(context.Background(), c.fleet.url+"/")
				if err != nil {
					return err
				}
				return services.check(page, began)
			}
		}},
		{"certificate", 2, 10 * time.Millisecond, func(c *crowd) func(*oneConn) error {
			return func(conn *oneConn) error {
				pdf, err := conn.get(context.Background(), c.fleet.url+"/certificate")
				if err == nil && (!strings.HasPrefix(pdf, "%PDF-") || !strings.HasSuffix(strings.TrimSpace(pdf), "%%EOF")) {
					err = errors.New("the certificate is not whole")
				}
				return err
			}
		}},
	}
}

// senders upload files of up to so many bytes, in forms and in parts.
func senders(most int) []visitorKind {
	return []visitorKind{
		{"upload", 2, 50 * time.Millisecond, func(c *crowd) func(*oneConn) error {
			return func(conn *oneConn) error {
				receipts, err := sendSized(conn, c.fleet.url, rand.New(rand.NewPCG(rand.Uint64(), 0)), most)
				if err == nil && len(receipts) == 0 {
					err = errors.New("the upload was refused")
				}
				c.keep(receipts...)
				return err
			}
		}},
		{"upload in parts", 2, 50 * time.Millisecond, func(c *crowd) func(*oneConn) error {
			return c.sendInParts(most)
		}},
	}
}

// visit lets them come until they leave.
func (f *fleet) visit(t *testing.T, kinds ...visitorKind) *crowd {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	c := &crowd{fleet: f, kinds: kinds, leave: cancel, busy: make(chan struct{}), asked: map[string]int{}, acknowledged: map[string]string{}}
	for _, kind := range kinds {
		for i := range kind.count {
			c.gone.Go(func() {
				conn, ask := &oneConn{addr: strings.TrimPrefix(f.url, "http://")}, kind.come(c)
				defer conn.close()
				pace := time.NewTicker(kind.pause)
				defer pace.Stop()
				for ctx.Err() == nil {
					began := time.Now()
					err := ask(conn)
					c.note(kind.name, failure{fmt.Sprint(kind.name, " ", i), began, time.Now(), err})
					select {
					case <-pace.C:
					case <-ctx.Done():
					}
				}
			})
		}
	}
	t.Cleanup(func() { c.leave(); c.gone.Wait() })
	return c
}

// sendInParts sends a file in three requests, which the balancer may give to three
// replicas. If one fails, the next visit goes on with the file.
func (c *crowd) sendInParts(most int) func(*oneConn) error {
	var cut *resumed
	return func(conn *oneConn) error {
		var err error
		u := cut
		if u != nil {
			err = u.ask(conn, c.fleet.url)
		} else {
			u = newResumed(most)
			if err = u.begin(conn, c.fleet.url); err == nil {
				err = u.add(conn, c.fleet.url, len(u.content)/2)
			}
		}
		var stored receipt
		if err == nil {
			stored, err = u.goOn(conn, c.fleet.url, u.rest())
		}
		switch {
		case err == nil:
			c.keep(stored)
			if cut != nil {
				c.goneOn.Add(1)
			}
			cut = nil
		case u.address != "":
			cut = u
		}
		return err
	}
}

// keep notes what was acknowledged.
func (c *crowd) keep(receipts ...receipt) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range receipts {
		c.acknowledged[r.Name] = r.SHA256
	}
}

// note counts a request.
func (c *crowd) note(kind string, f failure) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked[kind]++
	if kind == "homepage" && c.asked[kind] == 100 {
		close(c.busy)
	}
	if f.err != nil {
		c.failures = append(c.failures, f)
	}
}

// end waits for all visitors, and returns what failed of all that they asked.
// What was acknowledged is in the store, and nothing there is not whole.
func (c *crowd) end(t *testing.T) []failure {
	t.Helper()
	c.leave()
	c.gone.Wait()
	c.found = c.fleet.store.stored(t)
	checkKept(t, c.found, c.acknowledged)
	t.Logf("asked: %v; failed: %d", c.asked, len(c.failures))
	for _, kind := range c.kinds {
		if c.asked[kind.name] < 5 {
			t.Errorf("%d requests of the kind %s are no load", c.asked[kind.name], kind.name)
		}
	}
	return c.failures
}

// datedServices are services whose answers say when they were made, and may be
// kept for a second.
type datedServices struct{ variables []string }

const datedLifetime = time.Second

func startDatedServices(t *testing.T) *datedServices {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "max-age=1")
		fmt.Fprintf(w, `{"title":"made-%d.","items":[{"title":"A book"}]}`, time.Now().UnixMilli())
	}))
	t.Cleanup(server.Close)
	return &datedServices{[]string{"PROMO_SERVICE_URL=" + server.URL + "/promo", "RECCO_SERVICE_URL=" + server.URL + "/recommendations"}}
}

// check finds out whether a page that was asked for at a time is whole, and not
// older than the services allow, whichever replica it comes from. So of two pages
// one after the other the second is at most a lifetime behind the first.
func (*datedServices) check(page string, began time.Time) error {
	made := regexp.MustCompile(`made-(\d+)\.`).FindStringSubmatch(page)
	if made == nil || !strings.Contains(page, "A book") || !strings.HasSuffix(page, "</html>\n") {
		return errors.New("the page is not whole")
	}
	ms, err := strconv.ParseInt(made[1], 10, 64)
	if err != nil {
		return err
	}
	if age := began.Sub(time.UnixMilli(ms)); age > datedLifetime {
		return fmt.Errorf("the page is %v old", age)
	}
	return nil
}

// All replicas are restarted, one after the other, under load, and no request
// fails: the visitors notice nothing. FLEET_ROUNDS says how often.
func TestARollingRestart(t *testing.T) {
	t.Parallel() // as it waits for the balancer
	rounds := 1
	if set := os.Getenv("FLEET_ROUNDS"); set != "" {
		var err error
		if rounds, err = strconv.Atoi(set); err != nil {
			t.Fatal(err)
		}
	}
	for name, shared := range map[string]func(*testing.T) sharedStore{"folder": sharedFolder, "object store": sharedNewBucket} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			services := startDatedServices(t)
			f := startFleet(t, shared(t), append(services.variables, "SHUTDOWN_DELAY=2s")...)
			visitors := f.visit(t, slices.Concat(readers(services), senders(256<<10))...)
			for range rounds {
				for _, name := range replicaNames() {
					f.restart(t, name)
				}
			}
			for _, failed := range visitors.end(t) {
				t.Errorf("%s: %v", failed.visitor, failed.err)
			}
		})
	}
}

// Of a replica that is killed, the requests that it has are lost, and no others:
// whoever comes after its end is served by another one.
func TestAKilledReplica(t *testing.T) {
	t.Parallel() // as it waits for the balancer
	services := startDatedServices(t)
	f := startFleet(t, sharedNewBucket(t), services.variables...)
	held := []*slowUpload{startUpload(t, f.url), startUpload(t, f.url), startUpload(t, f.url)} // one on each
	visitors := f.visit(t, slices.Concat(readers(services), senders(256<<10))...)
	<-visitors.busy
	kill(t, f.replicas["two"].cmd)
	gone := time.Now()
	f.sees(t, "two", "DOWN")
	f.start(t, "two", f.replicas["two"].addr)
	f.sees(t, "two", "UP")

	answers := map[string]int{}
	for _, upload := range held {
		line, _ := upload.end()
		answers[line]++
	}
	if answers["HTTP/1.1 303 See Other\r\n"] != 2 {
		t.Errorf("three uploads that ran, one on each replica, ended with %v; want two stored", answers)
	}
	failures := visitors.end(t)
	for _, failed := range failures {
		if failed.began.After(gone) {
			t.Errorf("%s came %v after the end: %v", failed.visitor, failed.began.Sub(gone), failed.err)
		}
	}
}
