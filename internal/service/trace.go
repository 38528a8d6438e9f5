package service

import "strings"

// validTraceparent tells whether a traceparent can be sent on (W3C Trace
// Context, 3.2). Of a version that is not known yet, the parts that every
// version begins with are judged.
func validTraceparent(s string) bool {
	const length = len("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	if len(s) < length || s[2] != '-' || s[35] != '-' || s[52] != '-' {
		return false
	}
	version, traceID, parentID, flags := s[:2], s[3:35], s[36:52], s[53:55]
	for _, part := range []string{version, traceID, parentID, flags} {
		if strings.Trim(part, "0123456789abcdef") != "" {
			return false
		}
	}
	if version == "ff" || strings.Trim(traceID, "0") == "" || strings.Trim(parentID, "0") == "" {
		return false
	}
	rest := s[length:]
	if version == "00" {
		return rest == ""
	}
	return (rest == "" || rest[0] == '-') && printable(rest)
}

const (
	maxTracestate        = 512 // characters that everyone must send on
	maxTracestateMembers = 32
)

// validTracestate tells whether a tracestate can be sent on (W3C Trace Context,
// 3.3).
func validTracestate(s string) bool {
	if s == "" || len(s) > maxTracestate {
		return false
	}
	seen := map[string]bool{}
	members := strings.Split(s, ",")
	if len(members) > maxTracestateMembers {
		return false
	}
	for _, member := range members {
		if member = strings.Trim(member, " \t"); member == "" {
			continue // empty members are allowed
		}
		key, value, ok := strings.Cut(member, "=")
		if !ok || seen[key] || !validKey(key) || !validValue(value) {
			return false
		}
		seen[key] = true
	}
	return len(seen) > 0
}

func validKey(key string) bool {
	tenant, system, multi := strings.Cut(key, "@")
	if multi {
		return len(tenant) <= 241 && len(system) <= 14 && validKeyPart(tenant, true) && validKeyPart(system, false)
	}
	return len(key) <= 256 && validKeyPart(key, false)
}

func validKeyPart(part string, digitFirst bool) bool {
	const letters, digits = "abcdefghijklmnopqrstuvwxyz", "0123456789"
	first := letters
	if digitFirst {
		first += digits
	}
	return part != "" && strings.Contains(first, part[:1]) && strings.Trim(part, letters+digits+"_-*/") == ""
}

func validValue(value string) bool {
	return value != "" && len(value) <= 256 && printable(value) && !strings.Contains(value, "=")
}

func printable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
}
