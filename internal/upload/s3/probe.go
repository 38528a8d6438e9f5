package s3

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/minio/minio-go/v7"

	"homepage/internal/upload"
)

// probe finds out whether the store does what Receive relies on, above all that
// it never writes to a key that is taken. It leaves an empty object for Try.
func (s *Store) probe() (err error) {
	ctx := context.Background()
	if err := s.create(ctx, s.probeKey, nil); err != nil {
		return s.refused(err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.remove(ctx, s.probeKey))
		}
	}()
	if err := s.create(ctx, s.probeKey, nil); !errors.Is(err, errTaken) {
		if err != nil {
			return s.refused(err)
		}
		return errIgnored("PUT")
	}
	uploadID, err := s.begin(ctx, s.probeKey)
	if err != nil {
		return s.refused(err)
	}
	defer func() { err = errors.Join(err, s.abort(ctx, s.probeKey, uploadID)) }()
	part, err := s.sendPart(ctx, s.probeKey, uploadID, 1, []byte("x"))
	if err != nil {
		return s.refused(err)
	}
	options := minio.PutObjectOptions{}
	options.SetMatchETagExcept("*")
	err = s.call(ctx, "complete "+s.probeKey, func(ctx context.Context, _ func()) error {
		_, err := s.client.CompleteMultipartUpload(ctx, s.location.Bucket, s.probeKey, uploadID, []minio.CompletePart{part}, options)
		return err
	})
	switch {
	case hasCode(err, minio.PreconditionFailed):
		return nil
	case err == nil:
		return errIgnored("CompleteMultipartUpload")
	}
	return s.refused(err)
}

// errIgnored says that the store would overwrite.
func errIgnored(call string) error {
	return fmt.Errorf("the store ignores If-None-Match for %s, so that an upload could overwrite another one; use a store that honours it", call)
}

// refused says what is to be changed for the store to take uploads.
func (s *Store) refused(err error) error {
	answer, _ := errors.AsType[minio.ErrorResponse](err)
	advice := ""
	switch answer.Code {
	case "NoSuchBucket":
		advice = fmt.Sprintf("there is no bucket %s; create it first", s.location.Bucket)
	case "InvalidAccessKeyId", "XAdminUserNotFound": // the latter is versitygw's
		advice = "the store does not know AWS_ACCESS_KEY_ID"
	case "SignatureDoesNotMatch":
		advice = "AWS_SECRET_ACCESS_KEY does not belong to AWS_ACCESS_KEY_ID"
	case "AccessDenied":
		advice = fmt.Sprintf("the key may not store, list and remove objects in %s", s.location)
	case "ExpiredToken", "InvalidToken":
		advice = "AWS_SESSION_TOKEN has expired, or does not belong to the key"
	case "RequestTimeTooSkewed":
		advice = fmt.Sprintf("the clock of this machine (%s) differs too much from the store's", time.Now().UTC().Format(time.RFC3339))
	case "AuthorizationHeaderMalformed":
		advice = "AWS_REGION is not the region that the store expects"
	}
	if advice == "" {
		return err
	}
	return fmt.Errorf("%s: %w", advice, err)
}

// Try finds out whether uploads can be stored now. It asks for what is sure to be
// refused, as an object is there, so that nothing is written. If uploads can't be
// stored, the reason is for anyone to see, and the error has the details.
func (s *Store) Try() (reason string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), s.patience/4)
	defer cancel()
	err = s.create(ctx, s.probeKey, nil)
	if unavailable, ok := errors.AsType[*upload.UnavailableError](err); ok {
		return unavailable.Reason, err
	}
	switch {
	case errors.Is(err, upload.ErrNoSpace):
		return "too little space is left", err
	case err != nil && !errors.Is(err, errTaken):
		return "storing a file fails", err
	}
	return "", nil
}
