package disk

import (
	"encoding"
	"errors"
	"hash"
	"io"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// A record is made when recordEvery bytes have come since the last one, give or
// take a buffer, and beside as many more. So a killed program loses 4 MiB at most.
const (
	recordEvery = 2<<20 - partBuffer
	partBuffer  = 256 << 10
)

// appender adds to the data of an upload, and records beside how far it is.
type appender struct {
	*unfinished
	digest    hash.Hash
	offset    int64          // bytes that are written
	recorded  int64          // of them, bytes that are in a record or will be
	recording errgroup.Group // one record at a time
	failed    atomic.Bool    // a record did
}

// errNotRecorded says that nothing more is written, as a record failed.
var errNotRecorded = errors.New("how far the upload is could not be recorded")

// add copies the body to the data. Its error is the body's once all that came
// before is recorded.
func (u *unfinished) add(body io.Reader, buffer []byte) error {
	digest, err := u.record.digest()
	if err != nil {
		return err
	}
	if _, err := u.data.Seek(u.record.Offset, io.SeekStart); err != nil {
		return err
	}
	a := &appender{unfinished: u, digest: digest, offset: u.record.Offset, recorded: u.record.Offset}
	a.recording.SetLimit(1)
	_, err = io.CopyBuffer(a, body, buffer)
	if a.offset > a.recorded {
		err = errors.Join(err, a.startRecord())
	}
	return errors.Join(err, a.recording.Wait())
}

func (a *appender) Write(p []byte) (int, error) {
	if a.failed.Load() {
		return 0, errNotRecorded
	}
	n, err := a.folder.space.write(a.data, p)
	_, _ = a.digest.Write(p[:n]) // never fails
	a.offset += int64(n)
	if a.offset-a.recorded >= recordEvery {
		err = errors.Join(err, a.startRecord())
	}
	return n, err
}

// startRecord records what is written by now, once the record before is made.
func (a *appender) startRecord() error {
	digest, err := a.digest.(encoding.BinaryMarshaler).MarshalBinary()
	if err != nil {
		return err
	}
	offset := a.offset
	a.recorded = offset
	a.recording.Go(func() error { return a.makeRecord(offset, digest) })
	return nil
}

// makeRecord makes sure that what it counts survives a crash. A failed sync is
// final, see publish of folders: the upload is lost.
func (a *appender) makeRecord(offset int64, digest []byte) (err error) {
	if a.failed.Load() {
		return nil
	}
	defer func() { a.failed.Store(err != nil) }()
	if err := a.data.Sync(); err != nil {
		return errors.Join(err, a.folder.forget(a.id))
	}
	next := *a.record
	next.Offset, next.Digest, next.Touched = offset, digest, time.Now()
	if err := next.write(a.folder, a.id); err != nil {
		return err
	}
	a.record = &next
	return nil
}
