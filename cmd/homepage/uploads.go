package main

import (
	"cmp"
	"fmt"
	"path/filepath"
	"strings"

	"homepage/internal/resumable"
	"homepage/internal/upload"
	"homepage/internal/upload/disk"
	"homepage/internal/upload/s3"
)

// uploadStore is where uploads go, those of forms and those in parts.
type uploadStore interface {
	resumable.Store

	Receive(form upload.Form) ([]upload.Receipt, error)
	Try() (reason string, err error)
	Close() error
}

// inObjectStore tells whether uploads go to an object store, and not to a folder.
func inObjectStore(uploads string) bool { return strings.Contains(uploads, "://") }

// openUploads opens the store that UPLOADS names. It also returns the reason to
// give when a try of that takes too long.
func openUploads(s settings) (store uploadStore, late string, err error) {
	if !inObjectStore(s.Uploads) {
		store, err := disk.Open(s.Uploads, s.UploadReserve)
		if err != nil {
			folder, _ := filepath.Abs(s.Uploads) // or nothing
			return nil, "", fmt.Errorf("UPLOADS is %s, where no upload can be stored; choose a folder that this program may write to: %w", cmp.Or(folder, s.Uploads), err)
		}
		return store, "the disk does not answer", nil
	}
	location, err := s3.ParseLocation(s.Uploads)
	if err != nil {
		return nil, "", fmt.Errorf("UPLOADS is %s: %w", s.Uploads, err)
	}
	objects, err := s3.Open(s3.Options{Location: location, Getenv: s.getenv, MaxBytes: s.UploadMaxBytes})
	if err != nil {
		return nil, "", fmt.Errorf("UPLOADS is %s, where no upload can be stored: %w", location, err)
	}
	return objects, "the object store does not answer", nil
}
