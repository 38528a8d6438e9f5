package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"homepage/internal/certificate"
)

const checkUsage = `Usage: homepage check FILE

Checks whether a PDF, at a path or an http or https URL, can be used as
CERTIFICATE_TEMPLATE, and shows how it would be stamped. The exit status is 1 if
it can't be used.
`

// check shows the author of a template how it would be stamped.
func check(ctx context.Context, args []string, stdout io.Writer) error {
	if len(args) != 1 {
		return usageError{"check takes the path or URL of one PDF"}
	}
	if location := args[0]; location == "-h" || location == "--help" {
		_, err := io.WriteString(stdout, checkUsage)
		return err
	}
	opened, err := openTemplate(ctx, args[0], slog.New(slog.DiscardHandler))
	if err != nil {
		return fmt.Errorf("the template can't be used: %w", err)
	}
	return writeReport(stdout, opened.Template().Report())
}

func writeReport(w io.Writer, r certificate.Report) error {
	var b strings.Builder
	line := func(name, text string) { fmt.Fprintf(&b, "%-16s %s\n", name+":", text) }
	line("cross-reference", r.XRef)
	line("placeholder", r.Place)
	if r.Own {
		line("font", r.Font+", as in the template")
	} else {
		line("font", r.Font+", a standard font in place of the template's")
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
