package enginetest

import (
	"bytes"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/moby/moby/client"
)

// Gate is a socket in front of the engine that can be paused: connections are
// then accepted and nothing is answered, as with an engine that is stopped but
// not gone. Unlike stopping the engine it disturbs nobody else.
type Gate struct {
	engine   string
	listener net.Listener
	wait     sync.WaitGroup

	mu    sync.Mutex
	open  *sync.Cond
	state gateState
	conns map[net.Conn]struct{}
	path  string // what notice waits for; empty when it waits for nothing
	seen  func()
}

type gateState int

const (
	gateOpen gateState = iota
	gatePaused
	gateClosed
)

// NewGate puts a gate in front of the engine that api speaks to.
func NewGate(t testing.TB, api *client.Client) *Gate {
	t.Helper()
	engine, isUnix := strings.CutPrefix(api.DaemonHost(), "unix://")
	if !isUnix {
		Unavailable(t, "the Docker engine is not on a unix socket")
	}
	listener, err := net.Listen("unix", filepath.Join(shortDir(t), "gate.sock"))
	if err != nil {
		t.Fatal(err)
	}
	g := &Gate{engine: engine, listener: listener, conns: make(map[net.Conn]struct{})}
	g.open = sync.NewCond(&g.mu)
	g.wait.Go(g.accept)
	t.Cleanup(g.close)
	return g
}

// Host returns the gate's address in the form of DOCKER_HOST.
func (g *Gate) Host() string { return "unix://" + g.listener.Addr().String() }

// Pause lets nothing through until Resume.
func (g *Gate) Pause() { g.set(gatePaused) }

// Resume lets through what has been held, and everything from now on.
func (g *Gate) Resume() { g.set(gateOpen) }

// Cut breaks all connections, as an engine does that is restarted.
func (g *Gate) Cut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for conn := range g.conns {
		_ = conn.Close()
	}
}

// OnRequest calls seen when the next request whose path ends in path arrives,
// before the engine gets it.
func (g *Gate) OnRequest(path string, seen func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.path, g.seen = path, seen
}

// notice looks at what a client sends. A request's first line is always at the
// beginning of a write, for the client waits for each answer.
func (g *Gate) notice(sent []byte) {
	line, _, _ := bytes.Cut(sent, []byte(" HTTP/1.1\r\n"))
	line, _, _ = bytes.Cut(line, []byte("?"))
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.path != "" && bytes.HasSuffix(line, []byte(g.path)) {
		g.path = ""
		g.seen()
	}
}

func (g *Gate) set(state gateState) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.state != gateClosed {
		g.state = state
	}
	g.open.Broadcast()
}

func (g *Gate) close() {
	g.set(gateClosed)
	_ = g.listener.Close()
	g.Cut()
	g.wait.Wait()
}

// pass blocks while the gate is paused.
func (g *Gate) pass() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for g.state == gatePaused {
		g.open.Wait()
	}
}

func (g *Gate) accept() {
	for {
		conn, err := g.listener.Accept()
		if err != nil {
			return
		}
		g.wait.Go(func() { g.relay(conn) })
	}
}

func (g *Gate) relay(conn net.Conn) {
	engine, err := net.Dial("unix", g.engine)
	if err != nil {
		_ = conn.Close()
		return
	}
	if !g.track(conn, engine) {
		return
	}
	defer g.forget(conn, engine)
	var both sync.WaitGroup
	both.Go(func() { g.copy(engine, conn, g.notice) })
	both.Go(func() { g.copy(conn, engine, func([]byte) {}) })
	both.Wait()
}

// copy moves bytes one way, holding them while the gate is paused.
func (g *Gate) copy(to, from net.Conn, notice func([]byte)) {
	_, _ = io.Copy(gated{to, g, notice}, from)
	if half, ok := to.(*net.UnixConn); ok {
		_ = half.CloseWrite()
	}
}

type gated struct {
	net.Conn
	gate   *Gate
	notice func([]byte)
}

func (w gated) Write(p []byte) (int, error) {
	w.gate.pass()
	w.notice(p)
	return w.Conn.Write(p)
}

// track notes the connections for Cut; it refuses them when the gate has closed.
func (g *Gate) track(conns ...net.Conn) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, conn := range conns {
		if g.state == gateClosed {
			_ = conn.Close()
			continue
		}
		g.conns[conn] = struct{}{}
	}
	return g.state != gateClosed
}

func (g *Gate) forget(conns ...net.Conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, conn := range conns {
		delete(g.conns, conn)
		_ = conn.Close()
	}
}

// shortDir is a directory for sockets, whose paths must be below 108 bytes; a
// test's own may be longer.
func shortDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "bgtest")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}
