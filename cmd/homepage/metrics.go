package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"homepage/internal/certificate/source"
	"homepage/internal/home"
	"homepage/internal/metrics"
	"homepage/internal/resumable"
	"homepage/internal/upload"
	"homepage/internal/web"
)

// newMetrics returns the program's counts, or nil if nobody is to see them.
// Whoever would count then does nothing.
func newMetrics(s settings) *metrics.Metrics {
	if s.MetricsAddr == "" {
		return nil
	}
	return metrics.New(s.build.Main.Version, s.build.GoVersion)
}

// meterOf returns what the site counts with, or nil.
func meterOf(m *metrics.Metrics) web.Meter {
	if m == nil {
		return nil // and not a Meter that holds nil
	}
	return m
}

// countLoads counts the calls of a section's service.
func countLoads[T interface{ Empty() bool }](m *metrics.Metrics, section string, load home.Load[T]) home.Load[T] {
	if m == nil || load == nil {
		return load
	}
	return func(ctx context.Context, visit home.Visit) (home.Answer[T], error) {
		start, state := time.Now(), home.Failed // should it panic
		defer func() { m.SectionLoaded(section, string(state), time.Since(start)) }()
		answer, err := load(ctx, visit)
		switch {
		case err != nil:
		case answer.Content.Empty():
			state = home.Empty
		default:
			state = home.Fresh
		}
		answer.Again = countLoads(m, section, answer.Again)
		return answer, err
	}
}

// receive is how the site stores uploads.
type receive = func(upload.Form) ([]upload.Receipt, error)

// countUploads counts the uploads that run and those that are stored.
func countUploads(m *metrics.Metrics, store receive) receive {
	if m == nil {
		return store
	}
	return func(form upload.Form) ([]upload.Receipt, error) {
		m.UploadBegan()
		defer m.UploadEnded()
		receipts, err := store(form)
		if err == nil {
			var bytes int64
			for _, receipt := range receipts {
				bytes += receipt.Bytes
			}
			m.UploadStored(len(receipts), bytes)
		}
		return receipts, err
	}
}

// countParts counts the parts of uploads that are received and the uploads that
// they become.
func countParts(m *metrics.Metrics, store resumable.Store) resumable.Store {
	if m == nil {
		return store
	}
	return countedStore{store, m}
}

type countedStore struct {
	resumable.Store

	metrics *metrics.Metrics
}

func (c countedStore) Append(ctx context.Context, id string, offset, length int64, body io.Reader) (upload.State, error) {
	c.metrics.UploadBegan()
	defer c.metrics.UploadEnded()
	return c.Store.Append(ctx, id, offset, length, body)
}

func (c countedStore) Finish(ctx context.Context, id string) (upload.State, error) {
	state, err := c.Store.Finish(ctx, id)
	if err == nil && state.Receipt != nil {
		c.metrics.UploadStored(1, state.Receipt.Bytes)
	}
	return state, err
}

// serveMetrics serves the counts on a listener of their own until it is stopped.
// That is after the drain, so that the drain can be watched. It returns where
// they are.
func serveMetrics(ctx context.Context, address string, handler http.Handler, log *slog.Logger) (url string, stop func(), err error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return "", nil, fmt.Errorf("METRICS_ADDR: %w", err)
	}
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      30 * time.Second,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	go func() { _ = server.Serve(listener) }() // until stop
	return "http://" + listener.Addr().String() + "/metrics", func() { _ = server.Close() }, nil
}

// sampled is what the counts are completed with when they are asked for.
func sampled(homepage *home.Home, certificate *source.Source, logLinesDropped func() int64) metrics.Sampled {
	return metrics.Sampled{
		Breakers:        homepage.Breakers,
		Template:        func() metrics.TemplateLoads { return metrics.TemplateLoads(certificate.Loads()) },
		SigningExpires:  func() time.Time { return certificate.Template().SigningExpires() },
		LogLinesDropped: logLinesDropped,
	}
}
