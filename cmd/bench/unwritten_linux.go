package main

import (
	"os"

	"golang.org/x/sys/unix"
)

// unwritten is how many bytes of a file are in memory alone, by cachestat(2),
// which Linux has since 6.5.
func unwritten(name string) (float64, error) {
	file, err := os.Open(name)
	if err != nil {
		return 0, err
	}
	defer func() { _ = file.Close() }()
	var cached unix.Cachestat_t
	err = unix.Cachestat(uint(file.Fd()), &unix.CachestatRange{}, &cached, 0) // a length of 0 is the whole file
	return float64(cached.Dirty+cached.Writeback) * float64(os.Getpagesize()), err
}
