package compat_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"sofiacall.com/bluegreen/internal/pgtest"
	"sofiacall.com/bluegreen/postgres/compat"
	"sofiacall.com/bluegreen/switcher"
)

// change is a case of the corpus: a change of the schema, and what the old
// version is expected to make of it.
type change struct {
	base       string // its directory
	file, name string
	expect     []string // verdict, and then the code and object of a finding
	falseBlock string   // why a block is right although the workload passes
	superuser  bool     // makes the change
	sections   map[string]string
}

// corpus reads all cases.
func corpus(t *testing.T) []change {
	t.Helper()
	var files []string
	for _, base := range bases {
		own, err := filepath.Glob(base + "/corpus/*.sql")
		if err != nil || len(own) == 0 {
			t.Fatal("no corpus of", base, err)
		}
		files = append(files, own...)
	}
	var cases []change
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range strings.Split("\n"+string(text), "\n-- case: ")[1:] {
			cases = append(cases, parseChange(t, file, part))
		}
	}
	return cases
}

func parseChange(t *testing.T, file, text string) change {
	t.Helper()
	name, body, _ := strings.Cut(text, "\n")
	c := change{base: filepath.Dir(filepath.Dir(file)), file: strings.TrimSuffix(filepath.Base(file), ".sql"), name: name, sections: map[string]string{}}
	section := "change"
	for _, line := range strings.Split(body, "\n") {
		key, value, _ := strings.Cut(strings.TrimPrefix(line, "-- "), ":")
		value = strings.TrimSpace(value)
		switch {
		case !strings.HasPrefix(line, "-- "):
			c.sections[section] += line + "\n"
		case key == "expect":
			c.expect = strings.SplitN(value, " ", 3)
		case key == "false block":
			c.falseBlock = value
		case key == "by":
			c.superuser = value == "superuser"
		case key == "note", key == "unseen":
		case slices.Contains([]string{"setup", "old", "change", "new", "fails"}, key):
			section = key
		default:
			t.Fatalf("%s: %s: what is %q?", file, name, line)
		}
	}
	if len(c.expect) == 0 {
		t.Fatalf("%s: %s expects nothing", file, name)
	}
	return c
}

// statements are the statements of a script: each ends with a semicolon at the
// end of a line, outside of $$.
func statements(script string) []string {
	var all []string
	var one strings.Builder
	for _, line := range strings.Split(script, "\n") {
		if strings.TrimSpace(line) == "" || strings.HasPrefix(line, "--") {
			continue
		}
		one.WriteString(line + "\n")
		text := one.String()
		code, _, _ := strings.Cut(line, "; -- ")
		if strings.Count(text, "$$")%2 == 0 && (strings.HasSuffix(strings.TrimSpace(line), ";") || code != line) {
			all = append(all, strings.TrimSpace(text))
			one.Reset()
		}
	}
	return all
}

// figures are what a run of the corpus has shown.
type figures struct {
	sync.Mutex
	cases, breaking, found, later int
	verdicts                      map[switcher.SchemaVerdict]int
	falseBlocks, softly, shapes   []string

	dumps, brokenDumps, netAlone int
	unexplained, slipped         []string
}

// The oracle is the old version's workload, which is run on the changed database:
// what fails, or finds something else, must have been told.
func TestTheCorpusOfSchemaChangesIsJudgedAsTheOldVersionFindsIt(t *testing.T) {
	cluster := pgtest.Start(t)
	labs := newLabs(t, cluster)
	f := &figures{verdicts: map[switcher.SchemaVerdict]int{}}
	t.Run("cases", func(t *testing.T) {
		for i, c := range corpus(t) {
			t.Run(filepath.Base(c.base)+"/"+c.file+"/"+c.name, func(t *testing.T) {
				t.Parallel()
				lab := labs[c.base]
				bench := <-lab.benches
				defer func() { lab.benches <- bench }()
				lab.judge(t, bench, i, c, f)
			})
		}
	})
	for _, lab := range labs {
		lab.restores(t)
	}
	f.report(t)
}

func (f *figures) report(t *testing.T) {
	t.Logf("cases                                %4d", f.cases)
	t.Logf("break the old version                %4d  (%d of them only with new kinds of values)", f.breaking, f.later)
	t.Logf("  told as block or data              %4d", f.found)
	t.Logf("  told as data, and fail at once     %4d", len(f.softly))
	t.Logf("false blocks                         %4d  (%.1f %%)", len(f.falseBlocks), 100*float64(len(f.falseBlocks))/float64(max(f.cases, 1)))
	t.Logf("statements prepared before, 0A000    %4d cases", len(f.shapes))
	for _, v := range []switcher.SchemaVerdict{switcher.SchemaBlock, switcher.SchemaLock, switcher.SchemaData, switcher.SchemaWarn, switcher.SchemaPass} {
		t.Logf("verdict %-5s                        %4d", v, f.verdicts[v])
	}
	t.Logf("dumps compared                       %4d, of breaking changes %d; the net alone finds %d", f.dumps, f.brokenDumps, f.netAlone)
	for _, line := range f.unexplained {
		t.Logf("not explained by a rule: %s", line)
	}
	for _, line := range f.slipped {
		t.Logf("not in a dump: %s", line)
	}
	for _, line := range f.softly {
		t.Logf("data, fails at once: %s", line)
	}
	for _, line := range f.falseBlocks {
		t.Logf("false block: %s", line)
	}
	if f.cases >= 90 && len(f.falseBlocks)*100 > 3*f.cases {
		t.Errorf("%d false blocks in %d cases are more than 3 %%", len(f.falseBlocks), f.cases)
	}
}

// addNet has the dumps compared as well: where rules have found no break, the net
// must not either, and without them it is to find most.
func (f *figures) addNet(t *testing.T, c change, findings []switcher.SchemaFinding, before, after string, broken bool) {
	t.Helper()
	f.Lock()
	defer f.Unlock()
	f.dumps++
	left := compat.Unexplained(before, after, findings)
	if len(left) > 0 && (switcher.Fit{Findings: findings}).Verdict() != switcher.SchemaBlock {
		t.Errorf("false alarm of the net: %v", left)
	}
	if len(left) > 0 {
		f.unexplained = append(f.unexplained, c.name+": "+left[0].What)
	}
	alone := len(compat.Unexplained(before, after, nil)) > 0
	if broken {
		f.brokenDumps++
		if alone {
			f.netAlone++
		} else {
			f.slipped = append(f.slipped, c.name)
		}
	}
}

func (f *figures) add(t *testing.T, c change, findings []switcher.SchemaFinding, broken, later, reshaped string) {
	t.Helper()
	verdict := switcher.Fit{Findings: findings}.Verdict()
	f.Lock()
	defer f.Unlock()
	f.cases++
	f.verdicts[verdict]++
	bad := verdict == switcher.SchemaBlock || verdict == switcher.SchemaData
	if broken != "" || later != "" {
		f.breaking++
		if broken == "" {
			f.later++
		}
		if bad {
			f.found++
		} else {
			t.Errorf("missed: the old version breaks, and the verdict is %s: %s%s", verdict, broken, later)
		}
		if broken != "" && verdict == switcher.SchemaData {
			f.softly = append(f.softly, c.name)
		}
	}
	if broken == "" && verdict == switcher.SchemaBlock {
		if later == "" {
			f.falseBlocks = append(f.falseBlocks, c.name+": "+c.falseBlock)
		}
		if c.falseBlock == "" {
			t.Errorf("a false block, without a reason (later: %s)", later)
		}
	} else if c.falseBlock != "" {
		t.Errorf("no false block: take the reason out (verdict %s, breaks: %s)", verdict, broken)
	}
	if reshaped != "" {
		f.shapes = append(f.shapes, c.name)
		if verdict != switcher.SchemaBlock && !slices.ContainsFunc(findings, func(f switcher.SchemaFinding) bool { return strings.Contains(f.Why, "0A000") }) {
			t.Errorf("nobody tells that a prepared statement fails: %s", reshaped)
		}
	}
	expected := len(c.expect) < 3 || slices.ContainsFunc(findings, func(f switcher.SchemaFinding) bool { return f.Code == c.expect[1] && f.Object == c.expect[2] })
	if string(verdict) != c.expect[0] || !expected {
		t.Errorf("expected %s", strings.Join(c.expect, " "))
	}
	if t.Failed() {
		t.Logf("the old version: %s", broken+later)
		for _, finding := range findings {
			t.Logf("%-5s %s %s: %s", finding.Verdict, finding.Code, finding.Object, finding.What)
		}
	}
}
