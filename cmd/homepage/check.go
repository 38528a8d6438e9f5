package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"time"

	"homepage/internal/certificate"
)

const checkUsage = `Usage: homepage check [--preview OUT.pdf] FILE

Checks whether a PDF, at a path or an http or https URL, can be used as
CERTIFICATE_TEMPLATE, and shows how it would be stamped. The exit status is 1 if
it can't be used.

Flags:
  -h, --help             Show this help.
      --preview=OUT.pdf  Write a certificate stamped with the current time, to
                         look at. A file of that name is replaced, but never
                         the template itself.
`

// check shows the author of a template how it would be stamped.
func check(ctx context.Context, args []string, stdout io.Writer) error {
	location, preview, err := checkArguments(twoDashes(args))
	if errors.Is(err, errShown) {
		_, err := io.WriteString(stdout, checkUsage)
		return err
	}
	if err != nil {
		return err
	}
	if preview != "" {
		if err := mayReplace(preview, location); err != nil {
			return fmt.Errorf("the preview can't be written: %w", err)
		}
	}
	opened, err := openTemplate(ctx, location, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		return fmt.Errorf("the template can't be used: %w", err)
	}
	template := opened.Template()
	if err := writeReport(stdout, template.Report()); err != nil || preview == "" {
		return err
	}
	if err := writePreview(preview, template, time.Now().UTC()); err != nil {
		if unfinished, ok := errors.AsType[*fs.PathError](err); ok {
			err = fmt.Errorf("%s: %w", preview, unfinished.Err)
		}
		return fmt.Errorf("the preview can't be written: %w", err)
	}
	_, err = fmt.Fprintf(stdout, reportLine, "preview:", preview)
	return err
}

// checkArguments returns errShown if help is asked for.
func checkArguments(args []string) (location, preview string, err error) {
	var files []string
	for i := 0; i < len(args); i++ {
		flag, value, hasValue := strings.Cut(args[i], "=")
		switch {
		case args[i] == "-h" || args[i] == "--help":
			return "", "", errShown
		case flag == "--preview":
			if !hasValue && i+1 < len(args) {
				i++
				value = args[i]
			}
			if value == "" {
				return "", "", usageError{"--preview has no value, but takes the path of the PDF to write"}
			}
			preview = value
		case strings.HasPrefix(flag, "--"):
			return "", "", usageError{"check has no flag " + flag + ", only --preview OUT.pdf"}
		default:
			files = append(files, args[i])
		}
	}
	if len(files) != 1 {
		return "", "", usageError{"check takes the path or URL of one PDF"}
	}
	return files[0], preview, nil
}

// mayReplace sees that writing the preview can lose nothing but an older one.
func mayReplace(preview, template string) error {
	there, err := os.Stat(preview)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if !there.Mode().IsRegular() {
		return fmt.Errorf("%s is not a file", preview)
	}
	if own, err := os.Stat(template); err == nil && os.SameFile(own, there) { // a URL has none
		return fmt.Errorf("%s is the template itself; give the preview another name", preview)
	}
	return nil
}

// writePreview puts a certificate at the path, whole or not at all.
func writePreview(path string, template *certificate.Template, at time.Time) (err error) {
	// The final name comes last, so that a viewer never opens half a file.
	unfinished := fmt.Sprintf("%s.%d.part", path, os.Getpid())
	file, err := os.OpenFile(unfinished, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666) //nolint:gosec // as open to others as their umask has it, like any document
	if err != nil {
		return err
	}
	if err = errors.Join(template.Issue(file, at), file.Close()); err == nil {
		err = os.Rename(unfinished, path)
	}
	if err != nil {
		_ = os.Remove(unfinished)
	}
	return err
}

// reportLine has a name and a text.
const reportLine = "%-16s %s\n"

func writeReport(w io.Writer, r certificate.Report) error {
	var b strings.Builder
	line := func(name, text string) { fmt.Fprintf(&b, reportLine, name+":", text) }
	line("cross-reference", r.XRef)
	line("placeholder", r.Place)
	if r.Own {
		line("font", r.Font+", as in the template")
	} else {
		line("font", r.Font+", a standard font in place of the template's")
	}
	if r.Missing != "" {
		line("missing", strings.Join(strings.Split(r.Missing, ""), " "))
	}
	switch {
	case r.AtRisk:
		line("PDF/A", r.PDFA+" is claimed, but no longer holds: the stamp's font is not embedded")
	case r.PDFA != "":
		line("PDF/A", r.PDFA+" is claimed, and not touched by the stamp")
	default:
		line("PDF/A", "not claimed")
	}
	line("certificate", fmt.Sprintf("%d bytes", r.Bytes))
	for _, warning := range r.Warnings {
		line("warning", warning)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
