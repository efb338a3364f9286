package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

const monitoring = "../../monitoring/"

func needPrometheus(t *testing.T) {
	t.Helper()
	for _, tool := range []string{"prometheus", "promtool"} {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("CI") != "" {
				t.Fatal(err)
			}
			t.Skip(err)
		}
	}
}

func TestRulesAreWhatPromtoolAccepts(t *testing.T) {
	t.Parallel()
	needPrometheus(t)
	for _, args := range [][]string{
		{"check", "rules", "recording.yml", "alerts.yml"}, {"check", "config", "prometheus.yml"}, {"test", "rules", "alerts_test.yml"},
	} {
		promtool := exec.Command("promtool", args...)
		promtool.Dir = monitoring
		if out, err := promtool.CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}

// prometheus is a real one that scrapes an edge every second.
type prometheus struct {
	t       *testing.T
	address string
}

func startPrometheus(t *testing.T, scraped string, features ...string) prometheus {
	t.Helper()
	dir := t.TempDir()
	example, err := os.ReadFile(monitoring + "prometheus.yml")
	if err != nil {
		t.Fatal(err)
	}
	rules, err := filepath.Abs(monitoring)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer(
		"127.0.0.1:9145", scraped, "interval: 15s", "interval: 1s", "- recording.yml", "- "+rules+"/recording.yml", "- alerts.yml", "- "+rules+"/alerts.yml",
	).Replace(string(example))
	config := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p := prometheus{t, loopback(freePorts(t, 1)[0])}
	var said strings.Builder
	process := exec.Command("prometheus", append([]string{
		"--config.file=" + config, "--storage.tsdb.path=" + filepath.Join(dir, "data"), "--web.listen-address=" + p.address, "--log.level=warn",
	}, features...)...)
	process.Stdout, process.Stderr = &said, &said
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		process.Process.Kill()
		process.Wait()
		if t.Failed() {
			t.Logf("prometheus said:\n%s", said.String())
		}
	})
	return p
}

// get asks the API; false means that it does not answer.
func (p prometheus) get(path string, into any) bool {
	p.t.Helper()
	answer, err := http.Get("http://" + p.address + path)
	if err != nil {
		return false
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return false
	}
	whole := struct {
		Status, Error string
		Data          any
	}{Data: into}
	if err := json.Unmarshal(body, &whole); err != nil {
		return false // it is not ready
	}
	if whole.Status != "success" {
		p.t.Errorf("%s: %s", path, whole.Error)
	}
	return whole.Status == "success"
}

// count evaluates an expression and returns how many series it gives.
func (p prometheus) count(expression string) int {
	p.t.Helper()
	var data struct{ Result []json.RawMessage }
	p.get("/api/v1/query?query="+url.QueryEscape(expression), &data)
	return len(data.Result)
}

func (p prometheus) await(what string, ok func() bool) {
	p.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			p.t.Fatalf("never: %s", what)
		}
	}
}

// dashboardExpressions are those of the panels and annotations, as Grafana
// would ask them.
func dashboardExpressions(t *testing.T) (all []string) {
	t.Helper()
	text, err := os.ReadFile(monitoring + "dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard any
	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatal(err)
	}
	fill := strings.NewReplacer("$__rate_interval", "1m", "$instance", ".*", "$app", "chat", "$route", "production")
	var walk func(any)
	walk = func(node any) {
		switch node := node.(type) {
		case map[string]any:
			if expression, ok := node["expr"].(string); ok {
				all = append(all, fill.Replace(expression))
			}
			for child := range maps.Values(node) {
				walk(child)
			}
		case []any:
			for _, child := range node {
				walk(child)
			}
		}
	}
	walk(dashboard)
	if len(all) < 30 {
		t.Fatalf("the dashboard has %d expressions", len(all))
	}
	return all
}

// A real Prometheus scrapes an edge that has some traffic, a switch behind it
// and a bake going on. It must get both kinds of histogram, evaluate every rule
// and every panel, and know every metric that they name.
func TestPrometheusUnderstandsEverything(t *testing.T) {
	t.Parallel()
	needPrometheus(t)
	e, address := metricsEdge(t)
	e.start()
	e.deploy("a")
	e.deploy("b")
	servers := map[string]prometheus{
		"classic": startPrometheus(t, address),
		"native":  startPrometheus(t, address, "--enable-feature=native-histograms"),
	}
	served := func(colour string) {
		for kind, p := range servers {
			p.await(kind+": requests of "+colour+" are scraped and the rules evaluated", func() bool {
				e.release("app.localhost")
				return p.count(fmt.Sprintf(`rate(bluegreen_requests_total{route="production", code="2xx", colour=%q}[1m]) > 0`, colour)) == 1 &&
					p.count(fmt.Sprintf(`bluegreen:request_duration_seconds:p99_5m{route="production", colour=%q} > 0`, colour)) == 1
			})
		}
	}
	served("blue")
	e.must("switch", "--bake", "10m")
	served("green")
	for kind, p := range servers {
		p.await("the usage of both containers is sampled", func() bool { return p.count(`rate(bluegreen_container_cpu_seconds_total[1m])`) == 2 })
		classic, native := p.count(`bluegreen_request_duration_seconds_bucket{route="production", colour="green", le="0.25"} > 0`),
			p.count(`histogram_count(bluegreen_request_duration_seconds{route="production", colour="green"}) > 0`)
		if kind == "classic" && (classic != 1 || native != 0) || kind == "native" && native != 1 {
			t.Errorf("%s: %d series of a classic bucket, %d native histograms", kind, classic, native)
		}
		p.checkRules()
		p.checkDashboard()
		p.checkNames()
	}
}

func (p prometheus) checkRules() {
	p.t.Helper()
	var rules struct {
		Groups []struct {
			Rules []struct{ Name, Health, LastError string }
		}
	}
	p.get("/api/v1/rules", &rules)
	n := 0
	for _, group := range rules.Groups {
		for _, rule := range group.Rules {
			n++
			if rule.Health != "ok" {
				p.t.Errorf("rule %s is %s: %s", rule.Name, rule.Health, rule.LastError)
			}
		}
	}
	if n < 20 {
		p.t.Errorf("%d rules are loaded", n)
	}
	if n := p.count(`ALERTS{alertstate="firing", alertname!~"BluegreenDiskFilling|BluegreenBakeUndecided"}`); n != 0 {
		p.t.Errorf("%d alerts fire at an edge that is well", n)
	}
}

// quiet are panels that show nothing of an edge as the test has it.
var quiet = regexp.MustCompile(`upstream_errors_total|unserved_requests_total|path_requests_total|memory_limit|changes\(`)

func (p prometheus) checkDashboard() {
	p.t.Helper()
	for _, expression := range dashboardExpressions(p.t) {
		if n := p.count(expression); n == 0 && !quiet.MatchString(expression) {
			p.t.Errorf("a panel shows nothing: %s", expression)
		}
	}
}

// absent are metrics that an edge has only at times: a memory limit is a
// container's, and paths and databases are configured.
var absent = []string{
	"bluegreen_container_memory_limit_bytes", "bluegreen_path_requests_total", "bluegreen_path_request_duration_seconds",
	"bluegreen_database_up", "bluegreen_backup_age_seconds",
}

func (p prometheus) checkNames() {
	p.t.Helper()
	var known []string
	p.get("/api/v1/label/__name__/values", &known)
	if !slices.Contains(known, "bluegreen_requests_total") {
		p.t.Fatalf("prometheus knows %v", known)
	}
	for _, file := range []string{"recording.yml", "alerts.yml", "dashboard.json", "README.md"} {
		text, err := os.ReadFile(monitoring + file)
		if err != nil {
			p.t.Fatal(err)
		}
		for _, name := range regexp.MustCompile(`\bbluegreen_[a-z_]+[a-z]`).FindAllString(string(text), -1) {
			base := strings.TrimSuffix(name, "_bucket")
			found := slices.ContainsFunc(known, func(k string) bool { return k == name || k == base || k == base+"_bucket" })
			if !found && !slices.Contains(absent, name) {
				p.t.Errorf("%s names %s, which is not among what is scraped", file, name)
			}
		}
	}
	if p.t.Failed() {
		p.t.Log(fmt.Sprint(known))
	}
}
