//go:build !linux

package main

import "errors"

// unwritten is known on Linux alone.
func unwritten(string) (float64, error) { return 0, errors.ErrUnsupported }
