package main

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestMarksAreJudgedByTheirInterval(t *testing.T) {
	for _, test := range []struct {
		e    estimate
		want string
	}{
		{estimate{Median: 1.7, Low: 1.6, High: 1.8}, met},
		{estimate{Median: 1.7, Low: 1.6, High: 1.9}, open},
		{estimate{Median: 1.9, Low: 1.7, High: 2.0}, notMet},
		{medianOf(nil), open},
	} {
		if got := atMost("x", test.e, 1.8).Verdict; got != test.want {
			t.Errorf("%+v is %q, want %q", test.e, got, test.want)
		}
	}
	if got := flat("x", estimate{Median: 1.5, Low: 1.4, High: 1.6}).Verdict; got != notMet {
		t.Errorf("a cost that grows by half is %q", got)
	}
}

// aReport has something of every part.
func aReport() *report {
	of := func(name string, cpu float64) series {
		return series{name, []sample{{Round: 1, CPU: cpu, Requests: 10, memory: memory{1024, 2048}}}}
	}
	all := []series{of(nginx, 20), of(caddy, 100), of(bluegreen, 30), of(otherBuild, 29)}
	toNginx, _ := compare(all, bluegreen, nginx)
	toCaddy, _ := compare(all, bluegreen, caddy)
	toOther, _ := compare(all, bluegreen, otherBuild)
	r := &report{
		Rounds: 1, Machine: machine{CPU: "a <fast> one", Versions: map[string]string{nginx: "1"}},
		Cases:   []caseResult{{"https1-12b", "small & simple", "request", all, []ratio{toNginx, toCaddy, toOther}}},
		Idle:    []idleResult{{Name: nginx, Each: 46}, {Name: bluegreen, Each: 41}},
		Switch:  &switchResult{Seconds: 30, Ratio: estimate{Median: 1.1, Low: 0.9, High: 1.2}},
		Windows: []windowResult{{Name: bluegreen, Windows: []float64{0, 0}}, {Name: nginx, Windows: []float64{100, 120}, Old: 9}},
	}
	r.Marks = r.marks()
	return r
}

func TestReportChecksTheMarksOfWhatWasMeasured(t *testing.T) {
	var text bytes.Buffer
	aReport().print(&text)
	for _, want := range []string{
		"CPU of bluegreen to nginx: 1.50 [1.50, 1.50]",
		"met      https1-12b: CPU a request to nginx's ≤ 1.8",
		"met      https1-12b: CPU a request to caddy's ≤ 0.5",
		"NOT MET  https1-12b: CPU a request not above the other build's beyond the interval  1.034",
		"NOT MET  memory of an idle WebSocket over TLS ≤ 40 KB",
		"met      p99.9 over 30 switch seconds",
		"met      no request begins on the old colour",
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the report lacks %q:\n%s", want, &text)
		}
	}
	if strings.Contains(text.String(), "h2-12b") {
		t.Errorf("the report judges what was not measured:\n%s", &text)
	}
}

func TestResultsAreTextJSONAndAPlot(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "results")
	if err := aReport().write(dir); err != nil {
		t.Fatal(err)
	}
	var back report
	if text, err := os.ReadFile(filepath.Join(dir, "results.json")); err != nil || json.Unmarshal(text, &back) != nil {
		t.Errorf("the JSON cannot be read back: %v: %s", err, text)
	}
	if len(back.Cases) != 1 || back.Cases[0].Series[0].Samples[0].CPU != 20 {
		t.Errorf("the JSON lacks the samples: %+v", back.Cases)
	}
	plot, err := os.ReadFile(filepath.Join(dir, "results.svg"))
	if err != nil {
		t.Fatal(err)
	}
	for decoder := xml.NewDecoder(bytes.NewReader(plot)); ; {
		if _, err := decoder.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("the plot is no XML: %v\n%s", err, plot)
		}
	}
	if strings.Contains(string(plot), "NaN") || strings.Count(string(plot), "<rect") != 1+4+2+2+2 {
		t.Errorf("the plot lacks bars:\n%s", plot)
	}
}
