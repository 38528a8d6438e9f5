// Package redirect knows where a redirect may lead: nowhere but to the host that
// was asked. Whoever answers can then not send this program elsewhere, to a
// neighbour in its network, say, or back to plain http.
package redirect

import (
	"errors"
	"net/url"
	"strings"
)

// Most is how many redirects are followed.
const Most = 3

// Check returns why a redirect from one URL to another is not followed, or nil.
// Its error does not say where it leads, which may be a secret.
func Check(from, to *url.URL) error {
	switch {
	case to.Host == "" || to.Scheme != "http" && to.Scheme != "https":
		return errors.New("redirected to what is not an http or https URL")
	case !strings.EqualFold(to.Hostname(), from.Hostname()) || explicitPort(to) != explicitPort(from):
		return errors.New("redirected to another host")
	case from.Scheme == "https" && to.Scheme == "http":
		return errors.New("redirected from https to http")
	}
	return nil
}

// explicitPort returns the port of a URL, or "" if it is the usual one.
func explicitPort(u *url.URL) string {
	if port := u.Port(); port != map[string]string{"http": "80", "https": "443"}[u.Scheme] {
		return port
	}
	return ""
}
