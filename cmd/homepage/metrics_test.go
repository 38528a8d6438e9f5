package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// series are the values of a scrape, by name and labels as they were written.
type series map[string]float64

var (
	commentLine = regexp.MustCompile(`^# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*)(?: (counter|gauge|histogram|summary))?$`)
	sampleLine  = regexp.MustCompile(`^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\]|\\[\\"n])*"(?:, ?[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\]|\\[\\"n])*")*\})? (\S+)$`)
	bucketLabel = regexp.MustCompile(`,?le="([^"]+)"`)
)

// parseMetrics reads Prometheus text, and accepts nothing that a scrape would
// refuse or take for something else.
func parseMetrics(t *testing.T, text string) series {
	t.Helper()
	all, types := series{}, map[string]string{}
	last := map[string]float64{}   // of a histogram's buckets, by its labels: the value so far,
	bounds := map[string]float64{} // and the bound
	if !strings.HasSuffix(text, "\n") {
		t.Error("the last line has no end")
	}
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if comment := commentLine.FindStringSubmatch(line); comment != nil {
			if name := comment[2]; comment[1] == "TYPE" {
				if types[name] != "" || comment[3] == "" {
					t.Errorf("%q: a second type of the metric, or none", line)
				}
				types[name] = comment[3]
			}
			continue
		}
		sample := sampleLine.FindStringSubmatch(line)
		if sample == nil {
			t.Errorf("can't parse %q", line)
			continue
		}
		name, labels := sample[1], sample[2]
		value, err := strconv.ParseFloat(sample[3], 64)
		if err != nil {
			t.Errorf("%q: %v", line, err)
		}
		if _, twice := all[name+labels]; twice {
			t.Errorf("%s%s is there twice", name, labels)
		}
		all[name+labels] = value
		family := name
		if types[name] == "" {
			family = regexp.MustCompile(`_(bucket|sum|count)$`).ReplaceAllString(name, "")
		}
		switch types[family] {
		case "":
			t.Errorf("%q has no type before it", line)
		case "histogram":
			if bound := bucketLabel.FindStringSubmatch(labels); bound != nil {
				le, err := strconv.ParseFloat(bound[1], 64)
				key := name + bucketLabel.ReplaceAllString(labels, "")
				before, begun := bounds[key]
				if err != nil || begun && le <= before || value < last[key] {
					t.Errorf("%q is not a bucket above the one before", line)
				}
				bounds[key], last[key] = le, value
			}
		}
	}
	for key, le := range bounds {
		if !math.IsInf(le, 1) {
			t.Errorf("%s has no last bucket", key)
		}
	}
	return all
}

func (p *program) scrape(t *testing.T) series {
	t.Helper()
	status, text := get(t, p.metrics)
	if status != http.StatusOK {
		t.Fatalf("status %d: %s", status, text)
	}
	return parseMetrics(t, text)
}

// rises are the program's own metrics that differ between two scrapes, and by
// how much, but for times.
func rises(before, after series) series {
	changed := series{}
	for key, value := range after {
		if strings.HasPrefix(key, "homepage_") && !strings.Contains(key, "_bucket") && !strings.Contains(key, "_sum{") &&
			!strings.HasSuffix(key, "_seconds") && value != before[key] {
			changed[key] = value - before[key]
		}
	}
	return changed
}

// request sends a request as it is, and reads the whole answer. A body that is
// shorter than was said ends there.
func request(t *testing.T, p *program, text string) string {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(p.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	if strings.HasPrefix(text, "POST") {
		if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
	}
	answer, err := io.ReadAll(conn)
	if err != nil {
		t.Errorf("after %q: %v", answer, err)
	}
	return string(answer)
}

// plain is a request without a body, the last on its connection.
func plain(method, path string) string {
	return method + " " + path + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
}

// posted is an upload, with more headers.
func posted(body string, headers ...string) string {
	return fmt.Sprintf("POST /upload HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: %d\r\n%s\r\n%s",
		len(body), strings.Join(headers, ""), body)
}

// filePart is a part of a form whose boundary is b.
func filePart(name, content string) string {
	return fmt.Sprintf("--b\r\nContent-Disposition: form-data; name=\"file\"; filename=%q\r\n\r\n%s\r\n", name, content)
}

const formEnd = "--b--\r\n"

// Each kind of request moves its own counters and no others.
func TestMetrics(t *testing.T) {
	promo := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"title":"Cake"}`) }))
	defer promo.Close()
	recco := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) }))
	defer recco.Close()
	p := start(t, map[string]string{
		"METRICS_ADDR": "127.0.0.1:0", "LOG_LEVEL": "debug", "PROMO_SERVICE_URL": promo.URL, "RECCO_SERVICE_URL": recco.URL,
		"UPLOAD_MAX_BYTES": "1000", "UPLOAD_MAX_FILES": "2", "UPLOAD_MAX_PER_CLIENT": "1",
	})
	_, page := get(t, p.url+"/upload")
	p.await(t, "request")
	style := regexp.MustCompile(`/static/style[^"]+`).FindString(page)

	answered := func(route, method string, code any, more series) series {
		want := series{
			fmt.Sprintf(`homepage_requests_total{route=%q,method=%q,code="%v"}`, route, method, code): 1,
			fmt.Sprintf(`homepage_request_duration_seconds_count{route=%q}`, route):                   1,
		}
		maps.Copy(want, more)
		return want
	}
	refused := func(code int, result string) series {
		return answered("/upload", "POST", code, series{fmt.Sprintf(`homepage_uploads_total{result=%q}`, result): 1})
	}
	for _, test := range []struct {
		name, sent string
		want       series
	}{
		{"homepage", plain("GET", "/"), answered("/", "GET", 200, series{
			`homepage_section_loads_total{section="promo",state="fresh"}`:             1,
			`homepage_section_loads_total{section="recommendations",state="failed"}`:  1,
			`homepage_section_load_duration_seconds_count{section="promo"}`:           1,
			`homepage_section_load_duration_seconds_count{section="recommendations"}`: 1,
			`homepage_sections_shown_total{section="promo",state="fresh"}`:            1,
			`homepage_sections_shown_total{section="recommendations",state="failed"}`: 1,
		})},
		{"HEAD", plain("HEAD", "/"), answered("/", "HEAD", 200, nil)},
		{"certificate", plain("GET", "/certificate"), answered("/certificate", "GET", 200, series{"homepage_certificates_issued_total": 1})},
		{"certificate's head", plain("HEAD", "/certificate"), answered("/certificate", "HEAD", 200, nil)},
		{"asset", plain("GET", style), answered("/static/*", "GET", 200, nil)},
		{"no asset", plain("GET", "/static/x"), answered("/static/*", "GET", 404, nil)},
		{"probe", plain("GET", "/healthz"), answered("/healthz", "GET", 200, nil)},
		{"no route", plain("GET", "/x"), answered("other", "GET", 404, nil)},
		{"not this method", plain("DELETE", "/upload"), answered("other", "DELETE", 405, nil)},
		{"no method", plain("BREW", "/"), answered("other", "other", 405, nil)},
		{"no request", "GET\r\n\r\n", series{`homepage_requests_refused_total{code="400"}`: 1}},
		{"large headers", "GET / HTTP/1.1\r\nHost: x\r\nCookie: " + strings.Repeat("c", 80<<10) + "\r\n\r\n", series{`homepage_requests_refused_total{code="431"}`: 1}},
		{"upload", posted(filePart("a", "12345") + filePart("b", "123") + formEnd), answered("/upload", "POST", 303, series{
			`homepage_uploads_total{result="stored"}`: 1, "homepage_upload_files_stored_total": 2, "homepage_upload_stored_bytes_total": 8,
		})},
		{"no file", posted(formEnd), refused(422, "invalid")},
		{"no file, JSON", posted(formEnd, "Accept: application/json\r\n"), refused(422, "invalid")},
		{"malformed", posted("--b\r\nno header\r\n\r\n"), refused(400, "malformed")},
		{"cut short", strings.TrimSuffix(posted(filePart("a", "12345")+formEnd), formEnd), refused(400, "cut_short")},
		{"cross-origin", posted(formEnd, "Sec-Fetch-Site: cross-site\r\n"), refused(403, "cross_origin")},
		{"too large", posted(filePart("a", strings.Repeat("x", 1001)) + formEnd), refused(413, "too_large")},
		{"no form", "POST /upload HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", refused(415, "unsupported")},
	} {
		before := p.scrape(t)
		answer := request(t, p, test.sent)
		if !strings.Contains(fmt.Sprint(test.want), "refused_total") {
			p.await(t, "request")
		}
		if diff := cmp.Diff(test.want, rises(before, p.scrape(t))); diff != "" {
			t.Errorf("%s: %s\nthe answer was %.300q", test.name, diff, answer)
		}
	}

	// The service has failed once.
	for range 4 {
		get(t, p.url+"/")
	}
	state := p.scrape(t)
	for key, want := range map[string]float64{
		`homepage_section_breaker_state{section="promo",state="closed"}`:           1,
		`homepage_section_breaker_state{section="promo",state="open"}`:             0,
		`homepage_section_breaker_state{section="recommendations",state="open"}`:   1,
		`homepage_section_breaker_state{section="recommendations",state="closed"}`: 0,
	} {
		if got, ok := state[key]; !ok || got != want {
			t.Errorf("%s is %v, want %v", key, got, want)
		}
	}

	// Made-up paths and methods make no series.
	request(t, p, plain("BREW", "/x"))
	request(t, p, plain("POST", "/x"))
	request(t, p, plain("POST", "/upload/x"))
	before := len(p.scrape(t))
	for i := range 50 {
		request(t, p, plain("GET", fmt.Sprint("/x", i)))
		request(t, p, plain("GET", fmt.Sprint("/static/x", i)))
		request(t, p, plain("POST", fmt.Sprint("/upload/", i)))
		request(t, p, plain(fmt.Sprint("BREW", i), "/"))
	}
	if after := len(p.scrape(t)); after != before {
		t.Errorf("%d series became %d", before, after)
	}

	// While an upload runs, and while it keeps the program from ending.
	slow := startUpload(t, p.url)
	running := p.scrape(t)
	if running["homepage_uploads_running"] != 1 || running["homepage_requests_in_flight"] != 1 {
		t.Errorf("%v uploads and %v requests running, want 1 and 1", running["homepage_uploads_running"], running["homepage_requests_in_flight"])
	}
	ended := make(chan error)
	for _, test := range []struct {
		reason string
		status int
	}{{"client_limit", 429}, {"draining", 503}} {
		if test.reason == "draining" {
			go func() { ended <- p.stop() }()
			p.await(t, "draining")
		}
		before := p.scrape(t)
		request(t, p, posted(formEnd))
		for line := p.await(t, "request"); line["status"] != float64(test.status); line = p.await(t, "request") {
		}
		if diff := cmp.Diff(refused(test.status, test.reason), rises(before, p.scrape(t))); diff != "" {
			t.Errorf("%s: %s", test.reason, diff)
		}
	}
	slow.finish(t)
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if _, err := client(t).Get(p.metrics); err == nil {
		t.Error("metrics are served after the end")
	}
}

// A page whose visitor leaves was not answered with its status.
func TestMetricsOfAVisitorWhoLeaves(t *testing.T) {
	release := make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer slow.Close()
	defer close(release)
	p := start(t, map[string]string{"METRICS_ADDR": "127.0.0.1:0", "RECCO_SERVICE_URL": slow.URL, "SERVICE_TIMEOUT": "10s"})
	response, err := client(t).Get(p.url + "/")
	if err != nil {
		t.Fatal(err)
	}
	page := bufio.NewScanner(response.Body)
	for page.Scan() && !strings.Contains(page.Text(), `id="promo-title"`) { // with the beginning of the page or after it
	}
	if err := page.Err(); err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	p.await(t, "request")
	got := p.scrape(t)
	for key, want := range map[string]float64{
		`homepage_requests_total{route="/",method="GET",code="aborted"}`:         1,
		`homepage_requests_in_flight`:                                            0,
		`homepage_sections_shown_total{section="promo",state="fresh"}`:           1,
		`homepage_sections_shown_total{section="recommendations",state="fresh"}`: 0,
	} {
		if got[key] != want {
			t.Errorf("%s is %v, want %v", key, got[key], want)
		}
	}
}

func TestMetricsOfNoSpace(t *testing.T) {
	p := start(t, map[string]string{"METRICS_ADDR": "127.0.0.1:0", "UPLOAD_RESERVE": "4194303TiB"})
	request(t, p, posted(filePart("a", "12345")+formEnd))
	if got := p.scrape(t); got[`homepage_uploads_total{result="no_space"}`] != 1 || got[`homepage_uploads_total{result="stored"}`] != 0 {
		t.Errorf("%v", got)
	}
}

func TestMetricsOfReloads(t *testing.T) {
	file := filepath.Join(t.TempDir(), "template.pdf")
	put := func(content []byte) {
		if err := errors.Join(os.WriteFile(file+".new", content, 0o600), os.Rename(file+".new", file)); err != nil {
			t.Fatal(err)
		}
	}
	put(fixture(t, "ghostscript"))
	p := start(t, map[string]string{"METRICS_ADDR": "127.0.0.1:0", "CERTIFICATE_TEMPLATE": file})
	const failures, loaded = "homepage_certificate_template_reload_failures_total", "homepage_certificate_template_loaded_timestamp_seconds"
	first := p.scrape(t)
	put([]byte("no PDF"))
	p.hangups <- syscall.SIGHUP
	p.await(t, "certificate template not reloaded; the old one stays in service")
	second := p.scrape(t)
	put(fixture(t, "hybrid"))
	p.hangups <- syscall.SIGHUP
	p.await(t, "certificate template reloaded")
	third := p.scrape(t)
	if first[failures] != 0 || second[failures] != 1 || third[failures] != 1 {
		t.Errorf("failures %v, %v, %v, want 0, 1, 1", first[failures], second[failures], third[failures])
	}
	if first[loaded] == 0 || second[loaded] != first[loaded] || third[loaded] <= second[loaded] || third["homepage_certificate_template_load_duration_seconds"] <= 0 {
		t.Errorf("loaded at %v, %v, %v, want the third to be later", first[loaded], second[loaded], third[loaded])
	}
}

// Metrics are on their own address alone, and only if that is set.
func TestWhereMetricsAre(t *testing.T) {
	off, on := start(t, nil), start(t, map[string]string{"METRICS_ADDR": "127.0.0.1:0"})
	if off.metrics != "off" {
		t.Errorf("metrics are at %q", off.metrics)
	}
	elsewhere := strings.TrimSuffix(on.metrics, "/metrics")
	for url, want := range map[string]int{
		off.url + "/metrics": 404, on.url + "/metrics": 404, on.metrics: 200,
		elsewhere + "/": 404, elsewhere + "/healthz": 404, elsewhere + "/metrics/": 404,
	} {
		if status, _ := get(t, url); status != want {
			t.Errorf("%s is %d, want %d", url, status, want)
		}
	}

	var stderr bytes.Buffer
	taken := strings.TrimPrefix(on.url, "http://")
	err := run(t.Context(), new(orders), nil, env(map[string]string{"ADDR": "127.0.0.1:0", "UPLOADS": t.TempDir(), "METRICS_ADDR": taken}), io.Discard, &stderr)
	if got := exitStatus(err, &stderr); got != 1 || !strings.Contains(stderr.String(), "METRICS_ADDR") || strings.Contains(stderr.String(), "listening") {
		t.Errorf("with an address that is taken: status %d, %q", got, stderr.String())
	}
}

// A scrape that comes amid requests is as whole as any.
func TestScrapesUnderLoad(t *testing.T) {
	p := start(t, map[string]string{"METRICS_ADDR": "127.0.0.1:0"})
	var stop atomic.Bool
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for !stop.Load() {
			get(t, p.url+"/")
			get(t, p.url+"/certificate")
		}
	}()
	for range 10 {
		p.scrape(t)
	}
	stop.Store(true)
	<-ended
}
