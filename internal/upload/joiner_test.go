package upload_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"homepage/internal/upload"
)

func isJoiner(r rune) bool { return r == '\u200C' || r == '\u200D' }

func withoutJoiners(name string) string {
	return strings.NewReplacer("\u200C", "", "\u200D", "").Replace(name)
}

const family = "👩\u200d👩\u200d👧\u200d👦" // 25 bytes

// Joiners stay where words and emoji are spelt with them.
func TestJoinersThatBelong(t *testing.T) {
	for language, name := range map[string]string{
		"Persian, between letters":               "می\u200cخواهم.txt",
		"Persian, behind a vowel sign":           "مِ\u200cی.txt",
		"Syriac":                                 "ܒ\u200cܒ",
		"Hindi, a half letter":                   "क्\u200dष.txt",
		"Hindi, letters kept apart":              "क्\u200cष.txt",
		"Sinhala":                                "ශ්\u200dරී ලංකා.pdf",
		"Malayalam, a chillu at a word's end":    "അവന്\u200d.txt",
		"Bengali, before the virama":             "র\u200d্যাম.txt",
		"Kannada, before the virama":             "ರ\u200d್ಕ",
		"a family":                               family + ".jpg",
		"with tones of skin":                     "🧑🏽\u200d🤝\u200d🧑🏿.jpg",
		"with variation selectors":               "❤\ufe0f\u200d🔥 🏳\ufe0f\u200d🌈 ☎\ufe0f.png",
		"a head that nods and one that does not": "🙂\u200d↕\ufe0f🙂\u200d↔\ufe0f",
	} {
		t.Run(language, func(t *testing.T) {
			if got := upload.CleanName(name); got != name {
				t.Errorf("CleanName(%+q) = %+q", name, got)
			}
		})
	}
}

// Anywhere else nobody would see them.
func TestJoinersThatHide(t *testing.T) {
	for _, test := range []struct{ name, in, want string }{
		{"in Latin", "in\u200dvo\u200cice.txt", "invoice.txt"},
		{"before a hidden file's dot", "\u200c.htaccess", "htaccess"},
		{"in a Windows device", "C\u200dON", "_CON"},
		{"before the extension", "فایل\u200c.txt", "فایل.txt"},
		{"at both ends", "\u200dفایل\u200c", "فایل"},
		{"between scripts", "فایل\u200cabc", "فایلabc"},
		{"between digits", "۱\u200c۲", "۱۲"},
		{"a joiner between letters that join by themselves", "می\u200dخواهم", "میخواهم"},
		{"two non-joiners", "می\u200c\u200cخواهم", "می\u200cخواهم"},
		{"two joiners behind a virama", "क्\u200d\u200dष", "क्\u200dष"},
		{"a virama without a letter", "a.्\u200dष", "a.्ष"},
		{"a non-joiner between emoji", "👩\u200c👩", "👩👩"},
		{"behind an emoji", "👩\u200d.jpg", "👩.jpg"},
		{"between a letter and an emoji", "a\u200d👩", "a👩"},
		{"between emoji and a tone of skin", "👩\u200d🏽", "👩🏽"},
		{"between symbols that are no emoji", "+\u200d÷", "+÷"},
		{"beside an emoji that is none when another has gone", "👩\u200d↔\u200d\u0338", "👩\u21ae"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := upload.CleanName(test.in); got != test.want {
				t.Errorf("CleanName(%+q) = %+q, want %+q", test.in, got, test.want)
			}
		})
	}
}

// A long name is cut before a character that people see as one, not in it.
func TestCharactersAreNotCut(t *testing.T) {
	for _, test := range []struct{ name, in, want string }{
		{"families", strings.Repeat(family, 20), strings.Repeat(family, 9)},
		{"families with an extension", strings.Repeat(family, 20) + ".jpeg", strings.Repeat(family, 9) + ".jpeg"},
		{"Persian", strings.Repeat("می\u200c", 60), strings.Repeat("می\u200c", 35) + "م"},
		{"Persian, before a non-joiner", "ab" + strings.Repeat("می\u200c", 60), "ab" + strings.Repeat("می\u200c", 34) + "می"},
		{"half letters of Hindi", strings.Repeat("क्\u200d", 40) + "ष", strings.Repeat("क्\u200d", 27) + "क"},
		{"a letter with its accents", strings.Repeat("x", 246) + "q\u0303\u0303", strings.Repeat("x", 246)},
		{"one emoji of too many", strings.Repeat("👩\u200d", 60) + "👩", strings.Repeat("👩\u200d", 34) + "👩"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := upload.CleanName(test.in); got != test.want {
				t.Errorf("CleanName(%+q) =\n%+q, want\n%+q", test.in, got, test.want)
			}
		})
	}
}

// checkJoiners checks that whatever the name, its joiners join something, and
// the rest of it is as it would be without them.
func checkJoiners(t *testing.T, in string) {
	t.Helper()
	got := upload.CleanName(in)
	before := ' '
	for i, r := range got {
		next, _ := utf8.DecodeRuneInString(got[i+utf8.RuneLen(r):])
		if isJoiner(r) && !unicode.In(before, unicode.L, unicode.M, unicode.S) {
			t.Errorf("%+q: a joiner behind %+q", got, before)
		}
		if isJoiner(r) && unicode.Is(unicode.S, before) && !unicode.Is(unicode.S, next) {
			t.Errorf("%+q: a joiner behind %+q and before %+q", got, before, next)
		}
		before = r
	}
	if again := upload.CleanName(got); again != got {
		t.Errorf("%+q becomes %+q, and cleaned again %+q", in, got, again)
	}
	if !utf8.ValidString(in) || len(in) > 80 { // nor is it cut, with three bytes for each
		return
	}
	if plain := norm.NFC.String(withoutJoiners(got)); plain != upload.CleanName(withoutJoiners(in)) {
		t.Errorf("%+q: without joiners it is %+q", got, upload.CleanName(withoutJoiners(in)))
	}
}

func FuzzJoiners(f *testing.F) {
	for _, seed := range []string{"می\u200cخواهم", "क्\u200dष", "র\u200d্য", family, "\u200c.a\u200d", strings.Repeat(family, 12) + ".x", "❤\ufe0f\u200d🔥", "q" + strings.Repeat("\u0303", 200), strings.Repeat("👩\u200d", 60)} {
		f.Add(seed)
	}
	f.Fuzz(checkJoiners)
}

// Every name of four characters that joiners and normalization have to do with.
func TestJoinersAmongAnything(t *testing.T) {
	alphabet := []rune{
		'\u200c', '\u200d', 'a', '.', 'م', 'ا', '\u0653', // an accent that makes another letter of an alef
		'क', '\u093c', '\u094d', '\u0dd9', '\u0dca', // of which the last two become one
		'👩', '🏽', '\ufe0f', '↔', '\u0338', // which makes no emoji of an arrow
	}
	name := make([]rune, 4)
	var fill func(at int)
	fill = func(at int) {
		if at == len(name) {
			checkJoiners(t, string(name))
			return
		}
		for _, name[at] = range alphabet {
			fill(at + 1)
		}
	}
	fill(0)
}
