package disk

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"homepage/internal/upload"
)

// Create keeps a new upload in parts, which is empty, under an id of letters and
// digits. It returns upload.ErrNoSpace if the announced length would not fit on
// the disk now.
func (s *Store) Create(_ context.Context, id string, about upload.About) error {
	return s.with(id, func(f *folder) error {
		if err := f.space.check(max(about.Length, 0)); err != nil {
			return err
		}
		err := f.root.Mkdir(unfinishedFolder, 0o700)
		if err == nil {
			err = f.sync()
		}
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		data, err := f.root.OpenFile(dataPath(id), os.O_WRONLY|os.O_CREATE|os.O_EXCL, tempMode)
		if err != nil {
			return err
		}
		if err := data.Close(); err != nil {
			return err
		}
		r, err := newRecord(about)
		if err != nil {
			return err
		}
		return r.write(f, id)
	})
}

// Load returns the state of an upload, or upload.ErrUnknown. What a killed program
// left in between is made good first.
func (s *Store) Load(_ context.Context, id string) (state upload.State, err error) {
	err = s.with(id, func(f *folder) error {
		r, err := f.readRecord(id)
		if err != nil {
			return err
		}
		if f.wasLeft(id, r) {
			u, err := f.open(id)
			if err != nil {
				return err
			}
			r = u.record
			if err := u.close(); err != nil {
				return err
			}
		}
		state, err = r.state()
		return err
	})
	return state, err
}

// wasLeft tells whether a killed program was adding to an upload or publishing it.
func (f *folder) wasLeft(id string, r *record) bool {
	_, err := f.root.Lstat(markPath(id))
	return !r.Done && (r.As != "" || err == nil)
}

// Append adds the body to what is kept of an upload, and records the length of
// the whole unless it is -1. If the body fails, what came before is kept; its
// error is returned beside the state. The error is an upload.OffsetError if the
// upload is not at the offset, and otherwise as for Receive.
func (s *Store) Append(_ context.Context, id string, offset, length int64, body io.Reader) (state upload.State, err error) {
	err = s.with(id, func(f *folder) error {
		u, err := f.open(id)
		if err != nil {
			return err
		}
		err = u.receive(offset, length, body, &s.buffers)
		var stateErr error
		state, stateErr = u.record.state()
		return errors.Join(err, stateErr, u.close())
	})
	return state, err
}

func (u *unfinished) receive(offset, length int64, body io.Reader, buffers *buffers) error {
	if u.record.Done || offset != u.record.Offset {
		return &upload.OffsetError{Want: u.record.Offset, Got: offset}
	}
	if err := u.folder.space.check(max(length-offset, 0)); err != nil {
		return err
	}
	if length >= 0 && length != u.record.Length {
		u.record.Length = length
		if err := u.record.write(u.folder, u.id); err != nil {
			return err
		}
	}
	buffer := buffers.take(-1)
	defer buffers.release(buffer)
	return u.add(body, buffer)
}

// Finish publishes what is kept of an upload, as Receive does with a file. If it
// is published already, that changes nothing.
func (s *Store) Finish(_ context.Context, id string) (state upload.State, err error) {
	err = s.with(id, func(f *folder) error {
		u, err := f.open(id)
		if err != nil {
			return err
		}
		if !u.record.Done {
			err = u.publish()
		}
		var stateErr error
		state, stateErr = u.record.state()
		return errors.Join(err, stateErr, u.close())
	})
	return state, err
}

// Remove forgets an upload, if there is one. The file that it was published as
// stays.
func (s *Store) Remove(_ context.Context, id string) error {
	return s.with(id, func(f *folder) error {
		if _, err := f.root.Lstat(recordPath(id)); errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return errors.Join(f.forget(id), syncFolder(f.root, unfinishedFolder))
	})
}

// Sweep forgets the uploads that were last touched before the time, and what
// killed programs left of others.
func (s *Store) Sweep(ctx context.Context, before time.Time) error {
	f, err := s.use()
	if err != nil {
		return explain(err)
	}
	defer s.done(f)
	entries, err := fs.ReadDir(f.root.FS(), unfinishedFolder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, entry := range entries {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		id, _, _ := strings.Cut(entry.Name(), ".")
		err = errors.Join(err, withoutID(id, f.sweepUnfinished(entry, before)))
	}
	return explain(err)
}

func (f *folder) sweepUnfinished(entry fs.DirEntry, before time.Time) error {
	id, isRecord := strings.CutSuffix(entry.Name(), recordSuffix)
	if isRecord {
		r, err := f.readRecord(id)
		if err == nil {
			if r.Touched.Before(before) && !f.isInUse(id) {
				return f.forget(id)
			}
			return nil
		}
		if !errors.Is(err, upload.ErrUnknown) {
			return err
		}
	} else if _, err := f.root.Lstat(recordPath(id)); err == nil {
		return nil // it goes with its record
	}
	info, err := entry.Info()
	if err == nil && info.ModTime().Before(before) {
		err = f.root.Remove(unfinishedFolder + "/" + entry.Name())
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return err
}

// isInUse tells whether someone adds to an upload, maybe slowly.
func (f *folder) isInUse(id string) bool {
	data, err := f.root.OpenFile(dataPath(id), os.O_WRONLY, 0)
	if err != nil {
		return false
	}
	return errors.Is(errors.Join(lock(data), data.Close()), errLocked)
}

// with does something to an upload in the folder that the path names now.
func (s *Store) with(id string, do func(*folder) error) error {
	f, err := s.use()
	if err == nil {
		defer s.done(f)
		err = withoutID(id, do(f))
	}
	return explain(err)
}
