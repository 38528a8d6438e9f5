package source_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"homepage/internal/certificate/signature"
	"homepage/internal/certificate/signature/testca"
	"homepage/internal/certificate/source"
)

// signer returns one whose chain expires after so long.
func signer(t *testing.T, ca *testca.CA, left time.Duration) *signature.Signer {
	t.Helper()
	key := testca.P256(t)
	s, err := signature.NewSigner(key, ca.Chain(t, key, func(leaf *x509.Certificate) { leaf.NotAfter = time.Now().Add(left) }))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// From thirty days before the end there is a warning: when the chain is read, and
// then every day, until another comes into service.
func TestAChainThatExpires(t *testing.T) {
	ca := testca.New(t)
	builtIn := fixture(t, "ghostscript")
	synctest.Test(t, func(t *testing.T) {
		const day = 24 * time.Hour
		log, lines := newLog()
		next := signer(t, ca, 32*day+time.Hour)
		hangups := make(chan os.Signal)
		s, err := source.Open(t.Context(), "", builtIn, func(context.Context) (*signature.Signer, error) { return next, nil }, time.Second, log)
		if err != nil {
			t.Fatal(err)
		}
		stop := s.ReloadOn(t.Context(), hangups)
		defer stop()
		expect := func(level, message string, days any) {
			t.Helper()
			synctest.Wait()
			select {
			case line := <-lines:
				if line["level"] != level || !strings.Contains(fmt.Sprint(line["msg"]), message) || line["days"] != days {
					t.Errorf("the log says %v, want %s %s %v", line, level, message, days)
				}
			default:
				if message != "" {
					t.Errorf("the log does not say %q", message)
				}
			}
		}
		expect("INFO", "certificates are signed", nil)
		for range 2 {
			<-time.After(day)
			expect("", "", nil)
		}
		<-time.After(day)
		expect("WARN", "expires soon", 29.0)
		<-time.After(29 * day)
		for left := 28; left >= 0; left-- {
			expect("WARN", "expires soon", float64(left))
		}
		<-time.After(day)
		expect("ERROR", "has expired", nil)
		next = signer(t, ca, 400*day)
		hangups <- syscall.SIGHUP
		expect("INFO", "certificates are signed", nil)
		expect("INFO", "certificate template reloaded", nil)
		<-time.After(day)
		expect("", "", nil)
		next = signer(t, ca, 10*day)
		hangups <- syscall.SIGHUP
		expect("INFO", "certificates are signed", nil)
		expect("WARN", "expires soon", 10.0)
	})
}

// Template and signer come into service together. A template that its server calls
// unchanged gets the new signer too.
func TestReloadsOfASigner(t *testing.T) {
	ca := testca.New(t)
	one, two := signer(t, ca, 1000*time.Hour), signer(t, ca, 1000*time.Hour)
	site := &library{file: fixture(t, "ghostscript"), version: `"1"`}
	server := httptest.NewServer(site)
	defer server.Close()
	log, lines := newLog()
	next, failure := one, error(nil)
	hangups := make(chan os.Signal)
	s, err := source.Open(t.Context(), server.URL, nil, func(context.Context) (*signature.Signer, error) { return next, failure }, time.Minute, log)
	if err != nil {
		t.Fatal(err)
	}
	defer s.ReloadOn(t.Context(), hangups)()
	inService := func(what string, want *signature.Signer, file []byte) {
		t.Helper()
		hangups <- syscall.SIGHUP
		for line := range lines {
			if strings.Contains(fmt.Sprint(line["msg"]), "reloaded") {
				break
			}
		}
		if s.Template().Leaf() != want.Leaf() {
			t.Errorf("%s: another signer is in service", what)
		}
		serves(t, s, file)
	}
	next = two
	inService("a new signer", two, site.file)
	next, failure = one, errors.New("no key")
	inService("a signer that can't be read", two, site.file)
	next, failure = one, nil
	old := site.file
	site.put([]byte("no PDF"), `"2"`)
	inService("a new signer, and a template that can't be used", two, old)
	site.put(fixture(t, "hybrid"), `"3"`)
	inService("both", one, fixture(t, "hybrid"))
	failure = errors.New("no key")
	if _, err := source.Open(t.Context(), server.URL, nil, func(context.Context) (*signature.Signer, error) { return nil, failure }, time.Minute, log); !errors.Is(err, failure) {
		t.Errorf("error %v, want the signer's", err)
	} else if _, ok := errors.AsType[*source.SignError](err); !ok {
		t.Errorf("error %v, want it marked as the signer's", err)
	}
}
