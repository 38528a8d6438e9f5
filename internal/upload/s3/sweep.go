package s3

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
)

// tombstone stands where a form's record would be once the form is being swept,
// so that it can't be published any more. It is shorter than any record.
const tombstone = "swept\n"

// Sweep removes what was last active before the time: uploads in parts, and what
// killed programs and failed calls left of forms, which is multipart uploads that
// are still open and objects that no record names. Several programs may sweep at
// once.
//
// Whether a form is swept or published is decided by who writes its record or
// tombstone first. A tombstone is removed by a sweep that finds it old in its
// turn, so that a form which is as slow as that can't be published without its
// files.
func (s *Store) Sweep(ctx context.Context, before time.Time) error {
	running, err := s.sweepUnfinished(ctx, before)
	if err == nil { // else it is not known which forms are alive
		err = s.sweepOpen(ctx, before, running)
	}
	if err == nil {
		err = s.sweepForms(ctx, before, running)
	}
	return errors.Join(err, s.sweepProbes(ctx, before))
}

// sweepOpen aborts old multipart uploads of forms that are not running, and adds
// those that have others to the running ones.
func (s *Store) sweepOpen(ctx context.Context, before time.Time, running map[string]bool) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // of the listing
	for open := range s.client.ListIncompleteUploads(ctx, s.location.Bucket, s.key("files")+"/", true) {
		form := s.formOf(open.Key)
		switch {
		case open.Err != nil:
			return errors.Join(err, open.Err)
		case open.UploadID == "" || running[form]: // rclone lists folders
			continue
		}
		old, activeErr := s.isOld(ctx, open, before)
		if old {
			activeErr = s.abort(ctx, open.Key, open.UploadID)
		} else {
			running[form] = true
		}
		err = errors.Join(err, activeErr)
	}
	return err
}

// isOld tells whether a multipart upload was last active before a time.
func (s *Store) isOld(ctx context.Context, open minio.ObjectMultipartInfo, before time.Time) (bool, error) {
	if !open.Initiated.Before(before) {
		return false, nil
	}
	parts, err := s.listParts(ctx, open.Key, open.UploadID)
	if hasCode(err, minio.NoSuchUpload) {
		return true, nil // gone meanwhile
	}
	for _, part := range parts {
		if !part.LastModified.Before(before) {
			return false, err
		}
	}
	return err == nil, err
}

// listParts returns the parts of a multipart upload, by their numbers.
func (s *Store) listParts(ctx context.Context, key, uploadID string) (parts []minio.ObjectPart, err error) {
	for after := 0; ; {
		var page minio.ListObjectPartsResult
		err := s.call(ctx, "list the parts of "+key, func(ctx context.Context, _ func()) (err error) {
			page, err = s.client.ListObjectParts(ctx, s.location.Bucket, key, uploadID, after, 1000)
			return err
		})
		if err != nil {
			return nil, err
		}
		parts = append(parts, page.ObjectParts...)
		if !page.IsTruncated {
			return parts, nil
		}
		after = page.NextPartNumberMarker
	}
}

// sweepForms removes the objects of old forms without a record, and tombstones.
// Both are listed in the order of the forms' ids, side by side, so that any
// number of forms takes little memory here.
func (s *Store) sweepForms(ctx context.Context, before time.Time, running map[string]bool) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // of the listings
	records := s.list(ctx, "forms")
	files := s.list(ctx, "files")
	record, file := <-records, <-files
	for file.Key != "" || record.Key != "" {
		if file.Err != nil || record.Err != nil {
			return errors.Join(err, file.Err, record.Err)
		}
		form := s.formOf(file.Key)
		if recorded := s.formOf(record.Key); recorded != "" && (form == "" || recorded < form) {
			// A record without files: they are elsewhere, or it is a tombstone.
			if record.Size == int64(len(tombstone)) && record.LastModified.Before(before) {
				err = errors.Join(err, s.remove(ctx, record.Key))
			}
			record = <-records
			continue
		}
		published := s.formOf(record.Key) == form && record.Size != int64(len(tombstone))
		if s.formOf(record.Key) == form {
			record = <-records
		}
		keys, old := []string(nil), !published && !running[form]
		for ; file.Key != "" && s.formOf(file.Key) == form; file = <-files {
			if !published {
				keys = append(keys, file.Key)
				old = old && file.LastModified.Before(before)
			}
		}
		if old {
			err = errors.Join(err, s.sweepForm(ctx, form, keys))
		}
	}
	return errors.Join(err, file.Err, record.Err)
}

// sweepForm removes the objects of a form, unless it is published by now.
func (s *Store) sweepForm(ctx context.Context, form string, keys []string) error {
	key := s.key("forms", form+".json")
	if err := s.create(ctx, key, []byte(tombstone)); errors.Is(err, errTaken) {
		there, err := s.read(ctx, key)
		if err != nil || string(there) != tombstone {
			return err
		}
	} else if err != nil {
		return err
	}
	var failed error
	for _, key := range keys {
		failed = errors.Join(failed, s.remove(ctx, key))
	}
	return failed
}

// sweepProbes removes what killed programs left of their probes. One that a
// running program misses is there again when that tries the store next.
func (s *Store) sweepProbes(ctx context.Context, before time.Time) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // of the listing
	for probe := range s.list(ctx, "probe") {
		switch {
		case probe.Err != nil:
			return errors.Join(err, probe.Err)
		case probe.Key != s.probeKey && probe.LastModified.Before(before):
			err = errors.Join(err, s.remove(ctx, probe.Key))
		}
	}
	return err
}

// list lists the objects in a part of the layout, by their keys.
func (s *Store) list(ctx context.Context, part string) <-chan minio.ObjectInfo {
	return s.client.Client.ListObjects(ctx, s.location.Bucket, minio.ListObjectsOptions{Prefix: s.key(part) + "/", Recursive: true})
}

// formOf returns the id of the form that a key belongs to.
func (s *Store) formOf(key string) string {
	key = strings.TrimPrefix(key, s.key(""))
	_, rest, _ := strings.Cut(key, "/") // after files or forms
	form, _, _ := strings.Cut(rest, "/")
	return strings.TrimSuffix(form, ".json")
}
