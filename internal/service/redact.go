package service

import (
	"net/url"
	"strings"
)

const hidden = "xxxxx" // as net/url's own Redacted has it

// Redact returns u without its user, password and fragment, and with the names
// but not the values of its query's parameters. It can't know of secrets in a
// path.
func Redact(u *url.URL) string {
	shown := *u
	if u.User != nil {
		shown.User = url.User(hidden)
	}
	if u.Opaque != "" {
		shown.Opaque = hidden
	}
	shown.Fragment, shown.RawFragment = "", ""
	if u.RawQuery != "" {
		parameters := strings.Split(u.RawQuery, "&")
		for i, parameter := range parameters {
			parameters[i] = hidden
			if name, _, ok := strings.Cut(parameter, "="); ok {
				parameters[i] = name + "=" + hidden
			}
		}
		shown.RawQuery = strings.Join(parameters, "&")
	}
	return shown.String()
}
