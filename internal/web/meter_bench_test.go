package web_test

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"homepage/internal/metrics"
	"homepage/internal/web"
)

// BenchmarkMeter says what counting adds to a request, with and without in turn
// so that both meet the same machine.
func BenchmarkMeter(b *testing.B) {
	var handlers [2]http.Handler // without, with
	for i := range handlers {
		all, _ := deps(b, io.Discard)
		all.Log = slog.New(slog.DiscardHandler)
		if i == 1 {
			all.Meter = metrics.New("v1", "go1")
		}
		var err error
		if handlers[i], err = web.New(all); err != nil {
			b.Fatal(err)
		}
	}
	for _, path := range []string{"/healthz", "/", "/nothing"} {
		b.Run(path, func(b *testing.B) {
			request := httptest.NewRequest(http.MethodGet, path, http.NoBody)
			var took [2]time.Duration
			const turn = 100
			for b.Loop() {
				for i, handler := range handlers {
					start := time.Now()
					for range turn {
						handler.ServeHTTP(httptest.NewRecorder(), request)
					}
					took[i] += time.Since(start)
				}
			}
			each := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / turn / float64(b.N) }
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(each(took[0]), "ns/without")
			b.ReportMetric(each(took[1]), "ns/with")
			b.ReportMetric(each(took[1]-took[0]), "ns/added")
		})
	}
}
