package main

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"unicode"

	"github.com/alecthomas/kong"

	"homepage/internal/redact"
)

// showConfig writes the settings in force, so that CONFIG can read them again
// but for what is secret.
func showConfig(stdout io.Writer, s settings) error {
	_, err := io.WriteString(stdout, strings.Join(s.inForce, "\n")+"\n")
	return err
}

// inForce describes each setting in a line. What can't be read again, because
// it is secret or not set, is a comment.
func (from *sources) inForce(ctx *kong.Context) (lines []string) {
	flags := map[*kong.Flag]bool{}
	for _, step := range ctx.Path {
		if step.Flag != nil && !step.Resolved {
			flags[step.Flag] = true
		}
	}
	for _, flag := range ctx.Model.Flags {
		name := variable(flag.Value)
		if name == "" {
			continue
		}
		origin, line := "default", from.file.values[name]
		switch {
		case flags[flag]:
			origin = "flag"
		case from.environment[name] != "":
			origin = "environment"
		case line.text != "":
			origin = fmt.Sprintf("file %s, line %d", from.file.path, line.line)
		}
		lines = append(lines, describe(name, flag.Target.Interface(), origin))
	}
	return lines
}

// describe is the line of a setting.
func describe(name string, value any, origin string) string {
	text, secretive := "", false
	switch v := value.(type) {
	case secret:
		secretive = v != nil
	case http.Header:
		secretive = v != nil
	case *url.URL:
		if v != nil {
			text = redact.URL(v)
			secretive = text != v.String()
		}
	case string:
		text = v
		if u, err := url.Parse(v); err == nil && strings.Contains(v, "://") {
			text = redact.URL(u)
			secretive = text != u.String()
		}
	case int64:
		text = size(v)
	default:
		text = fmt.Sprint(v)
	}
	quote := `"`
	if strings.Contains(text, quote) {
		quote = "'"
	}
	switch {
	case secretive && text == "":
		return fmt.Sprintf("# %s is set, and not shown  # %s", name, origin)
	case secretive:
		return fmt.Sprintf("# %s=%q with secrets that are not shown  # %s", name, text, origin)
	case text == "":
		return fmt.Sprintf("# %s is not set", name)
	case name == "CONFIG", strings.Contains(text, quote), strings.ContainsFunc(text, unicode.IsControl): // which a file can't have
		return fmt.Sprintf("# %s=%q  # %s", name, text, origin)
	}
	return name + "=" + quote + text + quote + "  # " + origin
}

// size writes a number of bytes as parseBytes reads it, in the largest unit
// that leaves a whole number.
func size(n int64) string {
	unit := ""
	for _, larger := range []string{"KiB", "MiB", "GiB", "TiB"} {
		if n == 0 || n%1024 != 0 {
			break
		}
		n, unit = n/1024, larger
	}
	return fmt.Sprint(n, unit)
}
