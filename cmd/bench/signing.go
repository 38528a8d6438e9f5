package main

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// signing are the kinds that send signed certificates, and those beside which they
// are measured.
type signing struct{ p256, rsa, large, largeP256, signpdf *kind }

func newSigning(t tools) signing {
	return signing{
		p256:      &kind{name: homepage, command: signedCommand("p256", (*bench).template)},
		rsa:       &kind{name: homepage, command: signedCommand("rsa", (*bench).template)},
		large:     &kind{name: homepage, command: signedCommand("", (*bench).largeTemplate)},
		largeP256: &kind{name: homepage, command: signedCommand("p256", (*bench).largeTemplate)},
		signpdf:   &kind{name: "@signpdf", command: signpdfCommand, missing: t.npm == ""},
	}
}

// signedCommand runs the built program with a key of that name, or without one.
func signedCommand(key string, template func(*bench) string) func(b *bench, folder, addr, uploads string) (command, env []string, err error) {
	return func(b *bench, folder, addr, uploads string) (command, env []string, err error) {
		more := []string{"CERTIFICATE_TEMPLATE=" + template(b)}
		if key != "" {
			more = append(more, "CERTIFICATE_SIGNING_KEY="+b.key(key), "CERTIFICATE_SIGNING_CHAIN="+b.chain(key))
		}
		return homepageCommand("", more...)(b, folder, addr, uploads)
	}
}

// installSignpdf installs the packages that the server of @signpdf uses, at the
// versions that package.json has.
func installSignpdf(ctx context.Context, npm, folder string) error {
	install := exec.CommandContext(ctx, npm, "install", "--silent", "--no-audit", "--no-fund")
	install.Dir = filepath.Join(folder, "peers", "signpdf")
	if out, err := install.CombinedOutput(); err != nil {
		return fmt.Errorf("npm install: %w: %s", err, bytes.TrimSpace(out))
	}
	return nil
}

func signpdfCommand(b *bench, folder, addr, _ string) (command, env []string, err error) {
	bundle := filepath.Join(folder, "rsa.p12")
	export := exec.Command("openssl", "pkcs12", "-export", "-legacy", "-passout", "pass:", "-inkey", b.key("rsa"), "-in", b.chain("rsa"), "-out", bundle) //nolint:noctx // it takes no time
	if out, err := export.CombinedOutput(); err != nil {
		return nil, nil, fmt.Errorf("openssl pkcs12: %w: %s", err, out)
	}
	return []string{"node", b.peers("signpdf", "server.js")}, []string{"ADDR=" + addr, "SIGNING_P12=" + bundle, "CERTIFICATE_TEMPLATE=" + b.template()}, nil
}

func (b *bench) key(name string) string   { return filepath.Join(b.folder, name+".key.pem") }
func (b *bench) chain(name string) string { return filepath.Join(b.folder, name+".chain.pem") }
func (b *bench) largeTemplate() string    { return filepath.Join(b.folder, "large-template.pdf") }

// writeSigning writes the keys, and the large template: the small one with a remark
// of 2 MiB.
func (b *bench) writeSigning() error {
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	modulus, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	about := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Bench"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0),
		KeyUsage: x509.KeyUsageDigitalSignature,
	}
	for name, key := range map[string]crypto.Signer{"p256": curve, "rsa": modulus} {
		der, err := x509.CreateCertificate(rand.Reader, about, about, key.Public(), key)
		if err != nil {
			return err
		}
		encoded, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			return err
		}
		for file, block := range map[string]*pem.Block{b.key(name): {Type: "PRIVATE KEY", Bytes: encoded}, b.chain(name): {Type: "CERTIFICATE", Bytes: der}} {
			if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
				return err
			}
		}
	}
	small, err := os.ReadFile(b.template())
	if err != nil {
		return err
	}
	remark := "%" + strings.Repeat("x", 2<<20) + "\n"
	return os.WriteFile(b.largeTemplate(), bytes.Replace(small, []byte("startxref"), []byte(remark+"startxref"), 1), 0o600) //nolint:gosec // the folder is the bench's own
}

// signing measures what a signature costs, beside the same without one and beside
// what signs on a server.
func (b *bench) signing() measure {
	const connections = 32
	all := b.able([]contestant{
		{name: "unsigned", kind: b.kinds.home},
		{name: "P-256", kind: b.kinds.p256},
		{name: "RSA 2048", kind: b.kinds.rsa},
		{name: "2 MiB, unsigned", kind: b.kinds.large},
		{name: "2 MiB, P-256", kind: b.kinds.largeP256},
		{name: "@signpdf, RSA 2048", kind: b.kinds.signpdf},
	})
	beside := map[string]string{"P-256": "unsigned", "RSA 2048": "unsigned", "2 MiB, P-256": "2 MiB, unsigned", "@signpdf, RSA 2048": "unsigned"}
	figures := map[string]*loads{}
	steps := []step{{"starting what signs", func(ctx context.Context) error {
		if err := b.writeSigning(); err != nil {
			return err
		}
		for _, c := range all {
			if b.sides[c.kind] != nil {
				continue
			}
			s, _, err := b.launch(ctx, c.kind)
			if err != nil {
				return err
			}
			b.sides[c.kind] = s
		}
		return nil
	}}}
	if b.tools.wrk != "" {
		steps = append(steps, b.rounds(b.plan.bigRounds, "signed certificates", all, func(ctx context.Context, c contestant, s *side) error {
			long := b.plan.load
			if c.kind == b.kinds.signpdf {
				if figures[c.name] != nil {
					return nil // one round is enough to tell it from the others
				}
				long *= 5 // the first answers are late where all ask at once
			}
			got, err := b.wrk(ctx, s.url+"/certificate", connections, long)
			if err != nil {
				return err
			}
			addLoad(figures, c.name, got)
			return nil
		})...)
	}
	steps = append(steps, step{"stopping what signs", func(context.Context) error {
		for _, c := range all {
			if s := b.sides[c.kind]; s != nil && c.kind != b.kinds.home {
				s.stop()
				delete(b.sides, c.kind)
			}
		}
		return nil
	}})
	return measure{steps, func(r *report) {
		t := table{
			title: "Signed certificates",
			note:  "32 connections. Each certificate is signed when it is asked for (PAdES B-B). The template is the one above, and one with a remark of 2 MiB. @signpdf is a library for Node.js that signs on many servers, with RSA only; here it has two processes, and one round of five seconds.",
			head:  []string{"", "certificates a second", "99 % within, ms", "part of unsigned"},
		}
		for _, one := range all {
			got := figures[one.name]
			if got == nil {
				t.add(one.name, none, none, none)
				continue
			}
			part := ""
			if plain := figures[beside[one.name]]; plain != nil {
				part = ratio(got.perSecond, plain.perSecond).times()
			}
			t.add(one.name, got.perSecond.String(), got.p99.String(), part)
		}
		r.tables = append(r.tables, t)
	}}
}
