// Package source keeps the certificate's template in service: it reads it from
// a file, a URL or the program itself, and again at each hangup, together with
// what signs its certificates. Whether a file can be a template is for package
// certificate to judge.
package source

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"homepage/internal/certificate"
	"homepage/internal/certificate/signature"
	"homepage/internal/redact"
	"homepage/internal/redirect"
)

// Source is where a template comes from.
type Source struct {
	location string   // a path, or nothing for the template built in
	url      *url.URL // in place of a path
	builtIn  []byte
	sign     Sign // nil if certificates are not signed
	timeout  time.Duration
	log      *slog.Logger

	newest    version // of the template in service
	inService atomic.Pointer[certificate.Template]
	loads     atomic.Pointer[Loads]
}

// version is what an answer says of its age (RFC 9110, 8.8), to ask only for a
// newer one next time.
type version struct{ etag, modified string }

// Sign reads what signs certificates. What it returns is in service only together
// with the template that is read at the same time.
type Sign func(context.Context) (*signature.Signer, error)

// SignError is an error of Sign.
type SignError struct{ err error }

func (e *SignError) Error() string { return e.err.Error() }
func (e *SignError) Unwrap() error { return e.err }

// errUnchanged says that the template in service is the newest.
var errUnchanged = errors.New("unchanged")

// Open links the template at a path or an http or https URL, or the one built
// in if the location is empty, for certificates that are signed unless sign is nil.
// The timeout bounds each fetch of a URL. The log gets the template's warnings.
//
// No error and no log line shows a password or a query's value.
func Open(ctx context.Context, location string, builtIn []byte, sign Sign, timeout time.Duration, log *slog.Logger) (*Source, error) {
	s := &Source{location: location, builtIn: builtIn, sign: sign, timeout: timeout, log: log}
	if strings.Contains(location, "://") {
		u, err := url.Parse(location)
		if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
			return nil, errors.New("it is neither a path nor an http or https URL")
		}
		s.url = u
	}
	return s, s.load(ctx)
}

// Template returns the template in service. Whoever has it can keep it,
// whatever replaces it meanwhile. Template is safe for concurrent use.
func (s *Source) Template() *certificate.Template { return s.inService.Load() }

// String names the source.
func (s *Source) String() string {
	if s.url != nil {
		return redact.URL(s.url)
	}
	return cmp.Or(s.location, "built in")
}

// ReloadOn loads the template and its signer again at each hangup until it is
// stopped. If either can't be used, both old ones stay in service. Once a day it
// warns of a signer that is about to expire.
func (s *Source) ReloadOn(ctx context.Context, hangups <-chan os.Signal) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		day := time.NewTicker(expiryPace)
		defer day.Stop()
		for {
			select {
			case <-hangups:
			case <-day.C:
				s.warnOfExpiry(ctx)
				continue
			case <-ctx.Done():
				return
			}
			switch err := s.load(ctx); {
			case err == nil:
				s.log.InfoContext(ctx, "certificate template reloaded", "certificate", s.String())
			case errors.Is(err, errUnchanged):
				s.log.InfoContext(ctx, "certificate template unchanged", "certificate", s.String())
			default:
				s.log.ErrorContext(ctx, "certificate template not reloaded; the old one stays in service", "err", err)
			}
		}
	}()
	return func() {
		cancel()
		<-done
	}
}

// load links what the source holds now and puts it in service. After an error,
// errUnchanged among them, the template before stays.
func (s *Source) load(ctx context.Context) (err error) {
	defer func(start time.Time) { s.record(start, err) }(time.Now())
	var signer *signature.Signer
	if s.sign != nil {
		if signer, err = s.sign(ctx); err != nil {
			return &SignError{err}
		}
	}
	file, newest, err := s.read(ctx)
	if err != nil {
		return err
	}
	template, err := certificate.LinkSigned(file, signer)
	if err != nil {
		return fmt.Errorf("%s: %w", s, err)
	}
	s.newest = newest
	s.inService.Store(template)
	for _, warning := range template.Report().Warnings {
		s.log.WarnContext(ctx, "certificate template", "certificate", s.String(), "warning", warning)
	}
	if signer != nil {
		s.tellSigner(ctx, signer)
	}
	return nil
}

func (s *Source) read(ctx context.Context) (file []byte, newest version, err error) {
	switch {
	case s.url != nil:
		if file, newest, err = s.fetch(ctx); err != nil {
			err = fmt.Errorf("GET %s: %w", s, err)
		}
		return file, newest, err
	case s.location == "":
		return s.builtIn, version{}, nil
	}
	opened, err := os.Open(s.location)
	if err != nil {
		return nil, version{}, err
	}
	about, err := opened.Stat()
	if err == nil {
		file, err = readAll(opened, about.Size())
	}
	return file, version{}, errors.Join(err, opened.Close())
}

// readAll reads what is said to have a size in bytes, or less than 0 if that is
// not known. It makes no room for more than a template may have, and reads no
// more than one byte above that, which Link refuses.
func readAll(r io.Reader, size int64) ([]byte, error) {
	if size > certificate.MaxTemplate {
		return nil, fmt.Errorf("the file has %.1f MiB, more than the %d MiB that a template may have", float64(size)/(1<<20), certificate.MaxTemplate>>20)
	}
	// A buffer reads on until there is no more, for which it wants some space.
	file := bytes.NewBuffer(make([]byte, 0, max(0, size)+bytes.MinRead))
	_, err := file.ReadFrom(io.LimitReader(r, certificate.MaxTemplate+1))
	return file.Bytes(), err
}

// fetch asks for a template newer than the one in service, and returns
// errUnchanged if there is none (RFC 9110, 13.1).
func (s *Source) fetch(ctx context.Context) (file []byte, newest version, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	defer func() {
		if errors.Is(err, context.DeadlineExceeded) {
			err = fmt.Errorf("no complete answer within %v", s.timeout)
		}
	}()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url.String(), http.NoBody)
	if err != nil {
		return nil, version{}, errors.New("no request can be made of this URL")
	}
	request.Header.Set("Accept", "application/pdf")
	if s.sign != nil {
		s.newest = version{} // the signer may be a new one where the template is not
	}
	if s.newest.etag != "" {
		request.Header.Set("If-None-Match", s.newest.etag)
	}
	if s.newest.modified != "" {
		request.Header.Set("If-Modified-Since", s.newest.modified)
	}
	// Reloads are rare: no connection is kept for the next one.
	client := &http.Client{Transport: discreet{&http.Transport{DisableKeepAlives: true}}, CheckRedirect: checkRedirect}
	response, err := client.Do(request)
	if err != nil {
		// A url.Error shows the URL, secrets included.
		if wrapped, ok := errors.AsType[*url.Error](err); ok {
			err = wrapped.Err
		}
		return nil, version{}, err
	}
	defer func() { _ = response.Body.Close() }() // what is left of it is of no use
	switch response.StatusCode {
	case http.StatusOK:
	case http.StatusNotModified:
		return nil, version{}, errUnchanged
	default:
		return nil, version{}, fmt.Errorf("status %s", response.Status)
	}
	file, err = readAll(response.Body, response.ContentLength)
	return file, version{response.Header.Get("ETag"), response.Header.Get("Last-Modified")}, err
}

func checkRedirect(next *http.Request, before []*http.Request) error {
	if len(before) > redirect.Most {
		return fmt.Errorf("redirected more than %d times", redirect.Most)
	}
	if err := redirect.Check(before[len(before)-1].URL, next.URL); err != nil {
		return fmt.Errorf("%w, which is not followed; name the URL where the template is", err)
	}
	next.Header.Del("Referer") // it holds the query of this URL
	return nil
}

// discreet is a transport that refuses a redirect to what is not a URL.
// http.Client would, with an error that shows all of it.
type discreet struct{ http.RoundTripper }

func (d discreet) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := d.RoundTripper.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if _, err := response.Location(); err != nil && !errors.Is(err, http.ErrNoLocation) {
		_ = response.Body.Close() // what it says is of no use
		return nil, errors.New("redirected to what is not a URL")
	}
	return response, nil
}
