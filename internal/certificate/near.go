package certificate

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// between is what may stand between the letters of a placeholder that a program
// has spaced out, broken over lines or hyphenated.
const between = `[\s\x{ad}\x{2010}\x{2011}_-]*`

// signs are what other templating languages put round a name.
const signs = "%$#@{}[]<>«»()"

// nearText finds what an author may have meant for the placeholder.
func nearText() *regexp.Regexp {
	around := "[" + regexp.QuoteMeta(signs) + "]{1,4}"
	return regexp.MustCompile(`(?i)(?:` + around + `\s{0,4})?` + spread(FieldName) + `(?:\s{0,4}` + around + `)?`)
}

// nearName finds a field's name with other capitals, or spaces, or signs.
func nearName() *regexp.Regexp {
	return regexp.MustCompile(`(?i)^[^\pL\pN]*` + spread(FieldName) + `[^\pL\pN]*(\[\d+\])?$`)
}

func spread(word string) string { return strings.Join(strings.Split(word, ""), between) }

// noPlace says that there is no place for the stamp, and what comes closest to
// one.
func (d *document) noPlace() error {
	general := fmt.Errorf("no page shows the placeholder %s, and no form has a text field named %s; write the placeholder as text, not as a picture or as outlines, in a font whose text can be copied from the PDF", Placeholder, FieldName)
	if name, ok := d.nearField(); ok {
		return fmt.Errorf("no page shows the placeholder %s, but there is a form field named %q; name it %s", Placeholder, name, FieldName)
	}
	texts, err := d.PageTexts()
	if err != nil { // it is more than can be read twice
		return general
	}
	near := nearText()
	var bare error
	for i, text := range texts {
		for _, seen := range near.FindAllString(text, -1) {
			seen = strings.TrimSpace(strings.Map(printable, seen))
			miss := fmt.Errorf("no page shows the placeholder %s, but page %d shows %q; %s", Placeholder, i+1, seen, advice(seen))
			if strings.ContainsAny(seen, signs) {
				return miss
			}
			if bare == nil { // which any text may have
				bare = miss
			}
		}
	}
	if bare != nil {
		return bare
	}
	all := strings.Join(texts, "")
	unreadable := strings.Count(all, string(unicode.ReplacementChar))
	switch {
	case strings.TrimSpace(all) == "":
		return fmt.Errorf("no page shows any text, at most pictures or outlines of it; write the placeholder %s as text, and export the PDF without turning text into either", Placeholder)
	case unreadable > utf8.RuneCountInString(all)/2:
		return fmt.Errorf("the pages show text whose characters can't be told; export the PDF so that the placeholder %s can be copied from it as text", Placeholder)
	}
	return general
}

func printable(r rune) rune {
	switch {
	case unicode.IsSpace(r):
		return ' '
	case r == '\u00ad': // a soft hyphen, which shows as a hyphen where it is
		return '-'
	}
	return r
}

// advice says what to change so that what was seen is the placeholder.
func advice(seen string) string {
	var todo []string
	if strings.ToLower(seen) != seen {
		todo = append(todo, "write it in small letters, without text-transform, all caps or small caps")
	}
	if strings.Contains(seen, " ") {
		todo = append(todo, "write it without spaces")
	}
	if strings.ContainsAny(seen, "-\u2010\u2011_") {
		todo = append(todo, "keep it on one line and without hyphens")
	}
	if strings.Trim(seen, signs+" ") != strings.Trim(seen, "% ") || !strings.HasPrefix(seen, "%") || !strings.HasSuffix(seen, "%") {
		todo = append(todo, "put one percent sign before it and one after it, as in "+Placeholder)
	}
	if len(todo) == 0 {
		return "write it in one piece, with no picture or other graphic within it"
	}
	return strings.Join(todo, ", and ")
}

// nearField returns the name of a form field that is nearly right.
func (d *document) nearField() (string, bool) {
	near := nearName()
	var names []string
	for _, o := range d.Objects() {
		field := d.Dict(o)
		name := d.Text(field["T"])
		if (field["FT"] != nil || d.Name(field["Subtype"]) == "Widget") && near.MatchString(name) && !isFieldName(name) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return "", false
	}
	return slices.Min(names), true
}
