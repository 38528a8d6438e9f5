// Package s3 stores uploads as objects in a bucket of an S3-compatible store. A
// form's files become visible all at once, by the one object that is its record:
//
//	PREFIX/files/<form>/<n>/<name>   the files of a form; n counts from 0
//	PREFIX/forms/<form>.json         its record, which names them
//	PREFIX/unfinished/<form>/…       an upload in parts, see there
//	PREFIX/probe/<id>                empty, to try the store with
//
// What no record names does not exist, and is swept once it is old. A form's id
// is random and a key is written on the condition that it is free, so nothing is
// ever overwritten. Any number of programs may use the same bucket and prefix.
package s3

import (
	"context"
	"crypto/rand"
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/minio/minio-go/v7"

	"homepage/internal/upload"
)

// Options say where and how to store uploads.
type Options struct {
	Location Location
	// Getenv returns a variable of the environment: AWS_ENDPOINT_URL, AWS_REGION,
	// AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN. Without
	// keys there, AWS's own files and roles are asked.
	Getenv func(string) string
	// MaxBytes is how many bytes a file may have. A file has at most 10,000
	// parts, so that more than 58 GiB need larger ones, and buffers to match.
	MaxBytes int64
}

// Store is a bucket of uploads. It is safe for concurrent use.
type Store struct {
	client   *minio.Core
	location Location
	buffers  *buffers
	patience time.Duration // how long the store may be silent
	probeKey string
	idle     func()
}

// defaultPatience lets a visitor have an answer within 30 s of the store's last
// sign of life, whatever it fell silent in: see call, commit and discard.
const defaultPatience = 15 * time.Second

// Open opens the store, and finds out that it keeps its promises: see probe. Its
// errors say what is to be changed.
func Open(options Options) (*Store, error) { return open(options, defaultPatience) }

func open(options Options, patience time.Duration) (*Store, error) {
	at, err := findEndpoint(options.Getenv)
	if err != nil {
		return nil, err
	}
	keys, err := findCredentials(options.Getenv)
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: patience / 3}).DialContext,
		TLSHandshakeTimeout:   patience / 3,
		ResponseHeaderTimeout: patience, // of listings, which don't go through call
		IdleConnTimeout:       time.Minute,
		MaxIdleConnsPerHost:   64,
		WriteBufferSize:       64 << 10,
		DisableCompression:    true,
	}
	client, err := minio.NewCore(at.host, &minio.Options{
		Creds:        keys,
		Secure:       at.secure,
		Region:       at.region,
		BucketLookup: minio.BucketLookupAuto, // in the path, but for AWS and the like
		MaxRetries:   1,                      // call has its own retries
		Transport:    transport,
	})
	if err != nil {
		return nil, err
	}
	s := &Store{
		client:   client,
		location: options.Location,
		buffers:  newBuffers(options.MaxBytes),
		patience: patience,
		idle:     transport.CloseIdleConnections,
	}
	s.probeKey = s.key("probe", rand.Text())
	if err := s.probe(); err != nil {
		s.idle()
		return nil, err
	}
	return s, nil
}

// Close removes what Try needs, and releases the connections.
func (s *Store) Close() error {
	defer s.idle()
	return s.remove(context.Background(), s.probeKey)
}

// Receive stores all files of the form, or none: an error of their sequence, of a
// body or of the store leaves nothing that anyone can see. It holds one part in
// memory at a time.
//
// It returns upload.ErrNoSpace if the bucket is full and an
// upload.UnavailableError for any other failure of the store; otherwise it wraps
// the error of the sequence or the body.
func (s *Store) Receive(sent upload.Form) ([]upload.Receipt, error) {
	f := form{store: s, id: rand.Text(), request: sent.Request, buffer: s.buffers.take(sent.Size)}
	defer func() { s.buffers.release(f.buffer) }()
	for file, err := range sent.Files {
		if err == nil {
			err = f.add(file)
		}
		if err != nil {
			f.discard()
			return nil, err
		}
	}
	return f.commit()
}

// key returns the key below the prefix.
func (s *Store) key(parts ...string) string {
	key := s.location.Prefix
	for _, part := range parts {
		if key != "" {
			key += "/"
		}
		key += part
	}
	return key
}

// remove removes an object, if it is there.
func (s *Store) remove(ctx context.Context, key string) error {
	return s.call(ctx, "remove "+key, func(ctx context.Context, _ func()) error {
		return s.client.RemoveObject(ctx, s.location.Bucket, key, minio.RemoveObjectOptions{})
	})
}

// abort gives up a multipart upload, if it is open.
func (s *Store) abort(ctx context.Context, key, uploadID string) error {
	err := s.call(ctx, "abort "+key, func(ctx context.Context, _ func()) error {
		return s.client.AbortMultipartUpload(ctx, s.location.Bucket, key, uploadID)
	})
	if hasCode(err, minio.NoSuchUpload) {
		return nil
	}
	return err
}

// errTaken says that a key that was to be free has an object.
var errTaken = errors.New("the key is taken")

// create puts an object where none is, or returns errTaken. If an answer got
// lost, what it finds there may be its own.
func (s *Store) create(ctx context.Context, key string, content []byte) error {
	err := s.call(ctx, "put "+key, func(ctx context.Context, alive func()) error {
		return s.put(ctx, alive, key, content, "")
	})
	if hasCode(err, minio.PreconditionFailed) {
		return errTaken
	}
	return err
}

// empty puts an empty object in place of one.
func (s *Store) empty(ctx context.Context, key string) error {
	return s.call(ctx, "empty "+key, func(ctx context.Context, _ func()) error {
		_, err := s.client.PutObject(ctx, s.location.Bucket, key, nil, 0, "", hexDigest(nil), minio.PutObjectOptions{DisableContentSha256: true})
		return err
	})
}

// put is one attempt of create.
func (s *Store) put(ctx context.Context, alive func(), key string, content []byte, contentType string) error {
	body := newBody(content, alive)
	defer body.close()
	options := minio.PutObjectOptions{ContentType: contentType, DisableContentSha256: true} // as it is given
	options.SetMatchETagExcept("*")
	_, err := s.client.PutObject(ctx, s.location.Bucket, key, body, int64(len(content)), "", hexDigest(content), options)
	return err
}
