package disk

import (
	"bytes"
	"crypto/sha256"
	"encoding"
	"encoding/binary"
	"errors"
	"hash"
	"io"
	"io/fs"
	"os"
)

// A mark says how far an upload is since its last record: an offset and the
// digest of all before. It is not synced, so that one can be made every MiB at no
// cost. A killed program leaves it as it was. What else a crash leaves, the
// digest tells: then the mark does not fit the data, and the record counts.

const markSize = 8 + sha256.Size // bytes

// mark writes the mark of what is written by now.
func mark(file *os.File, offset int64, digest hash.Hash) error {
	content := binary.BigEndian.AppendUint64(make([]byte, 0, markSize), uint64(offset)) //nolint:gosec // never negative
	_, err := file.WriteAt(digest.Sum(content), 0)
	return err
}

// recover makes a record of what a killed program has marked.
func (u *unfinished) recover() error {
	content, err := u.folder.root.ReadFile(markPath(u.id))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if len(content) == markSize && u.record.As == "" {
		offset := int64(binary.BigEndian.Uint64(content)) //nolint:gosec // if it is damaged, it does not fit
		if err := u.adopt(offset, content[8:]); err != nil {
			return err
		}
	}
	return u.folder.removeIfThere(markPath(u.id))
}

// adopt counts the data up to the offset, if it has the digest.
func (u *unfinished) adopt(offset int64, want []byte) error {
	more := offset - u.record.Offset
	if more <= 0 {
		return nil
	}
	digest, err := u.record.digest()
	if err != nil {
		return err
	}
	n, err := io.Copy(digest, io.NewSectionReader(u.data, u.record.Offset, more))
	if err != nil || n < more || !bytes.Equal(digest.Sum(nil), want) {
		return err
	}
	state, err := digest.(encoding.BinaryMarshaler).MarshalBinary()
	if err != nil {
		return err
	}
	return u.commit(offset, state)
}
