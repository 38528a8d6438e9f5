package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode/utf8"
)

// report is all that a run found out.
type report struct {
	machine  string
	date     time.Time
	took     time.Duration
	plan     plan
	missing  []string // tools, and what could not be measured without them
	failures []string
	tables   []table
	charts   []chart
}

func (r *report) add(measures []measure) {
	for _, m := range measures {
		m.add(r)
	}
}

// table is one question with its answers.
type table struct {
	title, note string
	head        []string
	rows        [][]string
	fold        bool // long: shown on demand
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

// markdown writes the table in columns that line up in plain text too.
func (t *table) markdown() string {
	widths := make([]int, len(t.head))
	for _, row := range append([][]string{t.head}, t.rows...) {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell), 3)
		}
	}
	var out strings.Builder
	line := func(cells []string) {
		for i, cell := range cells {
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if t.numeric(i) {
				cell = pad + cell
			} else {
				cell += pad
			}
			out.WriteString("| " + cell + " ")
		}
		out.WriteString("|\n")
	}
	line(t.head)
	for i := range t.head {
		rule := strings.Repeat("-", widths[i])
		if t.numeric(i) {
			rule = rule[1:] + ":"
		}
		out.WriteString("| " + rule + " ")
	}
	out.WriteString("|\n")
	for _, row := range t.rows {
		line(row)
	}
	return out.String()
}

// numeric tells of a column that it holds figures.
func (t *table) numeric(column int) bool {
	for _, row := range t.rows {
		if cell := row[column]; cell != "" && cell != none && (cell[0] < '0' || cell[0] > '9') {
			return false
		}
	}
	return t.head[column] != ""
}

// text is the report for the terminal.
func (r *report) text() string { return r.head() + r.body(false) }

// head says where the figures come from, and what is not among them.
func (r *report) head() string {
	lines := []string{fmt.Sprintf("Measured on %s in %v on %s. The sides ran at the same time and were measured in turn, in %d rounds (the largest upload in %d). "+
		"Figures are medians, ± half the range of the rounds; ratios are taken round by round, with the lowest and the highest. All ran on one machine, the load included.\n",
		r.date.UTC().Format("2 January 2006"), r.took.Round(time.Second), r.machine, r.plan.rounds, r.plan.bigRounds)}
	for _, missing := range r.missing {
		lines = append(lines, "Not measured here, for want of "+missing+".\n")
	}
	if len(r.failures) > 0 {
		lines = append(lines, "What went wrong:\n")
	}
	for _, failure := range r.failures {
		lines = append(lines, "- "+failure)
	}
	return strings.Join(lines, "\n") + "\n"
}

func (r *report) body(folds bool) string {
	var out strings.Builder
	for _, t := range r.tables {
		if len(t.rows) == 0 {
			continue
		}
		text := "\n" + t.note + "\n\n" + t.markdown()
		if t.fold && folds {
			fmt.Fprintf(&out, "\n### %s\n\n<details>\n<summary>All %d rows</summary>\n%s\n</details>\n", t.title, len(t.rows), text)
		} else {
			fmt.Fprintf(&out, "\n### %s\n%s", t.title, text)
		}
	}
	return out.String()
}

// pictures shows the charts, each in the reader's colours.
func (r *report) pictures() string {
	var out strings.Builder
	for _, c := range r.charts {
		if len(c.bars) == 0 {
			continue
		}
		fmt.Fprintf(&out, "\n<picture>\n  <source media=\"(prefers-color-scheme: dark)\" srcset=\".readme/bench-%[1]s-dark.svg\">\n"+
			"  <img src=\".readme/bench-%[1]s-light.svg\" alt=\"%[2]s\" width=\"%[3]d\">\n</picture>\n", c.file, escape(c.title), chartWidth)
	}
	return out.String()
}

// write puts the charts into .readme and the rest into README.md.
func (r *report) write(root string) error {
	readme := filepath.Join(root, "README.md")
	before, err := os.ReadFile(readme)
	if err != nil {
		return err
	}
	after, err := replaceBlock(string(before), r.head()+r.pictures()+r.body(true))
	if err != nil {
		return err
	}
	for _, c := range r.charts {
		if len(c.bars) == 0 {
			continue
		}
		for name, scheme := range map[string]scheme{"light": light(), "dark": dark()} {
			file := filepath.Join(root, ".readme", "bench-"+c.file+"-"+name+".svg")
			if err := os.WriteFile(file, []byte(c.svg(scheme)), 0o644); err != nil { //nolint:gosec // part of the source, for all to read
				return err
			}
		}
	}
	return os.WriteFile(readme, []byte(after), 0o644) //nolint:gosec // as above
}

// What stands before and after the figures in the README.
const (
	blockBegin = "<!-- Written by make bench -->\n"
	blockEnd   = "<!-- Written by make bench: end -->\n"
)

var errNoBlock = errors.New("README.md lacks the two lines between which the figures go: see blockBegin in report.go")

// replaceBlock puts text between the marks.
func replaceBlock(readme, text string) (string, error) {
	before, rest, found := strings.Cut(readme, blockBegin)
	_, after, ended := strings.Cut(rest, blockEnd)
	if !found || !ended {
		return "", errNoBlock
	}
	return before + blockBegin + "\n" + strings.TrimSpace(text) + "\n\n" + blockEnd + after, nil
}
