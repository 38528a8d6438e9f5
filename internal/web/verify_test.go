package web_test

import (
	"bytes"
	"crypto"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"homepage/internal/certificate"
	"homepage/internal/certificate/signature/testca"
	"homepage/internal/web"
	"homepage/pdfs"
)

// signing makes a site sign its certificates.
func signing(t *testing.T, key crypto.Signer) (*certificate.Template, func(*web.Deps)) {
	t.Helper()
	template, err := certificate.LinkSigned(pdfs.CertificateTemplate, testca.New(t).Signer(t, key))
	if err != nil {
		t.Fatal(err)
	}
	return template, func(d *web.Deps) { d.Certificate = func() *certificate.Template { return template } }
}

// postTo sends files to the page that verifies them.
func postTo(t *testing.T, s *site, accept string, files ...file) answer {
	t.Helper()
	body, contentType := form(t, files...)
	return do(t, visitor(t), http.MethodPost, s.url+"/verify", body, "Content-Type", contentType, "Accept", accept)
}

// A visitor downloads a certificate and has it verified: by a page, and as JSON.
func TestVerifyPage(t *testing.T) {
	_, change := signing(t, testca.P256(t))
	s := newSite(t, change)
	checkGolden(t, "verify", get(t, s, "/verify"))
	home := get(t, s, "/")
	if !strings.Contains(home.body, `<a href="/verify">`) {
		t.Error("the homepage has no link to /verify")
	}
	issued := get(t, s, "/certificate").body
	foreign := get(t, newSite(t), "/certificate").body
	for _, test := range []struct{ golden, file, json string }{
		{"verify-genuine", issued, `{"genuine":true,"stamp":"2026-11-23T12:00:00.000000+00:00"}`},
		{"verify-changed", strings.Replace(issued, "(Issued at 2026", "(Issued at 2025", 1), `{"genuine":false,"problem":"It was changed after it was issued."}`},
		{"verify-unsigned", foreign, `{"genuine":false,"problem":"It has no signature."}`},
	} {
		got := postTo(t, s, "text/html", file{"certificate.pdf", test.file})
		if got.status != http.StatusOK {
			t.Errorf("%s: status %d", test.golden, got.status)
		}
		checkGolden(t, test.golden, got)
		if got := postTo(t, s, "application/json", file{"certificate.pdf", test.file}); got.status != http.StatusOK || got.body != test.json+"\n" {
			t.Errorf("%s: %d %s", test.golden, got.status, got.body)
		}
	}
	if diff := cmp.Diff(map[string]string{}, stored(t, s)); diff != "" {
		t.Errorf("what was verified was stored: %s", diff)
	}
}

// Where certificates are not signed there is nothing to verify.
func TestNoVerifyPage(t *testing.T) {
	s := newSite(t)
	if got := get(t, s, "/verify"); got.status != http.StatusNotFound {
		t.Errorf("status %d, want 404", got.status)
	}
	if got := postTo(t, s, "text/html", file{"a.pdf", "%PDF-"}); got.status != http.StatusNotFound {
		t.Errorf("status %d, want 404", got.status)
	}
}

// Mistakes are answered as those of an upload are.
func TestVerifyMistakes(t *testing.T) {
	template, change := signing(t, testca.P256(t))
	s := newSite(t, change)
	large := "%PDF-" + strings.Repeat("x", template.Size()+4<<20)
	for _, test := range []struct {
		name   string
		status int
		want   string
		files  []file
	}{
		{"no file", http.StatusUnprocessableEntity, "This field is required.", nil},
		{"an empty file", http.StatusUnprocessableEntity, "a.pdf: The submitted file is empty.", []file{{"a.pdf", ""}}},
		{"two files", http.StatusUnprocessableEntity, "Please choose one file.", []file{{"a.pdf", "%PDF-"}, {"b.pdf", "%PDF-"}}},
		{"a file too large by a little", http.StatusRequestEntityTooLarge, "Our certificates have at most 4.1 MiB, so this file was not looked at.", []file{{"a.pdf", large}}},
		{"a file too large by far", http.StatusRequestEntityTooLarge, "Our certificates have at most 4.1 MiB, so this file was not looked at.", []file{{"a.pdf", large + large}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := checkProblem(t, postTo(t, s, "application/json", test.files...), test.status); got != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
			got := postTo(t, s, "text/html", test.files...)
			if got.status != test.status {
				t.Errorf("status %d, want %d", got.status, test.status)
			}
			if test.status == http.StatusUnprocessableEntity && (!strings.Contains(got.body, `aria-invalid="true"`) || !strings.Contains(got.body, "<title>Error: ")) {
				t.Errorf("the page does not lead to the mistake: %s", got.body)
			}
			if !strings.Contains(got.body, `href="/verify"`) && !strings.Contains(got.body, `action="/verify"`) {
				t.Error("the page does not lead back")
			}
		})
	}
	checkGolden(t, "verify-required", postTo(t, s, "text/html"))
	body, contentType := form(t, file{"a.pdf", "%PDF-"})
	if got := do(t, visitor(t), http.MethodPost, s.url+"/verify", body, "Content-Type", contentType, "Origin", "https://evil.example"); got.status != http.StatusForbidden {
		t.Errorf("from another site: status %d, want 403", got.status)
	}
	full := newSite(t, change, func(d *web.Deps) { d.Draining = func() bool { return true } })
	checkProblem(t, postTo(t, full, "application/json", file{"a.pdf", "%PDF-"}), http.StatusServiceUnavailable)
}

// failing is a key that breaks, as a module may that keeps it.
type failing struct {
	crypto.Signer
	broken *bool
}

func (f failing) Sign(rand io.Reader, digest []byte, options crypto.SignerOpts) ([]byte, error) {
	if *f.broken {
		return nil, errors.New("the module is unplugged")
	}
	return f.Signer.Sign(rand, digest, options)
}

// A certificate that can't be signed is an error, and not half a file.
func TestTheKeyFails(t *testing.T) {
	broken := false
	_, change := signing(t, failing{testca.P256(t), &broken})
	s := newSite(t, change)
	broken = true
	got := get(t, s, "/certificate")
	if got.status != http.StatusInternalServerError || got.header.Get("Content-Type") != "text/html; charset=utf-8" || got.header.Get("Content-Disposition") != "" || strings.Contains(got.body, "unplugged") {
		t.Errorf("status %d, headers %v, want 500 and its page", got.status, got.header)
	}
	if lines := s.log.lines(t, "request failed"); len(lines) != 1 || !strings.Contains(lines[0]["err"].(string), "unplugged") {
		t.Errorf("log %v, want the cause", lines)
	}
	if got := do(t, visitor(t), http.MethodHead, s.url+"/certificate", nil); got.status != http.StatusOK {
		t.Errorf("HEAD, which signs nothing: status %d", got.status)
	}
}

// All certificates of a site under load are valid, and no two are the same.
func TestManySignedCertificates(t *testing.T) {
	const connections, each = 32, 32
	template, change := signing(t, testca.P256(t))
	s := newSite(t, change)
	issued := make(chan []byte, connections)
	for range connections {
		client := visitor(t)
		go func() {
			for range each {
				response, err := client.Get(s.url + "/certificate")
				if err != nil {
					t.Error(err)
					issued <- nil
					continue
				}
				body, err := io.ReadAll(response.Body)
				if response.Body.Close(); err != nil || response.ContentLength != int64(len(body)) {
					t.Errorf("%d of %d bytes: %v", len(body), response.ContentLength, err)
				}
				issued <- body
			}
		}()
	}
	different := map[string]bool{}
	for range connections * each {
		body := <-issued
		verdict, err := template.Verify(bytes.NewReader(body))
		if err != nil || !verdict.Genuine {
			t.Errorf("verdict %+v, %v", verdict, err)
		}
		different[string(body[max(0, len(body)-8<<10):])] = true
	}
	if len(different) != connections*each {
		t.Errorf("%d different certificates of %d", len(different), connections*each)
	}
}
