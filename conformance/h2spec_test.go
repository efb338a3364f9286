package conformance

import (
	"encoding/xml"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// h2spec is pinned, so that a new case of theirs is not our failure.
const h2spec = "github.com/summerwind/h2spec/cmd/h2spec@v2.2.1+incompatible"

// missed are the cases of h2spec that the edge does not pass, with the reason.
// Each is a choice of net/http, where HTTP/2 comes from, and harms nobody.
var missed = map[string]string{
	"http2/6.5.3: Sends multiple values of SETTINGS_INITIAL_WINDOW_SIZE":                                            "a SETTINGS frame that names one setting twice ends the connection: no client sends it",
	"http2/8.1.2.2: Sends a HEADERS frame that contains the connection-specific header field":                       "answered 400 instead of RST_STREAM; the request goes no further",
	"http2/8.1.2.2: Sends a HEADERS frame that contains the TE header field with any value other than \"trailers\"": "answered 400 instead of RST_STREAM; the request goes no further",
}

// report is the part of JUnit's format that h2spec writes.
type report struct {
	Suites []struct {
		Cases []struct {
			Package   string    `xml:"package,attr"`
			ClassName string    `xml:"classname,attr"`
			Failure   *struct{} `xml:"failure"`
			Error     *struct{} `xml:"error"`
			Skipped   *struct{} `xml:"skipped"`
		} `xml:"testcase"`
	} `xml:"testsuite"`
}

func TestHTTP2IsSpokenAsH2specWantsIt(t *testing.T) {
	t.Parallel()
	e := startEdge(t)
	out := filepath.Join(t.TempDir(), "report.xml")
	_, port := split(e.https)
	text, runErr := runTool(t, 3*time.Minute, "go", "run", h2spec, "-h", host, "-p", port, "-t", "-k", "-S", "-o", "5", "-j", out)
	data, err := os.ReadFile(out)
	if err != nil {
		t.Fatalf("h2spec wrote no report: %v\n%s", runErr, text)
	}
	var r report
	if err := xml.Unmarshal(data, &r); err != nil {
		t.Fatal(err)
	}
	all, passed := 0, 0
	failed := map[string]bool{}
	for _, suite := range r.Suites {
		for _, c := range suite.Cases {
			all++
			id := c.Package + ": " + c.ClassName
			switch {
			case c.Failure == nil && c.Error == nil && c.Skipped == nil:
				passed++
			case missed[id] == "":
				t.Errorf("h2spec missed without an explanation: %q", id)
			default:
				failed[id] = true
			}
		}
	}
	for id, reason := range missed {
		if !failed[id] {
			t.Errorf("no longer missed, take it from the table: %q", id)
		}
		t.Logf("missed: %s (%s)", id, reason)
	}
	if t.Logf("%d of %d pass", passed, all); all < 146 || passed < all-len(missed) {
		t.Errorf("%d of %d pass, want %d\n%s", passed, all, all-len(missed), text)
	}
}
