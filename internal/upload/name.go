package upload

import (
	"path/filepath"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// maxName is the longest name in bytes: the 255 that ext4, APFS and NTFS take
// (NTFS counts UTF-16 units, which are never more), less room for a suffix.
const maxName = 255 - len("-999999")

// CleanName turns the name that a client gave into one that is safe to give a
// file: the last component of a path of any system, in Unicode's form NFC,
// without characters that can't be seen or that file systems treat specially.
// It is never empty, never hidden and leaves room for a suffix.
func CleanName(name string) string {
	name = name[strings.LastIndexAny(name, `/\`)+1:]
	name = strings.ToValidUTF8(name, "\uFFFD")
	name = strings.Map(func(r rune) rune {
		switch {
		// Cc and Cf: controls, and marks such as the ones that turn
		// "exe.txt" round on screen.
		case unicode.Is(unicode.C, r), r == '\u2028', r == '\u2029':
			return -1
		// Windows takes none of these, and a colon opens a hidden stream.
		case strings.ContainsRune(`<>:"|?*`, r):
			return '_'
		case unicode.IsSpace(r):
			return ' '
		}
		return r
	}, name)
	// After the map, since a character that it removes may have kept a letter
	// and its accent apart.
	name = trim(norm.NFC.String(name))
	if name == "" {
		return "file"
	}
	if isReserved(name) {
		name = "_" + name
	}
	return shorten(name, maxName)
}

// trim removes what would hide a file, look like a command's option or, at the
// end, be dropped by Windows.
func trim(name string) string {
	return strings.TrimRight(strings.TrimLeft(name, ".- "), ". ")
}

// shorten cuts name to at most limit bytes between two characters, and keeps
// its extension if that is of a usual length.
func shorten(name string, limit int) string {
	if len(name) <= limit {
		return name
	}
	extension := filepath.Ext(name)
	if len(extension) > 16 {
		extension = ""
	}
	end := limit - len(extension)
	for !utf8.RuneStart(name[end]) {
		end--
	}
	return trim(name[:end]) + extension
}

// isReserved tells whether Windows takes the name for a device, which it does
// whatever the extension.
func isReserved(name string) bool {
	stem, _, _ := strings.Cut(strings.ToUpper(name), ".")
	stem = strings.TrimRight(stem, " ")
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

// suffixed returns the n-th choice for a name: notes.txt, notes-1.txt
// and so on.
func suffixed(name string, n int) string {
	if n == 0 {
		return name
	}
	extension := filepath.Ext(name)
	return strings.TrimSuffix(name, extension) + "-" + strconv.Itoa(n) + extension
}
