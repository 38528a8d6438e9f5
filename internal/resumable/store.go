package resumable

import (
	"context"
	"io"
	"time"

	"homepage/internal/upload"
)

// Store keeps uploads in parts. An id is letters and digits. For each id one call
// runs at a time, but for Sweep. Errors are as those of the stores' Receive.
type Store interface {
	// Create keeps a new upload, which is empty.
	Create(ctx context.Context, id string, about upload.About) error
	// Load returns the state of an upload, or upload.ErrUnknown.
	Load(ctx context.Context, id string) (upload.State, error)
	// Append adds the body to what is kept, and records the length of the whole
	// unless it is -1. If the body fails, what came before is kept, and the
	// body's error is returned beside the state. The error is an
	// upload.OffsetError if the upload is not at the offset.
	Append(ctx context.Context, id string, offset, length int64, body io.Reader) (upload.State, error)
	// Finish publishes what is kept. Once it is published, that changes nothing.
	Finish(ctx context.Context, id string) (upload.State, error)
	// Remove forgets an upload, if there is one. What is published stays.
	Remove(ctx context.Context, id string) error
	// Sweep forgets the uploads that were last touched before the time.
	Sweep(ctx context.Context, before time.Time) error
}
