package disk

import (
	"encoding"
	"errors"
	"hash"
	"io"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// markEvery is how many bytes are between two marks; a killed program loses them
// and a buffer at most. Every syncSize bytes there is a record, with a sync.
const markEvery = 1 << 20

// appender adds to the data of an upload, and keeps track of how far it is.
type appender struct {
	*unfinished
	mark      *os.File
	digest    hash.Hash
	offset    int64          // bytes that are written
	marked    int64          // of them, bytes that are marked
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
	start := u.record.Offset
	if _, err := u.data.Seek(start, io.SeekStart); err != nil {
		return err
	}
	file, err := u.folder.root.OpenFile(markPath(u.id), os.O_WRONLY|os.O_CREATE, tempMode)
	if err != nil {
		return err
	}
	a := &appender{unfinished: u, mark: file, digest: digest, offset: start, marked: start, recorded: start}
	a.recording.SetLimit(1)
	_, err = io.CopyBuffer(a, body, buffer)
	if a.offset > a.recorded {
		err = errors.Join(err, a.startRecord())
	}
	return errors.Join(err, a.recording.Wait(), file.Close(), u.folder.removeIfThere(markPath(u.id)))
}

func (a *appender) Write(p []byte) (int, error) {
	if a.failed.Load() {
		return 0, errNotRecorded
	}
	n, err := a.folder.space.write(a.data, p)
	_, _ = a.digest.Write(p[:n]) // never fails
	a.offset += int64(n)
	if a.offset-a.marked >= markEvery {
		a.marked = a.offset
		err = errors.Join(err, mark(a.mark, a.offset, a.digest))
	}
	if a.offset-a.recorded >= syncSize {
		err = errors.Join(err, a.startRecord())
	}
	return n, err
}

// startRecord records what is written by now, beside what comes next.
func (a *appender) startRecord() error {
	digest, err := a.digest.(encoding.BinaryMarshaler).MarshalBinary()
	if err != nil {
		return err
	}
	offset := a.offset
	a.recorded = offset
	a.recording.Go(func() error {
		if a.failed.Load() {
			return nil
		}
		err := a.commit(offset, digest)
		a.failed.Store(err != nil)
		return err
	})
	return nil
}

// commit makes what is written up to the offset survive a crash. A failed sync is
// final, see publish of folders: the upload is lost.
func (u *unfinished) commit(offset int64, digest []byte) error {
	if err := u.data.Sync(); err != nil {
		return errors.Join(err, u.folder.forget(u.id))
	}
	next := *u.record
	next.Offset, next.Digest, next.Touched = offset, digest, time.Now()
	if err := next.write(u.folder, u.id); err != nil {
		return err
	}
	u.record = &next
	return nil
}
