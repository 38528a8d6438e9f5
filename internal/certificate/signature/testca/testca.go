// Package testca makes certificate authorities, and what they issue, for tests.
package testca

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"homepage/internal/certificate/signature"
)

// CA is an authority: a root, and an intermediate that issues.
type CA struct {
	Root, Intermediate *x509.Certificate
	key                *ecdsa.PrivateKey // of the intermediate
}

// New returns an authority.
func New(tb testing.TB) *CA {
	tb.Helper()
	rootKey, key := P256(tb), P256(tb)
	authority := func(name string, serial int64) *x509.Certificate {
		return &x509.Certificate{
			SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name},
			NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(10, 0, 0),
			KeyUsage: x509.KeyUsageCertSign, BasicConstraintsValid: true, IsCA: true,
		}
	}
	root := authority("Test Root", 1)
	ca := &CA{Root: create(tb, root, root, rootKey.Public(), rootKey), key: key}
	ca.Intermediate = create(tb, authority("Test Issuer", 2), ca.Root, key.Public(), rootKey)
	return ca
}

// Chain returns a chain for a key, as change changes its leaf. Readers of PDFs
// judge signers as signers of mail.
func (ca *CA) Chain(tb testing.TB, key crypto.Signer, change ...func(*x509.Certificate)) []*x509.Certificate {
	tb.Helper()
	leaf := &x509.Certificate{
		// With a high bit, before which DER wants a zero.
		SerialNumber: new(big.Int).SetBytes([]byte{0xf0, 1, 2, 3, 4, 5, 6, 7}), Subject: pkix.Name{CommonName: "The Library", Organization: []string{"Läsesaal & Söhne"}},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(2, 0, 0),
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection},
	}
	for _, change := range change {
		change(leaf)
	}
	return []*x509.Certificate{create(tb, leaf, ca.Intermediate, key.Public(), ca.key), ca.Intermediate}
}

// Signer returns a signer with a key.
func (ca *CA) Signer(tb testing.TB, key crypto.Signer) *signature.Signer {
	tb.Helper()
	signer, err := signature.NewSigner(key, ca.Chain(tb, key))
	if err != nil {
		tb.Fatal(err)
	}
	return signer
}

func create(tb testing.TB, template, parent *x509.Certificate, public crypto.PublicKey, key crypto.Signer) *x509.Certificate {
	tb.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, key)
	if err != nil {
		tb.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		tb.Fatal(err)
	}
	return certificate
}

// P256 returns a key of the curve P-256.
func P256(tb testing.TB) *ecdsa.PrivateKey {
	tb.Helper()
	return curve(tb, elliptic.P256())
}

// P384 returns a key of the curve P-384.
func P384(tb testing.TB) *ecdsa.PrivateKey {
	tb.Helper()
	return curve(tb, elliptic.P384())
}

func curve(tb testing.TB, c elliptic.Curve) *ecdsa.PrivateKey {
	tb.Helper()
	key, err := ecdsa.GenerateKey(c, rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	return key
}

// RSA returns a key of RSA.
func RSA(tb testing.TB, bits int) *rsa.PrivateKey {
	tb.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		tb.Fatal(err)
	}
	return key
}

// PEM returns certificates one after the other.
func PEM(chain ...*x509.Certificate) []byte {
	var all []byte
	for _, certificate := range chain {
		all = append(all, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw})...)
	}
	return all
}

// KeyPEM returns a key in PKCS #8.
func KeyPEM(tb testing.TB, key crypto.Signer) []byte {
	tb.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		tb.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// Write writes a file and returns its path.
func Write(tb testing.TB, name string, content []byte) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		tb.Fatal(err)
	}
	return path
}
