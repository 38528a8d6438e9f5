// Package metrics counts what the program does and serves the counts as
// Prometheus text. It knows their names, labels and buckets, and none of ours
// that are counted.
//
// The number of series is bounded: no label takes a value that a client can
// make up, so that nobody fills the memory of this program or of Prometheus.
package metrics

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/VictoriaMetrics/metrics"
)

// Metrics are the program's counts. They are safe for concurrent use.
type Metrics struct {
	set *metrics.Set

	inFlight *metrics.Gauge
	requests *table[request, counted]
	refused  *table[int, *metrics.Counter] // by status

	loads *table[section, counted]
	shown *table[section, *metrics.Counter]

	certificates *metrics.Counter

	uploadsRunning *metrics.Gauge
	uploads        *table[string, *metrics.Counter] // by result
	filesStored    *metrics.Counter
	bytesStored    *metrics.Counter
}

// request is what requests are told apart by.
type request struct {
	route, method string
	status        int
}

// section is what sections are told apart by.
type section struct{ name, state string }

// counted is what is counted and timed.
type counted struct {
	total    *metrics.Counter
	duration *metrics.PrometheusHistogram
}

// New returns the counts of a program, all of them zero. What is known
// beforehand is there from the start, so that its first rise is seen as one.
func New(version, goVersion string) *Metrics {
	metrics.ExposeMetadata(true) // the types; the library has one switch for all sets
	set := metrics.NewSet()
	histogram := func(name string) *metrics.PrometheusHistogram {
		return set.GetOrCreatePrometheusHistogramExt(name, []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60})
	}
	m := &Metrics{
		set:      set,
		inFlight: set.NewGauge("homepage_requests_in_flight", nil),
		requests: newTable(func(r request) counted {
			return counted{
				set.NewCounter(fmt.Sprintf("homepage_requests_total{route=%q,method=%q,code=%q}", r.route, r.method, code(r.status))),
				histogram(fmt.Sprintf("homepage_request_duration_seconds{route=%q}", r.route)),
			}
		}),
		refused: newTable(func(status int) *metrics.Counter {
			return set.NewCounter(fmt.Sprintf("homepage_requests_refused_total{code=%q}", code(status)))
		}),
		loads: newTable(func(s section) counted {
			return counted{
				set.NewCounter(fmt.Sprintf("homepage_section_loads_total{section=%q,state=%q}", s.name, s.state)),
				histogram(fmt.Sprintf("homepage_section_load_duration_seconds{section=%q}", s.name)),
			}
		}),
		shown: newTable(func(s section) *metrics.Counter {
			return set.NewCounter(fmt.Sprintf("homepage_sections_shown_total{section=%q,state=%q}", s.name, s.state))
		}),
		certificates:   set.NewCounter("homepage_certificates_issued_total"),
		uploadsRunning: set.NewGauge("homepage_uploads_running", nil),
		uploads: newTable(func(result string) *metrics.Counter {
			return set.NewCounter(fmt.Sprintf("homepage_uploads_total{result=%q}", result))
		}),
		filesStored: set.NewCounter("homepage_upload_files_stored_total"),
		bytesStored: set.NewCounter("homepage_upload_stored_bytes_total"),
	}
	set.NewGauge(fmt.Sprintf("homepage_build_info{version=%q,go_version=%q}", version, goVersion), func() float64 { return 1 })
	for _, status := range []int{http.StatusBadRequest, http.StatusRequestHeaderFieldsTooLarge} {
		m.refused.at(status)
	}
	for _, name := range []string{"promo", "recommendations"} {
		for _, state := range []string{"fresh", "empty", "failed"} {
			m.loads.at(section{name, state})
			m.shown.at(section{name, state})
		}
		m.shown.at(section{name, "stale"})
	}
	for _, result := range []string{"stored", "failed", "no_space", "unavailable"} { // those that alerts are about
		m.uploads.at(result)
	}
	return m
}

// code is a status as a label. An answer that was cut off has none.
func code(status int) string {
	if status == 0 {
		return "aborted"
	}
	return strconv.Itoa(status)
}

// RequestBegan counts a request as in flight until RequestEnded.
func (m *Metrics) RequestBegan() { m.inFlight.Inc() }

// RequestEnded counts a request by its route, which is a pattern or empty, its
// method and the status of its answer, which is 0 if the answer was cut off.
func (m *Metrics) RequestEnded(route, method string, status int, took time.Duration) {
	m.inFlight.Dec()
	if route == "" {
		route = "other"
	}
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
	default:
		method = "other" // clients make up methods too
	}
	of := m.requests.at(request{route, method, status})
	of.total.Inc()
	of.duration.Update(took.Seconds())
}

// RequestRefused counts a request that net/http refused by itself.
func (m *Metrics) RequestRefused(status int) { m.refused.at(status).Inc() }

// SectionLoaded counts a call of a section's service, and what came of it:
// fresh, empty or failed.
func (m *Metrics) SectionLoaded(name, state string, took time.Duration) {
	of := m.loads.at(section{name, state})
	of.total.Inc()
	of.duration.Update(took.Seconds())
}

// SectionShown counts a section that a visitor got to see, by its state.
func (m *Metrics) SectionShown(name, state string) { m.shown.at(section{name, state}).Inc() }

// CertificateIssued counts a certificate that went out whole.
func (m *Metrics) CertificateIssued() { m.certificates.Inc() }

// UploadBegan counts an upload as running until UploadEnded.
func (m *Metrics) UploadBegan() { m.uploadsRunning.Inc() }

// UploadEnded is the end of what UploadBegan began.
func (m *Metrics) UploadEnded() { m.uploadsRunning.Dec() }

// UploadStored counts an upload that was stored, and what it brought.
func (m *Metrics) UploadStored(files int, bytes int64) {
	m.uploads.at("stored").Inc()
	m.filesStored.Add(files)
	m.bytesStored.AddInt64(bytes)
}

// UploadRefused counts an upload that was not stored, by a word for the reason.
func (m *Metrics) UploadRefused(reason string) { m.uploads.at(reason).Inc() }
