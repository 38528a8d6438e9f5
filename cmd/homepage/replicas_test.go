package main

import (
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"homepage/internal/upload/s3/s3test"
)

// What a visitor stored through one replica, another one says, and only once. It
// needs the key that the first one signed with.
func TestAMessageFromAnotherReplica(t *testing.T) {
	const key = "a key that all of the replicas have"
	for name, test := range map[string]struct {
		keys []string
		want bool
	}{
		"the same key":   {[]string{key, key}, true},
		"other keys":     {[]string{key, "another " + key}, false},
		"keys of chance": {[]string{"", ""}, false},
	} {
		t.Run(name, func(t *testing.T) {
			first := start(t, map[string]string{"COOKIE_KEY": test.keys[0]})
			second := start(t, map[string]string{"COOKIE_KEY": test.keys[1]})
			visitor := client(t)
			jar, err := cookiejar.New(nil) // which knows no ports: to it both are one site, as behind a balancer
			if err != nil {
				t.Fatal(err)
			}
			visitor.Jar = jar
			if response := sendFile(t, visitor, first.url, "notes.txt"); response.StatusCode != http.StatusSeeOther {
				t.Fatalf("the upload got %d", response.StatusCode)
			}
			for visit, want := range []bool{test.want, false} {
				response, err := visitor.Get(second.url + "/")
				if err != nil {
					t.Fatal(err)
				}
				page := readAnswer(t, response)
				if got := strings.Contains(page, "notes.txt"); got != want || response.StatusCode != http.StatusOK {
					t.Errorf("visit %d is %d and shows what was stored: %v; want %v", visit+1, response.StatusCode, got, want)
				}
			}
		})
	}
}

// Whoever runs the program behind a balancer, or over a store that replicas can
// share, is told that the key is missing.
func TestAMissingCookieKey(t *testing.T) {
	for _, test := range []struct {
		variables map[string]string
		want      bool
	}{
		{nil, false},
		{map[string]string{"SHUTDOWN_DELAY": "1ms"}, true},
		{storeVariables(s3test.Start(t).URL), true},
		{map[string]string{"SHUTDOWN_DELAY": "1ms", "COOKIE_KEY": "a key that all of the replicas have"}, false},
	} {
		p := start(t, test.variables)
		if err := p.stop(); err != nil {
			t.Error(err)
		}
		warned := false
		for line := range p.lines {
			warned = warned || line["level"] == "WARN" && strings.Contains(fmt.Sprint(line["msg"]), "COOKIE_KEY")
		}
		if warned != test.want {
			t.Errorf("%v: warned %v, want %v", test.variables, warned, test.want)
		}
	}
}

// A visitor who goes on asking over one connection, as through a balancer that
// passes connections on, is never cut off: they are asked to leave before the
// drain.
func TestADrainCutsNoVisitorOff(t *testing.T) {
	t.Parallel() // as it waits for the drain
	file, err := executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd, p := spawnFile(t, file, t.TempDir(), "SHUTDOWN_DELAY=2s")
	conn := &oneConn{addr: strings.TrimPrefix(p.url, "http://")}
	ask := func() {
		if page, err := conn.get(t.Context(), p.url+"/"); err != nil || !strings.HasSuffix(page, "</html>\n") {
			t.Fatalf("%d bytes and %v", len(page), err)
		}
	}
	ask()
	terminate(t, cmd)
	pace := time.NewTicker(10 * time.Millisecond)
	defer pace.Stop()
	for conn.conn != nil {
		ask()
		<-pace.C
	}
	p.await(t, "draining")
	wantEnd(t, cmd, p)
}

// While no replica can store anything, the balancer still shows pages.
func TestAFleetWithoutItsStore(t *testing.T) {
	t.Parallel() // as it waits for the balancer
	store := sharedFolder(t)
	f := startFleet(t, store)
	folder := strings.TrimPrefix(store.variables[0], "UPLOADS=")
	if err := os.Remove(folder); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"/", "/certificate"} {
		if status, _ := get(t, f.url+name); status != http.StatusOK {
			t.Errorf("%s is %d, want 200", name, status)
		}
	}
	f.hears(t, "backend 'homepage' has no server available!")
	for _, name := range []string{"/", "/certificate"} {
		if status, _ := get(t, f.url+name); status != http.StatusOK {
			t.Errorf("%s is %d when no replica is ready, want 200", name, status)
		}
	}
	if response := sendFile(t, client(t), f.url, "early.txt"); response.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("an upload got %d, want 503", response.StatusCode)
	}
}

// compose is what compose.yaml says, as far as it matters here.
type compose struct {
	Services map[string]struct {
		Image           string
		Environment     map[string]string
		StopGracePeriod time.Duration `yaml:"stop_grace_period"`
		Networks        map[string]struct {
			Address string `yaml:"ipv4_address"`
		}
	}
}

// The example of a fleet is one that both sides understand: the program its
// settings, HAProxy its file, and each knows the other.
func TestComposeFile(t *testing.T) {
	text := deployed(t, "fleet/compose.yaml")
	for _, secret := range []string{"${COOKIE_KEY:?is what all replicas sign cookies with}", "${STORE_SECRET:?is what opens the store}"} {
		if !strings.Contains(text, secret) {
			t.Errorf("compose.yaml lacks %q", secret)
		}
		text = strings.ReplaceAll(text, secret, strings.Repeat("secret", 6))
	}
	var file compose
	if err := yaml.Unmarshal([]byte(text), &file); err != nil {
		t.Fatal(err)
	}
	balancer := deployed(t, "fleet/haproxy.cfg")
	probes, err := time.ParseDuration(firstMatch(t, `check inter (\S+) fall 2 `, balancer))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range replicaNames() {
		replica := file.Services[name]
		var lines []string
		for variable, value := range replica.Environment {
			if !strings.HasPrefix(variable, "AWS_") { // the store's, as all its programs have them
				lines = append(lines, variable+"="+value)
			}
		}
		slices.Sort(lines)
		config := write(t, "homepage.conf", []byte(strings.Join(lines, "\n"))) // a name in it that is no setting is an error
		s, err := parseSettings(nil, env(map[string]string{"CONFIG": config}), nil)
		if err != nil {
			t.Fatal(err)
		}
		if len(s.CookieKey) == 0 || s.ShutdownDelay <= 2*probes || replica.StopGracePeriod <= s.ShutdownDelay+s.ShutdownTimeout {
			t.Errorf("%s has a key of %d bytes, leaves %v for two probes of %v each, and is killed after %v", name, len(s.CookieKey), s.ShutdownDelay, probes, replica.StopGracePeriod)
		}
		if got, want := replica.Environment["TRUSTED_PROXIES"], file.Services["balancer"].Networks["inside"].Address; got != want || want == "" {
			t.Errorf("%s trusts %q, and the balancer is %q", name, got, want)
		}
		for backend := range strings.SplitSeq(balancer, "\nbackend ") {
			if line := "server " + name + " " + replica.Networks["inside"].Address + s.Addr + "\n"; !strings.HasPrefix(backend, "#") && !strings.Contains(backend, line) {
				t.Errorf("a backend lacks %q:\n%s", line, backend)
			}
		}
	}
	if got := file.Services["one"].Environment["AWS_ENDPOINT_URL"]; !strings.HasPrefix(got, "http://"+file.Services["store"].Networks["inside"].Address+":") {
		t.Errorf("the replicas look for the store at %q", got)
	}
	haproxy := findProxy(t, "haproxy")
	if out, err := exec.CommandContext(t.Context(), haproxy, "-c", "-f", "deploy/fleet/haproxy.cfg").CombinedOutput(); err != nil {
		t.Errorf("haproxy -c: %v\n%s", err, out)
	}
}
