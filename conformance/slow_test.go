package conformance

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// A slow client has the edge's defaults: 10 s for its header, 60 s in which it
// may stand still in a body, and 180 s between two requests. That is what a
// client has that reads nothing of a response, for the kernel takes a response
// of this size from the edge at once; one that it does not take is under the
// limit of bodies. slack is for the last of a thousand connections to be opened
// and for a busy machine.
const (
	slowConnections = 1000
	headerLimit     = 10 * time.Second
	bodyLimit       = 60 * time.Second
	idleLimit       = 180 * time.Second
	slack           = 30 * time.Second
)

func TestSlowHeadersAreCutAndOthersServed(t *testing.T) {
	t.Parallel()
	slow(t, headerLimit, "-H", "-i", "3", "-x", "24")
}

func TestSlowBodiesAreCutAndOthersServed(t *testing.T) {
	t.Parallel()
	slow(t, bodyLimit, "-B", "-i", "100", "-s", "8192", "-x", "10", "-t", "POST")
}

func TestSlowReadersAreCutAndOthersServed(t *testing.T) {
	t.Parallel()
	slow(t, idleLimit, "-X", "-n", "300", "-z", "1", "-w", "512", "-y", "1024", "-k", "1")
}

// slow turns slowhttptest on an edge. The edge must have closed every slow
// connection when limit and slack have passed, and served everybody else.
func slow(t *testing.T, limit time.Duration, mode ...string) {
	need(t, "slowhttptest", "slowhttptest")
	e := startEdge(t)
	entry := listenFor(t, e)
	_, port := split(entry)
	args := append(mode, "-c", fmt.Sprint(slowConnections), "-r", "250", "-l", fmt.Sprint(int((limit + slack).Seconds())),
		"-p", "15", "-u", "http://"+host+":"+port+"/large")
	ctx, cancel := context.WithTimeout(t.Context(), limit+slack)
	defer cancel()
	quiet := e.probe(ctx, 20)
	others := make(chan answers)
	go func() { others <- e.probe(ctx, 1<<20) }()

	tool := exec.CommandContext(ctx, "slowhttptest", args...)
	tool.Dir = t.TempDir()
	var out bytes.Buffer
	tool.Stdout, tool.Stderr = &out, &out
	if err := tool.Start(); err != nil {
		t.Fatal(err)
	}
	peak, lasted := e.outlast(ctx)
	cancel()
	_ = tool.Wait()
	attacked := <-others

	t.Logf("%d connections at once, all closed %v after the last was opened; others: quiet %v, attacked %v", peak, lasted, quiet, attacked)
	if peak < slowConnections*9/10 {
		t.Errorf("there were only %d slow connections:\n%s", peak, tail(out.String()))
	}
	if lasted == 0 {
		t.Errorf("slow connections were left open: %d", e.established())
	}
	if attacked.failed != nil {
		t.Errorf("a request of another client failed: %v", attacked.failed)
	}
	eventually(t, 10*time.Second, "nothing is in flight", func() bool { return e.inFlight(t) == 0 })
}

// outlast watches the connections of the edge until they are as few as before,
// and says how many there were and how long after their peak that was; 0 means
// that it has not happened before ctx ended.
func (e *edge) outlast(ctx context.Context) (peak int, lasted time.Duration) {
	const others = 5 // the probing client's
	var reached time.Time
	for ctx.Err() == nil {
		n := e.established()
		if n > peak {
			peak, reached = n, time.Now()
		}
		if peak > slowConnections/2 && n <= others {
			return peak, time.Since(reached).Round(time.Second / 10)
		}
		time.Sleep(100 * time.Millisecond)
	}
	return peak, 0
}

// established counts the open connections that the edge has accepted over TLS,
// as the kernel sees them.
func (e *edge) established() int {
	_, port := split(e.https)
	number, _ := strconv.Atoi(port)
	local := fmt.Sprintf("0100007F:%04X", number)
	text, _ := os.ReadFile("/proc/net/tcp")
	n := 0
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) > 3 && f[1] == local && f[3] == "01" {
			n++
		}
	}
	return n
}

// listenFor stands between slowhttptest, which sends no server name, and the
// edge, which wants one. It buffers next to nothing.
func listenFor(t *testing.T, e *edge) string {
	t.Helper()
	l, err := net.Listen("tcp", host+":0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var conns sync.WaitGroup
	conns.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			conns.Go(func() { join(ctx, client, e) })
		}
	})
	t.Cleanup(func() {
		cancel()
		_ = l.Close()
		conns.Wait()
	})
	return l.Addr().String()
}

// join copies both ways until one side ends.
func join(ctx context.Context, client net.Conn, e *edge) {
	defer client.Close()
	plain, err := new(net.Dialer).DialContext(ctx, "tcp", e.https)
	if err != nil {
		return
	}
	_ = plain.(*net.TCPConn).SetReadBuffer(4 << 10)
	_ = client.(*net.TCPConn).SetWriteBuffer(4 << 10)
	server := tls.Client(plain, &tls.Config{RootCAs: e.roots, ServerName: host, NextProtos: []string{"http/1.1"}})
	end := func() { _ = plain.Close(); _ = client.Close() }
	defer end()
	defer context.AfterFunc(ctx, end)()
	if server.HandshakeContext(ctx) != nil {
		return
	}
	var back sync.WaitGroup
	back.Go(func() {
		defer end()
		_, _ = io.CopyBuffer(struct{ io.Writer }{client}, struct{ io.Reader }{server}, make([]byte, 1<<10))
	})
	_, _ = io.Copy(server, client)
	back.Wait()
}
