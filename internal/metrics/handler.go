package metrics

import (
	"bytes"
	"fmt"
	"net/http"
	"time"

	"github.com/VictoriaMetrics/metrics"
)

// Sampled is what others keep count of, and is looked at when it is asked for.
type Sampled struct {
	Breakers        func() (promo, recommendations string) // closed, half-open or open
	Template        func() TemplateLoads
	SigningExpires  func() time.Time // zero if certificates are not signed
	LogLinesDropped func() int64
}

// TemplateLoads tells how the certificate's template came into service.
type TemplateLoads struct {
	Last   time.Time     // when the one in service was loaded
	Took   time.Duration // to read and link it
	Failed int64         // reloads that left an older one in service
}

// Handler returns what answers GET /metrics, and nothing else.
func (m *Metrics) Handler(sampled Sampled) http.Handler {
	gauges := metrics.NewSet()
	for _, state := range []string{"closed", "half-open", "open"} {
		is := func(other string) float64 {
			if other == state {
				return 1
			}
			return 0
		}
		const name = "homepage_section_breaker_state{section=%q,state=%q}"
		gauges.NewGauge(fmt.Sprintf(name, "promo", state), func() float64 {
			promo, _ := sampled.Breakers()
			return is(promo)
		})
		gauges.NewGauge(fmt.Sprintf(name, "recommendations", state), func() float64 {
			_, recommendations := sampled.Breakers()
			return is(recommendations)
		})
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		var text bytes.Buffer
		m.set.WritePrometheus(&text)
		gauges.WritePrometheus(&text)
		template := sampled.Template()
		metrics.WriteGaugeFloat64(&text, "homepage_certificate_template_load_duration_seconds", template.Took.Seconds())
		metrics.WriteGaugeFloat64(&text, "homepage_certificate_template_loaded_timestamp_seconds", float64(template.Last.UnixMilli())/1000)
		metrics.WriteCounterUint64(&text, "homepage_certificate_template_reload_failures_total", uint64(max(0, template.Failed)))
		if expires := sampled.SigningExpires(); !expires.IsZero() {
			metrics.WriteGaugeFloat64(&text, "homepage_certificate_signing_expires_timestamp_seconds", float64(expires.Unix()))
		}
		metrics.WriteCounterUint64(&text, "homepage_log_lines_dropped_total", uint64(max(0, sampled.LogLinesDropped())))
		metrics.WriteProcessMetrics(&text)
		metrics.WriteFDMetrics(&text)
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		_, _ = w.Write(text.Bytes()) // an error means that the reader has left
	})
	return mux
}
