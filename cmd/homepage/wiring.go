package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"homepage/internal/certificate/source"
	"homepage/internal/home"
	"homepage/internal/redact"
	"homepage/internal/resumable"
	"homepage/internal/sample"
	"homepage/internal/serve"
	"homepage/internal/service"
	"homepage/internal/web"
	"homepage/pdfs"
)

// logFormat returns what makes the log's handlers: of text for people if stderr
// is a terminal, and of JSON for programs.
func logFormat(stderr io.Writer, level slog.Level) func(io.Writer) slog.Handler {
	options := &slog.HandlerOptions{Level: level}
	if file, ok := stderr.(*os.File); ok {
		if info, err := file.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
			return func(w io.Writer) slog.Handler { return slog.NewTextHandler(w, options) }
		}
	}
	return func(w io.Writer) slog.Handler { return slog.NewJSONHandler(w, options) }
}

// shortening shortens the lines of the standard library, which may quote what a
// service sends, however long, and whatever it was told.
type shortening struct{ slog.Handler }

func (s shortening) Handle(ctx context.Context, record slog.Record) error {
	const most = 200 // bytes
	if before, _, quotes := strings.Cut(record.Message, `"`); quotes {
		record.Message = before + "…"
	}
	if len(record.Message) > most {
		record.Message = strings.ToValidUTF8(record.Message[:most], "") + "…"
	}
	return s.Handler.Handle(ctx, record)
}

// serveSite wires the program together, serves until ctx is done, and drains
// after SHUTDOWN_DELAY. Whatever can fail at the start fails before "listening"
// is logged. The log tells how many of its lines were dropped.
func serveSite(ctx context.Context, orders *orders, s settings, log *slog.Logger, dropped func() int64) (err error) {
	slog.SetDefault(slog.New(shortening{log.Handler()})) // the standard library's own lines
	counts := newMetrics(s)
	sign, err := signing(s, log)
	if err != nil {
		return err
	}
	certificate, err := openTemplate(ctx, s.CertificateTemplate, sign, log)
	if signing, ok := errors.AsType[*source.SignError](err); ok {
		return signing // names its settings
	}
	if err != nil {
		return fmt.Errorf("CERTIFICATE_TEMPLATE can't be used: %w", err)
	}
	defer certificate.ReloadOn(ctx, orders.hangups)()
	uploads, late, err := openUploads(s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, uploads.Close()) }()
	files, err := openSite(s.SiteFolder)
	if err != nil {
		return fmt.Errorf("SITE_FOLDER can't be used: %w", err)
	}
	assets, err := web.NewAssets(files.static)
	if err != nil {
		return inSiteFolder(s.SiteFolder, err)
	}

	client := service.NewClient(service.Options{
		Timeout:  s.ServiceTimeout,
		Fallback: s.StaleIfError,
		Version:  s.build.Main.Version,
		MaxCalls: s.ServiceMaxCalls,
		Log:      log,
	})
	defer client.Close()
	life, end := context.WithCancel(context.WithoutCancel(ctx)) // ctx ends when the drain begins
	defer end()
	promo := service.Service{URL: s.PromoServiceURL, Header: s.PromoServiceHeaders, Forward: s.PromoServiceForward}
	recco := service.Service{URL: s.ReccoServiceURL, Header: s.ReccoServiceHeaders, Forward: s.ReccoServiceForward}
	for _, named := range []service.Service{promo, recco} {
		if named.URL != nil {
			go client.Check(life, named) // it may wait for a name server
		}
	}
	samples, missing := "off", missingURL(promo, recco)
	if promo.URL == nil || recco.URL == nil {
		base, stop, err := startSamples(ctx, s.SampleDelay, assets)
		if err != nil {
			return err
		}
		defer stop()
		promo.URL = cmp.Or(promo.URL, base.JoinPath(sample.PromoPath))
		recco.URL = cmp.Or(recco.URL, base.JoinPath(sample.ReccoPath))
		samples = base.String()
	}
	look, err := web.NewLook(files.templates, assets, s.SiteName, log)
	if err != nil {
		return inSiteFolder(s.SiteFolder, err)
	}
	homepage := home.New(life, home.Options{
		Log:                 log,
		Concurrency:         s.HomepageConcurrency,
		Grace:               s.HomepageGrace,
		CacheBytes:          s.cacheOfSection(),
		ShowPromo:           look.Promo,
		ShowRecommendations: look.Recommendations,
	}, countLoads(counts, "promo", client.Promo(promo)), countLoads(counts, "recommendations", client.Recommendations(recco)))

	cookieKey := []byte(s.CookieKey)
	if cookieKey == nil {
		cookieKey = make([]byte, 32)
		_, _ = rand.Read(cookieKey) // never fails
	}

	unfinished := resumable.New(countParts(counts, uploads), s.UploadMaxBytes, s.UploadResumeFor)
	go unfinished.Sweep(life, log)
	readiness := serve.NewReadiness(uploads.Try, late, log)
	server := serve.New(serve.Timeouts{Idle: s.IdleTimeout, Drain: s.ShutdownTimeout}, log)
	server.Leaving = orders.delay.Late
	site, err := web.New(web.Deps{
		Look:        look,
		Gather:      homepage.Gather,
		Forward:     forwarding(s, log),
		Certificate: certificate.Template,
		Receive:     countUploads(counts, uploads.Receive),
		Resumable:   unfinished,
		Limits: web.Limits{
			Bytes:      s.UploadMaxBytes,
			Files:      s.UploadMaxFiles,
			Concurrent: int64(s.UploadMaxConcurrent),
			PerClient:  s.UploadMaxPerClient,
		},
		Proxies:   s.TrustedProxies,
		CookieKey: cookieKey,
		Now:       func() time.Time { return time.Now().In(s.CertificateTimezone) },
		Draining:  server.Draining,
		Unready: func(probe context.Context) string {
			if ctx.Err() != nil {
				return "draining"
			}
			if reason := readiness.Unready(probe); reason != "" {
				return "uploads can't be stored: " + reason
			}
			return ""
		},
		Log:   log,
		Meter: meterOf(counts),
	})
	if err != nil {
		return inSiteFolder(s.SiteFolder, err)
	}
	metricsURL := "off"
	if counts != nil {
		server.Refused = counts.RequestRefused
		url, stop, err := serveMetrics(ctx, s.MetricsAddr, counts.Handler(sampled(homepage, certificate, dropped)), log)
		if err != nil {
			return err
		}
		defer stop()
		metricsURL = url
	}
	listener, err := serve.Activated()
	if err != nil {
		return err
	}
	if listener == nil {
		if listener, err = serve.Listen(ctx, s.Addr); err != nil {
			return fmt.Errorf("ADDR: %w", err)
		}
	}
	log.InfoContext(ctx, "listening", "url", serve.URL(listener.Addr()),
		"promo", redact.URL(promo.URL), "recommendations", redact.URL(recco.URL), "samples", samples,
		"certificate", certificate.String(), "uploads", s.Uploads, "metrics", metricsURL)
	if missing != "" {
		log.WarnContext(ctx, "only one service is set, so the other section shows samples", "missing", missing)
	}
	if s.CookieKey == nil && (s.ShutdownDelay > 0 || inObjectStore(s.Uploads)) { // there may be replicas
		log.WarnContext(ctx, "COOKIE_KEY is not set, so no other replica can show the message after an upload")
	}

	stopping, stop := orders.delay.After(ctx, s.ShutdownDelay, log)
	defer stop()
	// Who sends a part goes on at the next instance, and need not be waited for.
	defer context.AfterFunc(stopping, unfinished.Drain)()
	if err := server.Run(stopping, listener, site); !errors.Is(err, serve.ErrCutOff) {
		return err
	}
	log.WarnContext(ctx, "requests cut off; SHUTDOWN_TIMEOUT was too short for them")
	return nil
}

// openTemplate opens the certificate's template, or the embedded one if the
// location is empty.
func openTemplate(ctx context.Context, location string, sign source.Sign, log *slog.Logger) (*source.Source, error) {
	const timeout = 10 * time.Second // at the start, and for each reload
	return source.Open(ctx, location, pdfs.CertificateTemplate, sign, timeout, log)
}

// missingURL returns the setting that is missing if one service is set and the
// other isn't, which may be a slip.
func missingURL(promo, recco service.Service) string {
	switch {
	case promo.URL == nil && recco.URL != nil:
		return "PROMO_SERVICE_URL"
	case promo.URL != nil && recco.URL == nil:
		return "RECCO_SERVICE_URL"
	}
	return ""
}

// startSamples serves the sample services on a free loopback port, where
// nobody but this program needs to reach them.
func startSamples(ctx context.Context, delay time.Duration, assets *web.Assets) (base *url.URL, stop func(), err error) {
	handler, err := sample.New(delay, func(picture string) (string, error) { return assets.URL("pictures/" + picture) })
	if err != nil {
		return nil, nil, err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, fmt.Errorf("sample services: %w", err)
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(listener) }() // until stop
	return &url.URL{Scheme: "http", Host: listener.Addr().String()}, func() { _ = server.Close() }, nil
}
