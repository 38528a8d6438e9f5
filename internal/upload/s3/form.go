package s3

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"strconv"
	"time"

	"github.com/minio/minio-go/v7"
	"golang.org/x/sync/errgroup"

	"homepage/internal/upload"
)

// form is a form that is being received.
type form struct {
	store   *Store
	id      string
	request string
	buffer  []byte
	files   []*file
}

// file is a file of a form: an object, or a multipart upload that is held open
// until the form is whole.
type file struct {
	key      string
	name     string // clean
	uploadID string // empty if it is small enough for an object at once
	parts    []minio.CompletePart
	digest   hash.Hash
	receipt  upload.Receipt
}

// record is the object that makes a form's files visible. It is written once.
type record struct {
	Time    time.Time      `json:"time"`
	Request string         `json:"request"` // as the log names it
	Files   []recordedFile `json:"files"`   // as the sender ordered them
}

type recordedFile struct {
	Name     string `json:"name"`
	Original string `json:"original"`
	Key      string `json:"key"` // in the bucket
	Bytes    int64  `json:"bytes"`
	SHA256   string `json:"sha256"` // in hexadecimal
}

// add stores a file, which nobody sees yet.
func (f *form) add(sent upload.File) error {
	name, n := upload.CleanName(sent.Name), strconv.Itoa(len(f.files))
	one := &file{
		key:     f.store.key("files", f.id, n, name),
		name:    name,
		digest:  sha256.New(),
		receipt: upload.Receipt{Name: f.id + "/" + n + "/" + name, Original: sent.Name},
	}
	f.files = append(f.files, one)
	for last := false; !last; {
		part, whole, err := f.fill(sent.Body)
		if err != nil {
			return fmt.Errorf("receive %q: %w", sent.Name, err)
		}
		last = whole
		if err := f.send(one, part, last); err != nil {
			return err
		}
	}
	one.digest.Sum(one.receipt.SHA256[:0])
	return nil
}

// fill reads the next part of a file, and tells whether that is the last one.
func (f *form) fill(body io.Reader) (part []byte, last bool, err error) {
	n := 0
	for {
		if n == len(f.buffer) {
			larger, ok := f.store.buffers.grow(f.buffer)
			if !ok {
				return f.buffer, false, nil
			}
			f.buffer = larger
		}
		read, err := body.Read(f.buffer[n:])
		n += read
		switch {
		case err == io.EOF: // unwrapped: within another error it may be a cut
			return f.buffer[:n], true, nil
		case err != nil:
			return nil, false, err
		}
	}
}

// send stores a part of a file, and adds it to the digest meanwhile.
func (f *form) send(one *file, part []byte, last bool) error {
	one.receipt.Bytes += int64(len(part))
	hashed := make(chan struct{})
	go func() {
		one.digest.Write(part)
		close(hashed)
	}()
	defer func() { <-hashed }() // before the buffer is used again
	ctx := context.Background()
	switch {
	case last && one.uploadID == "":
		err := f.store.create(ctx, one.key, part)
		if errors.Is(err, errTaken) {
			return nil // by itself: an answer got lost, and no other form has this id
		}
		return err
	case len(part) == 0:
		return nil
	case one.uploadID == "":
		var err error
		if one.uploadID, err = f.store.begin(ctx, one.key); err != nil {
			return err
		}
	}
	sent, err := f.store.sendPart(ctx, one.key, one.uploadID, len(one.parts)+1, part)
	if err == nil {
		one.parts = append(one.parts, sent)
	}
	return err
}

// begin opens a multipart upload. If an answer gets lost, an empty one more is
// left to be swept.
func (s *Store) begin(ctx context.Context, key string) (uploadID string, err error) {
	err = s.call(ctx, "begin "+key, func(ctx context.Context, _ func()) (err error) {
		uploadID, err = s.client.NewMultipartUpload(ctx, s.location.Bucket, key, minio.PutObjectOptions{})
		return err
	})
	return uploadID, err
}

// sendPart stores the part of a number, in place of any that has it.
func (s *Store) sendPart(ctx context.Context, key, uploadID string, number int, part []byte) (minio.CompletePart, error) {
	sent, sum := minio.ObjectPart{}, hexDigest(part)
	err := s.call(ctx, fmt.Sprintf("put part %d of %s", number, key), func(ctx context.Context, alive func()) (err error) {
		body := newBody(part, alive)
		defer body.close()
		sent, err = s.client.PutObjectPart(ctx, s.location.Bucket, key, uploadID, number, body, int64(len(part)),
			minio.PutObjectPartOptions{Sha256Hex: sum, DisableContentSha256: true}) // as it is given
		return err
	})
	return minio.CompletePart{PartNumber: number, ETag: sent.ETag}, err
}

// complete makes an object of a multipart upload. It may have done so already,
// if the answer to that got lost.
func (s *Store) complete(ctx context.Context, key, uploadID string, parts []minio.CompletePart, size int64) error {
	err := s.call(ctx, "complete "+key, func(ctx context.Context, _ func()) error {
		options := minio.PutObjectOptions{}
		options.SetMatchETagExcept("*")
		_, err := s.client.CompleteMultipartUpload(ctx, s.location.Bucket, key, uploadID, parts, options)
		return err
	})
	if !hasCode(err, minio.PreconditionFailed) && !hasCode(err, minio.NoSuchUpload) {
		return err
	}
	if there, lookErr := s.isThere(ctx, key, size); !there {
		return errors.Join(err, lookErr)
	}
	return nil
}

// isThere tells whether the object is in the store, with that size.
func (s *Store) isThere(ctx context.Context, key string, size int64) (bool, error) {
	var there minio.ObjectInfo
	err := s.call(ctx, "look at "+key, func(ctx context.Context, _ func()) (err error) {
		there, err = s.client.StatObject(ctx, s.location.Bucket, key, minio.StatObjectOptions{})
		return err
	})
	return err == nil && there.Size == size, err
}

// concurrently is how many files of a form are completed or discarded at once.
const concurrently = 8

// commit makes the form visible. All of it fits into 30 s, with a store that
// answers nothing from some moment on.
func (f *form) commit() ([]upload.Receipt, error) {
	made := record{Time: time.Now().UTC(), Request: f.request}
	receipts := make([]upload.Receipt, 0, len(f.files))
	group, ctx := errgroup.WithContext(context.Background())
	group.SetLimit(concurrently)
	for _, one := range f.files {
		r := one.receipt
		receipts = append(receipts, r)
		made.Files = append(made.Files, recordedFile{one.name, r.Original, one.key, r.Bytes, hex.EncodeToString(r.SHA256[:])})
		if one.uploadID != "" {
			group.Go(func() error { return f.store.complete(ctx, one.key, one.uploadID, one.parts, r.Bytes) })
		}
	}
	err := group.Wait()
	if err == nil {
		err = f.store.publish(f.id, made)
	}
	switch {
	case err == nil:
		return receipts, nil
	case !errors.Is(err, errUncertain): // else the record may be there, and name the files
		f.discard()
	}
	return nil, err
}

// errUncertain says that a form's record may or may not be there: no answer
// tells. The sweeper will find out.
var errUncertain = errors.New("the form may have been stored all the same")

// errSwept says that a form was taken for one that nobody finishes.
var errSwept = errors.New("the form was swept, as nothing of it had arrived for too long")

// publish writes the record of a form. If an answer gets lost it writes it
// again: either that succeeds, or the one that is there shows whose it is.
func (s *Store) publish(form string, made record) error {
	content, err := json.Marshal(made)
	if err != nil {
		return err
	}
	content = append(content, '\n')
	key, uncertain := s.key("forms", form+".json"), false
	ctx, cancel := context.WithTimeout(context.Background(), s.patience)
	defer cancel()
	for n := 1; ; n++ {
		err = s.attempt(ctx, s.patience/maxAttempts, func(ctx context.Context, alive func()) error {
			return s.put(ctx, alive, key, content, "application/json")
		})
		if err == nil {
			return nil
		}
		if hasCode(err, minio.PreconditionFailed) {
			there, err := s.read(ctx, key)
			switch {
			case err == nil && bytes.Equal(there, content):
				return nil
			case err == nil:
				return &upload.UnavailableError{Reason: "the upload took too long", Err: errSwept}
			}
			return &upload.UnavailableError{Reason: "the object store does not answer", Err: errors.Join(errUncertain, err)}
		}
		again := passes(err) || errors.Is(err, errSilent)
		uncertain = uncertain || again
		if !again || n == maxAttempts || !pause(ctx, n) {
			break
		}
	}
	err = explain(&callError{"put " + key, err})
	if uncertain {
		return errors.Join(err, errUncertain)
	}
	return err
}

// read returns the content of a small object.
func (s *Store) read(ctx context.Context, key string) (content []byte, err error) {
	err = s.call(ctx, "get "+key, func(ctx context.Context, _ func()) error {
		object, _, _, err := s.client.GetObject(ctx, s.location.Bucket, key, minio.GetObjectOptions{})
		if err != nil {
			return err
		}
		content, err = io.ReadAll(object)
		return errors.Join(err, object.Close())
	})
	return content, err
}

// discard removes what was stored of a form that failed, as far as the store
// lets it. What it leaves is swept.
func (f *form) discard() {
	ctx, cancel := context.WithTimeout(context.Background(), f.store.patience/4)
	defer cancel()
	var group errgroup.Group
	group.SetLimit(concurrently)
	for _, one := range f.files {
		group.Go(func() error {
			if one.uploadID != "" {
				_ = f.store.abort(ctx, one.key, one.uploadID)
			}
			_ = f.store.remove(ctx, one.key) // there, or perhaps there
			return nil
		})
	}
	_ = group.Wait()
}

func hexDigest(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}
