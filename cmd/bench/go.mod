module homepage/bench

go 1.26.0

toolchain go1.26.10

require (
	golang.org/x/sync v0.24.0
	golang.org/x/sys v0.49.0
)
