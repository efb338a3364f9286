package main

import (
	"bufio"
	"context"
	"io"
	"net"
	"strings"
	"testing"
)

// talkTo returns a connection to a backend without a proxy.
func talkTo(t *testing.T, colour string) *client {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- newBackend(colour).serve(ctx, l) }()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		conn.Close()
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return &client{conn: conn, in: bufio.NewReader(conn), host: "x"}
}

func TestBackendAnswersOneRequestAfterTheOther(t *testing.T) {
	c := talkTo(t, "green")
	for _, path := range []string{pathSmall, pathMedium, pathLarge} {
		if a, err := c.get(path); err != nil || a != (answer{status: 200, colour: "green"}) {
			t.Errorf("%s: %+v, %v", path, a, err)
		}
	}
	if a, err := c.get("/none"); err != nil || a.status != 404 {
		t.Errorf("an unknown path: %+v, %v", a, err)
	}
}

func TestBackendReadsBodiesOfEitherKind(t *testing.T) {
	c := talkTo(t, "blue")
	for _, body := range []string{
		"Content-Length: 5\r\n\r\nhello",
		"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
	} {
		if _, err := io.WriteString(c.conn, "POST /post HTTP/1.1\r\nHost: x\r\n"+body); err != nil {
			t.Fatal(err)
		}
		if a, err := c.read(); err != nil || a.status != 200 {
			t.Errorf("%q: %+v, %v", body, a, err)
		}
	}
}

func TestWebSocketEchoesWhatWasSaid(t *testing.T) {
	c := talkTo(t, "blue")
	if err := c.openSocket(); err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{0, 5, 125, 126, maxFrame - 16} {
		if err := c.say([]byte(strings.Repeat("m", size)), make([]byte, maxFrame)); err != nil {
			t.Errorf("a message of %d bytes: %v", size, err)
		}
	}
}

func TestConfigurationsCanBeWritten(t *testing.T) {
	s := site{Dir: "/d", Hosts: []string{"a.bench.test", "b.bench.test"}, Address: "127.0.0.1:8443", Backend: "127.0.0.1:3001", Blue: 3001, Green: 3002, Files: 20000}
	for name, p := range programs(map[string]string{caddy: "caddy", bluegreen: "bluegreen", otherBuild: "other"}) {
		var text strings.Builder
		if err := p.config.Execute(&text, s); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if !strings.Contains(text.String(), "8443") || strings.Contains(text.String(), "<no value>") {
			t.Errorf("the configuration of %s is\n%s", name, &text)
		}
	}
}
