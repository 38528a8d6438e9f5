package signature

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"slices"

	"golang.org/x/crypto/cryptobyte"
	tags "golang.org/x/crypto/cryptobyte/asn1"
)

// shape is what all signatures of a signer have in common, in DER.
type shape struct {
	before    []byte // of SignedData, what comes before the signerInfos
	signer    []byte // of SignerInfo, what comes before the signed attributes
	algorithm []byte // of its value
	x509      x509.SignatureAlgorithm

	// The signed attributes around the 32 bytes of the digest.
	attributesBefore, attributesAfter []byte
}

// newShape returns the shape of signatures by the first certificate of a chain.
func newShape(chain []*x509.Certificate) (shape, error) {
	var (
		s    shape
		leaf = chain[0]

		data                 = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}
		contentType          = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 3}
		messageDigest        = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 4}
		signingCertificateV2 = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 47}
		sha256Digest         = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}
		ecdsaWithSHA256      = asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}
		rsaWithSHA256        = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 11}
	)
	identifier := ecdsaWithSHA256
	parameters := func(*cryptobyte.Builder) {} // absent (RFC 5754, 3.3)
	switch leaf.PublicKey.(type) {
	case *ecdsa.PublicKey:
		s.x509 = x509.ECDSAWithSHA256
	case *rsa.PublicKey:
		s.x509 = x509.SHA256WithRSA
		identifier = rsaWithSHA256
		parameters = func(b *cryptobyte.Builder) { b.AddASN1NULL() } // RFC 5754, 3.2
	default:
		return s, errors.New("the key is of no kind that this program knows")
	}
	sha256Algorithm := func(b *cryptobyte.Builder) {
		b.AddASN1(tags.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(sha256Digest) // without parameters (RFC 5754, 2)
		})
	}
	s.before = build(func(b *cryptobyte.Builder) {
		b.AddASN1Int64(1)                                      // version (RFC 5652, 5.1): neither other certificates nor other content
		b.AddASN1(tags.SET, sha256Algorithm)                   // digestAlgorithms
		b.AddASN1(tags.SEQUENCE, func(b *cryptobyte.Builder) { // encapContentInfo (5.2)
			b.AddASN1ObjectIdentifier(data) // without eContent: detached
		})
		b.AddASN1(tag0, func(b *cryptobyte.Builder) { // certificates
			for _, certificate := range chain {
				b.AddBytes(certificate.Raw)
			}
		})
	})
	s.signer = build(func(b *cryptobyte.Builder) {
		b.AddASN1Int64(1)                                      // version (5.3): the signer is named by issuer and serial number
		b.AddASN1(tags.SEQUENCE, func(b *cryptobyte.Builder) { // sid
			b.AddBytes(leaf.RawIssuer) // as it stands in the certificate, however that encodes it
			b.AddASN1BigInt(leaf.SerialNumber)
		})
		sha256Algorithm(b) // digestAlgorithm
	})
	s.algorithm = build(func(b *cryptobyte.Builder) { // signatureAlgorithm
		b.AddASN1(tags.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(identifier)
			parameters(b)
		})
	})
	// SET OF is sorted by the encodings (X.690, 11.6), and these are of rising length.
	digest := build(func(b *cryptobyte.Builder) { // message-digest (RFC 5652, 11.2)
		addAttribute(b, messageDigest, func(b *cryptobyte.Builder) { b.AddASN1OctetString(make([]byte, sha256.Size)) })
	})
	s.attributesBefore = build(func(b *cryptobyte.Builder) {
		// content-type (11.1)
		addAttribute(b, contentType, func(b *cryptobyte.Builder) { b.AddASN1ObjectIdentifier(data) })
		b.AddBytes(digest[:len(digest)-sha256.Size])
	})
	s.attributesAfter = build(func(b *cryptobyte.Builder) {
		// signing-certificate-v2 (RFC 5035, 3), which B-B asks for in place of the
		// first version and of none (EN 319 142-1, 6.3).
		addAttribute(b, signingCertificateV2, func(b *cryptobyte.Builder) {
			b.AddASN1(tags.SEQUENCE, func(b *cryptobyte.Builder) { // SigningCertificateV2
				b.AddASN1(tags.SEQUENCE, func(b *cryptobyte.Builder) { // certs
					b.AddASN1(tags.SEQUENCE, func(b *cryptobyte.Builder) { // ESSCertIDv2
						// No hashAlgorithm, as SHA-256 is its default, and no
						// issuerSerial, which is optional and says what sid says.
						digest := sha256.Sum256(leaf.Raw)
						b.AddASN1OctetString(digest[:]) // certHash
					})
				})
			})
		})
	})
	return s, nil
}

// addAttribute adds an attribute of one value (RFC 5652, 5.3).
func addAttribute(b *cryptobyte.Builder, identifier asn1.ObjectIdentifier, value func(*cryptobyte.Builder)) {
	b.AddASN1(tags.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(identifier)
		b.AddASN1(tags.SET, value)
	})
}

// attributes returns the signed attributes that vouch for a digest, without the
// tag of the SET that they are.
func (s shape) attributes(digest Digest) []byte {
	return slices.Concat(s.attributesBefore, digest[:], s.attributesAfter)
}

// asSet returns the signed attributes as they are signed: under the tag of a SET,
// where the message has another (RFC 5652, 5.4).
func asSet(attributes []byte) []byte {
	return build(func(b *cryptobyte.Builder) {
		b.AddASN1(tags.SET, func(b *cryptobyte.Builder) { b.AddBytes(attributes) })
	})
}

// message returns the whole message (RFC 5652, 3 and 5).
func (s shape) message(attributes, value []byte) []byte {
	signedData := asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}
	return build(func(b *cryptobyte.Builder) {
		b.AddASN1(tags.SEQUENCE, func(b *cryptobyte.Builder) { // ContentInfo
			b.AddASN1ObjectIdentifier(signedData)
			b.AddASN1(tag0, func(b *cryptobyte.Builder) {
				b.AddASN1(tags.SEQUENCE, func(b *cryptobyte.Builder) { // SignedData
					b.AddBytes(s.before)
					b.AddASN1(tags.SET, func(b *cryptobyte.Builder) { // signerInfos
						b.AddASN1(tags.SEQUENCE, func(b *cryptobyte.Builder) { // SignerInfo
							b.AddBytes(s.signer)
							b.AddASN1(tag0, func(b *cryptobyte.Builder) { b.AddBytes(attributes) })
							b.AddBytes(s.algorithm)
							b.AddASN1OctetString(value)
						})
					})
				})
			})
		})
	})
}

// tag0 is [0].
const tag0 = tags.Tag(0x80 | 0x20)

// build returns what add adds. That can fail only for what is too long for a
// length of 32 bits, or is no object identifier.
func build(add func(*cryptobyte.Builder)) []byte {
	b := cryptobyte.NewBuilder(make([]byte, 0, 2<<10))
	add(b)
	return b.BytesOrPanic()
}

// parsed is what a message says.
type parsed struct {
	chain  []*x509.Certificate
	digest Digest
	value  []byte
}

// parse takes from a message what tells it from others. It passes over all else,
// for which whoever asks has to look.
func parse(der []byte) (p parsed, err error) {
	malformed := errors.New("malformed")
	var content, signedData, certificates, signers, signer, attributes, attribute, digest, value cryptobyte.String
	input := cryptobyte.String(der)
	if !input.ReadASN1(&content, tags.SEQUENCE) ||
		!content.SkipASN1(tags.OBJECT_IDENTIFIER) ||
		!content.ReadASN1(&content, tag0) ||
		!content.ReadASN1(&signedData, tags.SEQUENCE) ||
		!signedData.SkipASN1(tags.INTEGER) ||
		!signedData.SkipASN1(tags.SET) ||
		!signedData.SkipASN1(tags.SEQUENCE) ||
		!signedData.ReadASN1(&certificates, tag0) ||
		!signedData.ReadASN1(&signers, tags.SET) ||
		!signers.ReadASN1(&signer, tags.SEQUENCE) ||
		!signer.SkipASN1(tags.INTEGER) ||
		!signer.SkipASN1(tags.SEQUENCE) ||
		!signer.SkipASN1(tags.SEQUENCE) ||
		!signer.ReadASN1(&attributes, tag0) ||
		!signer.SkipASN1(tags.SEQUENCE) ||
		!signer.ReadASN1(&value, tags.OCTET_STRING) ||
		!attributes.SkipASN1(tags.SEQUENCE) ||
		!attributes.ReadASN1(&attribute, tags.SEQUENCE) ||
		!attribute.SkipASN1(tags.OBJECT_IDENTIFIER) ||
		!attribute.ReadASN1(&attribute, tags.SET) ||
		!attribute.ReadASN1(&digest, tags.OCTET_STRING) ||
		!digest.CopyBytes(p.digest[:]) || !digest.Empty() {
		return p, malformed
	}
	p.value = value
	if p.chain, err = x509.ParseCertificates(certificates); err != nil || len(p.chain) == 0 {
		return p, malformed
	}
	return p, nil
}

// Length returns how many bytes a signature has that is followed by others.
func Length(der []byte) (int, bool) {
	rest := cryptobyte.String(der)
	if !rest.SkipASN1(tags.SEQUENCE) {
		return 0, false
	}
	return len(der) - len(rest), true
}
