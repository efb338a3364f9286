package load

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"

	"sofiacall.com/bluegreen/internal/chat"
)

func TestHealthyServerFailsNothingOfAnyKind(t *testing.T) {
	e := startEdge(t, startChat(t, "r1"))
	l, stop := put(t, e, Options{}, Kinds()...)
	for _, kind := range Kinds() {
		eventually(t, l, string(kind), done(kind, 2))
	}
	if open := l.Snapshot().Sockets.Open["r1"]; open != 1 {
		t.Errorf("%d sockets open on r1", open)
	}
	stop() // in the middle of streams and transfers
	stats := l.Snapshot()
	wantNoFailure(t, stats)
	for _, kind := range Kinds() {
		k := stats.Kinds[kind]
		if k.Releases["r1"] != k.Done || k.P50 <= 0 || k.P50 > k.P99 || k.P99 > k.Max {
			t.Errorf("%s: %+v", kind, k)
		}
	}
	if len(stats.Sockets.Open) != 0 || stats.Sockets.Opened != 1 {
		t.Errorf("after the end: %+v", stats.Sockets)
	}
}

func TestDroppedRequestIsAFailureAndNotSentAgain(t *testing.T) {
	for _, kind := range []Kind{Get, GetNew, Post, H2Get, H2Post, Events, Download, Upload} {
		t.Run(string(kind), func(t *testing.T) {
			backend := startChat(t, "r1")
			var got atomic.Int64
			e := startEdge(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if got.Add(1) == 2 {
					io.Copy(io.Discard, r.Body)
					panic(http.ErrAbortHandler)
				}
				backend.ServeHTTP(w, r)
			}))
			l, stop := put(t, e, Options{}, kind)
			eventually(t, l, "a third request", func(Stats) bool { return got.Load() >= 3 })
			stop()
			stats := l.Snapshot()
			if stats.Failed() != 1 || stats.Done() != got.Load()-1 {
				t.Errorf("of %d requests %d were done, %d failed: %q", got.Load(), stats.Done(), stats.Failed(), stats.Errors())
			}
		})
	}
}

func TestAnswerThatBreaksOffIsAFailure(t *testing.T) {
	backend := startChat(t, "r1")
	for _, kind := range []Kind{Download, Events} {
		e := startEdge(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			backend.ServeHTTP(&cutWriter{ResponseWriter: w, left: 60}, r)
		}))
		l, _ := put(t, e, Options{}, kind)
		eventually(t, l, "a failure", func(s Stats) bool { return s.Kinds[kind].Failed > 0 && s.Kinds[kind].Done == 0 })
	}
}

// cutWriter aborts the answer after some bytes.
type cutWriter struct {
	http.ResponseWriter
	left int
}

func (w *cutWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *cutWriter) Write(p []byte) (int, error) {
	if w.left -= len(p); w.left < 0 {
		panic(http.ErrAbortHandler)
	}
	return w.ResponseWriter.Write(p)
}

func TestServerErrorIsAFailure(t *testing.T) {
	e := startEdge(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set(chat.HeaderRelease, "r1")
		w.WriteHeader(http.StatusBadGateway)
	}))
	l, _ := put(t, e, Options{}, Get, H2Get)
	stats := eventually(t, l, "failures", func(s Stats) bool { return s.Kinds[Get].Failed > 0 && s.Kinds[H2Get].Failed > 0 })
	if stats.Done() != 0 || !strings.Contains(strings.Join(stats.Errors(), "\n"), "get: GET /release was answered with 502") {
		t.Errorf("%d done, %q", stats.Done(), stats.Errors())
	}
}

func TestUnannouncedCloseBetweenRequestsIsAFailure(t *testing.T) {
	for _, kind := range []Kind{Get, H2Get} {
		t.Run(string(kind), func(t *testing.T) {
			var conns atomic.Pointer[net.Conn]
			e := startEdge(t, startChat(t, "r1"), func(s *http.Server) {
				s.ConnState = func(c net.Conn, state http.ConnState) {
					if state == http.StateActive {
						conns.Store(&c)
					}
				}
			})
			l, _ := put(t, e, Options{Pause: 200 * time.Millisecond}, kind)
			eventually(t, l, "an answer", done(kind, 1))
			(*conns.Load()).Close()
			eventually(t, l, "a failure, then an answer", func(s Stats) bool {
				return s.Kinds[kind].Failed == 1 && s.Kinds[kind].Done >= 2
			})
		})
	}
}

func TestAnnouncedCloseIsNoFailure(t *testing.T) {
	backend := startChat(t, "r1")
	t.Run("Connection: close", func(t *testing.T) {
		e := startEdge(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Connection", "close")
			backend.ServeHTTP(w, r)
		}))
		l, _ := put(t, e, Options{}, Get, Post)
		wantNoFailure(t, eventually(t, l, "answers", func(s Stats) bool { return done(Get, 3)(s) && done(Post, 3)(s) }))
	})
	t.Run("GOAWAY", func(t *testing.T) {
		var conns atomic.Int64
		e := startEdge(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Connection", "close") // makes net/http send a GOAWAY
			backend.ServeHTTP(w, r)
		}), func(s *http.Server) {
			s.ConnState = func(_ net.Conn, state http.ConnState) {
				if state == http.StateNew {
					conns.Add(1)
				}
			}
		})
		l, _ := put(t, e, Options{}, H2Get)
		stats := eventually(t, l, "answers", done(H2Get, 5))
		wantNoFailure(t, stats)
		if conns.Load() < 3 {
			t.Errorf("%d connections", conns.Load())
		}
	})
}

func TestAnswersBehindTheFenceByAnotherReleaseAreStale(t *testing.T) {
	one, two := startChat(t, "r1"), startChat(t, "r2")
	kinds := []Kind{Get, GetNew, Post, H2Get, Events}
	e := startEdge(t, one)
	l, stop := put(t, e, Options{}, kinds...)
	eventually(t, l, "answers", done(Events, 1))

	e.route(two)
	l.Fence("r2")
	before := l.Snapshot().Done()
	eventually(t, l, "answers by r2", func(s Stats) bool { return s.Done() > before+50 && s.Kinds[Events].Releases["r2"] > 0 })
	wantNoFailure(t, l.Snapshot())

	e.route(one) // without lifting the fence: an edge that still serves the old release
	for _, kind := range kinds {
		eventually(t, l, "stale "+string(kind), func(s Stats) bool { return s.Kinds[kind].Stale > 0 })
	}
	l.Fence("")
	stop() // what was on its way is not judged
	if stats := l.Snapshot(); stats.Failed() != 0 {
		t.Errorf("stale answers are counted apart, but: %q", stats.Errors())
	}
}

func TestRequestOnItsWayWhenTheFenceMovesIsNotJudged(t *testing.T) {
	l := New(Options{})
	l.Fence("r1")
	at := l.fence.Load()
	if !l.stale(at, "r2") || l.stale(at, "r1") || l.stale(nil, "r2") {
		t.Error("a standing fence judges wrongly")
	}
	l.Fence("r2")
	if l.stale(at, "r2") {
		t.Error("a fence that has moved judges")
	}
}

func TestChangedBytesAreDetected(t *testing.T) {
	backend := startChat(t, "r1")
	for _, kind := range []Kind{Download, Upload, Post, H2Post} {
		t.Run(string(kind), func(t *testing.T) {
			e := startEdge(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				r.Body = struct {
					io.Reader
					io.Closer
				}{&flip{Reader: r.Body}, r.Body}
				backend.ServeHTTP(&flipWriter{ResponseWriter: w, binary: r.URL.Path == "/download"}, r)
			}))
			l, _ := put(t, e, Options{}, kind)
			stats := eventually(t, l, "a failure", func(s Stats) bool { return s.Kinds[kind].Failed > 0 })
			if !strings.Contains(fmt.Sprint(stats.Errors()), "changed on the way") || stats.Done() != 0 {
				t.Errorf("%d done: %q", stats.Done(), stats.Errors())
			}
		})
	}
}

// flip changes one bit of the first byte.
type flip struct {
	io.Reader
	done bool
}

func (f *flip) Read(p []byte) (int, error) {
	n, err := f.Reader.Read(p)
	if n > 0 && !f.done {
		p[0] ^= 1
		f.done = true
	}
	return n, err
}

type flipWriter struct {
	http.ResponseWriter
	binary bool
}

func (w *flipWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *flipWriter) Write(p []byte) (int, error) {
	if w.binary && len(p) > 0 {
		p = append([]byte{p[0] ^ 1}, p[1:]...)
		w.binary = false
	}
	return w.ResponseWriter.Write(p)
}

// sockets serves WebSockets that greet as r1, echo some frames as another
// release, then close with a code.
func sockets(echoes int, as string, code websocket.StatusCode) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer conn.CloseNow()
		wsjson.Write(r.Context(), conn, chat.Frame{Type: chat.FrameHello, Identity: chat.Identity{Release: "r1"}})
		for range echoes {
			var frame chat.Frame
			if wsjson.Read(r.Context(), conn, &frame) != nil {
				return
			}
			frame.Release = as
			wsjson.Write(r.Context(), conn, frame)
		}
		conn.Close(code, "")
	})
}

func TestSocketClosedByTheEdgeIsOpenedAgainAndNoFailure(t *testing.T) {
	e := startEdge(t, sockets(3, "r1", websocket.StatusServiceRestart))
	l, stop := put(t, e, Options{}, WebSocket)
	eventually(t, l, "three sockets", func(s Stats) bool { return s.Sockets.ClosedByEdge >= 3 })
	stop()
	wantNoFailure(t, l.Snapshot())
}

func TestSocketThatEndsOtherwiseIsAFailure(t *testing.T) {
	for name, test := range map[string]struct {
		edge http.Handler
		want string
	}{
		"another code":    {sockets(3, "r1", websocket.StatusInternalError), "a WebSocket was closed with 1011"},
		"another release": {sockets(3, "r2", websocket.StatusNormalClosure), "a WebSocket opened on release r1 was answered by r2"},
	} {
		t.Run(name, func(t *testing.T) {
			e := startEdge(t, test.edge)
			l, _ := put(t, e, Options{}, WebSocket)
			stats := eventually(t, l, "a broken socket", func(s Stats) bool { return len(s.Sockets.Broken) > 0 })
			if stats.Failed() == 0 || stats.Sockets.Broken[test.want] == 0 || stats.Sockets.ClosedByEdge != 0 {
				t.Errorf("%d failed, %+v", stats.Failed(), stats.Sockets)
			}
		})
	}
}

func TestBrokenSocketIsAFailure(t *testing.T) {
	var conns atomic.Pointer[net.Conn]
	e := startEdge(t, startChat(t, "r1"), func(s *http.Server) {
		s.ConnState = func(c net.Conn, state http.ConnState) {
			if state == http.StateHijacked {
				conns.Store(&c)
			}
		}
	})
	l, _ := put(t, e, Options{}, WebSocket)
	eventually(t, l, "round trips", done(WebSocket, 5))
	(*conns.Load()).Close()
	eventually(t, l, "a failure, then another socket", func(s Stats) bool {
		return s.Failed() == 1 && len(s.Sockets.Broken) == 1 && s.Sockets.Open["r1"] == 1
	})
}

func TestUnreachableServerIsAFailureOfEveryKind(t *testing.T) {
	e := startEdge(t, http.NotFoundHandler())
	e.Listener.Close()
	l, _ := put(t, e, Options{}, Kinds()...)
	for _, kind := range Kinds() {
		eventually(t, l, "failed "+string(kind), func(s Stats) bool { return s.Kinds[kind].Failed > 0 })
	}
}

func TestUnknownKindIsRefused(t *testing.T) {
	if err := New(Options{Workers: map[Kind]int{"telnet": 1}}).Run(t.Context()); err == nil {
		t.Error("it ran")
	}
}

func TestGoAwayIsSeenHoweverItIsCut(t *testing.T) {
	settings := []byte{0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 7, 7, 7, 7, 7}
	goAway := func(code byte) []byte { return []byte{0, 0, 10, 7, 0, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, code, 'h', 'i'} }
	for code, want := range map[byte]bool{0: true, 2: false} {
		stream := append(append([]byte{}, settings...), goAway(code)...)
		stream = append(stream, settings...)
		for size := 1; size <= len(stream); size++ {
			w := &goAwayWatch{}
			for at := 0; at < len(stream); at += size {
				w.follow(stream[at:min(at+size, len(stream))])
			}
			if w.leaving.Load() != want || w.skip != 0 || len(w.head) != 0 {
				t.Fatalf("code %d in pieces of %d: leaving %v", code, size, w.leaving.Load())
			}
		}
	}
}

func TestQuantilesAreCloseToTheTruth(t *testing.T) {
	var h histogram
	for i := 1; i <= 10_000; i++ {
		h.add(time.Duration(i) * 100 * time.Microsecond)
	}
	for q, want := range map[float64]time.Duration{0.5: 500 * time.Millisecond, 0.99: 990 * time.Millisecond} {
		if got := h.quantile(q); got < want || got > want+want*4/100 {
			t.Errorf("quantile %v is %v, want about %v", q, got, want)
		}
	}
	h.add(1000 * time.Hour)
}
