package disk

import (
	"crypto/sha256"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io/fs"
	"os"
	"strings"
	"time"

	"homepage/internal/upload"
)

// unfinishedFolder is where uploads in parts are until they are finished: for
// each a file of its data, which is named by its id, and beside it a record of
// how far it is. CleanName never returns a name with a leading dot.
const unfinishedFolder = ".resumable"

func dataPath(id string) string   { return unfinishedFolder + "/" + id }
func recordPath(id string) string { return dataPath(id) + recordSuffix }

func markPath(id string) string { return dataPath(id) + ".mark" }

const (
	recordSuffix = ".json"
	newSuffix    = ".new" // of a record that is to replace another
)

// record is what outlives a crash, see also mark. It is written after the data
// that it counts, so that the data may have more, but never less.
type record struct {
	Name    []byte // the sender's, in bytes because it may be no text
	Length  int64  // see upload.About
	Wanted  []byte `json:",omitempty"`
	Offset  int64
	Digest  []byte // the state of the digest of what is kept
	Touched time.Time
	As      string `json:",omitempty"` // the name that it is being published under, or was
	Done    bool   `json:",omitempty"` // it was
}

// errLost says that the data or the record of an upload is not what it must be.
var errLost = errors.New("what is left of the upload can't be gone on with")

// errLocked says that another program, which may still drain, has the upload.
var errLocked = errors.New("another program has the upload")

// newRecord is that of an upload which is empty.
func newRecord(about upload.About) (*record, error) {
	digest, err := sha256.New().(encoding.BinaryMarshaler).MarshalBinary()
	return &record{Name: []byte(about.Name), Length: about.Length, Wanted: about.SHA256, Digest: digest, Touched: time.Now()}, err
}

func (f *folder) readRecord(id string) (*record, error) {
	content, err := f.root.ReadFile(recordPath(id))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, upload.ErrUnknown
	}
	if err != nil {
		return nil, err
	}
	r := new(record)
	if err := json.Unmarshal(content, r); err != nil || r.Offset < 0 {
		return nil, fmt.Errorf("%w: %w: its record is damaged", upload.ErrUnknown, errLost)
	}
	return r, nil
}

// write replaces the record at one go, so that a crash leaves the old or the new
// one.
func (r *record) write(f *folder, id string) error {
	content, err := json.Marshal(r)
	if err != nil {
		return err
	}
	path := recordPath(id)
	file, err := f.root.OpenFile(path+newSuffix, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, tempMode)
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	if err := f.root.Rename(path+newSuffix, path); err != nil {
		return err
	}
	return syncFolder(f.root, unfinishedFolder)
}

// digest goes on with the digest of what is kept.
func (r *record) digest() (hash.Hash, error) {
	digest := sha256.New()
	err := digest.(encoding.BinaryUnmarshaler).UnmarshalBinary(r.Digest)
	if err != nil {
		err = fmt.Errorf("%w: %w: %w", upload.ErrUnknown, errLost, err)
	}
	return digest, err
}

func (r *record) state() (upload.State, error) {
	digest, err := r.digest()
	if err != nil {
		return upload.State{}, err
	}
	state := upload.State{
		About:   upload.About{Name: string(r.Name), Length: r.Length, SHA256: r.Wanted},
		Offset:  r.Offset,
		Touched: r.Touched,
	}
	digest.Sum(state.SHA256[:0])
	if r.Done {
		state.Receipt = &upload.Receipt{Name: r.As, Original: state.Name, Bytes: r.Offset, SHA256: state.SHA256}
		if meant := upload.CleanName(state.Name); meant != r.As {
			state.Receipt.Existed = meant
		}
	}
	return state, nil
}

// unfinished is an upload in parts that this call has to itself.
type unfinished struct {
	folder *folder
	id     string
	record *record
	data   *os.File // nil if it is done
}

// open opens an upload, to change it. One that a killed program was publishing is
// published first: the file may be in plain sight already, and must not change.
func (f *folder) open(id string) (*unfinished, error) {
	r, err := f.readRecord(id)
	if err != nil {
		return nil, err
	}
	u := &unfinished{folder: f, id: id, record: r}
	if r.Done {
		return u, nil
	}
	u.data, err = f.root.OpenFile(dataPath(id), os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) && r.As != "" { // it was renamed, see renamedTempFiles
		u.data, err = f.root.OpenFile(r.As, os.O_RDWR, 0)
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w: %w: its data is gone", upload.ErrUnknown, errLost)
	}
	if err != nil {
		return nil, err
	}
	if err = lock(u.data); err == nil {
		// The program that had it may have gone on with it since.
		u.record, err = f.readRecord(id)
	}
	if err == nil && !u.record.Done {
		err = errors.Join(u.recover(), u.cut())
	}
	if err == nil && u.record.As != "" && !u.record.Done {
		err = u.publish()
	}
	if err != nil {
		return nil, errors.Join(err, u.data.Close())
	}
	return u, nil
}

// cut drops what was written after the last record and does not count, but never from a file that
// may be published.
func (u *unfinished) cut() error {
	info, err := u.data.Stat()
	if err != nil {
		return err
	}
	excess := info.Size() - u.record.Offset
	if excess < 0 || excess > 0 && u.record.As != "" {
		return fmt.Errorf("%w: %w: its data has %d bytes instead of %d", upload.ErrUnknown, errLost, info.Size(), u.record.Offset)
	}
	if excess > 0 {
		return u.data.Truncate(u.record.Offset)
	}
	return nil
}

func (u *unfinished) close() error {
	if u.data == nil {
		return nil
	}
	return u.data.Close()
}

// publish gives the file its final name. It records that first, so that whoever
// goes on after a crash knows under which name the file may be already.
func (u *unfinished) publish() error {
	f, r := u.folder, u.record
	info, err := u.data.Stat()
	if err != nil {
		return err
	}
	if r.As == "" || !f.has(r.As, info) {
		_, err = f.name(upload.CleanName(string(r.Name)), func(variant string) error {
			if _, err := f.root.Lstat(variant); err == nil {
				return fs.ErrExist
			}
			r.As = variant
			if err := r.write(f, u.id); err != nil {
				return err
			}
			return f.temp.name(dataPath(u.id), variant)
		})
		if err != nil {
			return err
		}
	}
	if err := errors.Join(f.sync(), f.checkPlace()); err != nil {
		// A failed sync is final, see publish of folders.
		return errors.Join(err, f.root.Remove(r.As), f.forget(u.id))
	}
	r.Done, r.Touched = true, time.Now()
	if err := r.write(f, u.id); err != nil {
		return err
	}
	return f.removeIfThere(dataPath(u.id))
}

// has tells whether the name is that of the file.
func (f *folder) has(name string, file fs.FileInfo) bool {
	info, err := f.root.Lstat(name)
	return err == nil && os.SameFile(file, info)
}

// forget removes an upload: first the record, without which the rest is nothing.
func (f *folder) forget(id string) error {
	return errors.Join(f.removeIfThere(recordPath(id)), f.removeIfThere(dataPath(id)), f.removeIfThere(markPath(id)), f.removeIfThere(recordPath(id)+newSuffix))
}

func (f *folder) removeIfThere(path string) error {
	err := f.root.Remove(path)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return err
}

// secretError keeps the id of an upload out of an error's text, where paths have
// it: it is the sender's secret.
type secretError struct {
	id  string
	err error
}

func (s *secretError) Error() string { return strings.ReplaceAll(s.err.Error(), s.id, "ID") }

func (s *secretError) Unwrap() error { return s.err }

// withoutID returns the error with a text that lacks the id.
func withoutID(id string, err error) error {
	if err == nil {
		return nil
	}
	return &secretError{id, err}
}
