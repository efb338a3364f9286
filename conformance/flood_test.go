package conformance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// A flood is what one HTTP/2 connection sends over and over. Eight connections
// do so for floodTime; one that the edge closes is opened again.
const (
	attackers = 8
	floodTime = time.Second
	// Memory may grow by what the connections may hold and what the garbage
	// collector has not taken back yet, not by what was sent.
	floodMemory = 150 << 20
)

// attacker is an HTTP/2 connection whose frames are written one by one.
type attacker struct {
	*http2.Framer
	conn    net.Conn
	stream  uint32
	block   bytes.Buffer
	encoder *hpack.Encoder
}

// request returns the field section of a request for path.
func (a *attacker) request(path string, more ...hpack.HeaderField) []byte {
	a.block.Reset()
	for _, f := range append([]hpack.HeaderField{
		{Name: ":method", Value: "GET"}, {Name: ":scheme", Value: "https"}, {Name: ":authority", Value: host}, {Name: ":path", Value: path},
	}, more...) {
		_ = a.encoder.WriteField(f)
	}
	return a.block.Bytes()
}

// next takes the next of a client's streams, which are odd.
func (a *attacker) next() uint32 {
	a.stream = a.stream + 1 | 1
	return a.stream
}

// open begins a request on the next stream.
func (a *attacker) open(end bool) error {
	a.next()
	return a.WriteHeaders(http2.HeadersFrameParam{StreamID: a.stream, BlockFragment: a.request("/wait"), EndHeaders: true, EndStream: end})
}

// floods are written one piece at a time; an error ends the connection.
func floods() map[string]func(*attacker) error {
	return map[string]func(*attacker) error{
		// CVE-2023-44487: net/http starts no more handlers than there may
		// be streams, and ends the connection when too many wait.
		"rapid reset": func(a *attacker) error {
			return errors.Join(a.open(true), a.WriteRSTStream(a.stream, http2.ErrCodeCancel))
		},
		// CVE-2025-8671 (MadeYouReset): the server is made to reset.
		"reset by an invalid window": func(a *attacker) error {
			return errors.Join(a.open(true), a.WriteWindowUpdate(a.stream, 1<<31-1))
		},
		"reset by data after the end": func(a *attacker) error {
			return errors.Join(a.open(true), a.WriteData(a.stream, false, []byte("x")))
		},
		"reset by a priority on itself": func(a *attacker) error {
			return errors.Join(a.open(true), a.WritePriority(a.stream, http2.PriorityParam{StreamDep: a.stream}))
		},
		// CVE-2024-27316: a header that never ends counts against its limit.
		"CONTINUATION": func(a *attacker) error {
			if a.stream == 0 {
				a.next()
				if err := a.WriteHeaders(http2.HeadersFrameParam{StreamID: a.stream, BlockFragment: a.request("/")}); err != nil {
					return err
				}
			}
			a.block.Reset()
			_ = a.encoder.WriteField(hpack.HeaderField{Name: "x", Value: strings.Repeat("y", 8000), Sensitive: true})
			return a.WriteContinuation(a.stream, false, a.block.Bytes())
		},
		"empty CONTINUATION": func(a *attacker) error {
			if a.stream == 0 {
				a.next()
				if err := a.WriteHeaders(http2.HeadersFrameParam{StreamID: a.stream, BlockFragment: a.request("/")}); err != nil {
					return err
				}
			}
			return a.WriteContinuation(a.stream, false, nil)
		},
		// CVE-2019-9515 and 9512: each wants an answer, and the queue of
		// answers is bounded.
		"SETTINGS": func(a *attacker) error {
			return a.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 65535})
		},
		"PING": func(a *attacker) error { return a.WritePing(false, [8]byte{1}) },
		// CVE-2019-9518.
		"empty DATA": func(a *attacker) error {
			if a.stream == 0 {
				if err := a.open(false); err != nil {
					return err
				}
			}
			return a.WriteData(a.stream, false, nil)
		},
		"window updates": func(a *attacker) error {
			if a.stream == 0 {
				if err := a.open(false); err != nil {
					return err
				}
			}
			return a.WriteWindowUpdate(a.stream, 1)
		},
		// CVE-2019-9513.
		"priorities": func(a *attacker) error {
			a.next()
			return a.WritePriority(a.stream, http2.PriorityParam{StreamDep: a.stream ^ 2, Exclusive: true, Weight: 255})
		},
		"unknown frames": func(a *attacker) error { return a.WriteRawFrame(0xee, 0, 1, make([]byte, 100)) },
		// One entry of the table that is named again and again: 4 KB each.
		"HPACK bomb": func(a *attacker) error {
			a.next()
			large := hpack.HeaderField{Name: "x", Value: strings.Repeat("y", 3900)}
			fields := make([]hpack.HeaderField, 1000)
			for i := range fields {
				fields[i] = large
			}
			return a.WriteHeaders(http2.HeadersFrameParam{StreamID: a.stream, BlockFragment: a.request("/", fields...), EndHeaders: true, EndStream: true})
		},
		// A hundred streams, none of which reads its answer.
		"window of zero": func(a *attacker) error {
			if a.stream == 0 {
				if err := a.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0}); err != nil {
					return err
				}
			}
			if a.stream < 200 {
				return a.open(true)
			}
			return a.WritePing(false, [8]byte{1})
		},
	}
}

func TestFloodsOfHTTP2HarmNobodyElse(t *testing.T) {
	e := startEdge(t)
	_ = e.probe(t.Context(), 50) // warms up what a first request allocates
	quiet := e.probe(t.Context(), 100)
	before, goroutines := e.memory(t), e.threads(t)
	for name, piece := range floods() {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), floodTime)
			defer cancel()
			loadBefore := e.load(t)
			var sent, opened counter
			var all sync.WaitGroup
			for range attackers {
				all.Go(func() {
					for ctx.Err() == nil {
						opened.add(1)
						e.flood(ctx, piece, &sent)
					}
				})
			}
			attacked := e.probe(ctx, 1<<20)
			during := e.memory(t)
			all.Wait()
			load := e.load(t)

			t.Logf("%d pieces on %d connections, %d requests reached the backend, at most %d at once", sent.n, opened.n, load.Requests-loadBefore.Requests, load.Peak)
			t.Logf("others: quiet %v; attacked %v; memory %d MB, then %d MB", quiet, attacked, before>>20, during>>20)
			if attacked.failed != nil {
				t.Errorf("a request of another client failed: %v", attacked.failed)
			}
			if during-before > floodMemory {
				t.Errorf("memory grew from %d MB to %d MB", before>>20, during>>20)
			}
			// A connection has a hundred streams, and so have its successors
			// that overlap with it.
			if load.Peak > attackers*100*3 {
				t.Errorf("the backend had %d requests at once", load.Peak)
			}
			eventually(t, 20*time.Second, "the backend has nothing in flight", func() bool { return e.load(t).InFlight == 0 })
			eventually(t, 20*time.Second, "the edge counts nothing in flight", func() bool { return e.inFlight(t) == 0 })
			eventually(t, 20*time.Second, "the edge has closed the connections", func() bool { return e.established() == 0 })
		})
	}
	t.Logf("threads: %d, then %d; memory: %d MB, then %d MB", goroutines, e.threads(t), before>>20, e.memory(t)>>20)
}

// flood makes one connection and sends pieces until ctx ends or the edge has
// closed it.
func (e *edge) flood(ctx context.Context, piece func(*attacker) error, sent *counter) {
	conn, err := e.dial("h2")
	if err != nil {
		return
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	go func() { _, _ = io.Copy(io.Discard, conn) }() // ends with the connection
	a := &attacker{Framer: http2.NewFramer(conn, nil), conn: conn}
	a.AllowIllegalWrites = true
	a.encoder = hpack.NewEncoder(&a.block)
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil || a.WriteSettings() != nil {
		return
	}
	if a.stream = 0; ctx.Err() != nil {
		return
	}
	for range 1_000_000 {
		if piece(a) != nil {
			return
		}
		sent.add(1)
	}
}

// counter counts from many goroutines.
type counter struct {
	mu sync.Mutex
	n  int
}

func (c *counter) add(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n += n
}

// threads is the number of threads of the edge.
func (e *edge) threads(t *testing.T) (n int) {
	t.Helper()
	text := e.kernelStatus(t)
	_, line, _ := strings.Cut(text, "Threads:")
	if _, err := fmt.Sscan(line, &n); err != nil {
		t.Fatal(err)
	}
	return n
}
