package s3

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"

	"homepage/internal/upload"
)

// unfinished is how far an upload in parts is. It is in the store as
//
//	PREFIX/unfinished/<form>/<version>.json
//
// where each change is a new version. A version is written on the condition that
// there is none of its number, so that of several programs one goes on. Those
// before the latest are emptied, and stay: their numbers must not be free for a
// program that is late. Beside them are the bytes that make no whole part yet, as
// tail-<random>; the others are parts of a multipart upload of the final key.
type unfinished struct {
	Name    []byte // the sender's, in bytes because it may be no text
	Length  int64  // see upload.About
	Wanted  []byte `json:",omitempty"`
	Request string // that began it

	Offset  int64
	Digest  []byte // the state of the digest of what is kept
	Touched time.Time

	Key       string     // final
	UploadID  string     `json:",omitempty"` // until there is a whole part
	Parts     []keptPart `json:",omitempty"`
	NextPart  int        // the number of the next one; some may be left out
	Sending   bool       `json:",omitempty"` // one of that number may be on its way
	Tail      string     `json:",omitempty"` // its key
	TailBytes int        `json:",omitempty"`

	Finishing bool `json:",omitempty"` // nothing is added any more
	Done      bool `json:",omitempty"`
	Buried    bool `json:",omitempty"` // it is gone, and this keeps it so

	Version int
	Turn    string // random: whose version it is
}

type keptPart struct {
	Number int
	ETag   string
}

// errMoved says that another program went on with the upload.
var errMoved = errors.New("another program went on with the upload")

func newUnfinished(about upload.About, key string) (*unfinished, error) {
	u := &unfinished{
		Name: []byte(about.Name), Length: about.Length, Wanted: about.SHA256, Request: about.Request,
		Touched: time.Now().UTC(), Key: key, NextPart: 1, Turn: rand.Text(),
	}
	return u, u.setDigest(sha256.New())
}

// claim takes an upload over for the next version. Whoever had it can't record
// anything from then on. If that is still sending a part, its number is not used
// again.
func (u *unfinished) claim() {
	if u.Sending {
		u.NextPart++
	}
	u.Sending = true
}

func (u *unfinished) setDigest(digest hash.Hash) (err error) {
	u.Digest, err = digest.(encoding.BinaryMarshaler).MarshalBinary()
	return err
}

// digest goes on with the digest of what is kept.
func (u *unfinished) digest() (hash.Hash, error) {
	digest := sha256.New()
	if err := digest.(encoding.BinaryUnmarshaler).UnmarshalBinary(u.Digest); err != nil {
		return nil, fmt.Errorf("%w: its state is damaged: %w", upload.ErrUnknown, err)
	}
	return digest, nil
}

func (u *unfinished) state(form string) (upload.State, error) {
	digest, err := u.digest()
	if err != nil {
		return upload.State{}, err
	}
	state := upload.State{
		About:  upload.About{Name: string(u.Name), Length: u.Length, SHA256: u.Wanted, Request: u.Request},
		Offset: u.Offset, Touched: u.Touched,
	}
	digest.Sum(state.SHA256[:0])
	if u.Done {
		name := form + "/0/" + upload.CleanName(state.Name)
		state.Receipt = &upload.Receipt{Name: name, Original: state.Name, Bytes: u.Offset, SHA256: state.SHA256}
	}
	return state, nil
}

func (s *Store) versionKey(form string, version int) string {
	return s.key("unfinished", form, fmt.Sprintf("%010d.json", version))
}

// latest returns the latest version of an upload, or upload.ErrUnknown.
func (s *Store) latest(ctx context.Context, form string) (*unfinished, error) {
	for range maxAttempts {
		var key string
		err := s.call(ctx, "list the versions of "+form, func(ctx context.Context, _ func()) error {
			key = ""
			for object := range s.list(ctx, "unfinished/"+form) {
				if object.Err != nil {
					return object.Err
				}
				if strings.HasSuffix(object.Key, ".json") {
					key = max(key, object.Key)
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		if key == "" {
			return nil, upload.ErrUnknown
		}
		content, err := s.read(ctx, key)
		if err != nil {
			return nil, err
		}
		if len(content) == 0 {
			continue // there is a later one by now
		}
		u := new(unfinished)
		switch err := json.Unmarshal(content, u); {
		case err != nil:
			return nil, fmt.Errorf("%w: its state is damaged: %w", upload.ErrUnknown, err)
		case u.Buried:
			return nil, upload.ErrUnknown
		}
		return u, nil
	}
	return nil, unavailable(errMoved)
}

// write writes a version, or returns errMoved if there is one of its number.
func (s *Store) write(ctx context.Context, form string, u *unfinished) error {
	content, err := json.Marshal(u)
	if err != nil {
		return err
	}
	key := s.versionKey(form, u.Version)
	err = s.create(ctx, key, content)
	if errors.Is(err, errTaken) {
		there, err := s.read(ctx, key)
		switch {
		case err != nil:
			return err
		case !bytes.Equal(there, content): // else it is its own, whose answer got lost
			return errMoved
		}
		return nil
	}
	return err
}

// advance writes the next version in place of the one before.
func (s *Store) advance(ctx context.Context, form string, u *unfinished) error {
	next := *u
	next.Version++
	next.Turn = rand.Text()
	if err := s.write(ctx, form, &next); err != nil {
		return err
	}
	*u = next
	_ = s.empty(ctx, s.versionKey(form, u.Version-1)) // which saves space alone
	return nil
}

// bury ends an upload for good. What it leaves is a version that says so, for
// programs that have an older one in mind.
func (s *Store) bury(ctx context.Context, form string, u *unfinished) (err error) {
	uploadID := u.UploadID
	u.Buried, u.Parts, u.Tail = true, nil, ""
	if err := s.advance(ctx, form, u); err != nil {
		return err
	}
	if uploadID != "" && !u.Done {
		err = s.abort(ctx, u.Key, uploadID)
	}
	return errors.Join(err, s.removeAll(ctx, "unfinished/"+form, "tail-"))
}

// removeAll removes the objects in a part of the layout whose names begin so, in
// the order of their keys.
func (s *Store) removeAll(ctx context.Context, part, names string) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // of the listing
	for object := range s.list(ctx, part) {
		if object.Err != nil {
			return errors.Join(err, object.Err)
		}
		if strings.HasPrefix(object.Key, s.key(part, names)) {
			err = errors.Join(err, s.remove(ctx, object.Key))
		}
	}
	return err
}

// sweepUnfinished buries the uploads in parts that were last active before a
// time, and removes what was buried before it. It returns the others, by the
// forms that they are to become.
func (s *Store) sweepUnfinished(ctx context.Context, before time.Time) (running map[string]bool, err error) {
	running = map[string]bool{}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // of the listing
	latest := map[string]minio.ObjectInfo{}
	for object := range s.list(ctx, "unfinished") {
		if object.Err != nil {
			return nil, object.Err
		}
		form := s.formOf(object.Key)
		if object.LastModified.After(latest[form].LastModified) {
			latest[form] = object
		}
	}
	for form, last := range latest {
		if !last.LastModified.Before(before) {
			running[form] = true
			continue
		}
		u, latestErr := s.latest(ctx, form)
		switch {
		case errors.Is(latestErr, upload.ErrUnknown):
			// Buried, or a tail alone. The version that says so goes last of all
			// versions.
			err = errors.Join(err, s.removeAll(ctx, "unfinished/"+form, ""))
		case latestErr != nil:
			running[form] = true // perhaps
			err = errors.Join(err, latestErr)
		default:
			if buryErr := s.bury(ctx, form, u); !errors.Is(buryErr, errMoved) {
				err = errors.Join(err, buryErr)
			} else {
				running[form] = true
			}
		}
	}
	return running, err
}
