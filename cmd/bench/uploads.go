package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// uploading measures uploads: until they are answered, and until they are on
// the disk, which is the same only for sides that sync before they answer.
func (b *bench) uploading(what string, rounds, files int, size int64, connections int) measure {
	all := b.able([]contestant{
		{name: homepage, kind: b.kinds.home},
		{name: nginxPut, kind: b.kinds.nginx},
		{name: "Django, form", kind: b.kinds.django},
		{name: "Go, raw body to a file", kind: b.kinds.floor},
	})
	answered, stored := map[string]figure{}, map[string]figure{}
	peak, left := map[string]float64{}, map[string]figure{}
	title := "Upload of " + bytesText(float64(size))
	if files > 1 {
		title = fmt.Sprintf("Upload of %d files of %s", files, bytesText(float64(size)))
	}
	steps := b.rounds(rounds, "upload of "+what, all, func(ctx context.Context, c contestant, s *side) error {
		if err := room(s.uploads, 6*size); err != nil {
			return err
		}
		if err := warm(b.folder, int64(files)*size); err != nil {
			return err
		}
		syscall.Sync() // what others wrote is no business of this one
		s.resetPeak()
		begin := time.Now()
		err := s.send(ctx, files, size, connections)
		took := time.Since(begin)
		unwritten, errLeft := unwrittenIn(s.uploads)
		syscall.Sync()
		tookStored := time.Since(begin)
		used, _ := s.usage() // zero where memory can't be known
		if err == nil {
			err = storedWhole(s.uploads, files, size)
		}
		if err := errors.Join(err, empty(s.uploads)); err != nil {
			return err
		}
		answered[c.name] = append(answered[c.name], took.Seconds())
		stored[c.name] = append(stored[c.name], tookStored.Seconds())
		peak[c.name] = max(peak[c.name], used.peak)
		if errLeft == nil {
			left[c.name] = append(left[c.name], unwritten)
		}
		return nil
	})
	return measure{steps, func(r *report) {
		t := table{
			title: title,
			note:  "Seconds until all is answered, and until all is on the disk: where the side does not sync, by a sync after it. Memory is the most that was resident.",
			head:  []string{"", "answered, s", "on disk, s", "on disk: this ÷ homepage", "memory, MiB", "on disk when answered"},
		}
		if files > 1 {
			t.note = fmt.Sprintf("One request for each file, %d at once. ", connections) + t.note +
				" That sync is one for all files, while the homepage syncs each before it answers."
		}
		c := chart{
			file:  "upload",
			title: title + ", until it is on the disk",
			desc:  "Seconds until the upload is on the disk; the strong part is until it was answered. Then the most memory.",
		}
		for _, one := range all {
			t.add(one.name, answered[one.name].String(), stored[one.name].String(), beside(one.name, stored[one.name], stored[homepage]),
				mebibytes(peak[one.name]), synced(one.kind, left[one.name]))
			c.add(one.name, stored[one.name].median(), answered[one.name].median(),
				number(stored[one.name].median())+" s, answered in "+number(answered[one.name].median())+" s, "+mebibytes(peak[one.name])+" MiB")
		}
		r.tables = append(r.tables, t)
		if files == 1 {
			r.charts = append(r.charts, c)
			r.summary.upload = summarizeUpload(bytesText(float64(size)), stored[homepage], stored[nginxPut])
		}
	}}
}

// synced tells whether uploads were on the disk when they were answered: by
// what was not, or where the system can't tell that, by how the side is made.
func synced(k *kind, left figure) string {
	switch {
	case len(left) > 0 && left.median() > 0:
		return "no, " + bytesText(left.median()) + " were not"
	case len(left) > 0 || k.synced:
		return "yes"
	}
	return "no"
}

// unwrittenIn is how many bytes of a folder's files are not on the disk yet.
func unwrittenIn(folder string) (sum float64, err error) {
	files, err := os.ReadDir(folder)
	if err != nil {
		return 0, err
	}
	for _, file := range files {
		bytes, err := unwritten(filepath.Join(folder, file.Name()))
		if err != nil {
			return 0, err
		}
		sum += bytes
	}
	return sum, nil
}

// warm uses as much memory for files as an upload will, and gives it back. On a
// virtual machine, memory that has been free for a while is the host's again
// and slow at its next use: whoever comes first would pay for that.
func warm(folder string, bytes int64) (err error) {
	file, err := os.CreateTemp(folder, "warm-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close(), os.Remove(file.Name())) }()
	block := make([]byte, 1<<20)
	for written := int64(0); written < bytes+bytes/4; written += int64(len(block)) {
		if _, err := file.Write(block); err != nil {
			return err
		}
	}
	return nil
}

// room fails if the disk has no room for so many bytes: the side may write
// them several times.
func room(folder string, bytes int64) error {
	var disk syscall.Statfs_t
	if err := syscall.Statfs(folder, &disk); err != nil {
		return err
	}
	if free := float64(disk.Bavail) * float64(disk.Bsize); free < float64(bytes) {
		return fmt.Errorf("%s are free on the disk, %s needed", bytesText(free), bytesText(float64(bytes)))
	}
	return nil
}

// empty removes the files of a folder.
func empty(folder string) error {
	files, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	for _, file := range files {
		if err := os.RemoveAll(filepath.Join(folder, file.Name())); err != nil {
			return err
		}
	}
	return nil
}

func bytesText(n float64) string {
	for _, unit := range []string{"bytes", "KiB", "MiB"} {
		if n < 1024 {
			return fmt.Sprintf("%.3g %s", n, unit)
		}
		n /= 1024
	}
	return fmt.Sprintf("%.3g GiB", n)
}
