package service

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"homepage/internal/redirect"
)

// MaxBody is the largest answer that is read, in bytes, decompressed.
const MaxBody = 1 << 20

const (
	maxFault = 400 // bytes of an error of the network or the protocol

	// Of an answer that is a failure anyhow, the beginning is read for the log.
	maxRefusal  = 4 << 10
	refusalWait = 100 * time.Millisecond
)

// response is an answer with its body. Of an answer whose status is not 200,
// body is the beginning.
type response struct {
	status          int
	header          http.Header
	body            []byte
	url             string // that gave it
	asked, received time.Time
	private         bool // the service was told of a visitor, and may repeat it
}

// redirectError is a redirect that isn't followed.
type redirectError struct{ reason string }

func (e redirectError) Error() string { return e.reason }

// get calls u and follows redirects. header is sent with each request; the
// condition only to the URL that it is about. With an redirectError comes the
// response that redirected.
func (c *Client) get(ctx context.Context, u *url.URL, header http.Header, about string, condition http.Header) (*response, error) {
	for redirects := 0; ; redirects++ {
		sent := header
		if len(condition) > 0 && u.String() == about {
			sent = header.Clone()
			maps.Copy(sent, condition)
		}
		response, err := c.try(ctx, u, sent)
		if err != nil {
			return nil, err
		}
		switch response.status {
		case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		default:
			return response, nil
		}
		if redirects == redirect.Most {
			return response, redirectError{fmt.Sprintf("redirected more than %d times", redirect.Most)}
		}
		if u, err = follow(u, response.header); err != nil {
			return response, err
		}
	}
}

// follow returns where a redirect leads. The header may hold keys that are for
// the service's host alone.
func follow(from *url.URL, header http.Header) (*url.URL, error) {
	location := header.Get("Location")
	if location == "" {
		return nil, redirectError{"redirected without saying where to"}
	}
	to, err := from.Parse(location)
	if err != nil {
		return nil, redirectError{"redirected to what is not an http or https URL"}
	}
	if err := redirect.Check(from, to); err != nil {
		return nil, redirectError{err.Error()}
	}
	return to, nil
}

// try sends one request. If the connection breaks before a byte of an answer,
// it tries once more within the same deadline: GET is safe to repeat. The
// transport itself does so only for connections that it had used before.
func (c *Client) try(ctx context.Context, u *url.URL, header http.Header) (*response, error) {
	response, progress, err := c.send(ctx, u, header)
	if err != nil && ctx.Err() == nil && !expired(ctx) && progress.broke(err) {
		response, progress, err = c.send(ctx, u, header)
	}
	if err != nil {
		return nil, c.explain(ctx, progress, err)
	}
	return response, nil
}

func (c *Client) send(ctx context.Context, u *url.URL, header http.Header) (*response, *progress, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	progress := &progress{host: u.Hostname()}
	request := (&http.Request{Method: http.MethodGet, URL: u, Header: header}).WithContext(progress.follow(ctx))
	connections := c.connections()
	asked := time.Now()
	answer, err := connections.RoundTrip(request)
	if err != nil {
		c.distrust(ctx, connections)
		return nil, progress, err
	}
	defer func() { _ = answer.Body.Close() }() // what is left of it is of no use
	got := &response{
		status: answer.StatusCode, header: answer.Header,
		url: u.String(), asked: asked, received: time.Now(),
	}
	if got.status == http.StatusOK {
		got.body, err = io.ReadAll(io.LimitReader(answer.Body, MaxBody+1))
		if err != nil {
			c.distrust(ctx, connections)
		}
		return got, progress, err
	}
	defer time.AfterFunc(refusalWait, cancel).Stop()
	got.body, _ = io.ReadAll(io.LimitReader(answer.Body, maxRefusal)) // the status is enough
	return got, progress, nil
}

// distrust retires the connections after a call that got no answer in time: the
// other ones to the same host may be as dead as that one was.
func (c *Client) distrust(ctx context.Context, connections *pool) {
	if expired(ctx) {
		c.retire(connections)
	}
}

// expired tells whether the deadline is over. The context itself may say so a
// moment later than the network does.
func expired(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return ok && !time.Now().Before(deadline)
}

// explain says which phase of a call an error hit.
func (c *Client) explain(ctx context.Context, progress *progress, err error) error {
	phase := progress.String()
	switch {
	case expired(ctx) || errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("no whole answer within %v: still %s", c.options.Timeout, phase)
	case ctx.Err() != nil:
		return fmt.Errorf("%s: %w", phase, ctx.Err())
	}
	text := err.Error()
	if progress.phase.Load() >= waiting {
		// The transport quotes what it can't read, which may be a header.
		text, _, _ = strings.Cut(text, `"`)
		text = strings.TrimRight(text, " ")
		if strings.Contains(text, "%!w") { // its words for what came before the request was sent
			text = "what came is not an HTTP answer"
		}
	}
	if len(text) > maxFault {
		text = strings.ToValidUTF8(text[:maxFault], "") + "..."
	}
	if progress.certificateAsked.Load() {
		text += "; the service asks for a client certificate, which is not supported"
	}
	return errors.New(phase + ": " + text)
}
