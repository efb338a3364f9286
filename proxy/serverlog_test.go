package proxy

import (
	"bytes"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
)

// logText is what a logger has written.
type logText struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// at has an edge log to l.
func (l *logText) at(level slog.Level) func(*Options) {
	return func(o *Options) {
		o.Logger = slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: level}))
	}
}

// exhausted is a listener that has no file descriptor left the first time.
type exhausted struct {
	net.Listener
	failed atomic.Bool
}

func (l *exhausted) Accept() (net.Conn, error) {
	if l.failed.CompareAndSwap(false, true) {
		return nil, &net.OpError{Op: "accept", Net: "tcp", Err: os.NewSyscallError("accept4", syscall.EMFILE)}
	}
	return l.Listener.Accept()
}

func TestRunningOutOfFilesIsAnErrorInTheLog(t *testing.T) {
	log := new(logText)
	e := startEdge(t, startBackend(t, says("hello")), log.at(slog.LevelInfo), func(o *Options) {
		o.HTTPS = &exhausted{Listener: o.HTTPS}
	})
	if _, body := e.get(true, "https://"+appHost+"/"); body != "hello" {
		t.Errorf("body %q", body)
	}
	if text := log.String(); !strings.Contains(text, "level=ERROR") || !strings.Contains(text, "too many open files") {
		t.Errorf("logged %q", text)
	}
}

func TestPanicOfAHandlerIsAnErrorInTheLog(t *testing.T) {
	log := new(logText)
	e := startEdge(t, nil, log.at(slog.LevelInfo), func(o *Options) {
		o.Challenge = func(http.Handler) http.Handler {
			return http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("a bug") })
		}
	})
	c := e.dialHTTP()
	c.send("GET / HTTP/1.1", "Host: "+appHost, "")
	_, _ = io.Copy(io.Discard, c)
	if text := log.String(); !strings.Contains(text, "level=ERROR") || !strings.Contains(text, "a bug") {
		t.Errorf("logged %q", text)
	}
}

func TestClientsCannotFillTheLog(t *testing.T) {
	log := new(logText)
	e := startEdge(t, nil, log.at(slog.LevelDebug))
	c, err := net.Dial("tcp", e.https)
	if err != nil {
		t.Fatal(err)
	}
	raw(t, c).send("GET / HTTP/1.1", "Host: "+appHost, "")
	eventually(t, "the broken handshake is logged", func() bool { return strings.Contains(log.String(), "TLS handshake error") })
	e.brokenHTTP2("GET / HTTP/1.1\r\n\r\n plainly not a preface")
	eventually(t, "the broken preface is logged", func() bool { return strings.Contains(log.String(), "error reading preface") })
	e.brokenHTTP2("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + strings.Repeat("\x00", 9))
	eventually(t, "the broken frame is logged", func() bool { return strings.Contains(log.String(), "server connection error") })
	if text := log.String(); strings.Contains(text, "level=ERROR") {
		t.Errorf("logged %s", text)
	}
}

// brokenHTTP2 negotiates HTTP/2 and sends something else.
func (e *edge) brokenHTTP2(bytes string) {
	e.t.Helper()
	c, err := tls.Dial("tcp", e.https, &tls.Config{RootCAs: e.roots, ServerName: appHost, NextProtos: []string{"h2"}})
	if err != nil {
		e.t.Fatal(err)
	}
	e.t.Cleanup(func() { _ = c.Close() })
	if _, err := io.WriteString(c, bytes); err != nil {
		e.t.Fatal(err)
	}
}
