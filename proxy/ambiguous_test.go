package proxy

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// A message that two recipients can understand differently lets a client hide
// a request from one of them (RFC 9112 §11.2). This corpus sends such messages,
// byte by byte, through the edge to a backend that takes only what a sender may
// send. The tables are beside this file, one for each part of a message.

// ambiguity is one case.
type ambiguity struct {
	// rfc is the section that rules it.
	rfc  string
	name string
	// send are the bytes on the connection.
	send string
	// answer are the status codes the client gets, and "close" if the
	// connection ends after them. If it does not, the next request on it must
	// be answered as if nothing had happened before.
	answer string
	// upstream are all requests the backend gets: method, target and body.
	upstream []string
}

const (
	refused = "400 close"
	hidden  = "GET /hidden HTTP/1.1\r\nHost: app.test\r\n\r\n"
)

// get is a GET request with further field lines.
func get(lines ...string) string { return compose("GET / HTTP/1.1", "", lines...) }

// post is a POST request with a body and the lines that frame it.
func post(body string, lines ...string) string { return compose("POST / HTTP/1.1", body, lines...) }

func compose(line, body string, lines ...string) string {
	head := append([]string{line, "Host: app.test"}, lines...)
	return strings.Join(head, "\r\n") + "\r\n\r\n" + body
}

func ambiguities() map[string][]ambiguity {
	return map[string][]ambiguity{
		"line":       ambiguousLines(),
		"target":     ambiguousTargets(),
		"host":       ambiguousHosts(),
		"field":      ambiguousFields(),
		"control":    controlBytes(),
		"framing":    ambiguousFraming(),
		"chunk":      ambiguousChunks(),
		"connection": ambiguousConnections(),
		"cut":        cutMessages(),
	}
}

func TestNothingAmbiguousGoesUpstream(t *testing.T) {
	all := 0
	for part, cases := range ambiguities() {
		seen := map[string]bool{}
		for _, c := range cases {
			if seen[c.name] {
				t.Errorf("%s: two cases are called %q", part, c.name)
			}
			seen[c.name] = true
			t.Run(part+"/"+c.name, func(t *testing.T) {
				t.Parallel()
				c.run(t, part == "cut")
			})
		}
		all += len(cases)
	}
	if t.Logf("%d cases", all); all < 300 {
		t.Errorf("only %d cases, want 300 or more", all)
	}
}

// run plays the case; a client that leaves sends nothing more.
func (c ambiguity) run(t *testing.T, leaves bool) {
	backend := startStrictBackend(t)
	target := backendAt(t, backend.listener.Addr().String())
	e := startEdge(t, target)
	client := e.dial(appHost)
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		_, _ = io.WriteString(client.Conn, c.send) // the edge may have had enough before the end
		if leaves {
			_ = client.Conn.(*tls.Conn).CloseWrite()
		}
	}()
	got := c.converse(client)
	_ = client.Close()
	<-sent
	_ = e.stop()
	target.Close()
	backend.stop()

	if got != c.answer {
		t.Errorf("RFC %s: the client got %q, want %q", c.rfc, got, c.answer)
	}
	backend.verify(t, c.upstream)
}

// converse reads the answers and says what they were.
func (c ambiguity) converse(client *rawConn) string {
	statuses, closed := strings.CutSuffix(c.answer, "close")
	method, _, _ := strings.Cut(c.send, " ")
	var got []string
	for range strings.Fields(statuses) {
		status, _, err := readAnswer(client, method)
		if err != nil {
			return strings.Join(append(got, err.Error()), " ")
		}
		got = append(got, status)
		method = ""
	}
	if c.answer == "101" {
		return strings.Join(got, " ")
	}
	if closed {
		if rest, _ := io.ReadAll(client.Reader); len(rest) > 0 {
			return fmt.Sprintf("%s and %q", strings.Join(got, " "), rest)
		}
		return strings.Join(append(got, "close"), " ")
	}
	// One that is kept must be in step.
	if _, err := io.WriteString(client.Conn, "GET /next HTTP/1.1\r\nHost: app.test\r\n\r\n"); err != nil {
		return strings.Join(append(got, err.Error()), " ")
	}
	if status, echo, err := readAnswer(client, ""); err != nil || status != "200" || echo != "GET /next" {
		return fmt.Sprintf("%s, then %s %q %v", strings.Join(got, " "), status, echo, err)
	}
	return strings.Join(got, " ")
}

// readAnswer reads a response, after any informational ones.
func readAnswer(client *rawConn, method string) (status, body string, err error) {
	for {
		response, err := http.ReadResponse(client.Reader, &http.Request{Method: method})
		if err != nil {
			return "", "", err
		}
		text, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if response.StatusCode >= 200 || response.StatusCode == http.StatusSwitchingProtocols {
			return fmt.Sprint(response.StatusCode), string(text), err
		}
	}
}

// verify wants exactly these requests, and nothing else that looks like one.
func (b *strictBackend) verify(t *testing.T, want []string) {
	t.Helper()
	for _, broken := range b.broken {
		t.Errorf("malformed upstream: %s", broken)
	}
	var got []string
	for _, r := range b.requests {
		if r.target != "/next" {
			got = append(got, r.String())
		}
		if normalHost(r.host) != appHost {
			t.Errorf("upstream Host is %q", r.host)
		}
		b.verifyClaims(t, r)
	}
	if n := len(want); n > 0 && strings.HasPrefix(want[n-1], "maybe ") {
		if possible := strings.TrimPrefix(want[n-1], "maybe "); slices.Contains(got, possible) {
			want = append(want[:n-1:n-1], possible)
		} else {
			want = want[:n-1]
		}
	}
	slices.Sort(got) // on HTTP/2 there is no order
	if want := slices.Sorted(slices.Values(want)); !slices.Equal(got, want) {
		t.Errorf("upstream got %q, want %q (cut: %q)", got, want, b.cut)
	}
}

// verifyClaims wants the fields that say where a request comes from once each,
// from us, and nothing like them in a trailer or under a similar name.
func (b *strictBackend) verifyClaims(t *testing.T, r *strictRequest) {
	t.Helper()
	for _, name := range []string{"X-Forwarded-For", "X-Real-Ip"} {
		if got := r.values(name); len(got) != 1 || got[0] != "127.0.0.1" {
			t.Errorf("upstream %s is %q", name, got)
		}
	}
	for _, f := range slices.Concat(r.fields, r.trailers) {
		name := strings.ToLower(f.name)
		if strings.Contains(name, "_") && f.value == "forged" {
			t.Errorf("upstream has %s: %s", f.name, f.value)
		}
	}
	for _, f := range r.trailers {
		switch strings.ToLower(f.name) {
		case "host", "content-length", "transfer-encoding", "x-forwarded-for", "x-real-ip", "connection":
			t.Errorf("upstream trailer has %s: %s", f.name, f.value)
		}
	}
}
