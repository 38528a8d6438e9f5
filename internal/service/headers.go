package service

import (
	"cmp"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"strings"

	"golang.org/x/net/http/httpguts"

	"homepage/internal/home"
)

// ParseHeaders reads the headers that an operator wants a service to be told,
// one "Name: value" a line. Blank lines and those that begin with # are left
// out. A line @FILE stands for the lines of that file, so that a key need not
// stand in a setting. Errors name the line and the header, and never a value.
func ParseHeaders(text string) (http.Header, error) {
	header := http.Header{}
	err := parseHeaders(text, header, func(line string) (bool, error) {
		path, ok := strings.CutPrefix(line, "@")
		if !ok {
			return false, nil
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return true, err
		}
		if err := parseHeaders(string(content), header, noFile); err != nil {
			return true, fmt.Errorf("%s: %w", path, err)
		}
		return true, nil
	})
	if err != nil {
		return nil, err
	}
	return header, nil
}

func noFile(string) (bool, error) { return false, nil }

func parseHeaders(text string, header http.Header, file func(line string) (bool, error)) error {
	number := 0
	for line := range strings.SplitSeq(text, "\n") {
		number++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		isFile, err := file(line)
		if !isFile {
			err = addHeader(header, line)
		}
		if err != nil {
			return fmt.Errorf("line %d: %w", number, err)
		}
	}
	return nil
}

func addHeader(header http.Header, line string) error {
	name, value, ok := strings.Cut(line, ":")
	if !ok || !httpguts.ValidHeaderFieldName(name) { // which may be a piece of a key by mistake
		return errors.New("not of the form Name: value")
	}
	name = http.CanonicalHeaderKey(name)
	if reserved(name) {
		return fmt.Errorf("%s can't be set", name)
	}
	if value = strings.Trim(value, " \t"); !httpguts.ValidHeaderFieldValue(value) {
		return fmt.Errorf("the value of %s has characters that a header can't have", name)
	}
	header.Add(name, value)
	return nil
}

// reserved tells whether a header is for the connection, the form of the answer
// or the visit's trace, and so for this program to set.
func reserved(name string) bool {
	switch name {
	case "Host", "Content-Length", "Connection", "Keep-Alive", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "Expect",
		"Accept-Encoding", "Range", "Http2-Settings", "X-Request-Id", "Traceparent", "Tracestate":
		return true
	}
	return strings.HasPrefix(name, "Proxy-") || strings.HasPrefix(name, "If-")
}

// alwaysTold returns the headers of every call of a service.
func alwaysTold(service Service, version string) http.Header {
	// A version is a token (RFC 9110, 10.1.5), which "(devel)" is not.
	agent := "homepage/" + strings.Trim(cmp.Or(version, "devel"), "()")
	header := http.Header{"Accept": {"application/json"}, "User-Agent": {agent}}
	if user := service.URL.User; user != nil {
		password, _ := user.Password()
		header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(user.Username()+":"+password)))
	}
	maps.Copy(header, service.Header)
	return header
}

// told adds what a service is told of the visit that caused a call.
func told(header http.Header, visit home.Visit) http.Header {
	header = maps.Clone(header)
	if visit.RequestID != "" && httpguts.ValidHeaderFieldValue(visit.RequestID) {
		header["X-Request-Id"] = []string{visit.RequestID}
	}
	if validTraceparent(visit.Traceparent) {
		header["Traceparent"] = []string{visit.Traceparent}
		if validTracestate(visit.Tracestate) {
			header["Tracestate"] = []string{visit.Tracestate}
		}
	}
	return header
}

func unescape(value string) string {
	if unescaped, err := url.QueryUnescape(value); err == nil {
		return unescaped
	}
	return value
}
