// Package resumable receives files in parts: an upload that is cut off goes on
// where it was. It holds what draft-ietf-httpbis-resumable-upload asks of an
// upload itself: who may go on with it, that parts fit together and become the
// file that was announced, that one request at a time adds to it, and how long it
// lives. A store keeps the parts; how a part arrives is the caller's to know.
package resumable

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"homepage/internal/upload"
)

// Uploads are the uploads in parts. They are safe for concurrent use.
type Uploads struct {
	store Store
	most  int64 // bytes of one upload
	life  time.Duration
	turns turns
}

// New returns the uploads of a store, of at most so many bytes each. An upload
// lives that long after its last byte, and its receipt that long after it was
// finished.
func New(store Store, most int64, life time.Duration) *Uploads {
	return &Uploads{store: store, most: most, life: life, turns: turns{last: map[string]*turn{}}}
}

// Part is the next part of an upload.
type Part struct {
	Offset  int64  // where it begins in the whole
	Size    int64  // bytes, or -1 if that is not known
	Length  int64  // bytes of the whole as the sender says with it, or -1
	Last    bool   // the upload is finished with it
	SHA256  []byte // that the whole must have, or nil; for the last one
	Request string // see upload.Form
	Body    io.Reader
	Stop    func() // makes Body end with an error, soon and for good; does not wait for that
}

var (
	// ErrTooLarge says that the upload has or would have more bytes than allowed.
	ErrTooLarge = errors.New("the upload is too large")
	// ErrEmpty says that the whole upload has no bytes.
	ErrEmpty = errors.New("the upload is empty")
	// ErrDigest says that the whole does not have the digest that it must have.
	ErrDigest = errors.New("the upload does not have the digest that was announced")
	// ErrFinished says that an upload is finished and takes no other part.
	ErrFinished = errors.New("the upload is finished")
	// ErrEvicted says that a newer request went on with the upload.
	ErrEvicted = errors.New("a newer request goes on with the upload")
	// ErrDraining says that the program is about to end. The upload can be gone on
	// with by the next one.
	ErrDraining = errors.New("draining")
)

// LengthError says that a sender contradicts itself about the length of the
// whole.
type LengthError struct{ Said, Now int64 } // bytes

func (e *LengthError) Error() string {
	return fmt.Sprintf("the whole has %d bytes by one thing that was said, and %d by another", e.Said, e.Now)
}

// length returns the length of the whole that the part tells, or -1 (draft, 4.1.3).
func (p Part) length() (int64, error) {
	if !p.Last || p.Size < 0 {
		return p.Length, nil
	}
	whole := p.Offset + p.Size
	if p.Length >= 0 && p.Length != whole {
		return 0, &LengthError{p.Length, whole}
	}
	return whole, nil
}

// check returns the length of the whole that is known with the part, or -1.
func (u *Uploads) check(known int64, p Part) (int64, error) {
	if p.Offset > u.most || p.Size > u.most-p.Offset || p.Length > u.most {
		return 0, fmt.Errorf("%w: %d bytes at %d of %d, %d allowed", ErrTooLarge, p.Size, p.Offset, p.Length, u.most)
	}
	length, err := p.length()
	if err != nil {
		return 0, err
	}
	if known >= 0 && length >= 0 && known != length {
		return 0, &LengthError{known, length}
	}
	length = max(length, known)
	if length >= 0 && p.Offset+max(p.Size, 0) > length {
		return 0, fmt.Errorf("%w: %w", &LengthError{length, p.Offset + max(p.Size, 0)}, errBeyond)
	}
	return length, nil
}

// Create begins an upload. Its first part, which may be empty, is looked at but
// not read. Whoever has the id may go on with the upload; nobody else can find
// out that there is one.
func (u *Uploads) Create(ctx context.Context, name string, first Part) (id string, state upload.State, err error) {
	if u.turns.isDraining() {
		return "", upload.State{}, ErrDraining
	}
	length, err := u.check(-1, first)
	if err != nil {
		return "", upload.State{}, err
	}
	id = rand.Text()
	about := upload.About{Name: name, Length: length, SHA256: first.SHA256, Request: first.Request}
	return id, upload.State{About: about, Touched: time.Now()}, u.store.Create(context.WithoutCancel(ctx), id, about)
}

// isID tells whether Create may have made the id. Others reach no store.
func isID(id string) bool {
	return len(id) == len(rand.Text()) && strings.Trim(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") == ""
}

// State returns how far an upload is, or upload.ErrUnknown. It ends the request
// that adds to it, if there is one, so that what it returns still holds for the
// next part.
func (u *Uploads) State(ctx context.Context, id string) (upload.State, error) {
	if !isID(id) {
		return upload.State{}, upload.ErrUnknown
	}
	turn := u.turns.take(id, func() {})
	defer u.turns.end(id, turn)
	return u.load(ctx, id)
}

// load returns the state of an upload that has not expired.
func (u *Uploads) load(ctx context.Context, id string) (upload.State, error) {
	state, err := u.store.Load(ctx, id)
	if err == nil && u.Left(state) <= 0 {
		return upload.State{}, upload.ErrUnknown
	}
	return state, err
}

// Left is how long an upload lives from now on unless something is added to it.
func (u *Uploads) Left(state upload.State) time.Duration {
	return time.Until(state.Touched.Add(u.life))
}

// Append adds a part to an upload, after it has ended the request that adds to
// it, if there is one. With the last part the upload is finished, and the state
// has its receipt. A last part without content at the end of a finished upload
// gets that receipt again.
//
// If the body fails, what came before is kept, and the error is the body's.
// Otherwise the error is upload.ErrUnknown, an upload.OffsetError, a LengthError,
// one of this package, or one of the store, each beside the state as far as it is
// known. After ErrEmpty, ErrDigest and a body that goes beyond the length or what
// is allowed, the upload is gone.
func (u *Uploads) Append(ctx context.Context, id string, part Part) (upload.State, error) {
	if !isID(id) {
		return upload.State{}, upload.ErrUnknown
	}
	turn := u.turns.take(id, part.Stop)
	defer u.turns.end(id, turn)
	if err := turn.stopped(); err != nil {
		return upload.State{}, err
	}
	ctx = context.WithoutCancel(ctx) // what came is kept even if the sender has gone
	state, err := u.load(ctx, id)
	if err != nil {
		return state, err
	}
	if part.Offset != state.Offset {
		return state, &upload.OffsetError{Want: state.Offset, Got: part.Offset}
	}
	if state.Receipt != nil {
		return state, replay(part)
	}
	length, err := u.check(state.Length, part)
	if err != nil {
		return u.refuse(ctx, id, state, err)
	}
	body := &boundedReader{body: part.Body, left: u.most - part.Offset, beyond: ErrTooLarge}
	if length >= 0 {
		body.left, body.beyond = length-part.Offset, &LengthError{length, length + 1}
	}
	state, err = u.store.Append(ctx, id, part.Offset, length, body)
	if err != nil {
		if stopped := turn.stopped(); stopped != nil {
			return state, fmt.Errorf("%w: %w", stopped, err)
		}
		return u.refuse(ctx, id, state, err)
	}
	if !part.Last {
		return state, nil
	}
	if err := checkWhole(state, part); err != nil {
		return u.refuse(ctx, id, state, err)
	}
	return u.store.Finish(ctx, id)
}

// replay checks that a part for a finished upload only asks for its receipt.
func replay(part Part) error {
	if !part.Last {
		return ErrFinished
	}
	n, err := io.ReadFull(part.Body, make([]byte, 1))
	switch {
	case n > 0:
		return ErrFinished
	case errors.Is(err, io.EOF):
		return nil
	}
	return err
}

// checkWhole returns why the whole can't be published.
func checkWhole(state upload.State, last Part) error {
	if state.Length >= 0 && state.Length != state.Offset {
		return &LengthError{state.Length, state.Offset}
	}
	if state.Offset == 0 {
		return ErrEmpty
	}
	for _, want := range [][]byte{state.About.SHA256, last.SHA256} {
		if want != nil && !bytes.Equal(want, state.SHA256[:]) {
			return fmt.Errorf("%w: %x instead of %x", ErrDigest, state.SHA256, want)
		}
	}
	return nil
}

// refuse removes an upload that can never be finished.
func (u *Uploads) refuse(ctx context.Context, id string, state upload.State, err error) (upload.State, error) {
	if errors.Is(err, errBeyond) || errors.Is(err, ErrEmpty) || errors.Is(err, ErrDigest) {
		err = errors.Join(err, u.store.Remove(ctx, id))
	}
	return state, err
}

// Remove forgets an upload, after it has ended the request that adds to it. The
// file of a finished one stays.
func (u *Uploads) Remove(ctx context.Context, id string) error {
	if !isID(id) {
		return upload.ErrUnknown
	}
	turn := u.turns.take(id, func() {})
	defer u.turns.end(id, turn)
	if _, err := u.load(ctx, id); err != nil {
		return err
	}
	return u.store.Remove(context.WithoutCancel(ctx), id)
}

// Drain ends all parts that are being received, each with ErrDraining, and
// refuses further ones. What came of them is kept.
func (u *Uploads) Drain() { u.turns.drain() }

// Sweep removes what has expired, at once and from then on until ctx is done.
func (u *Uploads) Sweep(ctx context.Context, log *slog.Logger) {
	const often, seldom = time.Minute, time.Hour
	ticker := time.NewTicker(min(max(u.life/8, often), seldom))
	defer ticker.Stop()
	for ctx.Err() == nil {
		if err := u.store.Sweep(ctx, time.Now().Add(-u.life)); err != nil && ctx.Err() == nil {
			log.WarnContext(ctx, "expired uploads can't be removed", "err", err)
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
		}
	}
}
