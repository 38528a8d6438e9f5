// Package signature makes and checks the CMS signatures (RFC 5652) that a PAdES
// baseline B-B signature of a PDF has (ETSI EN 319 142-1, 6.3), over the digest
// of what is signed. It knows nothing of PDF.
//
// A signature is detached, by one signer, and has no more signed attributes than
// B-B asks for: content-type, message-digest and signing-certificate-v2. There is
// no signing-time among them, since a PDF says in its own words when it was signed.
// The digest is SHA-256 whatever the key.
package signature

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"time"
)

// Digest is that of what is signed.
type Digest = [sha256.Size]byte

// Signer signs. It never changes and is safe for concurrent use, if its key is.
type Signer struct {
	key    crypto.Signer
	chain  []*x509.Certificate
	shape  shape
	widest int // bytes of a signature value
}

// NewSigner returns what signs with a key, for which the first certificate of
// the chain speaks. The others speak for the one before them each; all of them
// are part of every signature. The key may be anywhere, such as in a module that
// does not let it out. The error says why the chain can't be used, or not with
// this key.
func NewSigner(key crypto.Signer, chain []*x509.Certificate) (*Signer, error) {
	if err := CheckChain(chain); err != nil {
		return nil, err
	}
	widest, err := CheckKey(key.Public())
	if err != nil {
		return nil, err
	}
	if !same(key.Public(), chain[0].PublicKey) {
		return nil, fmt.Errorf("the key does not belong to the first certificate of the chain, that of %q", chain[0].Subject)
	}
	shape, err := newShape(chain)
	if err != nil {
		return nil, err
	}
	return &Signer{key, chain, shape, widest}, nil
}

// Leaf returns the certificate of the signer.
func (s *Signer) Leaf() *x509.Certificate { return s.chain[0] }

// Expires returns when the first certificate of the chain does.
func (s *Signer) Expires() time.Time { return Expiry(s.chain) }

// Size returns how many bytes a signature has at most.
func (s *Signer) Size() int {
	return len(s.shape.message(s.shape.attributes(Digest{}), make([]byte, s.widest)))
}

// Sign returns a signature in DER.
func (s *Signer) Sign(digest Digest) ([]byte, error) {
	attributes := s.shape.attributes(digest)
	signed := sha256.Sum256(asSet(attributes))
	value, err := s.key.Sign(rand.Reader, signed[:], crypto.SHA256)
	if err != nil {
		return nil, fmt.Errorf("the key can't sign: %w", err)
	}
	if len(value) > s.widest {
		return nil, fmt.Errorf("the key signs with %d bytes, where %d are the most that its kind has", len(value), s.widest)
	}
	return s.shape.message(attributes, value), nil
}

// What is wrong with a signature.
var (
	// ErrUnreadable is that of what is no signature of the form that Sign gives it.
	ErrUnreadable = errors.New("it has another form than signatures of this program")
	// ErrChanged says that something else was signed.
	ErrChanged = errors.New("what was signed is not what is there")
	// ErrForged says that the key of the leaf has not made it.
	ErrForged = errors.New("its value is not one that the signer's key has made")
)

// OtherSignerError says who signed in place of the one who should have.
type OtherSignerError struct{ Leaf *x509.Certificate }

func (e *OtherSignerError) Error() string {
	return fmt.Sprintf("it was made by %q", e.Leaf.Subject)
}

// Check returns nil if the signature in DER is one of the leaf's key over the
// digest, or else one of the errors above. Another certificate of the same key
// will do: a leaf that is renewed before it expires leaves older signatures valid.
//
// Whether somebody trusts the leaf, and until when, is not looked at.
func Check(der []byte, digest Digest, leaf *x509.Certificate) error {
	read, err := parse(der)
	if err != nil {
		return ErrUnreadable
	}
	own, err := newShape(read.chain)
	if err != nil {
		return ErrUnreadable
	}
	// What this program would not have written is not looked into any further. That
	// leaves no byte that could be changed unseen, but for the certificates after
	// the first: those are there for readers that lack them, and nothing vouches
	// for them here.
	attributes := own.attributes(read.digest)
	if !bytes.Equal(own.message(attributes, read.value), der) {
		return ErrUnreadable
	}
	switch {
	case !same(leaf.PublicKey, read.chain[0].PublicKey):
		return &OtherSignerError{read.chain[0]}
	case read.digest != digest:
		return ErrChanged
	case leaf.CheckSignature(own.x509, asSet(attributes), read.value) != nil:
		return ErrForged
	}
	return nil
}

// same tells whether two public keys are.
func same(a, b crypto.PublicKey) bool {
	key, ok := a.(interface{ Equal(x crypto.PublicKey) bool })
	return ok && key.Equal(b)
}
