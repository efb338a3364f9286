package proxy

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/coder/websocket"
)

// accessLines has the edge's route log to what the returned function reads.
func (e *edge) accessLines() func(n int) []map[string]any {
	e.t.Helper()
	var text logText
	route := *e.service.Route()
	route.AccessLog = slog.NewJSONHandler(&text, nil).WithAttrs([]slog.Attr{slog.String("colour", "blue")})
	e.service.Set(&route)
	return func(n int) (lines []map[string]any) {
		e.t.Helper()
		eventually(e.t, "the lines are written", func() bool { return strings.Count(text.String(), "\n") >= n })
		d := json.NewDecoder(strings.NewReader(text.String()))
		for {
			var line map[string]any
			if err := d.Decode(&line); err == io.EOF {
				break
			} else if err != nil {
				e.t.Fatal(err)
			}
			lines = append(lines, line)
		}
		if len(lines) != n {
			e.t.Fatalf("%d lines, want %d: %v", len(lines), n, lines)
		}
		return lines
	}
}

func TestEachRequestIsALineOfTheAccessLog(t *testing.T) {
	eachProtocol(t, func(t *testing.T, h2 bool) {
		e := startEdge(t, startBackend(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			w.WriteHeader(http.StatusTeapot)
			_, _ = io.WriteString(w, "short and stout")
		}))
		lines := e.accessLines()
		response, _ := e.do(h2, "POST", "https://"+appHost+"/pot%2F1?token=s3cret", strings.NewReader("tea"), "User-Agent", `kettle/1 "<copper>"`)
		line := lines(1)[0]
		for key, want := range map[string]any{
			"level": "INFO", "msg": "request", "colour": "blue", "method": "POST", "host": appHost, "path": "/pot%2F1",
			"proto": map[bool]string{false: "HTTP/1.1", true: "HTTP/2.0"}[h2], "status": 418.0,
			"bytes_in": 3.0, "bytes_out": 15.0, "client": "127.0.0.1", "request": response.Header.Get(requestIDHeader),
			"agent": `kettle/1 "<copper>"`,
		} {
			if line[key] != want {
				t.Errorf("%s is %v, want %v", key, line[key], want)
			}
		}
		if _, failed := line["failure"]; failed {
			t.Errorf("failure %v", line["failure"])
		}
		first, all := line["first_byte_us"].(float64), line["duration_us"].(float64)
		if first <= 0 || all < first {
			t.Errorf("first byte after %v µs, end after %v µs", first, all)
		}
	})
}

func TestSecretsOfARequestAreNotLogged(t *testing.T) {
	e := startEdge(t, startBackend(t, says("")))
	lines := e.accessLines()
	e.get(false, "https://"+appHost+"/a?token=s3cret", "Authorization", "Bearer s3cret", "Cookie", "session=s3cret", "Referer", "https://"+appHost+"/?t=s3cret")
	for key, value := range lines(1)[0] {
		if text, ok := value.(string); ok && strings.Contains(text, "s3cret") {
			t.Errorf("%s is %q", key, text)
		}
	}
}

func TestAccessLogSaysWhyARequestFailed(t *testing.T) {
	e := startEdge(t, backendAt(t, refusing(t)))
	lines := e.accessLines()
	e.get(true, "https://"+appHost+"/")
	if line := lines(1)[0]; line["failure"] != "dial" || line["status"] != 502.0 {
		t.Errorf("line %v", line)
	}
}

func TestAWebSocketIsOneLineAtItsEnd(t *testing.T) {
	e := startEdge(t, startBackend(t, func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		_ = c.Write(r.Context(), websocket.MessageText, []byte("hello"))
		_, _, _ = c.Read(r.Context())
	}))
	lines := e.accessLines()
	c, response, err := websocket.Dial(t.Context(), "wss://"+appHost+"/chat?token=s3cret", &websocket.DialOptions{HTTPClient: e.client(false)})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.Read(t.Context()); err != nil {
		t.Fatal(err)
	}
	lines(0)
	_ = c.Close(websocket.StatusNormalClosure, "")
	line := lines(1)[0]
	if line["status"] != 101.0 || line["path"] != "/chat" || line["bytes_out"].(float64) < 5 || line["request"] != response.Header.Get(requestIDHeader) {
		t.Errorf("line %v", line)
	}
}

func TestProbesAreNotLogged(t *testing.T) {
	e := startEdge(t, startBackend(t, says("")))
	lines := e.accessLines()
	e.get(false, "https://"+appHost+"/health", ProbeHeader, secret)
	e.get(false, "https://"+appHost+"/after")
	if line := lines(1)[0]; line["path"] != "/after" {
		t.Errorf("line %v", line)
	}
}

func TestALineOfTheAccessLogIsBounded(t *testing.T) {
	e := startEdge(t, startBackend(t, says("")))
	lines := e.accessLines()
	e.get(false, "https://"+appHost+"/"+strings.Repeat("é", 3000), "User-Agent", strings.Repeat("x", 3000))
	line := lines(1)[0]
	if n := len(line["path"].(string)); n > maxLoggedPath+len("\ufffd") {
		t.Errorf("path of %d bytes", n)
	}
	if n := len(line["agent"].(string)); n != maxLoggedAgent {
		t.Errorf("agent of %d bytes", n)
	}
}

func BenchmarkAccessLog(b *testing.B) {
	f := &flight{
		route:  &Route{AccessLog: slog.NewJSONHandler(io.Discard, nil).WithAttrs([]slog.Attr{slog.String("app", "chat")})},
		logged: logged{host: appHost, path: "/a", proto: "HTTP/1.1", agent: "test"}, method: "GET", id: "id", peer: "127.0.0.1",
	}
	b.ReportAllocs()
	for b.Loop() {
		f.logAccess(1, 2, 3)
	}
}
