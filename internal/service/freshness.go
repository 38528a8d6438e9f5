package service

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// directives are what a Cache-Control field says (RFC 9111, 5.2.2), by their
// names in lower case. One without an argument has the argument "".
type directives map[string]string

// parseDirectives reads every Cache-Control field of an answer. Of a directive
// that stands there twice, the stricter counts.
func parseDirectives(header http.Header) directives {
	found := directives{}
	for _, field := range header.Values("Cache-Control") {
		for _, part := range splitOutsideQuotes(field) {
			name, argument, _ := strings.Cut(part, "=")
			name = strings.ToLower(strings.TrimSpace(name))
			argument = strings.Trim(strings.TrimSpace(argument), `"`)
			if before, ok := found[name]; ok && seconds(before) < seconds(argument) {
				continue
			}
			found[name] = argument
		}
	}
	return found
}

// splitOutsideQuotes splits at commas, but for those of a quoted argument, as
// in no-cache="Set-Cookie, Set-Cookie2".
func splitOutsideQuotes(field string) []string {
	quoted := false
	return strings.FieldsFunc(field, func(r rune) bool {
		if r == '"' {
			quoted = !quoted
		}
		return r == ',' && !quoted
	})
}

func (d directives) has(names ...string) bool {
	for _, name := range names {
		if _, ok := d[name]; ok {
			return true
		}
	}
	return false
}

// seconds returns the argument of the first of the directives that is there.
func (d directives) seconds(names ...string) (argument time.Duration, said bool) {
	for _, name := range names {
		if argument, ok := d[name]; ok {
			return seconds(argument), true
		}
	}
	return 0, false
}

// seconds reads a number of seconds. One that can't be understood is 0, which
// is to say stale (RFC 9111, 4.2.1); one that is too large, the largest there
// is (1.2.2).
func seconds(s string) time.Duration {
	n, _ := strconv.ParseUint(s, 10, 31) // gives just that beside its error
	return time.Duration(n) * time.Second
}

// freshness is until when an answer may be shown; see home.Answer.
type freshness struct{ at, fresh, revalidate, fallback time.Time }

// keep tells how long an answer may be shown, by the rules for a shared cache
// (RFC 9111, RFC 5861). called is when it was asked for. fallback is how long
// it may stand in for a failure when it does not say.
//
// The terms are those of Cache-Control and Age. Without them nothing is fresh.
// Expires and Date are not consulted, since they compare two clocks.
func keep(header http.Header, called time.Time, fallback time.Duration) freshness {
	d := parseDirectives(header)
	answer := freshness{at: called.Add(-seconds(header.Get("Age")))}
	// Fields that an answer may vary by are the same in all our calls; "*" says
	// that it varies by more than fields (RFC 9111, 4.1).
	if d.has("no-store", "no-cache", "private") || header.Get("Vary") == "*" {
		return answer
	}
	lifetime, _ := d.seconds("s-maxage", "max-age")
	answer.fresh = answer.at.Add(lifetime)
	if d.has("must-revalidate", "proxy-revalidate") {
		return answer
	}
	revalidate, _ := d.seconds("stale-while-revalidate")
	answer.revalidate = answer.fresh.Add(revalidate)
	last, said := d.seconds("stale-if-error")
	if !said && !d.has("s-maxage") { // which implies proxy-revalidate (RFC 9111, 5.2.2.10)
		last = fallback
	}
	answer.fallback = answer.fresh.Add(last)
	return answer
}
