package upload

import (
	"path/filepath"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/clipperhouse/uax29/v2/graphemes"
)

// maxName is the length of the longest name, in bytes: the 255 that ext4, APFS
// and NTFS allow (NTFS counts UTF-16 units, which are never more), less room for
// a suffix.
const maxName = 255 - len("-999999")

// CleanName turns a sender's name for a file into one that is safe on every
// file system: the last component of what may be a path, in Unicode's
// normalization form C, without characters that can't be seen or that have a
// special meaning. It is never empty or hidden, and has at most 248 bytes.
func CleanName(name string) string {
	name = name[strings.LastIndexAny(name, `/\`)+1:]
	name = strings.ToValidUTF8(name, "\uFFFD")
	name = strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9': // most, which need no tables
			return r
		case isJoiner(r): // normalize decides, which sees what they join
			return r
		// Controls, and marks such as those that reverse the order of
		// letters on screen, so that an .exe looks like a .txt.
		case unicode.Is(unicode.C, r), r == '\u2028', r == '\u2029':
			return -1
		// Windows allows none of these, and a colon would open a hidden
		// stream of the file.
		case strings.ContainsRune(`<>:"|?*`, r):
			return '_'
		case unicode.IsSpace(r):
			return ' '
		}
		return r
	}, name)
	// Only now, since a character that was removed may have kept a letter and
	// its accent apart.
	name = trim(normalize(name))
	if name == "" {
		return "file"
	}
	if isReserved(name) {
		name = "_" + name
	}
	return shorten(name, maxName)
}

// trim removes what would hide a file or look like a command's option, and at
// the end what Windows would drop.
func trim(name string) string {
	return strings.TrimRight(strings.TrimLeft(name, ".- "), ". ")
}

// shorten cuts a name between two characters, as people see them (UAX #29), to
// at most limit bytes, and keeps an extension of ordinary length.
func shorten(name string, limit int) string {
	if len(name) <= limit {
		return name
	}
	extension := filepath.Ext(name)
	if len(extension) > 16 {
		extension = ""
	}
	end, room := 0, limit-len(extension)
	for character := graphemes.FromString(name); character.Next() && character.End() <= room; {
		end = character.End()
	}
	if end == 0 { // a letter with hundreds of accents
		for end = room; !utf8.RuneStart(name[end]); {
			end--
		}
	}
	return trim(dropJoiners(name[:end])) + extension // a joiner may have lost its second
}

// isReserved tells whether Windows would take the name for a device's, which it
// does whatever the extension.
func isReserved(name string) bool {
	stem, _, _ := strings.Cut(name, ".")
	stem = strings.TrimRight(stem, " ")
	if len(stem) > len("CONOUT$") {
		return false
	}
	stem = strings.ToUpper(stem)
	switch stem {
	case "CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$":
		return true
	}
	port, isPort := strings.CutPrefix(stem, "COM")
	if !isPort {
		port, isPort = strings.CutPrefix(stem, "LPT")
	}
	return isPort && utf8.RuneCountInString(port) == 1 && strings.Contains("0123456789¹²³", port)
}
