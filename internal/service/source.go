package service

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"homepage/internal/home"
	"homepage/internal/redact"
)

// maxRest is the longest that a service is left alone because it asks for it.
const maxRest = time.Minute

// contract is what the answers of a service mean.
type contract[C any] struct {
	expects string // in the words of a log line
	decode  func(body []byte) (C, leftOut, error)
}

// source loads the content that one service gives.
type source[C any] struct {
	*Client
	contract[C]
	service Service
	name    string // the URL without secrets
	secrets *strings.Replacer
	kept    atomic.Pointer[kept[C]]
}

// kept is the last answer that may be kept, for services that say that it is
// still the newest.
type kept[C any] struct {
	content C
	header  http.Header
	url     string
}

func newSource[C any](c *Client, service Service, contract contract[C]) *source[C] {
	// A URL that was put together may lack the slash that its text has.
	if u, err := url.Parse(service.URL.String()); err == nil {
		service.URL = u
	}
	service.Header = alwaysTold(service, c.options.Version)
	return &source[C]{
		Client: c, contract: contract, service: service, name: redact.URL(service.URL),
		secrets: secretsOf(service),
	}
}

// load is a home.Load. Its errors begin with the URL and hold no value of its
// query or of a header but for Content-Type.
func (s *source[C]) load(ctx context.Context, visit home.Visit) (home.Answer[C], error) {
	ctx, cancel := context.WithTimeout(ctx, s.options.Timeout)
	defer cancel()
	last := s.kept.Load()
	about, condition := "", http.Header(nil)
	if last != nil {
		about, condition = last.url, conditionOf(last.header)
	}
	response, err := s.get(ctx, s.service.URL, told(s.service.Header, visit), about, condition)
	if err != nil {
		if _, ok := errors.AsType[redirectError](err); ok {
			return home.Answer[C]{}, s.refused(response, err.Error())
		}
		return home.Answer[C]{}, fmt.Errorf("GET %s: %w", s.name, err)
	}
	var content C
	header := response.header
	switch response.status {
	case http.StatusOK:
		if content, err = s.read(ctx, response); err != nil {
			return home.Answer[C]{}, s.fault(response, err.Error())
		}
	case http.StatusNoContent:
	case http.StatusNotModified:
		if last == nil {
			return home.Answer[C]{}, s.refused(response, "not modified since no answer that was kept")
		}
		if !sameVersion(last.header, response.header) {
			s.kept.Store(nil) // so that the next call asks for the whole
			return home.Answer[C]{}, s.refused(response, "not modified, but of another version than the one asked about")
		}
		// Also when nobody asked: there is no newer answer to be had.
		content, header = last.content, renew(last.header, response.header)
	default:
		return home.Answer[C]{}, s.refused(response, "")
	}
	terms := termsOf(header, response.asked, response.received, s.options.Fallback)
	if terms.store {
		s.kept.Store(&kept[C]{content, header, response.url})
	} else {
		s.kept.Store(nil)
	}
	return home.Answer[C]{Content: content, At: terms.at, Fresh: terms.fresh, Revalidate: terms.revalidate, Fallback: terms.fallback}, nil
}

// read reads the body of an answer.
func (s *source[C]) read(ctx context.Context, response *response) (content C, err error) {
	if len(response.body) > MaxBody {
		return content, fmt.Errorf("larger than %d bytes", MaxBody)
	}
	body, err := decodeCharset(response.body, response.header)
	if err != nil {
		return content, err
	}
	content, left, err := s.decode(body)
	if err != nil {
		return content, err
	}
	if left.out > 0 {
		s.options.Log.WarnContext(ctx, "items that can't be understood are left out", "service", s.name, "left_out", left.out, "of", left.of, "first", left.first)
	}
	if left.more {
		s.options.Log.DebugContext(ctx, "the service sends more items than are read", "service", s.name, "read", left.of)
	}
	return content, nil
}

// fault is an answer that is not the contract's. The status says enough of some
// that they need no reason.
func (s *source[C]) fault(response *response, reason string) error {
	contentType := "no Content-Type"
	if value := response.header.Get("Content-Type"); value != "" {
		contentType = "Content-Type " + s.printable(value)
	}
	body := "an empty body"
	if len(response.body) > 0 {
		body = s.printable(string(response.body))
	}
	if reason != "" {
		reason += "; "
	}
	return fmt.Errorf("GET %s: %sgot status %s, %s, %s; expected 200 with %s", s.name, reason,
		strings.TrimSpace(fmt.Sprint(response.status, " ", http.StatusText(response.status))), contentType, body, s.expects)
}

// refused is an answer of another status than 200. It is final unless the
// status is one of those for which an older answer may stand in (RFC 5861, 4).
func (s *source[C]) refused(response *response, reason string) error {
	failure := &home.LoadError{Err: s.fault(response, reason), Final: true}
	switch response.status {
	case http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		failure.Final = false
	case http.StatusPreconditionRequired, http.StatusTooManyRequests, http.StatusRequestHeaderFieldsTooLarge, http.StatusNetworkAuthenticationRequired:
		// They must not be stored (RFC 6585).
	default:
		if response.status >= 400 {
			if terms := termsOf(response.header, response.asked, response.received, 0); terms.fresh.After(response.received) {
				failure.Until = terms.fresh
			}
		}
	}
	if response.status == http.StatusTooManyRequests || response.status == http.StatusServiceUnavailable {
		if rest := retryAfter(response.header, response.received); rest > 0 {
			failure.Until = response.received.Add(min(rest, maxRest))
		}
	}
	return failure
}

const maxPrintable = 80 // bytes of what a service sends that a log line shows

// printable quotes the beginning of what a service sent, in ASCII. What we have
// told it and is secret may come back in it, and is hidden.
func (s *source[C]) printable(text string) string {
	text = s.secrets.Replace(text[:min(len(text), maxRefusal)])
	if len(text) > maxPrintable {
		return `"` + ascii(text[:maxPrintable]) + `"...`
	}
	return `"` + ascii(text) + `"`
}

// ascii escapes all but the printable characters of ASCII.
func ascii(text string) string {
	quoted := strconv.QuoteToASCII(text)
	return quoted[1 : len(quoted)-1]
}

// secretsOf hides the values that a service is told by the operator.
func secretsOf(service Service) *strings.Replacer {
	var secrets []string
	for name, values := range service.Header {
		if name == "Accept" || name == "User-Agent" {
			continue
		}
		for _, value := range values {
			secrets = append(secrets, value)
			secrets = append(secrets, strings.Fields(value)...) // the token of "Bearer token"
		}
	}
	for parameter := range strings.SplitSeq(service.URL.RawQuery, "&") {
		name, value, ok := strings.Cut(parameter, "=")
		if !ok {
			value = name
		}
		secrets = append(secrets, value, unescape(value))
	}
	if user := service.URL.User; user != nil {
		password, _ := user.Password()
		secrets = append(secrets, user.Username(), password)
	}
	slices.SortFunc(secrets, func(a, b string) int { return len(b) - len(a) }) // the longest counts
	var pairs []string
	for _, secret := range secrets {
		if len(secret) > 3 { // others are no secrets, but would hide much
			pairs = append(pairs, secret, "xxxxx")
		}
	}
	return strings.NewReplacer(pairs...)
}
