package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"homepage/internal/certificate"
	"homepage/pdfs"
)

// templateSource is where certificate templates come from, and the one in
// service: requests take it once and keep it, whatever replaces it meanwhile.
type templateSource struct {
	location string        // a path, an http or https URL, or nothing for the one built in
	timeout  time.Duration // for the whole fetch of a URL

	// Of the last answer that was linked, to ask for newer ones alone.
	etag, modified string

	inService atomic.Pointer[certificate.Template]
}

// templateTimeout bounds the start, and a reload.
const templateTimeout = 10 * time.Second

// errUnchanged says that the template in service is the newest.
var errUnchanged = errors.New("unchanged")

// openTemplate links the template and puts it in service.
func openTemplate(ctx context.Context, location string, log *slog.Logger) (*templateSource, error) {
	t := &templateSource{location: location, timeout: templateTimeout}
	return t, t.load(ctx, log)
}

// String names the source without the password that a URL may hold.
func (t *templateSource) String() string {
	if u, ok := t.url(); ok {
		return u.Redacted()
	}
	return cmp.Or(t.location, "built in")
}

func (t *templateSource) url() (*url.URL, bool) {
	u, err := url.Parse(t.location)
	return u, err == nil && (u.Scheme == "http" || u.Scheme == "https")
}

// load links what the source holds now and puts it in service. If it can't,
// or returns errUnchanged, the one before stays.
func (t *templateSource) load(ctx context.Context, log *slog.Logger) error {
	template, err := t.read(ctx)
	if err != nil {
		return err
	}
	t.inService.Store(template)
	for _, warning := range template.Report().Warnings {
		log.WarnContext(ctx, "certificate template", "certificate", t.String(), "warning", warning)
	}
	return nil
}

// read links what the source holds now.
func (t *templateSource) read(ctx context.Context) (*certificate.Template, error) {
	file, etag, modified, err := t.bytes(ctx)
	if err != nil {
		return nil, err
	}
	template, err := certificate.Link(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", t, err)
	}
	t.etag, t.modified = etag, modified
	return template, nil
}

func (t *templateSource) bytes(ctx context.Context) (file []byte, etag, modified string, err error) {
	if t.location == "" {
		return pdfs.CertificateTemplate, "", "", nil
	}
	if u, ok := t.url(); ok {
		if file, etag, modified, err = t.fetch(ctx, u); err != nil && !errors.Is(err, errUnchanged) {
			err = fmt.Errorf("GET %s: %w", t, err)
		}
		return file, etag, modified, err
	}
	opened, err := os.Open(t.location)
	if err != nil {
		return nil, "", "", err
	}
	file, err = io.ReadAll(limited(opened))
	return file, "", "", errors.Join(err, opened.Close())
}

// limited reads one byte more than a template may have, which Link refuses.
func limited(r io.Reader) io.Reader { return io.LimitReader(r, certificate.MaxTemplate+1) }

// fetch asks for the template, if there is one newer than that in service
// (RFC 9110, 13.1).
func (t *templateSource) fetch(ctx context.Context, u *url.URL) (file []byte, etag, modified string, err error) {
	ctx, cancel := context.WithTimeout(ctx, t.timeout)
	defer cancel()
	defer func() {
		if errors.Is(err, context.DeadlineExceeded) {
			err = fmt.Errorf("no whole answer within %v", t.timeout)
		}
	}()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), http.NoBody)
	if err != nil {
		return nil, "", "", err
	}
	request.Header.Set("Accept", "application/pdf")
	if t.etag != "" {
		request.Header.Set("If-None-Match", t.etag)
	}
	if t.modified != "" {
		request.Header.Set("If-Modified-Since", t.modified)
	}
	// A connection a reload; the transport goes with it.
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		// url.Error says the URL again, the caller says it already.
		if wrapped, ok := errors.AsType[*url.Error](err); ok {
			err = wrapped.Err
		}
		return nil, "", "", err
	}
	defer func() { _ = response.Body.Close() }() // what is left of it is of no use
	switch response.StatusCode {
	case http.StatusOK:
	case http.StatusNotModified:
		return nil, "", "", errUnchanged
	default:
		return nil, "", "", fmt.Errorf("status %s", response.Status)
	}
	file, err = io.ReadAll(limited(response.Body))
	return file, response.Header.Get("ETag"), response.Header.Get("Last-Modified"), err
}

// reloadOnHangup loads the template again at each SIGHUP, until it is stopped.
func (t *templateSource) reloadOnHangup(ctx context.Context, log *slog.Logger) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	hangups, done := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(hangups, syscall.SIGHUP)
	go func() {
		defer close(done)
		for {
			select {
			case <-hangups:
			case <-ctx.Done():
				return
			}
			switch err := t.load(ctx, log); {
			case err == nil:
				log.InfoContext(ctx, "certificate template read again", "certificate", t.String())
			case errors.Is(err, errUnchanged):
				log.InfoContext(ctx, "certificate template unchanged", "certificate", t.String())
			default:
				log.ErrorContext(ctx, "certificate template not read again; the old one stays in service", "err", strings.TrimSpace(err.Error()))
			}
		}
	}()
	return func() {
		signal.Stop(hangups)
		cancel()
		<-done
	}
}
