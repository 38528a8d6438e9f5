// Command homepage serves a homepage composed from two services, a PDF
// certificate stamped with the time, and an upload form. It runs with no
// settings at all; -h lists them.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"syscall"
	_ "time/tzdata" // CERTIFICATE_TIMEZONE works where the system has no zones

	"homepage/internal/logging"
	"homepage/internal/serve"
)

func main() {
	// Signals are taken before anything else, so that none ends the program
	// while it starts.
	ctx, drain := context.WithCancel(context.Background())
	signals, hangups := make(chan os.Signal, 2), make(chan os.Signal, 1)
	orders := &orders{hangups: hangups}
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	if atTerminal() && !signal.Ignored(syscall.SIGHUP) { // as nohup has it
		// The terminal was closed. The system and a shell may each say so, and
		// the second one must not cut the drain short.
		ctx, _ = signal.NotifyContext(ctx, syscall.SIGHUP)
	} else {
		signal.Notify(hangups, syscall.SIGHUP)
	}
	go func() {
		select {
		case <-signals:
			drain()
		case <-ctx.Done():
		}
		<-signals
		if orders.delay.Cut() {
			<-signals
		}
		// Whoever sends a second signal won't wait for the drain. Running
		// requests are lost, as asked; no acknowledged upload is.
		os.Exit(0)
	}()
	if os.Getenv("GOGC") == "" {
		// A heap of a few MiB fills up many times a second under load. Letting
		// it grow to three times what is in use halves the collections.
		debug.SetGCPercent(200)
	}
	err := run(ctx, orders, os.Args[1:], os.Environ(), os.Stdout, os.Stderr)
	lastWords := logging.NewQueue(os.Stderr, func(io.Writer) slog.Handler { return slog.DiscardHandler })
	status := exitStatus(err, lastWords)
	lastWords.Close()
	os.Exit(status)
}

// atTerminal reports whether someone started the program at a terminal. Either
// of the two is enough: a log may go to a file, and a background job has no
// input.
func atTerminal() bool { return isTerminal(os.Stdin) || isTerminal(os.Stderr) }

// orders are what the system tells a running program, but for the end of its
// context. The zero value is none.
type orders struct {
	hangups <-chan os.Signal // at each, the certificate's template is loaded again, and what signs it
	delay   serve.Delay      // between the end of the context and the drain
}

// run is the program. It serves until ctx is done and then drains, or carries
// out a command.
func run(ctx context.Context, orders *orders, args, environ []string, stdout, stderr io.Writer) error {
	command, rest := "", args
	if len(args) > 0 && slices.Contains([]string{"check", "config", "site", "verify"}, args[0]) {
		command, rest = args[0], args[1:]
	}
	switch command {
	case "check":
		return check(ctx, rest, stdout)
	case "site":
		return site(rest, stdout)
	case "verify":
		return verify(rest, environ, stdout)
	}
	settings, err := parseSettings(rest, environ, stdout)
	if err != nil {
		return err
	}
	format := logFormat(stderr, settings.LogLevel)
	queue := logging.NewQueue(stderr, format)
	defer queue.Close()
	log := slog.New(format(queue))
	for _, slip := range settings.slips {
		log.WarnContext(ctx, "a variable of the environment is no setting, but looks like one", "variable", slip.variable, "closest", slip.setting)
	}
	if command == "config" {
		return showConfig(stdout, settings)
	}
	// From here on a pipe that nobody reads is an error, and not the program's
	// end by SIGPIPE (os/signal has the rules). Whatever only prints may end so.
	signal.Ignore(syscall.SIGPIPE)
	return serveSite(ctx, orders, settings, log, queue.Dropped)
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
