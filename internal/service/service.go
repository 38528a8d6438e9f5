// Package service calls the promo and recommendation services and turns their
// answers into the homepage's content. It knows HTTP as a client only.
//
// The contract: a GET of the service's URL answers 200 with a JSON object.
// Keys it does not know are ignored, missing ones are empty. Cache-Control
// tells how long the answer may be shown. It trusts no answer: time, size,
// form and way are bounded here. Whether a URL in an answer may be shown is
// for the page to judge.
package service

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"homepage/internal/home"
)

// MaxBody is the largest answer that is read, in bytes, decompressed.
const MaxBody = 1 << 20

const (
	redirectsMost = 3
	errorMost     = 300 // bytes that an error may say of an answer
)

// Client calls services. Its connections are pooled: one Client serves all
// services and all requests.
type Client struct {
	http     *http.Client
	timeout  time.Duration
	fallback time.Duration
}

// NewClient returns a client whose every call ends within timeout, which
// covers connecting, headers, body and decoding together. An answer that does
// not say how long it may stand in for a failure may do so for fallback.
func NewClient(timeout, fallback time.Duration) *Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.Proxy = nil              // services are named by their operator, not reached through the visitors' way out
	transport.MaxIdleConnsPerHost = 64 // the default of 2 would dial anew for nearly every visitor under load
	transport.MaxResponseHeaderBytes = 64 << 10
	return &Client{
		http:     &http.Client{Transport: transport, CheckRedirect: checkRedirect},
		timeout:  timeout,
		fallback: fallback,
	}
}

// checkRedirect keeps a service from sending us elsewhere, to a neighbour in
// the network of the site, say, or back to plain http.
func checkRedirect(next *http.Request, before []*http.Request) error {
	first := before[0].URL
	switch {
	case next.URL.Host != first.Host:
		return fmt.Errorf("redirected to another host: %s", next.URL.Host)
	case first.Scheme == "https" && next.URL.Scheme != "https":
		return errors.New("redirected from https to " + next.URL.Scheme)
	case len(before) > redirectsMost:
		return fmt.Errorf("redirected more than %d times", redirectsMost)
	}
	return nil
}

// Close closes the connections that are idle.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Promo returns the source of the offer that the service at u answers with:
//
//	{"title": "…", "text": "…", "url": "…", "action": "…", "image": "…"}
func (c *Client) Promo(u *url.URL) home.Load[home.Promo] {
	type answer struct {
		Title  string `json:"title"`
		Text   string `json:"text"`
		URL    string `json:"url"`
		Action string `json:"action"`
		Image  string `json:"image"`
	}
	return load(c, u, func(got answer) home.Promo { return home.Promo(got) })
}

// Recommendations returns the source of what the service at u recommends:
//
//	{"items": [{"title": "…", "url": "…", "reason": "…", "image": "…"}]}
func (c *Client) Recommendations(u *url.URL) home.Load[home.Recommendations] {
	type answer struct {
		Items []struct {
			Title  string `json:"title"`
			URL    string `json:"url"`
			Reason string `json:"reason"`
			Image  string `json:"image"`
		} `json:"items"`
	}
	return load(c, u, func(got answer) home.Recommendations {
		items := make(home.Recommendations, len(got.Items))
		for i, item := range got.Items {
			items[i] = home.Recommendation(item)
		}
		return items
	})
}

// load returns the source whose answers are the JSON objects T at u. Its
// errors name the URL, without the password that it may hold.
func load[T, C any](c *Client, u *url.URL, content func(T) C) home.Load[C] {
	return func(ctx context.Context, _ home.Visit) (home.Answer[C], error) {
		ctx, cancel := context.WithTimeout(ctx, c.timeout)
		defer cancel()
		called := time.Now()
		value, header, err := fetch[T](ctx, c.http, u)
		if err != nil {
			if errors.Is(err, context.DeadlineExceeded) {
				err = fmt.Errorf("no whole answer within %v", c.timeout)
			}
			if text := err.Error(); len(text) > errorMost { // it may quote the answer
				err = errors.New(strings.ToValidUTF8(text[:errorMost], "") + "…")
			}
			return home.Answer[C]{}, fmt.Errorf("GET %s: %w", u.Redacted(), err)
		}
		f := keep(header, called, c.fallback)
		return home.Answer[C]{Content: content(value), At: f.at, Fresh: f.fresh, Revalidate: f.revalidate, Fallback: f.fallback}, nil
	}
}

func fetch[T any](ctx context.Context, client *http.Client, u *url.URL) (value T, header http.Header, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), http.NoBody)
	if err != nil {
		return value, nil, err
	}
	request.Header.Set("Accept", "application/json")
	response, err := client.Do(request)
	if err != nil {
		// url.Error says the URL again, the caller says it already.
		if wrapped, ok := errors.AsType[*url.Error](err); ok {
			err = wrapped.Err
		}
		return value, nil, err
	}
	defer func() { _ = response.Body.Close() }() // what is left of it is of no use
	if response.StatusCode != http.StatusOK {
		return value, nil, fmt.Errorf("status %s", response.Status)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, MaxBody+1))
	if err != nil {
		return value, nil, err
	}
	if len(body) > MaxBody {
		return value, nil, fmt.Errorf("answer larger than %d bytes", MaxBody)
	}
	// A pointer, to tell null from an object without keys.
	var object *T
	if err := json.Unmarshal(body, &object); err != nil {
		return value, nil, err
	}
	if object == nil {
		return value, nil, errors.New("answer is null, not an object")
	}
	return *object, response.Header, nil
}
