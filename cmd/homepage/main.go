// Command homepage serves a homepage composed from two services, a PDF
// certificate stamped with the time, and an upload form. It runs with no
// settings at all; -h lists them.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	_ "time/tzdata" // CERTIFICATE_TIMEZONE works where the system has no zones
)

func main() {
	if os.Getenv("GOGC") == "" {
		// A heap of a few MiB fills up many times a second under load. Letting
		// it grow to three times what is in use halves the collections.
		debug.SetGCPercent(200)
	}
	ctx, drain := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		drain()
		<-signals
		// Whoever sends a second signal won't wait for the drain. Running
		// requests are lost, as asked; no acknowledged upload is.
		os.Exit(0)
	}()
	os.Exit(exitStatus(run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr), os.Stderr))
}

// run is the program. It serves until ctx is done and then drains, or checks a
// template.
func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) error {
	if len(args) > 0 && args[0] == "check" {
		return check(ctx, args[1:], stdout)
	}
	settings, err := parseSettings(args, getenv, stdout)
	if err != nil {
		return err
	}
	return serveSite(ctx, settings, newLogger(stderr, settings.LogLevel))
}

// exitStatus returns 0 for success, 2 for a command line or settings that can't
// be understood, and 1 for everything else. It tells the operator the error.
func exitStatus(err error, stderr io.Writer) int {
	if err == nil || errors.Is(err, errShown) {
		return 0
	}
	fmt.Fprintln(stderr, "homepage:", err)
	if _, ok := errors.AsType[usageError](err); ok {
		fmt.Fprintln(stderr, "homepage -h lists all settings.")
		return 2
	}
	return 1
}
