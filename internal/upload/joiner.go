package upload

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/clipperhouse/uax29/v2/graphemes"
	"golang.org/x/text/unicode/norm"
)

// Marks without a width of their own. Persian, the scripts of India and emoji
// are spelt with them; anywhere else they only make two names look the same.
const (
	nonJoiner = '\u200C'
	joiner    = '\u200D'
)

func isJoiner(r rune) bool { return r == nonJoiner || r == joiner }

// normalize returns the name in form C, with those joiners alone that belong
// where they stand.
func normalize(name string) string {
	name = norm.NFC.String(name)
	if !strings.ContainsFunc(name, isJoiner) {
		return name
	}
	// Again, since a joiner that was removed may have kept a letter and its
	// accent apart.
	name = norm.NFC.String(dropJoiners(name))
	if dropJoiners(name) != name { // the rest belonged to what that has changed
		name = norm.NFC.String(strings.Map(func(r rune) rune {
			if isJoiner(r) {
				return -1
			}
			return r
		}, name))
	}
	return name
}

// dropJoiners removes the joiners from a name in form C that don't belong where
// they stand. Either kind belongs beside a virama (RFC 5892, A.1 and A.2; before
// one, they spell the ya-phalaa of Bengali), a non-joiner between letters of a
// script that joins them (UAX #31, 2.3), and a joiner between emoji (UAX #29,
// GB11).
func dropJoiners(name string) string {
	var kept strings.Builder
	var letter rune // since the last joiner, the last character that is not a mark
	virama := false // is among the marks after it
	for character := graphemes.FromString(name); character.Next(); {
		for i, r := range character.Value() {
			if !isJoiner(r) {
				if unicode.Is(unicode.M, r) {
					virama = virama || isVirama(r)
				} else {
					letter, virama = r, false
				}
				kept.WriteRune(r)
				continue
			}
			end := character.Start() + i + utf8.RuneLen(r)
			next, _ := utf8.DecodeRuneInString(name[end:])
			switch {
			case unicode.IsLetter(letter) && (virama || isVirama(next)),
				r == nonJoiner && areJoined(letter, next),
				r == joiner && end < character.End() && unicode.In(next, unicode.So, unicode.Sm):
				letter, virama = 0, false
				kept.WriteRune(r)
			}
		}
	}
	return kept.String()
}

// isVirama tells whether a mark takes a letter's vowel away, and so joins it to
// the next.
func isVirama(r rune) bool { return norm.NFC.PropertiesString(string(r)).CCC() == 9 }

// areJoined tells whether two letters are of one script whose letters join.
func areJoined(a, b rune) bool {
	if !unicode.IsLetter(a) || !unicode.IsLetter(b) {
		return false
	}
	for _, script := range []*unicode.RangeTable{unicode.Arabic, unicode.Syriac, unicode.Nko, unicode.Mongolian, unicode.Adlam} {
		if unicode.Is(script, a) {
			return unicode.Is(script, b)
		}
	}
	return false
}
