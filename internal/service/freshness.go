package service

import (
	"net/http"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"
)

// This file is what RFC 9111 (caching) and RFC 5861 (stale answers) ask of a
// shared cache of one URL, as functions of headers and times. Where headers
// contradict each other or can't be understood, the reading counts that keeps
// an answer for less long.
//
// An answer to a call with credentials is kept like others (RFC 9111, 3.5),
// since they are the site's own, the same in each call, and not a visitor's.

// terms are until when an answer may be shown; see home.Answer.
type terms struct {
	at, fresh, revalidate, fallback time.Time
	store                           bool // whether it may be kept at all
}

// termsOf tells how long an answer may be shown that was asked for and received
// at the given times. fallback is how long it may stand in for a failure when
// it doesn't say.
func termsOf(header http.Header, asked, received time.Time, fallback time.Duration) terms {
	d := parseDirectives(header["Cache-Control"])
	age, ageKnown := ageOf(header)
	t := terms{at: madeAt(header, age, asked, received)}
	if d.has("no-store", "private") || variesByCall(header) {
		return t
	}
	t.store = true
	if d.has("no-cache") {
		return t
	}
	t.fresh = t.at
	if ageKnown {
		t.fresh = t.at.Add(lifetime(d, header, received))
	}
	if d.has("must-revalidate", "proxy-revalidate") {
		return t
	}
	t.revalidate = t.fresh.Add(d["stale-while-revalidate"])
	if d.has("stale-if-error") {
		fallback = d["stale-if-error"]
	} else if d.has("s-maxage") { // which implies proxy-revalidate (RFC 9111, 5.2.2.10)
		fallback = 0
	}
	t.fallback = t.fresh.Add(fallback)
	return t
}

// lifetime is how long an answer is fresh from when it was made (RFC 9111,
// 4.2.1). Nothing is guessed for one that doesn't say.
func lifetime(d directives, header http.Header, received time.Time) time.Duration {
	for _, name := range []string{"s-maxage", "max-age"} {
		if seconds, ok := d[name]; ok {
			return seconds
		}
	}
	date, err := http.ParseTime(header.Get("Date"))
	if err != nil {
		date = received
	}
	shortest := time.Duration(0)
	for i, value := range header["Expires"] {
		expires, err := http.ParseTime(value)
		if err != nil {
			return 0 // (RFC 9111, 5.3)
		}
		if until := expires.Sub(date); i == 0 || until < shortest {
			shortest = until
		}
	}
	return min(max(shortest, 0), longest)
}

// madeAt is when an answer was made, as its Age and its Date have it, whichever
// is earlier (RFC 9111, 4.2.3). Date counts whole seconds, so the clock does too.
func madeAt(header http.Header, age time.Duration, asked, received time.Time) time.Time {
	at := asked.Add(-age)
	if date, err := http.ParseTime(header.Get("Date")); err == nil {
		apparent := min(received.Truncate(time.Second).Sub(date), longest)
		if byDate := received.Add(-apparent); apparent > 0 && byDate.Before(at) {
			at = byDate
		}
	}
	return at
}

// ageOf returns the first Age of a list (RFC 9111, 5.1), and whether it can be
// understood.
func ageOf(header http.Header) (age time.Duration, known bool) {
	lines := header["Age"]
	if len(lines) == 0 {
		return 0, true
	}
	first, _, _ := strings.Cut(lines[0], ",")
	return parseSeconds(textproto.TrimString(first))
}

// variesByCall tells whether the answer to our next call may be another one by
// Vary (RFC 9111, 4.1). Other fields than these are the same in all our calls.
func variesByCall(header http.Header) bool {
	for name := range elements(header["Vary"]) {
		switch strings.ToLower(name) {
		case "*", "x-request-id", "traceparent", "tracestate":
			return true
		}
	}
	return false
}

// elements iterates over the elements of a list in all of its lines (RFC 9110,
// 5.6.1).
func elements(lines []string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for _, line := range lines {
			for element := range strings.SplitSeq(line, ",") {
				if element = textproto.TrimString(element); element != "" && !yield(element) {
					return
				}
			}
		}
	}
}

// directives are what Cache-Control says (RFC 9111, 5.2.2), by their names in
// lower case, with their numbers of seconds. A directive that has none, or one
// that can't be understood, has 0.
type directives map[string]time.Duration

func (d directives) has(names ...string) bool {
	return slices.ContainsFunc(names, func(name string) bool { _, ok := d[name]; return ok })
}

// add notes a directive. Of one that stands there twice, the stricter counts
// (RFC 9111, 4.2.1).
func (d directives) add(name, argument string) {
	name = strings.ToLower(name)
	seconds, _ := parseSeconds(argument)
	if before, ok := d[name]; ok {
		seconds = min(seconds, before)
	}
	d[name] = seconds
}

// parseDirectives reads all lines of Cache-Control.
func parseDirectives(lines []string) directives {
	d := directives{}
	for _, line := range lines {
		if d.parse(line) {
			continue
		}
		// The line is malformed: a quote is left open, say. Every word of it
		// counts that could be a directive, but none of them may allow what the
		// line doesn't.
		for _, word := range strings.FieldsFunc(line, func(r rune) bool { return r != '=' && !httpguts.IsTokenRune(r) }) {
			name, argument, _ := strings.Cut(word, "=")
			if !d.has(strings.ToLower(name)) {
				argument = ""
			}
			d.add(name, argument)
		}
	}
	return d
}

// parse reads a line. It stops and returns false where that is malformed.
func (d directives) parse(line string) bool {
	for {
		line = strings.TrimLeft(line, " \t,")
		if line == "" {
			return true
		}
		var name, argument string
		name, line = cutToken(line)
		if rest, ok := strings.CutPrefix(line, "="); ok {
			if argument, line, ok = cutQuoted(rest); !ok {
				argument, line = cutToken(rest)
			}
		}
		line = strings.TrimLeft(line, " \t")
		if name == "" || line != "" && line[0] != ',' {
			return false
		}
		d.add(name, argument)
	}
}

// cutToken cuts a token off (RFC 9110, 5.6.2).
func cutToken(s string) (token, rest string) {
	if end := strings.IndexFunc(s, func(r rune) bool { return !httpguts.IsTokenRune(r) }); end >= 0 {
		return s[:end], s[end:]
	}
	return s, ""
}

// cutQuoted cuts a quoted string off (RFC 9110, 5.6.4).
func cutQuoted(s string) (text, rest string, ok bool) {
	if s == "" || s[0] != '"' {
		return "", s, false
	}
	var unquoted strings.Builder
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '"':
			return unquoted.String(), s[i+1:], true
		case '\\':
			if i++; i == len(s) {
				return "", s, false
			}
		}
		unquoted.WriteByte(s[i])
	}
	return "", s, false
}

// longest stands for every larger number of seconds (RFC 9111, 1.2.2).
const longest = 1 << 31 * time.Second

// parseSeconds reads a number of seconds, and tells whether it is one.
func parseSeconds(s string) (d time.Duration, ok bool) {
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil && n == 0 {
		return 0, false
	}
	return time.Duration(min(n, uint64(longest/time.Second))) * time.Second, true
}

// retryAfter returns for how long a service asks to be left alone (RFC 9110,
// 10.2.3), or 0.
func retryAfter(header http.Header, received time.Time) time.Duration {
	value := textproto.TrimString(header.Get("Retry-After"))
	if seconds, ok := parseSeconds(value); ok {
		return seconds
	}
	if date, err := http.ParseTime(value); err == nil {
		return date.Sub(received)
	}
	return 0
}

// conditionOf returns the header that asks whether an answer is still the
// newest (RFC 9110, 13.1), or an empty one if it has no validator.
func conditionOf(header http.Header) http.Header {
	condition := http.Header{}
	if etag := header.Get("Etag"); etag != "" && httpguts.ValidHeaderFieldValue(etag) {
		condition["If-None-Match"] = []string{etag}
	}
	if modified := header.Get("Last-Modified"); modified != "" {
		if _, err := http.ParseTime(modified); err == nil {
			condition["If-Modified-Since"] = []string{modified}
		}
	}
	return condition
}

// sameVersion tells whether a 304 can be about the answer that was kept (RFC
// 9111, 4.3.4).
func sameVersion(kept, update http.Header) bool {
	before, now := kept.Get("Etag"), update.Get("Etag")
	return before == "" || now == "" || strings.TrimPrefix(before, "W/") == strings.TrimPrefix(now, "W/")
}

// renew returns the header of a kept answer after a 304, as far as caching goes
// (RFC 9111, 3.2). Date and Age are those of the 304 alone: they tell how old
// it is, and the kept answer is as good.
func renew(kept, update http.Header) http.Header {
	renewed := http.Header{"Date": update["Date"], "Age": update["Age"]}
	for _, name := range cachingFields() {
		if values, ok := update[name]; ok {
			renewed[name] = values
		} else {
			renewed[name] = kept[name]
		}
	}
	return renewed
}

// cachingFields are what a 304 renews. Date and Age are of their own answer.
func cachingFields() []string {
	return []string{"Cache-Control", "Expires", "Vary", "Etag", "Last-Modified"}
}

// cachingOf returns what has to be kept of a header for renew and conditionOf.
func cachingOf(header http.Header) http.Header {
	caching := http.Header{}
	for _, name := range cachingFields() {
		if values, ok := header[name]; ok {
			caching[name] = values
		}
	}
	return caching
}
