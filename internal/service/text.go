package service

import (
	"strings"
	"unicode"
)

// clean returns a text of a service as a page can show it: without controls and
// without the embeddings, overrides and isolates of bidirectional text, which
// would turn what follows on the page. A text with nothing visible is empty, so
// that nothing is shown for it, such as a link without a name.
func clean(text string) string {
	text = strings.TrimSpace(strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\r' || r == '\t' || r == '\u2028' || r == '\u2029':
			return ' '
		case unicode.IsControl(r), '\u202A' <= r && r <= '\u202E', '\u2066' <= r && r <= '\u2069':
			return -1
		}
		return r
	}, text))
	if strings.ContainsFunc(text, visible) {
		return text
	}
	return ""
}

// visible tells whether a rune shows by itself. Marks need a letter; what is
// ignorable by default includes the Hangul fillers (Unicode, 5.21).
func visible(r rune) bool {
	return r > ' ' && r <= '~' || r != '\u2800' && // Braille without a dot
		!unicode.In(r, unicode.Z, unicode.Cc, unicode.Cf, unicode.M, unicode.Other_Default_Ignorable_Code_Point)
}
