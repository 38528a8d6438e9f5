// Package service calls the promo and recommendation services and turns their
// answers into the homepage's content. It knows HTTP as a client only.
//
// It trusts no answer: time, size, form and way are bounded here, and what
// can't be understood is a failure that says what came and what was expected.
// Whether a URL in an answer may be shown is for the page to judge.
//
// Services are called directly: HTTP_PROXY, HTTPS_PROXY and NO_PROXY are not
// honoured. Client certificates are not supported.
package service

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"homepage/internal/home"
	"homepage/internal/redact"
)

// Options are what a Client is made of.
type Options struct {
	Timeout  time.Duration // of a call: name, connection, headers, body and decoding together
	Fallback time.Duration // how long an answer may stand in for a failure if it doesn't say
	Version  string        // of this program, as services are told it
	Log      *slog.Logger

	// What follows may be left out.
	Resolver       *net.Resolver  // instead of the system's
	Roots          *x509.CertPool // certificate authorities instead of the system's
	ConnectionLife time.Duration  // after which a connection takes no new call; 30 s if zero
	MaxCalls       int            // of one service at once; 256 if zero
}

// Client calls services. Its connections are pooled: one Client serves all
// services. It is safe for concurrent use.
type Client struct {
	options Options
	dialer  dialer
	pool    atomic.Pointer[pool]
}

// pool is a generation of connections.
type pool struct {
	*http.Transport
	born time.Time
}

// NewClient returns a client of which every call ends within the timeout.
func NewClient(options Options) *Client {
	options.ConnectionLife = cmp.Or(options.ConnectionLife, 30*time.Second)
	options.MaxCalls = cmp.Or(options.MaxCalls, 256)
	options.Resolver = cmp.Or(options.Resolver, net.DefaultResolver)
	c := &Client{options: options, dialer: dialer{options.Resolver, options.Timeout}}
	c.pool.Store(c.newPool())
	return c
}

func (c *Client) newPool() *pool {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	return &pool{born: time.Now(), Transport: &http.Transport{
		DialContext: c.dialer.dial,
		TLSClientConfig: &tls.Config{
			MinVersion:           tls.VersionTLS12,
			RootCAs:              c.options.Roots,
			GetClientCertificate: noClientCertificate,
		},
		TLSHandshakeTimeout: 2 * c.options.Timeout, // for handshakes that outlive their call; it names its phase better
		Protocols:           protocols,
		// A connection that has gone silent is found out by half of a call's
		// time, which leaves the other half for a new one.
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: c.options.Timeout / 4, PingTimeout: c.options.Timeout / 4},
		IdleConnTimeout:        c.options.ConnectionLife,
		MaxConnsPerHost:        c.options.MaxCalls,
		MaxIdleConnsPerHost:    c.options.MaxCalls,
		MaxResponseHeaderBytes: 64 << 10,
	}}
}

// connections returns the pool that new calls use. Connections have a bounded
// life, because a name may move to another address while the old one still
// answers.
func (c *Client) connections() *pool {
	current := c.pool.Load()
	if time.Since(current.born) < c.options.ConnectionLife {
		return current
	}
	c.retire(current)
	return c.pool.Load()
}

// retire makes calls from now on use new connections. Calls under way finish
// on the old ones.
func (c *Client) retire(old *pool) {
	if c.pool.CompareAndSwap(old, c.newPool()) {
		old.CloseIdleConnections()
	}
}

// Close closes the connections that are idle.
func (c *Client) Close() { c.pool.Load().CloseIdleConnections() }

// Service is where a service is, and what it is told with each call besides
// what every service is told. See ParseHeaders and ParseForward.
type Service struct {
	URL     *url.URL
	Header  http.Header
	Forward Forward // of the visitor who causes the call
}

// Promo returns the source of the offer that a service answers with:
//
//	{"title": "…", "text": "…", "url": "…", "action": "…", "image": "…"}
func (c *Client) Promo(service Service) home.Load[home.Promo] {
	return newSource(c, service, contract[home.Promo]{
		expects: "a JSON object with title, text, url, action or image",
		decode:  decodePromo,
	}, func(visit home.Visit) home.Visitor[home.Promo] { return visit.Promo }).load
}

// Recommendations returns the source of what a service recommends:
//
//	{"items": [{"title": "…", "url": "…", "reason": "…", "image": "…"}]}
func (c *Client) Recommendations(service Service) home.Load[home.Recommendations] {
	return newSource(c, service, contract[home.Recommendations]{
		expects: "a JSON object with items",
		decode:  decodeRecommendations,
	}, func(visit home.Visit) home.Visitor[home.Recommendations] { return visit.Recommendations }).load
}

// Check warns of what would make every call of the service fail: a name that
// can't be looked up, and https without any certificate authority to trust.
func (c *Client) Check(ctx context.Context, service Service) {
	ctx, cancel := context.WithTimeout(ctx, c.options.Timeout)
	defer cancel()
	log := c.options.Log.With("service", redact.URL(service.URL))
	if _, err := c.options.Resolver.LookupNetIP(ctx, "ip", service.URL.Hostname()); err != nil {
		log.WarnContext(ctx, "the service's name can't be looked up; its section fails until it can. Is the name right, and does a name server in /etc/resolv.conf know it?", "err", err)
	}
	if service.URL.Scheme == "https" && c.options.Roots == nil {
		// The error says no more than an empty pool does.
		if roots, err := x509.SystemCertPool(); err != nil || roots.Equal(x509.NewCertPool()) {
			log.WarnContext(ctx, "there are no certificate authorities to check the https service by, so every call of it fails. Install the ca-certificates package, or name a file of theirs in SSL_CERT_FILE.")
		}
	}
}
