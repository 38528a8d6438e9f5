package certificate

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"regexp"
	"strconv"

	"homepage/internal/certificate/signature"
)

// Verdict tells whether a file is a certificate as it was issued.
type Verdict struct {
	Genuine bool
	Stamp   string // that a genuine certificate shows
	Problem string // a sentence that says what is wrong with another file
}

const (
	// verifyWindow is how much of a file is looked at in one piece.
	verifyWindow = 64 << 10
	// mostSeals is how many signatures are looked at. Ours is the last one, and an
	// old revision of a template may have had others.
	mostSeals = 16
	// mostSealed bounds the contents of a signature, in hexadecimal digits.
	mostSealed = 128 << 10
)

// Verify reads a file and tells whether it is a certificate that was signed with
// the leaf's key, down to the last byte. It takes no more memory for a large file
// than for a small one. An error is r's.
//
// A certificate shows the time of its verdict because this program has signed
// both together. No more of the file is read than its signature: whether a reader
// can show the rest is not for Verify to say.
func Verify(r io.Reader, leaf *x509.Certificate) (Verdict, error) {
	layout := regexp.MustCompile(regexp.QuoteMeta(sealReason) + `([0-9T:.+-]{32})` + regexp.QuoteMeta(sealByteRange) +
		`\[0 (\d{1,10}) (\d{1,10}) (\d{1,10})\] {0,30}` + regexp.QuoteMeta(sealContents))
	const longest = 160 // more than a match of it has
	var (
		in      = bufio.NewReaderSize(r, verifyWindow)
		all     = sha256.New()
		size    int64
		found   *sealed // the last one
		seals   int
		foreign bool // signatures are there that are not laid out so
	)
	for {
		window, err := in.Peek(verifyWindow)
		if err != nil && !errors.Is(err, io.EOF) {
			return Verdict{}, err
		}
		last := err != nil
		if size == 0 && !bytes.HasPrefix(window, []byte("%PDF-")) {
			_, err := io.Copy(io.Discard, in) // so that it is known whether it can be read at all
			return Verdict{Problem: "It is no PDF, or does not begin as one."}, err
		}
		end := len(window)
		if !last {
			end -= longest
		}
		match := layout.FindSubmatchIndex(window)
		if match != nil {
			end = match[1]
		}
		foreign = foreign || bytes.Contains(window, []byte("/ByteRange"))
		part := window[:end]
		if match != nil {
			part = window[:end-len("<")]
		}
		_, _ = all.Write(part) // never fails
		if found != nil {
			found.write(part)
		}
		size += int64(len(part))
		if match != nil {
			if seals++; seals > mostSeals {
				_, err := io.Copy(io.Discard, in)
				return Verdict{Problem: "It has more signatures than a certificate of ours."}, err
			}
			digest, err := all.(hash.Cloner).Clone()
			if err != nil {
				return Verdict{}, err
			}
			found = newSealed(window, match, size, digest)
			_, _ = all.Write([]byte("<"))
			found.write([]byte("<"))
			size++
		}
		if _, err := in.Discard(end); err != nil {
			return Verdict{}, err
		}
		if last && match == nil {
			break
		}
	}
	switch {
	case found != nil:
		return found.verdict(leaf), nil
	case foreign:
		return Verdict{Problem: "It has a signature that another program has made."}, nil
	}
	return Verdict{Problem: "It has no signature."}, nil
}

// sealed is a signature in a file that is being read.
type sealed struct {
	stamp         string
	start, end    int64 // of the contents, where they should be
	length        int64 // of what is covered after them
	began, closed int64 // where the contents are; closed is 0 before their end
	contents      []byte

	at     int64     // in the file
	digest hash.Hash // of what is covered
	behind int64     // bytes after that
}

// newSealed returns the signature that a match tells of, whose contents begin at
// a byte of the file.
func newSealed(window []byte, match []int, at int64, digest hash.Hash) *sealed {
	group := func(n int) []byte { return window[match[2*n]:match[2*n+1]] }
	number := func(n int) int64 {
		value, _ := strconv.ParseInt(string(group(n)), 10, 64) // ten digits at most
		return value
	}
	return &sealed{stamp: string(group(1)), start: number(2), end: number(3), length: number(4), began: at, at: at, digest: digest}
}

// write takes more of the file.
func (s *sealed) write(p []byte) {
	if s.closed == 0 {
		inside, after, closes := bytes.Cut(p, []byte(">"))
		if len(s.contents) <= mostSealed {
			s.contents = append(s.contents, inside[:min(len(inside), mostSealed+1)]...)
		}
		s.at += int64(len(inside))
		if !closes {
			return
		}
		s.at++
		s.closed, p = s.at, after
	}
	s.at += int64(len(p))
	covered := min(int64(len(p)), max(0, s.length-s.covered(len(p))))
	_, _ = s.digest.Write(p[:covered])
	s.behind += int64(len(p)) - covered
}

// covered returns how many bytes after the contents had been read before the
// last n.
func (s *sealed) covered(n int) int64 { return s.at - int64(n) - s.closed }

// verdict is said when the file has been read.
func (s *sealed) verdict(leaf *x509.Certificate) Verdict {
	problem := func(format string, args ...any) Verdict { return Verdict{Problem: fmt.Sprintf(format, args...)} }
	der, ok := s.unpadded()
	var digest signature.Digest
	s.digest.Sum(digest[:0])
	err := signature.ErrUnreadable
	if ok {
		err = signature.Check(der, digest, leaf)
	}
	if other, ok := errors.AsType[*signature.OtherSignerError](err); ok {
		return problem("It was signed by another signer: %.200q.", other.Leaf.Subject.String())
	}
	switch {
	case s.closed == 0:
		return problem("It is cut short within its signature.")
	case errors.Is(err, signature.ErrUnreadable), errors.Is(err, signature.ErrForged):
		return problem("Its signature was changed.")
	case s.start != s.began, s.end != s.closed:
		return problem("It was changed after it was issued.")
	case s.length > s.at-s.closed:
		return problem("It is cut short: its end is missing.")
	case err != nil:
		return problem("It was changed after it was issued.")
	case s.behind > 0:
		return problem("It was issued here, but something was added to it afterwards.")
	}
	return Verdict{Genuine: true, Stamp: s.stamp}
}

// unpadded returns the contents without the zeros that fill them up. None of them
// may be anything else: nothing else covers them.
func (s *sealed) unpadded() (der []byte, ok bool) {
	if len(s.contents) == 0 || len(s.contents) > mostSealed || s.contents[0] != '<' {
		return nil, false
	}
	digits := s.contents[1:]
	der = make([]byte, hex.DecodedLen(len(digits)))
	if _, err := hex.Decode(der, digits); err != nil || !bytes.Equal(hex.AppendEncode(nil, der), digits) {
		return nil, false // digits of one form, too
	}
	size, ok := signature.Length(der)
	if !ok || len(bytes.Trim(der[size:], "\x00")) > 0 {
		return nil, false
	}
	return der[:size], true
}
