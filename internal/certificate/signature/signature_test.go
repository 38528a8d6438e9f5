package signature_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"homepage/internal/certificate/signature"
	"homepage/internal/certificate/signature/testca"
)

var digest = sha256.Sum256([]byte("what is signed"))

func sign(t *testing.T, signer *signature.Signer) []byte {
	t.Helper()
	der, err := signer.Sign(digest)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func TestSignAndCheck(t *testing.T) {
	ca := testca.New(t)
	for name, key := range map[string]crypto.Signer{"P-256": testca.P256(t), "P-384": testca.P384(t), "RSA": testca.RSA(t, 2048)} {
		signer := ca.Signer(t, key)
		for range 20 { // they differ in length
			der := sign(t, signer)
			if err := signature.Check(der, digest, signer.Leaf()); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if length, ok := signature.Length(append(slices.Clip(der), 0, 0)); !ok || length != len(der) || length > signer.Size() {
				t.Errorf("%s: length %d %v of %d bytes, at most %d", name, length, ok, len(der), signer.Size())
			}
		}
		der := sign(t, signer)
		if err := signature.Check(der, sha256.Sum256(nil), signer.Leaf()); !errors.Is(err, signature.ErrChanged) {
			t.Errorf("%s, of another digest: %v", name, err)
		}
		other := ca.Signer(t, testca.P256(t))
		if _, ok := errors.AsType[*signature.OtherSignerError](signature.Check(der, digest, other.Leaf())); !ok {
			t.Errorf("%s: it passes for another's", name)
		}
		renewed := ca.Chain(t, key, func(leaf *x509.Certificate) { leaf.SerialNumber.SetInt64(77) })[0]
		if err := signature.Check(der, digest, renewed); err != nil {
			t.Errorf("%s, of a renewed leaf: %v", name, err)
		}
	}
}

// No byte can be changed, left out or added unseen.
func TestEveryByteCounts(t *testing.T) {
	key := testca.P256(t)
	signer, err := signature.NewSigner(key, testca.New(t).Chain(t, key)[:1])
	if err != nil {
		t.Fatal(err)
	}
	der := sign(t, signer)
	for i := range der {
		changed := bytes.Clone(der)
		changed[i] ^= 1
		if signature.Check(changed, digest, signer.Leaf()) == nil {
			t.Errorf("byte %d was changed", i)
		}
		if signature.Check(der[:i], digest, signer.Leaf()) == nil {
			t.Errorf("cut at byte %d", i)
		}
	}
	if signature.Check(append(slices.Clip(der), 0), digest, signer.Leaf()) == nil {
		t.Error("a byte was added")
	}
}

func TestChainsThatCantBeUsed(t *testing.T) {
	ca, key := testca.New(t), testca.P256(t)
	chain := ca.Chain(t, key)
	leaf, issuer := chain[0], chain[1]
	stranger := testca.New(t).Root
	usage := func(usage x509.KeyUsage) []*x509.Certificate {
		return ca.Chain(t, key, func(leaf *x509.Certificate) { leaf.KeyUsage = usage })
	}
	for _, test := range []struct {
		name  string
		chain []*x509.Certificate
		want  string // empty if it can be used
	}{
		{"with the root", []*x509.Certificate{leaf, issuer, ca.Root}, ""},
		{"the leaf alone", []*x509.Certificate{leaf}, ""},
		{"digitalSignature alone", usage(x509.KeyUsageDigitalSignature), ""},
		{"nonRepudiation alone", usage(x509.KeyUsageContentCommitment), ""},
		{"no key usage", usage(0), ""},
		{"empty", nil, "there is no certificate"},
		{"the issuer first", []*x509.Certificate{issuer, leaf}, `"CN=Test Issuer", comes before the one that it issued`},
		{"a stray one", []*x509.Certificate{leaf, stranger}, "certificate 2, \"CN=Test Root\", has not issued the one before it"},
		{"a gap", []*x509.Certificate{leaf, ca.Root}, "has not issued"},
		{"no leaf", []*x509.Certificate{issuer, ca.Root}, "is an authority's"},
		{"for encryption", usage(x509.KeyUsageKeyEncipherment), "has neither digitalSignature nor nonRepudiation"},
	} {
		err := signature.CheckChain(test.chain)
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want %q", test.name, err, test.want)
		}
	}
}

func TestKeysThatCantBeUsed(t *testing.T) {
	ca := testca.New(t)
	_, edwards, _ := ed25519.GenerateKey(rand.Reader)
	wide, err := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for want, key := range map[string]crypto.Signer{
		"1024 bits, which is too weak": testca.RSA(t, 1024),
		"of the curve P-521":           wide,
		"few readers of PDFs know":     edwards,
	} {
		if _, err := signature.NewSigner(key, ca.Chain(t, key)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	key := testca.P256(t)
	if _, err := signature.NewSigner(testca.P256(t), ca.Chain(t, key)); err == nil || !strings.Contains(err.Error(), "does not belong") {
		t.Errorf("error %v, want that they do not belong together", err)
	}
	if _, err := ca.Signer(t, module{key, make([]byte, 200)}).Sign(digest); err == nil || !strings.Contains(err.Error(), "200 bytes, where 72") {
		t.Errorf("error %v, want one of a value that is too long", err)
	}
	if _, err := ca.Signer(t, module{key, nil}).Sign(digest); !errors.Is(err, errUnplugged) {
		t.Errorf("error %v, want the module's own", err)
	}
}

var errUnplugged = errors.New("unplugged")

// module keeps a key, and answers with the value, or breaks if it has none.
type module struct {
	crypto.Signer
	value []byte
}

func (m module) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	if m.value == nil {
		return nil, errUnplugged
	}
	return m.value, nil
}

// What others wrote is judged without a panic.
func FuzzCheck(f *testing.F) {
	ca := testca.New(f)
	signer := ca.Signer(f, testca.P256(f))
	for _, key := range []crypto.Signer{testca.P256(f), testca.RSA(f, 2048)} {
		der, err := ca.Signer(f, key).Sign(digest)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(der)
	}
	f.Fuzz(func(t *testing.T, der []byte) {
		if signature.Check(der, digest, signer.Leaf()) == nil {
			t.Error("forged")
		}
		signature.Length(der)
	})
}
