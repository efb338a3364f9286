package admin

import (
	"context"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"sofiacall.com/bluegreen/internal/apptest"
	"sofiacall.com/bluegreen/switcher"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// edge is a server on a real socket, before a real app.
type edge struct {
	*apptest.Bench
	server *Server
	socket string
	client *Client
	stop   func()
}

const hostname = "host"

// startEdge serves the app "chat" on a socket until the test ends. The calling
// process, as the one that runs the edge, has scope admin.
func startEdge(t *testing.T, change ...func(*Options)) *edge {
	t.Helper()
	return startEdgeOf(t, apptest.Start(t, "chat"), change...)
}

func startEdgeOf(t *testing.T, b *apptest.Bench, change ...func(*Options)) *edge {
	t.Helper()
	e := &edge{Bench: b, socket: filepath.Join(shortDir(t), "run", "admin.sock")}
	options := Options{Apps: func() []*switcher.App { return []*switcher.App{e.App} }, Hostname: hostname, Group: "nobody-has-this"}
	for _, f := range change {
		f(&options)
	}
	e.server = New(options)
	ln, err := e.server.Listen(e.socket)
	if err != nil {
		t.Fatalf("listening: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- e.server.Serve(ctx, ln) }()
	stopped := false
	e.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("serving: %v", err)
		}
	}
	e.client = Dial(e.socket)
	t.Cleanup(func() { e.client.Close(); e.stop() })
	return e
}

// shortDir is a temporary directory whose path leaves room for a socket's name
// (108 bytes) and that other users may enter.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "bg")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// send asks over the socket with our own headers.
func (e *edge) send(t *testing.T, method, path, body string, header ...string) *http.Response {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, "http://"+clientHost+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
		if header[i] == "Host" {
			request.Host = header[i+1]
		}
	}
	answer, err := e.client.http.Do(request)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	t.Cleanup(func() { _ = answer.Body.Close() })
	return answer
}

// wantProblem checks the problem document of an answer.
func wantProblem(t *testing.T, answer *http.Response, status int, code switcher.Code, part string) {
	t.Helper()
	if answer.StatusCode != status || answer.Header.Get("Content-Type") != "application/problem+json" {
		t.Fatalf("answered %s with %q, want a problem with %d", answer.Status, answer.Header.Get("Content-Type"), status)
	}
	err := readProblem(answer)
	wantError(t, err, code, part)
}

func wantError(t *testing.T, err error, code switcher.Code, part string) {
	t.Helper()
	if err == nil || switcher.CodeOf(err) != code || !strings.Contains(err.Error(), part) {
		t.Fatalf("error = %v (code %s), want one with code %s that says %q", err, switcher.CodeOf(err), code, part)
	}
}

// only returns a client over one connection that is already made.
func only(t *testing.T, conn net.Conn) *Client {
	t.Helper()
	transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return conn, nil }}
	t.Cleanup(transport.CloseIdleConnections)
	return &Client{http: &http.Client{Transport: transport}}
}
