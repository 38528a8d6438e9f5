package s3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/minio/minio-go/v7"

	"homepage/internal/upload"
)

// callError is an error of the store: of its answer, or of the way to it.
type callError struct {
	what string // what was tried
	err  error
}

func (e *callError) Error() string {
	if answer, ok := errors.AsType[minio.ErrorResponse](e.err); ok {
		return fmt.Sprintf("%s: the store answers %d %s: %s", e.what, answer.StatusCode, answer.Code, answer.Message)
	}
	return e.what + ": " + e.err.Error()
}

func (e *callError) Unwrap() error { return e.err }

// errSilent says that the store gave no sign of life for too long.
var errSilent = errors.New("the store is silent")

const maxAttempts = 3

// call calls the store, and again if that fails in passing and soon: every call
// here may be repeated. It gives up once the store was silent for its patience;
// whoever sees a sign of life meanwhile calls alive. Its errors are
// upload.ErrNoSpace or an upload.UnavailableError, and wrap the store's.
func (s *Store) call(ctx context.Context, what string, attempt func(ctx context.Context, alive func()) error) error {
	began, last := time.Now(), error(nil)
	for n := 1; ; n++ {
		err := s.attempt(ctx, s.patience, attempt)
		if err != nil && last != nil && ctx.Err() != nil {
			err = last // which tells more than that time is up
		}
		last = err
		switch {
		case err == nil:
			return nil
		case n == maxAttempts, !passes(err), time.Since(began) > s.patience/3, !pause(ctx, n):
			return explain(&callError{what, err})
		}
	}
}

// attempt calls the store once, and gives up when it was silent for as long.
func (s *Store) attempt(ctx context.Context, patience time.Duration, attempt func(ctx context.Context, alive func()) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	silence := time.AfterFunc(patience, func() { cancel(errSilent) })
	defer silence.Stop()
	err := attempt(ctx, func() { silence.Reset(patience) })
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// passes tells whether the same call may succeed in a moment.
func passes(err error) bool {
	answer, ok := errors.AsType[minio.ErrorResponse](err)
	switch {
	case !ok:
		return !errors.Is(err, errSilent)
	case answer.Code == "ConditionalRequestConflict", answer.Code == "OperationAborted": // 409: two raced
		return true
	}
	return answer.StatusCode >= 500 && answer.StatusCode != http.StatusInsufficientStorage && answer.StatusCode != http.StatusNotImplemented ||
		answer.StatusCode == http.StatusTooManyRequests || answer.StatusCode == http.StatusRequestTimeout
}

// pause waits before another attempt, longer each time and never as long as
// others do. It returns false if ctx ends meanwhile.
func pause(ctx context.Context, n int) bool {
	longest := 100 * time.Millisecond << n
	timer := time.NewTimer(longest/2 + rand.N(longest/2)) //nolint:gosec // spreads load, hides nothing
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func hasCode(err error, code string) bool {
	answer, ok := errors.AsType[minio.ErrorResponse](err)
	return ok && answer.Code == code
}

// explain marks an error of the store with what it means for uploads. What is
// not known to be about space may be different in a moment, whatever it is.
func explain(err *callError) error {
	answer, answered := errors.AsType[minio.ErrorResponse](err)
	reason := "the object store does not answer as it should"
	switch answer.Code {
	case "QuotaExceeded", "XMinioAdminBucketQuotaExceeded", "XMinioStorageFull", "EntityTooLarge":
		return fmt.Errorf("%w: %w", upload.ErrNoSpace, err)
	case "NoSuchBucket":
		reason = "the bucket is missing"
	case "RequestTimeTooSkewed":
		reason = "the clock differs from the object store's"
	case "InvalidAccessKeyId", "XAdminUserNotFound", "SignatureDoesNotMatch", "AccessDenied", "ExpiredToken", "InvalidToken", "AuthorizationHeaderMalformed":
		reason = "the object store refuses the key"
	case "SlowDown", "SlowDownWrite", "ServiceUnavailable":
		reason = "the object store is busy"
	default:
		switch {
		case answer.StatusCode == http.StatusInsufficientStorage:
			return fmt.Errorf("%w: %w", upload.ErrNoSpace, err)
		case answer.StatusCode >= http.StatusInternalServerError:
			reason = "the object store fails"
		case !answered:
			reason = "the object store can't be reached"
			if errors.Is(err, errSilent) || errors.Is(err, context.DeadlineExceeded) {
				reason = "the object store does not answer"
			}
		}
	}
	return &upload.UnavailableError{Reason: reason, Err: err}
}

// body is what a call sends. Once it is closed nothing reads from its buffer,
// which net/http may otherwise do for a while after a call was given up.
type body struct {
	alive func()

	mu     sync.Mutex
	reader *bytes.Reader // nil once it is closed
}

func newBody(content []byte, alive func()) *body {
	return &body{alive: alive, reader: bytes.NewReader(content)}
}

// Read counts as a sign of life, for the store takes what it is sent.
func (b *body) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.reader == nil {
		return 0, io.ErrClosedPipe
	}
	b.alive()
	return b.reader.Read(p)
}

func (b *body) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reader = nil
}
