package multipart

import (
	"fmt"
	"mime"
	"net/url"
	"strings"
	"unicode/utf8"
)

// parseDisposition reads the value of a part's Content-Disposition. The problem
// is empty, or says what is wrong in words that go on from "its
// Content-Disposition".
//
// Clients disagree on how to write a name with a quote in it:
//
//   - Browsers and the libraries that follow them (undici, requests, OkHttp, curl
//     since 7.81 and PHP, which uses it) write %22, %0D and %0A for a quote, CR
//     and LF, and everything else as it is, even backslashes (WHATWG HTML,
//     4.10.21.8).
//   - Go, Python's email, Ruby's net/http, LWP, Apache HttpClient and older curls
//     put a backslash before each quote and each backslash (RFC 9110, 5.6.4).
//     Older releases of urllib3 and HTTPX write %22 and double the backslashes.
//   - Some, such as Ruby's rest-client, escape nothing.
//
// A client writes all the parameters of a header in the same way. So the header
// is read as a whole, in each way in turn, until one makes sense of all of it:
// with backslash escapes, where a backslash may stand only before a quote or
// another backslash; without, where a string ends at its first quote; and with
// raw quotes, where it ends at the first quote that the end of the header or
// another parameter follows. Thus C:\notes.txt keeps its backslash, and "notes\"
// ends in one. Whichever way it is, what looks like a file name may not end up
// as part of a field's name.
func parseDisposition(value string) (part Part, problem string) {
	kind, parameters, _ := strings.Cut(value, ";")
	if !strings.EqualFold(strings.Trim(kind, " \t"), "form-data") {
		return Part{}, `does not begin with "form-data;"`
	}
	for way, unquote := range []unquoter{unquoteEscaped, unquotePlain, unquoteRaw} {
		var params map[string]string
		if params, problem = parseParameters(parameters, unquote); problem != "" {
			continue
		}
		if part, problem = newPart(params); problem != "" {
			continue
		}
		const raw = 2
		if part.HasFileName || way != raw && !mentionsFileName(parameters) {
			return part, ""
		}
		problem = "has a quote in the wrong place" // what is left may be a file's name
	}
	return Part{}, problem
}

func newPart(params map[string]string) (part Part, problem string) {
	name, hasName, ok := lookUp(params, "name")
	if !ok {
		return Part{}, "has a name* that can't be decoded"
	}
	fileName, hasFileName, ok := lookUp(params, "filename")
	if !ok {
		return Part{}, "has a filename* that can't be decoded"
	}
	if !hasName && !hasFileName {
		return Part{}, "has neither a name nor a filename"
	}
	return Part{Name: name, FileName: fileName, HasFileName: hasFileName}, ""
}

// mentionsFileName tells whether there is something like a file name among
// parameters, whether or not they can be parsed.
func mentionsFileName(parameters string) bool {
	rest := strings.ToLower(parameters)
	for {
		_, after, found := strings.Cut(rest, "filename")
		if !found {
			return false
		}
		if strings.HasPrefix(strings.TrimLeft(after, " \t*0123456789"), "=") {
			return true
		}
		rest = after
	}
}

// parseParameters reads what follows the kind. Parameter names become
// lower-case.
func parseParameters(s string, unquote unquoter) (params map[string]string, problem string) {
	params = map[string]string{}
	for {
		s = strings.TrimLeft(s, " \t;") // a stray semicolon does no harm
		if s == "" {
			return params, ""
		}
		key, rest, found := strings.Cut(s, "=")
		key = strings.ToLower(strings.TrimRight(key, " \t"))
		if !found || !isToken(key) {
			return nil, "has something in it that is not a parameter"
		}
		var value string
		if quoted, isQuoted := strings.CutPrefix(strings.TrimLeft(rest, " \t"), `"`); isQuoted {
			if value, s, found = unquote(quoted); !found {
				return nil, "has a quote in the wrong place"
			}
			if strings.Contains(value, "%") {
				value = strings.NewReplacer("%22", `"`, "%0D", "\r", "%0A", "\n").Replace(value)
			}
		} else {
			value, s, _ = strings.Cut(rest, ";")
			if strings.Contains(value, `"`) {
				return nil, "has a quote in the wrong place"
			}
			value = strings.Trim(value, " \t")
		}
		if _, twice := params[key]; twice {
			return nil, "gives a parameter twice"
		}
		params[key] = value
	}
}

// isToken tells whether s can be the name of a parameter or of a header (RFC
// 9110, 5.6.2).
func isToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r)
	})
}

// An unquoter reads a quoted string, whose opening quote has been read, and
// returns what follows the closing one: nothing or another parameter.
type unquoter func(s string) (value, rest string, ok bool)

// unquoteEscaped reads a string with backslash escapes.
func unquoteEscaped(s string) (value, rest string, ok bool) {
	var text strings.Builder
	for {
		i := strings.IndexAny(s, `"\`)
		if i < 0 {
			return "", "", false
		}
		text.WriteString(s[:i])
		if s[i] == '"' {
			return text.String(), s[i+1:], endsParameter(s[i+1:])
		}
		if s = s[i+1:]; s == "" || s[0] != '"' && s[0] != '\\' {
			return "", "", false
		}
		text.WriteByte(s[0])
		s = s[1:]
	}
}

// unquotePlain reads a string that has no quote in it.
func unquotePlain(s string) (value, rest string, ok bool) {
	value, rest, ok = strings.Cut(s, `"`)
	return value, rest, ok && endsParameter(rest)
}

func endsParameter(rest string) bool {
	rest = strings.TrimLeft(rest, " \t")
	return rest == "" || rest[0] == ';'
}

// unquoteRaw reads a string that may have quotes in it.
func unquoteRaw(s string) (value, rest string, ok bool) {
	for i, c := range []byte(s) {
		if c == '"' && endsParameter(s[i+1:]) && beginsParameter(s[i+1:]) {
			return strings.ReplaceAll(s[:i], `\"`, `"`), s[i+1:], true
		}
	}
	return "", "", false
}

// beginsParameter tells whether what follows a parameter is another, or nothing.
func beginsParameter(rest string) bool {
	rest = strings.TrimLeft(rest, " \t;")
	key, _, found := strings.Cut(rest[:min(len(rest), maxKey)], "=")
	return rest == "" || found && isToken(strings.TrimRight(key, " \t"))
}

// maxKey is more characters than the name of a parameter has.
const maxKey = 100

// lookUp returns the text of a parameter. The form of RFC 8187 takes precedence
// (RFC 6266, 4.3). RFC 7578 forbids it in forms, but .NET and Python's email
// write it, and the latter splits a long one (RFC 2231, 3).
func lookUp(params map[string]string, key string) (value string, given, ok bool) {
	value, given = params[key]
	extended, hasExtended := params[key+"*"]
	if !hasExtended {
		extended, hasExtended = joinSegments(params, key)
	}
	if decoded, ok := decodeExtended(extended); ok && decoded != "" {
		return decoded, true, true
	}
	if !given && hasExtended {
		return "", true, extended != "" && strings.HasSuffix(extended, "''")
	}
	// .NET writes encoded words (RFC 2047), as in e-mail.
	if strings.HasPrefix(value, "=?") && strings.HasSuffix(value, "?=") {
		if decoded, err := new(mime.WordDecoder).DecodeHeader(value); err == nil {
			value = decoded
		}
	}
	return value, given, true
}

// joinSegments joins a value that was split into key*0, key*1 and so on. Those
// with a further * at the end are percent-encoded.
func joinSegments(params map[string]string, key string) (extended string, found bool) {
	for n := range len(params) {
		segment, isEncoded := params[fmt.Sprintf("%s*%d*", key, n)]
		if !isEncoded {
			plain, isPlain := params[fmt.Sprintf("%s*%d", key, n)]
			if !isPlain {
				break
			}
			segment = url.PathEscape(plain)
			if n == 0 {
				segment = "utf-8''" + segment
			}
		}
		extended, found = extended+segment, true
	}
	return extended, found
}

// decodeExtended decodes a value as in UTF-8'en'%C3%BCber.txt (RFC 8187, 3.2).
func decodeExtended(value string) (string, bool) {
	charset, rest, _ := strings.Cut(value, "'")
	_, encoded, found := strings.Cut(rest, "'")
	text, err := url.PathUnescape(encoded)
	if !found || err != nil {
		return "", false
	}
	switch strings.ToLower(charset) {
	case "utf-8", "us-ascii":
		return text, utf8.ValidString(text)
	case "iso-8859-1":
		runes := make([]rune, len(text))
		for i, c := range []byte(text) {
			runes[i] = rune(c)
		}
		return string(runes), true
	}
	return "", false
}
