package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"homepage/internal/certificate/signature/testca"
)

// alerts are the alerting rules, with every key that they may have.
type alerts struct {
	Groups []struct {
		Name  string
		Rules []struct {
			Alert, Expr, For    string
			Labels, Annotations map[string]string
		}
	}
}

func readAlerts(t *testing.T) alerts {
	t.Helper()
	file, err := os.Open("deploy/alerts.yml")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	decoder := yaml.NewDecoder(file)
	decoder.KnownFields(true)
	var all alerts
	if err := decoder.Decode(&all); err != nil {
		t.Fatal(err)
	}
	return all
}

var (
	selectorText = regexp.MustCompile(`([a-zA-Z_:][a-zA-Z0-9_:]*)\{([^}]*)\}`)
	matcherText  = regexp.MustCompile(`([a-zA-Z_]+)(=~|!~|!=|=)"([^"]*)"`)
	// What is left without these are metrics, functions and words.
	notMetrics = regexp.MustCompile(`\{[^}]*\}|\[[^\]]*\]|\b(?:by|without|on|ignoring) *\([^)]*\)`)
	names      = regexp.MustCompile(`[a-zA-Z_:][a-zA-Z0-9_:]*\b *\(?`)
)

// checkExpression finds metrics and labels that the program does not serve.
func checkExpression(t *testing.T, expression string, served series) {
	t.Helper()
	var metrics []string
	for _, word := range names.FindAllString(notMetrics.ReplaceAllString(expression, ""), -1) {
		if strings.HasSuffix(word, "(") || slices.Contains([]string{"and", "or", "unless", "up"}, strings.TrimSpace(word)) {
			continue
		}
		metrics = append(metrics, strings.TrimSpace(word))
	}
	if len(metrics) == 0 {
		t.Errorf("%q names no metric", expression)
	}
	for _, name := range metrics {
		if !slices.ContainsFunc(served.keys(), func(key string) bool { return key == name || strings.HasPrefix(key, name+"{") }) {
			t.Errorf("%q: there is no metric %q", expression, name)
		}
	}
	for _, selector := range selectorText.FindAllStringSubmatch(expression, -1) {
		for _, matcher := range matcherText.FindAllStringSubmatch(selector[2], -1) {
			label, values := matcher[1], matcher[3]
			if label == "instance" || label == "job" || label == "code" { // Prometheus adds the first two; errors are yet to come
				continue
			}
			for value := range strings.SplitSeq(values, "|") {
				if !slices.ContainsFunc(served.keys(), func(key string) bool {
					return strings.HasPrefix(key, selector[1]+"{") && strings.Contains(key, label+`="`+value+`"`)
				}) {
					t.Errorf("%q: %s has no %s=%q", expression, selector[1], label, value)
				}
			}
		}
	}
}

func (s series) keys() (keys []string) {
	for key := range s {
		keys = append(keys, key)
	}
	return keys
}

func TestDashboardAndAlertsNameWhatIsServed(t *testing.T) {
	settings := newPair(t, testca.New(t), testca.P256(t)).settings() // which has a metric of its own
	settings["METRICS_ADDR"], settings["LOG_LEVEL"] = "127.0.0.1:0", "debug"
	p := start(t, settings)
	for _, path := range []string{"/", "/upload", "/readyz"} {
		get(t, p.url+path)
		p.await(t, "request")
	}
	served := p.scrape(t)

	text, err := os.ReadFile("deploy/grafana-dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	type source struct{ Type, UID string }
	var dashboard struct {
		Title, UID    string
		SchemaVersion int
		Templating    struct{ List []struct{ Name, Type string } }
		Panels        []struct {
			ID         int
			Title      string
			Datasource source
			Targets    []struct {
				Expr       string
				Datasource source
			}
		}
	}
	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatal(err)
	}
	variables := dashboard.Templating.List
	if dashboard.Title == "" || dashboard.UID == "" || dashboard.SchemaVersion == 0 || len(variables) == 0 || variables[0].Name != "datasource" || variables[0].Type != "datasource" {
		t.Errorf("the dashboard can't be imported: %+v", dashboard)
	}
	seen := map[int]bool{}
	for _, panel := range dashboard.Panels {
		if seen[panel.ID] || len(panel.Targets) == 0 {
			t.Errorf("panel %q has another one's id or shows nothing", panel.Title)
		}
		seen[panel.ID] = true
		for _, target := range panel.Targets {
			if want := (source{"prometheus", "${datasource}"}); panel.Datasource != want || target.Datasource != want {
				t.Errorf("panel %q does not ask the variable for its data source", panel.Title)
			}
			checkExpression(t, target.Expr, served)
		}
	}

	for _, group := range readAlerts(t).Groups {
		for _, rule := range group.Rules {
			if rule.Alert == "" || rule.Labels["severity"] == "" || rule.Annotations["summary"] == "" || rule.Annotations["description"] == "" {
				t.Errorf("a rule without name, severity, summary or what to do: %+v", rule)
			}
			checkExpression(t, rule.Expr, served)
		}
	}
	if promtool, err := exec.LookPath("promtool"); err == nil {
		if out, err := exec.CommandContext(t.Context(), promtool, "check", "rules", "deploy/alerts.yml").CombinedOutput(); err != nil {
			t.Errorf("promtool: %v\n%s", err, out)
		}
	}
}
