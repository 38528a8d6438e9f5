package web

import (
	"crypto/sha256"
	"errors"
	"net/http"

	"github.com/dunglas/httpsfv"
)

// A structured field (RFC 9651) that is not of the type it must have is ignored
// as a whole, as the draft of resumable uploads asks for each of its fields.
// Parameters are allowed and mean nothing.

// integerOf returns a field that is an Integer of zero or more.
func integerOf(r *http.Request, name string) (n int64, ok bool) {
	item, err := httpsfv.UnmarshalItem(r.Header.Values(name))
	if err != nil {
		return 0, false
	}
	n, ok = item.Value.(int64)
	return n, ok && n >= 0
}

// completeOf returns Upload-Complete, a Boolean.
func completeOf(r *http.Request) (complete, ok bool) {
	item, err := httpsfv.UnmarshalItem(r.Header.Values("Upload-Complete"))
	if err != nil {
		return false, false
	}
	complete, ok = item.Value.(bool)
	return complete, ok
}

func sfBoolean(b bool) string {
	if b {
		return "?1"
	}
	return "?0"
}

// reprDigest returns the SHA-256 in Repr-Digest (RFC 9530, 3), or nil if there is
// no such field. A digest that would not be checked is an error: its sender
// relies on it.
func reprDigest(r *http.Request) ([]byte, error) {
	lines := r.Header.Values("Repr-Digest")
	if len(lines) == 0 {
		return nil, nil
	}
	digests, err := httpsfv.UnmarshalDictionary(lines)
	if err != nil {
		return nil, err
	}
	member, _ := digests.Get("sha-256")
	item, _ := member.(httpsfv.Item)
	digest, ok := item.Value.([]byte)
	if !ok || len(digest) != sha256.Size {
		return nil, errors.New("Repr-Digest has no sha-256 of 32 bytes")
	}
	return digest, nil
}
