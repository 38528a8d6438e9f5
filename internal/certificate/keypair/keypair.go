// Package keypair reads the key that signs certificates, and the chain of
// certificates that speak for it, from PEM files (RFC 7468). Whatever a file has
// that it should not have is an error. None shows what a key's file holds.
package keypair

import (
	"bytes"
	"cmp"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"time"

	"homepage/internal/certificate/signature"
)

const maxFile = 1 << 20 // bytes of either file

// ReadKey reads a private key of the curve P-256 or P-384, or of RSA with 2048
// bits or more, in PKCS #8 or the older form of its kind. The warning is not empty
// if others than the file's owner and group may read it.
func ReadKey(path string) (key crypto.Signer, warning string, err error) {
	defer func() { err = in(path, err) }()
	blocks, mode, err := read(path)
	if err != nil {
		return nil, "", err
	}
	for _, block := range blocks {
		var parsed any
		switch {
		case block.Type == "ENCRYPTED PRIVATE KEY" || block.Headers["DEK-Info"] != "": // RFC 7468, 11, and RFC 1421, 4.6.1.3
			return nil, "", errors.New("the key is encrypted, and nobody is there to give a password; write it without one, such as with: openssl pkey -in ENCRYPTED.pem -out PLAIN.pem")
		case key != nil:
			return nil, "", fmt.Errorf("after the key there is a block %s; leave the key alone in its file", block.Type)
		case block.Type == "PRIVATE KEY":
			parsed, err = x509.ParsePKCS8PrivateKey(block.Bytes)
		case block.Type == "EC PRIVATE KEY":
			parsed, err = x509.ParseECPrivateKey(block.Bytes)
		case block.Type == "RSA PRIVATE KEY":
			parsed, err = x509.ParsePKCS1PrivateKey(block.Bytes)
		case block.Type == "EC PARAMETERS": // which openssl writes before such a key, and which are in it too
			continue
		case block.Type == "CERTIFICATE":
			return nil, "", errors.New("there is a certificate where the key should be")
		default:
			return nil, "", fmt.Errorf("there is a block %s where the key should be", block.Type)
		}
		signer, ok := parsed.(crypto.Signer)
		if err != nil || !ok {
			return nil, "", errors.New("the key can't be read: it is damaged or of an unknown kind")
		}
		if _, err := signature.CheckKey(signer.Public()); err != nil {
			return nil, "", err
		}
		key = signer
	}
	if key == nil {
		return nil, "", errors.New("there is no private key")
	}
	if runtime.GOOS != "windows" && mode.Perm()&0o004 != 0 { // where a mode says nothing of who may read
		warning = fmt.Sprintf("%s holds the key that signs certificates, and everyone on this machine may read it (mode %04o); chmod 600 is for the owner alone", path, mode.Perm())
	}
	return key, warning, nil
}

// ReadChain reads certificates, that of the signer first and each followed by the
// one that issued it. The root may be left out.
func ReadChain(path string) (chain []*x509.Certificate, err error) {
	defer func() { err = in(path, err) }()
	blocks, _, err := read(path)
	if err != nil {
		return nil, err
	}
	for _, block := range blocks {
		if block.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("there is a block %s where certificates should be", block.Type)
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate %d can't be read: %w", len(chain)+1, err)
		}
		chain = append(chain, certificate)
	}
	if len(chain) == 0 {
		return nil, errors.New("there is no certificate")
	}
	return chain, signature.CheckChain(chain)
}

// CheckValidity returns an error if a certificate of the chain is not valid yet,
// or not any more.
func CheckValidity(chain []*x509.Certificate, now time.Time) error {
	for i, certificate := range chain {
		switch {
		case now.After(certificate.NotAfter):
			return fmt.Errorf("certificate %d, %q, has expired on %s", i+1, certificate.Subject, certificate.NotAfter.UTC().Format(time.DateOnly))
		case now.Before(certificate.NotBefore):
			return fmt.Errorf("certificate %d, %q, is valid only from %s on", i+1, certificate.Subject, certificate.NotBefore.UTC().Format(time.RFC3339))
		}
	}
	return nil
}

// read reads the blocks of a PEM file. Text before one is passed over (RFC 7468, 2).
func read(path string) (blocks []*pem.Block, mode fs.FileMode, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	about, err := file.Stat()
	var content []byte
	if err == nil {
		content, err = io.ReadAll(io.LimitReader(file, maxFile+1))
	}
	if err = cmp.Or(err, file.Close()); err != nil {
		return nil, 0, err
	}
	if len(content) > maxFile {
		return nil, 0, fmt.Errorf("the file has more than the %d KiB that keys and certificates take", maxFile>>10)
	}
	for {
		block, rest := pem.Decode(content)
		if block == nil {
			break
		}
		blocks, content = append(blocks, block), rest
	}
	switch {
	case bytes.Contains(content, []byte("-----BEGIN")):
		return nil, 0, errors.New("a block is damaged or cut short: it does not go from -----BEGIN to -----END")
	case len(blocks) == 0:
		return nil, 0, errors.New("the file is not in PEM: it has no line -----BEGIN …-----")
	}
	return blocks, about.Mode(), nil
}

// in names the file that an error is about, unless it does so itself.
func in(path string, err error) error {
	if err == nil {
		return nil
	}
	if _, named := errors.AsType[*fs.PathError](err); named {
		return err
	}
	return fmt.Errorf("%s: %w", path, err)
}
