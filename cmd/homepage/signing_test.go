package main

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"homepage/internal/certificate/signature/testca"
)

// pair is a key and its chain in files, and the settings that name them.
type pair struct{ key, chain string }

func newPair(t *testing.T, ca *testca.CA, key crypto.Signer, change ...func(*x509.Certificate)) pair {
	t.Helper()
	return pair{
		testca.Write(t, "key.pem", testca.KeyPEM(t, key)),
		testca.Write(t, "chain.pem", testca.PEM(ca.Chain(t, key, change...)...)),
	}
}

func (p pair) settings() map[string]string {
	return map[string]string{"CERTIFICATE_SIGNING_KEY": p.key, "CERTIFICATE_SIGNING_CHAIN": p.chain}
}

// A pair that can't be used stops the start with the setting that is to blame.
func TestBadSigningSettings(t *testing.T) {
	ca := testca.New(t)
	good, other := newPair(t, ca, testca.P256(t)), newPair(t, ca, testca.P256(t))
	expired := newPair(t, ca, testca.P256(t), func(leaf *x509.Certificate) {
		leaf.NotBefore, leaf.NotAfter = time.Now().Add(-48*time.Hour), time.Now().Add(-24*time.Hour)
	})
	_, edwards, _ := ed25519.GenerateKey(rand.Reader)
	for _, test := range []struct {
		name   string
		pair   pair
		status int
		want   string
	}{
		{"no chain", pair{key: good.key}, 2, "CERTIFICATE_SIGNING_KEY is set and CERTIFICATE_SIGNING_CHAIN is not"},
		{"no key", pair{chain: good.chain}, 2, "CERTIFICATE_SIGNING_CHAIN is set and CERTIFICATE_SIGNING_KEY is not"},
		{"a key that is missing", pair{"/no/such/key", good.chain}, 1, "CERTIFICATE_SIGNING_KEY can't be used: open /no/such/key: no such file"},
		{"a chain that is missing", pair{good.key, "/no/such/chain"}, 1, "CERTIFICATE_SIGNING_CHAIN can't be used: open /no/such/chain: no such file"},
		{"each for the other", pair{good.chain, good.key}, 1, "CERTIFICATE_SIGNING_KEY can't be used: " + good.chain + ": there is a certificate where the key should be"},
		{"a weak key", newPair(t, ca, testca.RSA(t, 1024)), 1, "too weak"},
		{"a key of another kind", newPair(t, ca, edwards), 1, "CERTIFICATE_SIGNING_KEY can't be used"},
		{"another's key", pair{other.key, good.chain}, 1, "CERTIFICATE_SIGNING_KEY and CERTIFICATE_SIGNING_CHAIN can't be used together: the key does not belong"},
		{"expired", expired, 1, "CERTIFICATE_SIGNING_CHAIN can't be used: certificate 1"},
	} {
		settings := test.pair.settings()
		settings["ADDR"], settings["UPLOADS"] = "127.0.0.1:0", t.TempDir()
		var stderr bytes.Buffer
		err := run(t.Context(), new(orders), nil, env(settings), io.Discard, io.Discard)
		if status := exitStatus(err, &stderr); status != test.status || !strings.Contains(stderr.String(), test.want) {
			t.Errorf("%s: status %d, %q, want %d, %q", test.name, status, &stderr, test.status, test.want)
		}
	}
}

// A certificate goes from the site to homepage verify, across reloads of the key.
func TestSignedCertificates(t *testing.T) {
	ca := testca.New(t)
	first, second := newPair(t, ca, testca.P256(t)), newPair(t, ca, testca.RSA(t, 2048), func(leaf *x509.Certificate) { leaf.NotAfter = time.Now().Add(10 * 24 * time.Hour) })
	inUse := newPair(t, ca, testca.P256(t))
	put := func(from pair) {
		for from, to := range map[string]string{from.key: inUse.key, from.chain: inUse.chain} {
			content, err := os.ReadFile(from)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(to, content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	put(first)
	settings := inUse.settings()
	settings["METRICS_ADDR"] = "127.0.0.1:0"
	p := start(t, settings)
	download := func() string {
		status, body := get(t, p.url+"/certificate")
		if status != http.StatusOK {
			t.Fatalf("status %d", status)
		}
		file := filepath.Join(t.TempDir(), "certificate.pdf")
		if err := os.WriteFile(file, []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	verify := func(file string, by pair) (status int, said string) {
		var stdout, stderr bytes.Buffer
		err := run(t.Context(), new(orders), []string{"verify", file}, env(map[string]string{"CERTIFICATE_SIGNING_CHAIN": by.chain}), &stdout, &stderr)
		status = exitStatus(err, &stderr)
		return status, stdout.String() + stderr.String()
	}
	expect := func(file string, by pair, wantStatus int, want string) {
		t.Helper()
		if status, said := verify(file, by); status != wantStatus || !strings.Contains(said, want) || strings.Count(said, "\n") != 1 {
			t.Errorf("status %d, %q, want %d and %q", status, said, wantStatus, want)
		}
	}
	early := download()
	expect(early, first, 0, `is genuine: signed by "CN=The Library,O=Läsesaal & Söhne", unchanged since, and stamped 20`)
	expect(early, second, 1, `is not genuine. It was signed by another signer: "CN=The Library`)
	expect("/no/such/file", first, 1, "open /no/such/file")
	if _, page := get(t, p.url+"/"); !strings.Contains(page, `href="/verify"`) {
		t.Error("the homepage has no link to /verify")
	}

	// A bad pair changes nothing.
	put(pair{first.key, second.chain})
	p.hangups <- syscall.SIGHUP
	line := p.await(t, "certificate template not reloaded; the old one stays in service")
	if want := "CERTIFICATE_SIGNING_KEY and CERTIFICATE_SIGNING_CHAIN can't be used together"; !strings.Contains(fmt.Sprint(line["err"]), want) {
		t.Errorf("the log says %v", line)
	}
	expect(download(), first, 0, "is genuine")

	put(second)
	if err := os.Chmod(inUse.key, 0o644); err != nil {
		t.Fatal(err)
	}
	p.hangups <- syscall.SIGHUP
	if line := p.await(t, "CERTIFICATE_SIGNING_KEY"); !strings.Contains(fmt.Sprint(line["warning"]), "everyone on this machine may read it") {
		t.Errorf("the log says %v", line)
	}
	if line := p.await(t, "what signs certificates expires soon; renew it and send SIGHUP"); line["days"] != 9.0 {
		t.Errorf("the log says %v", line)
	}
	p.await(t, "certificate template reloaded")
	late := download()
	expect(late, second, 0, "is genuine")
	expect(late, first, 1, "another signer")
	_, metrics := get(t, p.metrics)
	if !strings.Contains(metrics, "\nhomepage_certificate_signing_expires_timestamp_seconds 1.") {
		t.Error("no metric of when the chain expires")
	}
}

func TestVerifyCommandLine(t *testing.T) {
	for _, test := range []struct {
		args   []string
		status int
		want   string
	}{
		{[]string{"-h"}, 0, "Usage: homepage verify FILE"},
		{[]string{"a.pdf", "--help"}, 0, "Usage: homepage verify FILE"},
		{nil, 2, "verify takes the path of one file"},
		{[]string{"--certificate-signing-chain=x", "a.pdf"}, 2, "verify takes the path of one file"},
		{[]string{"a.pdf", "b.pdf"}, 2, "b.pdf"},
		{[]string{"a.pdf"}, 2, "CERTIFICATE_SIGNING_CHAIN (--certificate-signing-chain) is not set"},
		{[]string{"a.pdf", "--certificate-signing-chain=/no/such/chain"}, 1, "CERTIFICATE_SIGNING_CHAIN can't be used: open /no/such/chain"},
	} {
		var stdout, stderr bytes.Buffer
		err := run(t.Context(), new(orders), append([]string{"verify"}, test.args...), nil, &stdout, &stderr)
		if status := exitStatus(err, &stderr); status != test.status || !strings.Contains(stdout.String()+stderr.String(), test.want) {
			t.Errorf("%q: status %d, %q %q, want %d and %q", test.args, status, &stdout, &stderr, test.status, test.want)
		}
	}
}
