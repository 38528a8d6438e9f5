package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
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
	charts   []chart // with what was measured: none is empty
	summary  summary
}

func (r *report) add(measures []measure) {
	for _, m := range measures {
		m.add(r)
	}
	r.charts = slices.DeleteFunc(r.charts, func(c chart) bool { return len(c.bars) == 0 })
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
func (r *report) text() string { return r.head() + "\n" + r.summary.String() + r.body(false) }

// head says where the figures come from, and what is not among them.
func (r *report) head() string {
	lines := []string{fmt.Sprintf("Measured on %s in %v on %s. The sides ran at the same time and were measured in turn, in %d rounds (certificates in %d, what takes longest in %d or one). "+
		"Figures are medians, ± half the range of the rounds; ratios are taken round by round, with the lowest and the highest. All ran on one machine, the load included.\n",
		r.date.UTC().Format("2 January 2006"), r.took.Round(time.Second), r.machine, r.plan.rounds, r.plan.certRounds, r.plan.bigRounds)}
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

// pictures shows charts that lie in a folder, each in the reader's colours.
func pictures(folder string, charts []chart) string {
	var out strings.Builder
	for _, c := range charts {
		fmt.Fprintf(&out, "\n<picture>\n  <source media=\"(prefers-color-scheme: dark)\" srcset=\"%[1]s/%[2]s-dark.svg\">\n"+
			"  <img src=\"%[1]s/%[2]s-light.svg\" alt=\"%[3]s\" width=\"%[4]d\">\n</picture>\n", folder, c.file, escape(c.title), chartWidth)
	}
	return out.String()
}

// pageChart is the chart that the README of the repository shows too.
const pageChart = "page"

// short is what the README of the repository says.
func (r *report) short() string {
	only := slices.DeleteFunc(slices.Clone(r.charts), func(c chart) bool { return c.file != pageChart })
	return fmt.Sprintf("%s\n%s\nMeasured on %s, all on one machine. [%s](%[4]s/README.md) has all figures, what they were measured on, and how.\n",
		pictures(own+"/charts", only), r.summary, r.date.UTC().Format("2 January 2006"), own)
}

// write puts the charts and all figures beside the bench, and what is short
// into the README of the repository.
func (r *report) write(root string) error {
	folder := filepath.Join(root, own)
	for _, c := range r.charts {
		for name, scheme := range map[string]scheme{"light": light(), "dark": dark()} {
			file := filepath.Join(folder, "charts", c.file+"-"+name+".svg")
			if err := os.WriteFile(file, []byte(c.svg(scheme)), 0o644); err != nil { //nolint:gosec // part of the source, for all to read
				return err
			}
		}
	}
	if err := writeBlock(folder, r.head()+pictures("charts", r.charts)+r.body(true)); err != nil {
		return err
	}
	return writeBlock(root, r.short())
}

// writeBlock puts text between the marks of a folder's README.
func writeBlock(folder, text string) error {
	file := filepath.Join(folder, "README.md")
	before, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	after, err := replaceBlock(string(before), text)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return os.WriteFile(file, []byte(after), 0o644) //nolint:gosec // part of the source, for all to read
}

// What stands before and after the figures in both READMEs.
const (
	blockBegin = "<!-- Written by make bench -->\n"
	blockEnd   = "<!-- Written by make bench: end -->\n"
)

var errNoBlock = errors.New("it lacks the two lines between which the figures go: see blockBegin in report.go")

// replaceBlock puts text between the marks.
func replaceBlock(readme, text string) (string, error) {
	before, rest, found := strings.Cut(readme, blockBegin)
	_, after, ended := strings.Cut(rest, blockEnd)
	if !found || !ended {
		return "", errNoBlock
	}
	return before + blockBegin + "\n" + strings.TrimSpace(text) + "\n\n" + blockEnd + after, nil
}
