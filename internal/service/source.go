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
	turns   *turns
	of      func(home.Visit) home.Visitor[C] // whom the service is told of
}

// kept is an answer that may be kept, for services that say that it is still
// the newest.
type kept[C any] struct {
	content C
	header  http.Header // as far as caching goes
	url     string
}

func newSource[C any](c *Client, service Service, contract contract[C], of func(home.Visit) home.Visitor[C]) *source[C] {
	// A URL that was put together may lack the slash that its text has.
	if u, err := url.Parse(service.URL.String()); err == nil {
		service.URL = u
	}
	service.Header = alwaysTold(service, c.options.Version)
	return &source[C]{
		Client: c, contract: contract, service: service, name: redact.URL(service.URL),
		secrets: secretsOf(service), turns: newTurns(c.options.MaxCalls), of: of,
	}
}

// load is a home.Load. Its errors begin with the URL and hold no value of its
// query or of a header but for Content-Type. Of the answer to a call that told
// of a visitor they hold nothing but the status, since it may repeat what it was
// told.
func (s *source[C]) load(ctx context.Context, visit home.Visit) (home.Answer[C], error) {
	return s.ask(ctx, visit, nil)
}

// ask loads, and if there is a last answer, it asks for a newer one alone.
func (s *source[C]) ask(ctx context.Context, visit home.Visit, last *kept[C]) (home.Answer[C], error) {
	ctx, cancel := context.WithTimeout(ctx, s.options.Timeout)
	defer cancel()
	if err := s.turns.take(ctx); err != nil {
		return home.Answer[C]{}, &home.LoadError{Err: fmt.Errorf("GET %s: %w", s.name, err), Personal: true}
	}
	defer s.turns.end()
	about, condition := "", http.Header(nil)
	if last != nil {
		about, condition = last.url, conditionOf(last.header)
	}
	header, values := told(s.service.Header, visit), s.of(visit).Things()
	s.service.Forward.tell(header, values)
	response, err := s.get(ctx, s.service.URL, header, about, condition)
	if response != nil {
		response.private = values != nil
	}
	if err != nil {
		if _, ok := errors.AsType[redirectError](err); ok {
			return home.Answer[C]{}, s.refused(response, err.Error())
		}
		return home.Answer[C]{}, fmt.Errorf("GET %s: %w", s.name, err)
	}
	var content C
	header = response.header
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
			// It is final, so that the next call asks for the whole.
			return home.Answer[C]{}, s.refused(response, "not modified, but of another version than the one asked about")
		}
		// Also when nobody asked: there is no newer answer to be had.
		content, header = last.content, renew(last.header, response.header)
	default:
		return home.Answer[C]{}, s.refused(response, "")
	}
	terms := termsOf(header, response.asked, response.received, s.options.Fallback)
	answer := home.Answer[C]{
		Content: content, At: terms.at, Fresh: terms.fresh, Revalidate: terms.revalidate, Fallback: terms.fallback,
		Ignored: s.service.Forward.ignored(header),
	}
	if terms.store {
		this := &kept[C]{content, cachingOf(header), response.url}
		answer.Again = func(ctx context.Context, visit home.Visit) (home.Answer[C], error) { return s.ask(ctx, visit, this) }
		answer.Held = this.size()
	}
	return answer, nil
}

// keptSize is what an answer takes besides its content and header fields, in bytes:
// about as measured with 10,000 of them.
const keptSize = 3 << 9

// size is what it takes besides its content, in bytes.
func (k *kept[C]) size() int {
	size := keptSize + len(k.url)
	for _, values := range k.header {
		for _, value := range values {
			size += len(value)
		}
	}
	return size
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
	if reason != "" {
		reason += "; "
	}
	status := strings.TrimSpace(fmt.Sprint(response.status, " ", http.StatusText(response.status)))
	if response.private {
		return fmt.Errorf("GET %s: %sgot status %s (what else came is not shown, as it may tell of the visitor); expected 200 with %s", s.name, reason, status, s.expects)
	}
	contentType := "no Content-Type"
	if value := response.header.Get("Content-Type"); value != "" {
		contentType = "Content-Type " + s.printable(value)
	}
	body := "an empty body"
	if len(response.body) > 0 {
		body = s.printable(string(response.body))
	}
	return fmt.Errorf("GET %s: %sgot status %s, %s, %s; expected 200 with %s", s.name, reason, status, contentType, body, s.expects)
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
		// A service that is told of visitors means this one.
		failure.Personal = response.status >= 400 && response.status < 500 && len(s.service.Forward.things) > 0
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
