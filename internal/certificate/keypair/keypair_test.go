package keypair_test

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"homepage/internal/certificate/keypair"
	"homepage/internal/certificate/signature/testca"
)

// openssl writes a key as operators do.
func openssl(t *testing.T, args ...string) []byte {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "openssl", args...).Output()
	if err != nil {
		t.Fatalf("openssl %s: %v", strings.Join(args, " "), err)
	}
	return out
}

func cut(content []byte) []byte { return content[:len(content)/2] }

func TestReadKey(t *testing.T) {
	key := testca.KeyPEM(t, testca.P256(t))
	plain := testca.Write(t, "key.pem", key)
	certificate := testca.PEM(testca.New(t).Root)
	for _, test := range []struct {
		name    string
		content []byte
		want    string // empty if it can be read
	}{
		{"PKCS #8", key, ""},
		{"P-384", testca.KeyPEM(t, testca.P384(t)), ""},
		{"RSA", testca.KeyPEM(t, testca.RSA(t, 2048)), ""},
		{"text before it", append([]byte("Our key\n"), key...), ""},
		{"line ends of another system", bytes.ReplaceAll(key, []byte("\n"), []byte("\r\n")), ""},
		{"SEC 1, with the parameters before it", openssl(t, "ecparam", "-name", "prime256v1", "-genkey"), ""},
		{"PKCS #1", openssl(t, "genrsa", "-traditional", "2048"), ""},
		{"encrypted", openssl(t, "pkcs8", "-topk8", "-in", plain, "-passout", "pass:hunter2"), "the key is encrypted"},
		{"encrypted as of old", openssl(t, "ec", "-in", plain, "-aes128", "-passout", "pass:hunter2"), "the key is encrypted"},
		{"weak", openssl(t, "genrsa", "1024"), "1024 bits, which is too weak"},
		{"very weak", openssl(t, "genrsa", "512"), "key.pem: "},
		{"another curve", openssl(t, "ecparam", "-name", "secp521r1", "-genkey"), "of the curve P-521"},
		{"a curve that Go does not know", openssl(t, "ecparam", "-name", "secp256k1", "-genkey"), "can't be read"},
		{"another kind", openssl(t, "genpkey", "-algorithm", "ed25519"), "few readers of PDFs know"},
		{"a certificate", certificate, "there is a certificate where the key should be"},
		{"a certificate after it", append(bytes.Clone(key), certificate...), "after the key there is a block CERTIFICATE"},
		{"a public key", openssl(t, "ec", "-in", plain, "-pubout"), "there is a block PUBLIC KEY"},
		{"cut short", cut(key), "damaged or cut short"},
		{"garbage inside", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("hunter2")}), "damaged or of an unknown kind"},
		{"DER", openssl(t, "ec", "-in", plain, "-outform", "DER"), "not in PEM"},
		{"empty", nil, "not in PEM"},
		{"the parameters alone", openssl(t, "ecparam", "-name", "prime256v1"), "there is no private key"},
		{"huge", bytes.Repeat([]byte("x"), 2<<20), "more than the 1024 KiB"},
	} {
		path := testca.Write(t, "key.pem", test.content)
		_, warning, err := keypair.ReadKey(path)
		switch {
		case test.want == "" && (err != nil || warning != ""):
			t.Errorf("%s: error %v, warning %q", test.name, err, warning)
		case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), path)):
			t.Errorf("%s: error %v, want %q and the path", test.name, err, test.want)
		case err != nil && strings.Contains(err.Error(), "hunter2"):
			t.Errorf("%s: %v tells a secret", test.name, err)
		}
	}
	for _, path := range []string{filepath.Join(t.TempDir(), "none.pem"), t.TempDir()} {
		if _, _, err := keypair.ReadKey(path); err == nil || strings.Count(err.Error(), path) != 1 {
			t.Errorf("error %v, want one that names %s once", err, path)
		}
	}
}

func TestAKeyThatOthersMayRead(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("modes say nothing there")
	}
	path := testca.Write(t, "key.pem", testca.KeyPEM(t, testca.P256(t)))
	for mode, warns := range map[os.FileMode]bool{0o600: false, 0o640: false, 0o644: true, 0o604: true} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		_, warning, err := keypair.ReadKey(path)
		if err != nil || (warning != "") != warns || warns && !strings.Contains(warning, path) {
			t.Errorf("mode %o: warning %q, error %v", mode, warning, err)
		}
	}
}

func TestReadChain(t *testing.T) {
	ca, key := testca.New(t), testca.P256(t)
	chain := ca.Chain(t, key)
	for _, test := range []struct {
		name    string
		content []byte
		want    string
	}{
		{"leaf and issuer", testca.PEM(chain...), ""},
		{"with what openssl says of each", append([]byte("subject=CN = x\n"), testca.PEM(chain...)...), ""},
		{"a key in it", append(testca.PEM(chain...), testca.KeyPEM(t, key)...), "there is a block PRIVATE KEY where certificates should be"},
		{"the issuer first", testca.PEM(chain[1], chain[0]), "comes before the one that it issued"},
		{"cut short", cut(testca.PEM(chain[0])), "cut short"},
		{"garbage", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")}), "certificate 1 can't be read"},
		{"empty", nil, "not in PEM"},
	} {
		got, err := keypair.ReadChain(testca.Write(t, "chain.pem", test.content))
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) || err == nil && len(got) != 2 {
			t.Errorf("%s: %d certificates, error %v, want %q", test.name, len(got), err, test.want)
		}
	}
}

func TestValidity(t *testing.T) {
	ca, key := testca.New(t), testca.P256(t)
	day := func(y int, m time.Month, d int) time.Time { return time.Date(y, m, d, 12, 0, 0, 0, time.UTC) }
	chain := ca.Chain(t, key, func(leaf *x509.Certificate) {
		leaf.NotBefore, leaf.NotAfter = day(2025, 1, 1), day(2026, 3, 4)
	})[:1]
	for when, want := range map[time.Time]string{
		day(2025, 6, 1): "", day(2026, 3, 5): "has expired on 2026-03-04", day(2024, 12, 31): "is valid only from 2025-01-01T12:00:00Z on",
	} {
		if err := keypair.CheckValidity(chain, when); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%v: error %v, want %q", when, err, want)
		}
	}
}
