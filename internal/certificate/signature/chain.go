package signature

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"time"
)

// leastRSA is the length in bits of the weakest RSA key.
const leastRSA = 2048

// CheckKey returns how many bytes a signature value of a key has at most, or an
// error that says why a key of this kind is not used.
func CheckKey(public crypto.PublicKey) (widest int, err error) {
	switch public := public.(type) {
	case *ecdsa.PublicKey:
		// Two numbers as long as the curve's order, each with a leading zero and a
		// header of two bytes, in a SEQUENCE of less than 128 bytes.
		switch public.Curve {
		case elliptic.P256():
			return 2 + 2*(2+33), nil
		case elliptic.P384():
			return 2 + 2*(2+49), nil
		}
		return 0, fmt.Errorf("the key is of the curve %s; take P-256 or P-384", public.Params().Name)
	case *rsa.PublicKey:
		if bits := public.N.BitLen(); bits < leastRSA {
			return 0, fmt.Errorf("the key has %d bits, which is too weak; take one of %d bits or more, or of the curve P-256", bits, leastRSA)
		}
		return public.Size(), nil
	}
	return 0, fmt.Errorf("the key is of a kind that few readers of PDFs know (%T); take one of the curve P-256 or P-384, or of RSA", public)
}

// CheckChain returns an error that says why a chain can't be used: its first
// certificate must be one that may sign, and each other one must have issued the
// one before it.
func CheckChain(chain []*x509.Certificate) error {
	if len(chain) == 0 {
		return errors.New("there is no certificate")
	}
	leaf := chain[0]
	for i, issuer := range chain[1:] {
		issued := chain[i]
		if err := issued.CheckSignatureFrom(issuer); err != nil {
			if issuer.CheckSignatureFrom(issued) == nil {
				return fmt.Errorf("certificate %d, %q, comes before the one that it issued, %q; the signer's own must come first, and the one that issued it next", i+1, issued.Subject, issuer.Subject)
			}
			return fmt.Errorf("certificate %d, %q, has not issued the one before it, %q; take it out, or bring them in order with the signer's own first", i+2, issuer.Subject, issued.Subject)
		}
	}
	if leaf.IsCA && len(chain) > 1 {
		return fmt.Errorf("the first certificate, %q, is an authority's; the signer's own must come first", leaf.Subject)
	}
	// RFC 5280, 4.2.1.3. Without the extension a key may be used for everything.
	if leaf.KeyUsage != 0 && leaf.KeyUsage&(x509.KeyUsageDigitalSignature|x509.KeyUsageContentCommitment) == 0 {
		return fmt.Errorf("the first certificate, %q, may not sign: its key usage has neither digitalSignature nor nonRepudiation", leaf.Subject)
	}
	return nil
}

// Expiry returns when the first certificate of a chain expires.
func Expiry(chain []*x509.Certificate) time.Time {
	first := chain[0].NotAfter
	for _, certificate := range chain[1:] {
		if certificate.NotAfter.Before(first) {
			first = certificate.NotAfter
		}
	}
	return first
}
