// Package service calls the promo and recommendation services and turns their
// answers into the homepage's content. It knows HTTP as a client only.
//
// The contract: a GET of the service's URL answers 200 with a JSON object.
// Keys it does not know are ignored, missing ones are empty. It trusts no
// answer: time, size and form are bounded here. Whether a URL in an answer
// may be shown is for the page to judge.
package service

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"homepage/internal/home"
)

// MaxBody is the largest answer that is read, in bytes, decompressed.
const MaxBody = 1 << 20

// Client calls services. Its connections are pooled: one Client serves all
// services and all requests.
type Client struct {
	http    *http.Client
	timeout time.Duration
}

// NewClient returns a client whose every call ends within timeout, which
// covers connecting, headers, body and decoding together.
func NewClient(timeout time.Duration) *Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.Proxy = nil              // services are named by their operator, not reached through the visitors' way out
	transport.MaxIdleConnsPerHost = 64 // the default of 2 would dial anew for nearly every visitor under load
	transport.MaxResponseHeaderBytes = 64 << 10
	return &Client{http: &http.Client{Transport: transport}, timeout: timeout}
}

// Close closes the connections that are idle.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Promo returns the source of the offer that the service at u answers with:
//
//	{"title": "…", "text": "…", "url": "…", "action": "…", "image": "…"}
func (c *Client) Promo(u *url.URL) func(context.Context) (home.Content, error) {
	type answer struct {
		Title  string `json:"title"`
		Text   string `json:"text"`
		URL    string `json:"url"`
		Action string `json:"action"`
		Image  string `json:"image"`
	}
	return func(ctx context.Context) (home.Content, error) {
		got, err := get[answer](ctx, c, u)
		if err != nil {
			return nil, err
		}
		return home.Promo(got), nil
	}
}

// Recommendations returns the source of what the service at u recommends:
//
//	{"items": [{"title": "…", "url": "…", "reason": "…", "image": "…"}]}
func (c *Client) Recommendations(u *url.URL) func(context.Context) (home.Content, error) {
	type answer struct {
		Items []struct {
			Title  string `json:"title"`
			URL    string `json:"url"`
			Reason string `json:"reason"`
			Image  string `json:"image"`
		} `json:"items"`
	}
	return func(ctx context.Context) (home.Content, error) {
		got, err := get[answer](ctx, c, u)
		if err != nil {
			return nil, err
		}
		items := make(home.Recommendations, len(got.Items))
		for i, item := range got.Items {
			items[i] = home.Recommendation(item)
		}
		return items, nil
	}
}

// get fetches u and decodes its JSON object. Its errors name the URL, without
// the password that it may hold.
func get[T any](ctx context.Context, c *Client, u *url.URL) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	value, err := fetch[T](ctx, c.http, u)
	if err != nil {
		if errors.Is(err, context.DeadlineExceeded) {
			err = fmt.Errorf("no whole answer within %v", c.timeout)
		}
		return value, fmt.Errorf("GET %s: %w", u.Redacted(), err)
	}
	return value, nil
}

func fetch[T any](ctx context.Context, client *http.Client, u *url.URL) (T, error) {
	var zero T
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), http.NoBody)
	if err != nil {
		return zero, err
	}
	request.Header.Set("Accept", "application/json")
	response, err := client.Do(request)
	if err != nil {
		// url.Error says the URL again, the caller has said it already.
		if wrapped, ok := errors.AsType[*url.Error](err); ok {
			err = wrapped.Err
		}
		return zero, err
	}
	defer func() { _ = response.Body.Close() }() // what is left of it is of no use
	if response.StatusCode != http.StatusOK {
		return zero, fmt.Errorf("status %s", response.Status)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, MaxBody+1))
	if err != nil {
		return zero, err
	}
	if len(body) > MaxBody {
		return zero, fmt.Errorf("answer larger than %d bytes", MaxBody)
	}
	// A pointer, to tell null from an object without keys.
	var value *T
	if err := json.Unmarshal(body, &value); err != nil {
		return zero, err
	}
	if value == nil {
		return zero, errors.New("answer is null, not an object")
	}
	return *value, nil
}
