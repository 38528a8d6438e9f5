package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// sources are where settings come from besides the command line, which wins
// over the environment, as that wins over the file.
type sources struct {
	environment map[string]string
	file        configFile // empty without CONFIG
}

// configFile is the file that CONFIG names.
type configFile struct {
	path   string
	values map[string]configValue // by the setting's name
}

type configValue struct {
	text string
	line int
}

// newSources takes the environment as os.Environ has it.
func newSources(environ []string) *sources {
	environment := map[string]string{}
	for _, variable := range environ {
		name, value, _ := strings.Cut(variable, "=")
		if _, ok := environment[name]; !ok { // of two the first counts, as for os.Getenv
			environment[name] = value
		}
	}
	return &sources{environment: environment}
}

// BeforeResolve reads the file once kong knows the command line. Kong calls it,
// and then Resolve for each setting that has no flag.
func (s *settings) BeforeResolve(ctx *kong.Context, from *sources) error {
	path := from.environment["CONFIG"]
	for _, step := range ctx.Path {
		if step.Flag != nil && step.Flag.Name == "config" {
			path = fmt.Sprint(ctx.FlagValue(step.Flag))
		}
	}
	if path == "" {
		return nil
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return usageError{fmt.Sprintf("CONFIG (--config) can't be read: %v", err)}
	}
	values, err := parseConfig(string(content), variables(ctx.Model))
	if err != nil {
		return usageError{fmt.Sprintf("CONFIG (--config): %s:%v", path, err)}
	}
	from.file = configFile{path, values}
	return nil
}

// Validate is there for kong.
func (*sources) Validate(*kong.Application) error { return nil }

// Resolve looks a setting up. Kong's own env tags would read the process's
// environment, and take an empty variable for a value.
func (from *sources) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	name := variable(flag.Value)
	if text := from.environment[name]; text != "" && name != "" {
		return text, nil
	}
	if text := from.file.values[name].text; text != "" {
		return text, nil
	}
	return nil, nil
}

// place says where in the file a bad value of the setting stands, if it came
// from there. One of a flag is refused before the file is read.
func (from *sources) place(name string) string {
	value, ok := from.file.values[name]
	if !ok || from.environment[name] != "" {
		return ""
	}
	return fmt.Sprintf("%s:%d: ", from.file.path, value.line)
}

// variables lists the names of all settings.
func variables(app *kong.Application) (names []string) {
	for _, flag := range app.Flags {
		if name := variable(flag.Value); name != "" {
			names = append(names, name)
		}
	}
	return names
}

// parseConfig reads lines of NAME=value, with or without spaces around the
// parts. Empty lines and lines that begin with # are passed over. A value in
// quotes, single or double, may have a comment after it; one without is the
// rest of its line. Nothing is escaped. Errors begin with the line's number,
// and quote no value, which may be a secret.
func parseConfig(content string, names []string) (map[string]configValue, error) {
	values := map[string]configValue{}
	content = strings.TrimPrefix(content, "\ufeff") // a byte order mark, as Windows' editors write it
	number := 0
	for line := range strings.Lines(content) {
		number++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		name, text, ok := strings.Cut(line, "=")
		name = strings.TrimSpace(name)
		switch earlier := values[name].line; {
		case !ok || !configName.MatchString(name):
			return nil, fmt.Errorf("%d: a line must be NAME=value, or begin with #", number)
		case name == "CONFIG":
			return nil, fmt.Errorf("%d: CONFIG can't be set in the file that it names", number)
		case !slices.Contains(names, name):
			meant, _ := closest(name, names)
			return nil, fmt.Errorf("%d: %s is no setting; did you mean %s?", number, name, meant)
		case earlier != 0:
			return nil, fmt.Errorf("%d: %s is set in line %d already", number, name, earlier)
		}
		text, err := unquote(strings.TrimSpace(text))
		if err != nil {
			return nil, fmt.Errorf("%d: %s: %w", number, name, err)
		}
		values[name] = configValue{text, number}
	}
	return values, nil
}

var configName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// unquote returns the value that stands behind NAME=.
func unquote(text string) (string, error) {
	if text == "" || text[0] != '"' && text[0] != '\'' {
		if strings.Contains(text, " #") {
			return "", errors.New("a value with # after a space must be in quotes; a comment may stand after the quotes, or on a line of its own")
		}
		return text, nil
	}
	value, rest, ok := strings.Cut(text[1:], text[:1])
	if !ok {
		return "", errors.New("the quotes are not closed")
	}
	if rest = strings.TrimSpace(rest); rest != "" && rest[0] != '#' {
		return "", errors.New("only a comment may stand after the quotes")
	}
	return value, nil
}

// slip is a variable of the environment that is no setting, but was most
// likely meant for one.
type slip struct{ variable, setting string }

// slips looks for them. What other programs are set by must not be among them,
// so names as short as ADDR have to come very close.
func (from *sources) slips(names []string) (found []slip) {
	for _, variable := range slices.Sorted(maps.Keys(from.environment)) {
		if from.environment[variable] == "" || slices.Contains(names, variable) {
			continue
		}
		word := strings.TrimPrefix(strings.ToUpper(variable), "HOMEPAGE_")
		setting, distance := closest(word, names)
		for _, name := range names {
			if strings.Contains(name, "_") && strings.HasPrefix(word, name+"_") { // SERVICE_TIMEOUT_SECONDS
				setting, distance = name, 0
			}
		}
		if distance == 0 || distance == 1 || distance == 2 && len(setting) >= 10 {
			found = append(found, slip{variable, setting})
		}
	}
	return found
}

// closest returns the name that the word takes the fewest changes to become,
// and how many: letters put in, left out or replaced (Levenshtein's distance).
func closest(word string, names []string) (name string, distance int) {
	distance = len(word) + 1000
	for _, candidate := range names {
		if d := levenshtein(word, candidate); d < distance {
			name, distance = candidate, d
		}
	}
	return name, distance
}

func levenshtein(a, b string) int {
	row := make([]int, len(b)+1) // the distances of what was seen of a to each beginning of b
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
