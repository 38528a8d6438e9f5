package disk_test

import (
	"fmt"
	"os"
	"strings"

	"homepage/internal/upload"
	"homepage/internal/upload/disk"
)

func Example() {
	folder, err := os.MkdirTemp("", "uploads-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(folder)
	const keepFree = 1 << 20 // bytes of the disk
	store, err := disk.Open(folder, keepFree)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer store.Close()

	files := func(yield func(upload.File, error) bool) {
		for _, name := range []string{"notes.txt", `C:\Users\ann\notes.txt`} {
			if !yield(upload.File{Name: name, Body: strings.NewReader("three books")}, nil) {
				return
			}
		}
	}
	const size = 1 << 10 // bytes, at most
	receipts, err := store.Receive(upload.Form{Size: size, Files: files})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, r := range receipts {
		fmt.Printf("%s is stored as %s: %d bytes, SHA-256 %x…\n", r.Original, r.Name, r.Bytes, r.SHA256[:4])
	}
	// Output:
	// notes.txt is stored as notes.txt: 11 bytes, SHA-256 0a004608…
	// C:\Users\ann\notes.txt is stored as notes-1.txt: 11 bytes, SHA-256 0a004608…
}
