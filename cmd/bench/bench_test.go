package main

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestFigure(t *testing.T) {
	for _, test := range []struct {
		figure       figure
		median, p99  float64
		spread       float64
		text, factor string
	}{
		{figure{100, 300, 200}, 200, 300, 50, "200 ±50 %", "200× (100–300)"},
		{figure{4, 1, 2, 3}, 2.5, 4, 60, "2.50 ±60 %", "2.50× (1.00–4.00)"},
		{figure{1234.5}, 1234.5, 1234.5, 0, "1,234", "1,234×"},
		{figure{0, 0}, 0, 0, 0, "0 ±0 %", "0× (0–0)"},
	} {
		if got := test.figure.median(); got != test.median {
			t.Errorf("the median of %v is %v, want %v", []float64(test.figure), got, test.median)
		}
		if got := test.figure.percentile(99); got != test.p99 {
			t.Errorf("99 %% of %v are within %v, want %v", []float64(test.figure), got, test.p99)
		}
		if got := test.figure.spread(); math.Abs(got-test.spread) > 1e-9 {
			t.Errorf("the spread of %v is %v, want %v", []float64(test.figure), got, test.spread)
		}
		if got := test.figure.String(); got != test.text {
			t.Errorf("%v is written %q, want %q", []float64(test.figure), got, test.text)
		}
		if got := test.figure.times(); got != test.factor {
			t.Errorf("the ratio %v is written %q, want %q", []float64(test.figure), got, test.factor)
		}
	}
	if got := figure(nil).String(); got != none {
		t.Errorf("nothing is written %q", got)
	}
	var many figure
	for i := range 200 {
		many = append(many, float64(200-i))
	}
	if half, most := many.percentile(50), many.percentile(99); half != 100 || most != 198 {
		t.Errorf("percentiles of 1 to 200 are %v and %v, want 100 and 198", half, most)
	}
}

// A ratio is of one round: figures that rise together leave it alone.
func TestRatio(t *testing.T) {
	got := ratio(figure{10, 20, 40}, figure{5, 10, 20})
	if got.median() != 2 || got.spread() != 0 {
		t.Errorf("ratio is %v, want 2 in every round", []float64(got))
	}
	if got := ratio(figure{1, 2}, figure{1}); len(got) != 1 {
		t.Errorf("%d ratios of rounds that one side lacks", len(got))
	}
	if got := ratio(figure{1}, figure{0}); len(got) != 0 {
		t.Errorf("divided by zero: %v", []float64(got))
	}
}

func TestNumber(t *testing.T) {
	for value, want := range map[float64]string{
		0: "0", 0.0004: "0.000", 0.0123: "0.012", 0.5: "0.500", 2: "2.00", 99.96: "100.0", 31.41: "31.4", 123.4: "123", 1234567: "1,234,567", math.NaN(): none,
	} {
		if got := number(value); got != want {
			t.Errorf("%v is written %q, want %q", value, got, want)
		}
	}
}

const wrkSays = `Running 2s test @ http://127.0.0.1:8703/
  1 threads and 32 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     5.02ms    2.11ms  20.63ms   70.41%
    Req/Sec     6.42k   612.30     7.25k    85.00%
  Latency Distribution
     50%  612.00us
     75%    6.02ms
     90%    7.71ms
     99%    1.05s 
  12780 requests in 2.00s, 58.50MB read
Requests/sec:   6388.12
Transfer/sec:     29.25MB
`

func TestParseWrk(t *testing.T) {
	got, err := parseWrk(wrkSays)
	if err != nil {
		t.Fatal(err)
	}
	if want := (loaded{6388.12, 0.612, 1050, 58.5 * (1 << 20) / 12780}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	for name, says := range map[string]string{
		"errors":  wrkSays + "  Non-2xx or 3xx responses: 12\n",
		"broken":  wrkSays + "  Socket errors: connect 0, read 3, write 0, timeout 0\n",
		"nothing": "",
		"units":   strings.Replace(wrkSays, "612.00us", "612 fortnights", 1),
	} {
		if _, err := parseWrk(says); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	none := strings.Replace(wrkSays, "12780 requests", "0 requests", 1)
	if _, err := parseWrk(none); !errors.Is(err, errNotMeasured) {
		t.Errorf("no answer at all: %v", err)
	}
}

func TestReplaceBlock(t *testing.T) {
	before := "# homepage\n" + blockBegin + "old\n" + blockEnd + "after\n"
	once, err := replaceBlock(before, "new\n")
	if err != nil {
		t.Fatal(err)
	}
	if want := "# homepage\n" + blockBegin + "\nnew\n\n" + blockEnd + "after\n"; once != want {
		t.Errorf("got %q, want %q", once, want)
	}
	if twice, err := replaceBlock(once, "new\n"); err != nil || twice != once {
		t.Errorf("a second time it becomes %q: %v", twice, err)
	}
	for _, readme := range []string{"", blockBegin, blockEnd + blockBegin} {
		if _, err := replaceBlock(readme, "new"); !errors.Is(err, errNoBlock) {
			t.Errorf("%q: %v", readme, err)
		}
	}
}

func TestWrite(t *testing.T) {
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, own, "charts"), 0o750); err != nil {
		t.Fatal(err)
	}
	for _, folder := range []string{".", own} {
		readme, err := os.ReadFile(filepath.Join("../..", folder, "README.md"))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, folder, "README.md"), readme, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	page, other := chart{file: pageChart, title: "A page"}, chart{file: "other", title: "Others"}
	page.add("homepage", 1, 0, "1 ms")
	other.add("homepage", 2, 0, "2 ms")
	all := &report{
		charts:  []chart{page, other},
		tables:  []table{{title: "All of it", head: []string{""}, rows: [][]string{{"homepage"}}}},
		summary: summary{page: "It is fast.", upload: "It is safe."},
	}
	if err := all.write(root); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		folder             string
		charts             []string
		has, lacks, before string
	}{
		{".", []string{"cmd/bench/charts/page"}, "- It is fast.\n- It is safe.\n", "### All of it", "# homepage\n"},
		{own, []string{"charts/page", "charts/other"}, "### All of it\n", "It is fast", "# The bench\n"},
	} {
		text, err := os.ReadFile(filepath.Join(root, test.folder, "README.md"))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(string(text), test.before) || !strings.Contains(string(text), test.has) || strings.Contains(string(text), test.lacks) {
			t.Errorf("README.md in %s is\n%s", test.folder, text)
		}
		if n := strings.Count(string(text), "charts/"); n < 2*len(test.charts) {
			t.Errorf("README.md in %s shows %d charts", test.folder, n/2)
		}
		for _, chart := range test.charts {
			for _, scheme := range []string{"-light.svg", "-dark.svg"} {
				if !strings.Contains(string(text), `"`+chart+scheme+`"`) {
					t.Errorf("README.md in %s does not show %s", test.folder, chart+scheme)
				}
				if _, err := os.Stat(filepath.Join(root, test.folder, chart+scheme)); err != nil {
					t.Error(err)
				}
			}
		}
	}
}

func TestAgainst(t *testing.T) {
	for want, rivals := range map[string][]rival{
		"2.2 times as fast as A":                                 {{"A", figure{2.2}}},
		"while A is 1.2 times as fast":                           {{"A", figure{0.82}}},
		"about as fast as A":                                     {{"A", figure{0.97}}},
		"about as fast as A and B":                               {{"A", figure{1.04}}, {"B", figure{0.96}}},
		"2.2 times as fast as A and 71 times as fast as B":       {{"A", figure{2.2}}, {"B", figure{71.1}}},
		"1,313 times as fast as B, while A is 2.0 times as fast": {{"A", figure{0.5}}, {"B", figure{1313}}},
		"5.0 times as fast as A, while B was not measured":       {{"A", figure{5}}, {"B", nil}},
		"while A was not measured and B is 4.0 times as fast":    {{"A", nil}, {"B", figure{0.25}}},
	} {
		if got := against("is", "fast", rivals...); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestSummary(t *testing.T) {
	visitor := func(name string) pageKey { return pageKey{name, claimPace(), 1} }
	load := func(name string) pageKey { return pageKey{name, pace{}, 32} }
	all := summary{
		page: summarizePage(
			map[pageKey]figure{visitor(homepage): {50}, visitor(nginxSSI): {300}, visitor(djangoPooled): {310}},
			map[pageKey]figure{visitor(homepage): {300}, visitor(nginxSSI): {200}, visitor(djangoPooled): {600}}),
		load: summarizeLoad(map[pageKey]*loads{
			load(homepage): {perSecond: figure{3000}}, load(homepagePlain): {perSecond: figure{2000}}, load(nginxSSI): {perSecond: figure{1000}},
		}),
		certificates: summarizeCertificates(figure{5000}, figure{6000}, "valid", "damaged"),
		upload:       summarizeUpload("1 GiB", figure{2}, figure{1}),
	}
	want := "" +
		"- Over two services that take 300 ms each, a page begins after 50.0 ms, 6.0 times as fast as nginx SSI and 6.2 times as fast as Django gather with one client; " +
		"it is whole after 300 ms, 2.0 times as fast as Django gather with one client, while nginx SSI is 1.5 times as fast.\n" +
		"- With 32 connections and services that answer at once, homepage sends 3,000 pages a second with gzip, 3.0 times as many as nginx SSI, and 2,000 without, while nginx SSI was not measured.\n" +
		"- With 32 connections, homepage sends 5,000 certificates a second, while nginx sub_filter sends 1.2 times as many; `qpdf --check` finds those of homepage valid and those of nginx damaged.\n" +
		"- An upload of 1 GiB is on the disk after 2.00 s, while nginx PUT with a sync after it is 2.0 times as fast.\n"
	if got := all.String(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	nothing := summary{summarizePage(nil, nil), summarizeLoad(nil), summarizeCertificates(nil, nil, "valid", "damaged"), summarizeUpload("1 GiB", nil, figure{1})}
	want = "- The page for one visitor was not measured.\n- Homepages a second were not measured.\n- Certificates a second were not measured.\n- The upload of 1 GiB was not measured.\n"
	if got := nothing.String(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestTable(t *testing.T) {
	x := table{head: []string{"", "pages a second", "the PDF is"}}
	x.add("homepage", "1,234 ±3 %", "valid")
	x.add("nginx", none, "damaged")
	want := "" +
		"|          | pages a second | the PDF is |\n" +
		"| -------- | -------------: | ---------- |\n" +
		"| homepage |     1,234 ±3 % | valid      |\n" +
		"| nginx    |              – | damaged    |\n"
	if got := x.markdown(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestChart(t *testing.T) {
	c := chart{title: "Pages & <more>", desc: "Milliseconds."}
	c.add("homepage", 300, 50, "300 ms")
	c.add("nginx, SSI", 600, 0, "“600” ms")
	c.add("not measured", math.NaN(), 0, "")
	for _, scheme := range []scheme{light(), dark()} {
		svg := c.svg(scheme)
		decoder := xml.NewDecoder(strings.NewReader(svg))
		var said strings.Builder
		for {
			token, err := decoder.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%v in\n%s", err, svg)
			}
			if text, ok := token.(xml.CharData); ok {
				said.Write(text)
			}
		}
		texts := said.String()
		for _, want := range []string{"Pages & <more>", "homepage: 300 ms.", "“600” ms"} {
			if !strings.Contains(texts, want) {
				t.Errorf("the chart does not say %q", want)
			}
		}
		if strings.Contains(svg, "NaN") || strings.Contains(texts, "not measured") {
			t.Error("a bar for what was not measured")
		}
		// The longest bar fills the room, the other one half of it.
		for _, want := range []string{`width="145.0"`, `width="290.0"`, `width="24.2"`, scheme.accent, scheme.raised} {
			if !strings.Contains(svg, want) {
				t.Errorf("the chart lacks %s", want)
			}
		}
	}
}

// What is started ends with its children, whoever of them won't hear.
func TestProcessEndsWithItsChildren(t *testing.T) {
	for name, script := range map[string]string{
		"nobody hears":      "trap '' TERM; sleep 100 & echo started; wait; wait",
		"a child is deaf":   "(trap '' TERM; echo started; sleep 100) & wait",
		"everybody listens": "sleep 100 & echo started; wait",
	} {
		t.Run(name, func(t *testing.T) {
			p, err := start(t.Context(), t.TempDir(), nil, "sh", "-c", script)
			if err != nil {
				t.Fatal(err)
			}
			await(t, func() bool { return p.lastWords() == "started" })
			if used, err := p.usage(); err == nil && used.peak < used.resident {
				t.Errorf("usage is %+v", used)
			}
			p.stop()
			await(t, func() bool { // a process that was killed takes a moment to go
				_, err := p.usage()
				return errors.Is(err, errNoProc)
			})
		})
	}
}

func await(t *testing.T, done func() bool) {
	t.Helper()
	deadline, tick := time.After(10*time.Second), time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("it takes too long")
		}
	}
}

func TestCheckOfPeersFiles(t *testing.T) {
	folder := t.TempDir()
	if err := os.CopyFS(folder, peerFiles); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"django/views.py", "django/templates/index.html", "nginx/nginx.conf", "haproxy/haproxy.cfg", "services/promo.json", "certificate-template.pdf"} {
		if info, err := os.Stat(filepath.Join(folder, "peers", name)); err != nil || info.Size() == 0 {
			t.Errorf("%s is not embedded: %v", name, err)
		}
	}
	if out, err := exec.CommandContext(t.Context(), "qpdf", "--check", filepath.Join(folder, "peers", "certificate-template.pdf")).CombinedOutput(); err != nil {
		t.Errorf("the template is damaged before anyone stamps it: %v\n%s", err, out)
	}
}

// With what make test installs, all but Django and wrk is measured.
func TestMeasureAll(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	tools := lookTools(t.Context(), root)
	tools.python, tools.wrk, tools.missing = "", "", []string{"Python, so all beside Django"}
	small := plan{rounds: 1, connections: []int{1}, paces: []pace{{}, claimPace()}, counted: 20, bigUpload: 1 << 20, bigRounds: 1, storeRounds: 1, smallFiles: 3, smallUpload: 100, waiting: 100, waitingPace: claimPace()}
	var progress strings.Builder
	report, err := measureAll(t.Context(), small, root, t.TempDir(), tools, &progress)
	if err != nil {
		t.Fatal(err)
	}
	text := report.text()
	for _, want := range []string{
		"for want of Python",
		"| homepage, `HOMEPAGE_CONCURRENCY` 1 and 0 |",
		"| homepage, services say max-age |     0 |",
		"| nginx, PUT             |",
		"| Go, raw body to a file |",
		"100 visitors who accept gzip wait",
		"### Uploads into an object store\n",
		"valid",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the report lacks %q", want)
		}
	}
	if len(report.failures) > 0 || strings.Contains(text, "Django, ") {
		t.Error("something went wrong, or Django was measured")
	}
	if !strings.HasPrefix(report.summary.page, "Over two services that take 300 ms each, a page begins after ") || report.summary.upload == "" {
		t.Errorf("the summary is\n%s", report.summary)
	}
	if len(report.charts) == 0 || len(report.charts[0].bars) != 3 {
		t.Errorf("charts are %+v", report.charts)
	}
	if t.Failed() {
		t.Logf("%s\n%s", progress.String(), text)
	}
}
