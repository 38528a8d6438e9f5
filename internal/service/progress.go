package service

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http/httptrace"
	"sync/atomic"
	"syscall"
)

// The phases of a call, in their order.
const (
	starting int32 = iota
	lookingUp
	connecting
	handshaking
	waiting
	reading
)

// progress tells how far a request has got. Dials may outlive their request,
// so it is safe for concurrent use.
type progress struct {
	host             string
	phase            atomic.Int32
	certificateAsked atomic.Bool
}

type progressKey struct{}

// follow returns a context whose request is followed.
func (p *progress) follow(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(context.WithValue(ctx, progressKey{}, p), &httptrace.ClientTrace{
		TLSHandshakeStart:    func() { p.reach(handshaking) },
		GotConn:              func(httptrace.GotConnInfo) { p.reach(waiting) },
		GotFirstResponseByte: func() { p.reach(reading) },
	})
}

// progressOf returns the progress of the request that a context is of.
func progressOf(ctx context.Context) *progress {
	p, _ := ctx.Value(progressKey{}).(*progress)
	return p
}

// reach never goes back: a dial that the request no longer needs may go on.
func (p *progress) reach(phase int32) {
	if p == nil {
		return
	}
	for {
		before := p.phase.Load()
		if before >= phase || p.phase.CompareAndSwap(before, phase) {
			return
		}
	}
}

func (p *progress) String() string {
	switch p.phase.Load() {
	case lookingUp:
		return "looking up the name " + p.host
	case connecting:
		return "connecting to " + p.host
	case handshaking:
		return "in the TLS handshake with " + p.host
	case waiting:
		return "waiting for the answer"
	case reading:
		return "reading the answer"
	}
	return "waiting for a connection"
}

// broke tells whether the error is a connection that broke before a byte of an
// answer came.
func (p *progress) broke(err error) bool {
	switch p.phase.Load() {
	case connecting, handshaking:
		return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, io.EOF)
	case waiting:
		_, refused := errors.AsType[tls.AlertError](err)
		return !refused
	}
	return false
}

// noClientCertificate notes that a service has asked for a client certificate,
// which may be why it then breaks off.
func noClientCertificate(info *tls.CertificateRequestInfo) (*tls.Certificate, error) {
	if p := progressOf(info.Context()); p != nil {
		p.certificateAsked.Store(true)
	}
	return new(tls.Certificate), nil // none
}
