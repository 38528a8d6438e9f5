//go:build unix

package main

import (
	"os"

	"golang.org/x/sys/unix"
)

// isTerminal asks for the size of a window, which terminals alone have.
func isTerminal(file *os.File) bool {
	_, err := unix.IoctlGetWinsize(int(file.Fd()), unix.TIOCGWINSZ)
	return err == nil
}
