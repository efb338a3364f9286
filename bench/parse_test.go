package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestLogOfH2loadIsRead(t *testing.T) {
	got, err := parseLog(strings.NewReader("1795521221611755\t200\t372\n1795521221611752\t502\t426\n1795521221611752\t-1\t9\t0\n"))
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 3 || got[0].failed || !got[1].failed || !got[2].failed {
		t.Fatalf("read %+v", got)
	}
	if got[0].took != 372*time.Microsecond || got[0].start.UnixMicro() != 1795521221611755 {
		t.Errorf("the first request is %+v", got[0])
	}
	for _, wrong := range []string{"1795521221611755\t200\n", "a\t200\t1\n", "1\t2\t\n"} {
		if _, err := parseLog(strings.NewReader(wrong)); err == nil {
			t.Errorf("%q is taken for a line of the log", wrong)
		}
	}
}

func TestFailuresOfH2loadAreCounted(t *testing.T) {
	const output = "finished in 1.80s, 27055.33 req/s, 4.13MB/s\n" +
		"requests: 57 total, 57 started, 50 done, 40 succeeded, 7 failed, 5 errored, 2 timeout\n" +
		"status codes: 40 2xx, 0 3xx, 0 4xx, 0 5xx\n"
	if n, err := parseFailures(output); err != nil || n != 9 {
		t.Errorf("counted %d, %v, want 7 failed and 2 timed out", n, err)
	}
	if _, err := parseFailures("could not connect\n"); err == nil {
		t.Error("output without a count is accepted")
	}
}

func TestMemoryIsReadFromTheKernel(t *testing.T) {
	m, err := parseRollup("00400000-7ff r--p 00000000 00:00 0 [rollup]\nRss:    1884 kB\nPss:    1068 kB\nPss_Dirty:  84 kB\nSwapPss:  5 kB\n")
	if err != nil || m != (memory{PSS: 1068, RSS: 1884}) {
		t.Errorf("read %+v, %v", m, err)
	}
	if _, err := parseRollup("Rss: 1 kB\n"); err == nil {
		t.Error("a file without Pss is accepted")
	}
}

func TestVersionsArePickedFromWhatProgramsPrint(t *testing.T) {
	for output, want := range map[string]string{
		"nginx version: nginx/1.22.1\n":               "nginx version: nginx/1.22.1",
		"HAProxy version 2.6.12\nStatus: long-term\n": "HAProxy version 2.6.12",
		"/tmp/caddy: go1.26.11\n\tpath\tgithub.com/caddyserver/caddy/v2/cmd/caddy\n\tmod\tgithub.com/caddyserver/caddy/v2\tv2.11.9\th1:x=\n": "github.com/caddyserver/caddy/v2 v2.11.9 (go1.26.11)",
	} {
		if got := versionIn(output); got != want {
			t.Errorf("%q gives %q, want %q", output, got, want)
		}
	}
}

func TestValuesOfSystemFilesAreFound(t *testing.T) {
	file := filepath.Join(t.TempDir(), "release")
	if err := os.WriteFile(file, []byte("NAME=\"x\"\nPRETTY_NAME=\"Debian 12\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := valueIn(file, "PRETTY_NAME", "="); err != nil || got != "Debian 12" {
		t.Errorf("found %q, %v", got, err)
	}
	if _, err := valueIn(file, "NONE", "="); err == nil {
		t.Error("a key that is not there is found")
	}
}
