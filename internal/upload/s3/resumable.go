package s3

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/minio/minio-go/v7"

	"homepage/internal/upload"
)

// formID is the form that an upload in parts becomes when it is finished. The id
// of the upload is its sender's secret, which keys don't tell.
func formID(id string) string {
	sum := sha256.Sum256([]byte("upload " + id))
	return base32.StdEncoding.EncodeToString(sum[:])[:26] // as long as those of other forms
}

// Create keeps a new upload in parts, which is empty. Any program with the same
// bucket and prefix may go on with it.
func (s *Store) Create(ctx context.Context, id string, about upload.About) error {
	form := formID(id)
	u, err := newUnfinished(about, s.key("files", form, "0", upload.CleanName(about.Name)))
	if err != nil {
		return err
	}
	return s.write(ctx, form, u)
}

// Load returns the state of an upload, or upload.ErrUnknown. One that was being
// finished when a program or the store failed is finished first.
func (s *Store) Load(ctx context.Context, id string) (upload.State, error) {
	form := formID(id)
	u, err := s.latest(ctx, form)
	if err != nil {
		return upload.State{}, err
	}
	if u.Finishing && !u.Done {
		return s.finish(ctx, form, u)
	}
	return u.state(form)
}

// Append adds the body to what is kept, and records the length of the whole
// unless it is -1. If the body fails, what came before is kept, and the body's
// error is returned beside the state. The error is an upload.OffsetError if the
// upload is not at the offset, or if another program went on with it meanwhile.
func (s *Store) Append(ctx context.Context, id string, offset, length int64, body io.Reader) (upload.State, error) {
	form := formID(id)
	u, err := s.latest(ctx, form)
	if err != nil {
		return upload.State{}, err
	}
	if u.Finishing || u.Offset != offset {
		state, err := u.state(form)
		return state, errors.Join(err, &upload.OffsetError{Want: u.Offset, Got: offset})
	}
	if length >= 0 {
		u.Length = length
	}
	u.claim()
	if err = s.advance(ctx, form, u); err == nil {
		err = s.add(ctx, form, u, body)
	}
	if errors.Is(err, errMoved) {
		now, loadErr := s.Load(ctx, id)
		if loadErr != nil {
			return now, loadErr
		}
		return now, &upload.OffsetError{Want: now.Offset, Got: offset}
	}
	state, stateErr := u.state(form)
	return state, errors.Join(err, stateErr)
}

// often is how often what came of a slow body is kept. Nothing is swept that was
// as active as that.
const often = time.Minute

// add adds the body to an upload. What u says when it returns is kept.
func (s *Store) add(ctx context.Context, form string, u *unfinished, body io.Reader) error {
	digest, err := u.digest()
	if err != nil {
		return err
	}
	buffer := s.buffers.take(-1)
	defer s.buffers.release(buffer)
	filled, err := s.readTail(ctx, u, buffer)
	if err != nil {
		return err
	}
	kept, keptAt, ended := filled, time.Now(), false // kept of the buffer
	keep := func(next func(context.Context, *unfinished, []byte) error) error {
		digest.Write(buffer[kept:filled])
		changed := *u
		changed.Offset += int64(filled - kept)
		changed.Sending = !ended
		if filled > kept {
			changed.Touched = time.Now().UTC()
		}
		if err := changed.setDigest(digest); err != nil {
			return err
		}
		if err := next(ctx, &changed, buffer[:filled]); err != nil {
			return err
		}
		if err := s.advance(ctx, form, &changed); err != nil {
			return err
		}
		if changed.Tail != u.Tail && u.Tail != "" {
			_ = s.remove(ctx, u.Tail) // else it is swept with the rest
		}
		*u = changed
		kept, keptAt = filled, time.Now()
		return nil
	}
	for {
		n, bodyErr := body.Read(buffer[filled:])
		filled += n
		switch {
		case bodyErr != nil:
			if bodyErr == io.EOF {
				bodyErr = nil
			}
			ended = true
			if filled == kept { // but that nobody sends any more is to be kept
				return errors.Join(bodyErr, keep(keepNothing))
			}
			return errors.Join(bodyErr, keep(s.keepTail))
		case filled == len(buffer):
			if err := keep(s.keepPart); err != nil {
				return err
			}
			filled, kept = 0, 0
		case filled > kept && time.Since(keptAt) > often:
			if err := keep(s.keepTail); err != nil {
				return err
			}
		}
	}
}

func keepNothing(context.Context, *unfinished, []byte) error { return nil }

// keepPart sends a whole part.
func (s *Store) keepPart(ctx context.Context, u *unfinished, content []byte) error {
	if u.UploadID == "" {
		uploadID, err := s.begin(ctx, u.Key)
		if err != nil {
			return err
		}
		u.UploadID = uploadID
	}
	sent, err := s.sendPart(ctx, u.Key, u.UploadID, u.NextPart, content)
	if hasCode(err, minio.NoSuchUpload) {
		return fmt.Errorf("%w: %w", upload.ErrUnknown, err)
	}
	if err != nil {
		return err
	}
	u.Parts = append(slices.Clip(u.Parts), keptPart{sent.PartNumber, sent.ETag})
	u.NextPart++
	u.Tail, u.TailBytes = "", 0
	return nil
}

// keepTail puts what is less than a part into an object of its own.
func (s *Store) keepTail(ctx context.Context, u *unfinished, content []byte) error {
	u.Tail, u.TailBytes = s.key("unfinished", s.formOf(u.Key), "tail-"+rand.Text()), len(content)
	if err := s.create(ctx, u.Tail, content); !errors.Is(err, errTaken) { // which it is by itself
		return err
	}
	return nil
}

// readTail puts what came after the last whole part into the buffer.
func (s *Store) readTail(ctx context.Context, u *unfinished, buffer []byte) (int, error) {
	if u.Tail == "" {
		return 0, nil
	}
	content, err := s.read(ctx, u.Tail)
	switch {
	case hasCode(err, minio.NoSuchKey):
		return 0, errors.Join(errMoved, err) // another program removed it, as it went on
	case err == nil && len(content) != u.TailBytes:
		return 0, fmt.Errorf("%w: %s has %d bytes instead of %d", upload.ErrUnknown, u.Tail, len(content), u.TailBytes)
	}
	return copy(buffer, content), err
}

// Finish publishes what is kept. Once it is published, that changes nothing.
func (s *Store) Finish(ctx context.Context, id string) (upload.State, error) {
	form := formID(id)
	u, err := s.latest(ctx, form)
	if err != nil {
		return upload.State{}, err
	}
	return s.finish(ctx, form, u)
}

// finish may be called again, and by several programs at once, until it says that
// the upload is finished.
func (s *Store) finish(ctx context.Context, form string, u *unfinished) (upload.State, error) {
	if !u.Finishing {
		u.claim()
		u.Finishing = true
		if err := s.advance(ctx, form, u); err != nil {
			return upload.State{}, unavailable(err)
		}
	}
	if !u.Done {
		if err := s.assemble(ctx, u); err != nil {
			return upload.State{}, err
		}
		state, err := u.state(form)
		if err != nil {
			return state, err
		}
		err = s.publish(form, record{u.Touched, u.Request, []recordedFile{{
			upload.CleanName(state.Name), state.Name, u.Key, u.Offset, fmt.Sprintf("%x", state.SHA256),
		}}})
		if errors.Is(err, errSwept) {
			return upload.State{}, fmt.Errorf("%w: %w", upload.ErrUnknown, err)
		}
		if err != nil {
			return upload.State{}, err
		}
		tail := u.Tail
		u.Done, u.Tail, u.Parts = true, "", nil
		if err := s.advance(ctx, form, u); err != nil && !errors.Is(err, errMoved) { // else another was quicker
			return upload.State{}, err
		}
		if tail != "" {
			_ = s.remove(ctx, tail) // else it is swept with the rest
		}
	}
	return u.state(form)
}

// assemble makes one object of what is kept.
func (s *Store) assemble(ctx context.Context, u *unfinished) error {
	buffer := s.buffers.take(-1)
	defer s.buffers.release(buffer)
	n, err := s.readTail(ctx, u, buffer)
	if err != nil {
		return unavailable(err)
	}
	if u.UploadID == "" {
		if err := s.create(ctx, u.Key, buffer[:n]); !errors.Is(err, errTaken) { // which it is by itself
			return err
		}
		return nil
	}
	var parts []minio.CompletePart
	for _, part := range u.Parts {
		parts = append(parts, minio.CompletePart{PartNumber: part.Number, ETag: part.ETag})
	}
	if n > 0 {
		last, err := s.sendPart(ctx, u.Key, u.UploadID, u.NextPart, buffer[:n])
		if err != nil {
			// It may be complete already, and a store that is sent a part of what it
			// knows no more may hang up before that is read from its answer.
			if there, _ := s.isThere(ctx, u.Key, u.Offset); there {
				return nil
			}
			return err
		}
		parts = append(parts, last)
	}
	err = s.complete(ctx, u.Key, u.UploadID, parts, u.Offset)
	if hasCode(err, minio.NoSuchUpload) {
		return fmt.Errorf("%w: %w", upload.ErrUnknown, err)
	}
	return err
}

// Remove forgets an upload, if there is one. What is published stays.
func (s *Store) Remove(ctx context.Context, id string) error {
	form := formID(id)
	u, err := s.latest(ctx, form)
	if errors.Is(err, upload.ErrUnknown) {
		return nil
	}
	if err == nil {
		err = s.bury(ctx, form, u)
	}
	return unavailable(err)
}

// unavailable says of an upload that another program goes on with that the
// sender had better come back.
func unavailable(err error) error {
	if errors.Is(err, errMoved) {
		return &upload.UnavailableError{Reason: "another program goes on with the upload", Err: err}
	}
	return err
}
