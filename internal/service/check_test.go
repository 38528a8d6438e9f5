package service_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"homepage/internal/service"
)

func TestCheck(t *testing.T) {
	dns, resolver := startNameServer(t)
	client, log := newClient(t, service.Options{Resolver: resolver})
	check := func(url, want string) {
		t.Helper()
		before := len(log.String())
		client.Check(t.Context(), at(t, url))
		if got := log.String()[before:]; strings.Count(got, "\n") > 1 || (got == "") != (want == "") || !strings.Contains(got, want) || strings.Contains(got, "secret") {
			t.Errorf("%s: log %q, want %q", url, got, want)
		}
	}
	check("http://promo.test/?key=secret", `level=WARN msg="the service's name can't be looked up`)
	check("http://127.0.0.1:1/", "")
	check("http://[::1]:1/", "")
	dns.set("127.0.0.1")
	check("http://promo.test/", "")
}

// A name server that says nothing holds the check no longer than a call.
func TestCheckEnds(t *testing.T) {
	_, resolver := startNameServer(t, dnsmessage.TypeA, dnsmessage.TypeAAAA)
	client, log := newClient(t, service.Options{Resolver: resolver, Timeout: 50 * time.Millisecond})
	client.Check(t.Context(), at(t, "http://promo.test/"))
	if got := log.String(); !strings.Contains(got, "can't be looked up") {
		t.Errorf("log %q, want a warning", got)
	}
}

// A scratch container has no certificate authorities. A process reads them
// once, so that takes one of its own.
func TestCheckWithoutAuthorities(t *testing.T) {
	const variable = "HOMEPAGE_TEST_NO_AUTHORITIES"
	if os.Getenv(variable) != "" {
		client, log := newClient(t, service.Options{})
		client.Check(t.Context(), at(t, "http://127.0.0.1/"))
		if got := log.String(); got != "" {
			t.Errorf("log %q for http, want nothing", got)
		}
		client.Check(t.Context(), at(t, "https://127.0.0.1/"))
		if got := log.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "SSL_CERT_FILE") {
			t.Errorf("log %q, want SSL_CERT_FILE", got)
		}
		return
	}
	nowhere := t.TempDir()
	command := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
	command.Env = append(os.Environ(), variable+"=1", "SSL_CERT_FILE="+nowhere+"/none", "SSL_CERT_DIR="+nowhere)
	if output, err := command.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, output)
	}
}
