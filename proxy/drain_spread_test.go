package proxy

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"
)

// crowd is the clients of WebSockets and event streams in a synctest bubble.
type crowd struct {
	t       *testing.T
	server  *Server
	backend *Backend
	began   time.Time
	ended   chan time.Duration // since began, of each that the edge ended
}

func newCrowd(t *testing.T) *crowd {
	return &crowd{t: t, server: New(Options{}), backend: NewBackend(BackendOptions{}), began: time.Now(), ended: make(chan time.Duration, 1000)}
}

func (c *crowd) flight() *flight {
	f := &flight{server: c.server, route: &Route{Backend: c.backend}, backend: c.backend, start: time.Now()}
	c.backend.acquire()
	f.slot = c.backend.flights.add(f)
	return f
}

// socket opens a WebSocket whose client leaves when it is told to, or by
// itself after stay, if that is not zero.
func (c *crowd) socket(stay time.Duration) {
	f := c.flight()
	client, toClient := net.Pipe()
	backend, toBackend := net.Pipe()
	f.cancel = func(error) {}
	r := newRelay(f, toClient, toBackend)
	if !f.handOver(r) {
		c.t.Error("not handed over")
	}
	c.server.relays.start(r, []byte("!"), nil, nil)
	if stay > 0 {
		time.AfterFunc(stay, func() { _ = client.Close() })
	}
	go func() {
		defer func() { _ = backend.Close() }()
		got, err := io.ReadAll(io.LimitReader(client, int64(1+len(closeFrame(closeServiceRestart)))))
		if err == nil && bytes.HasSuffix(got, closeFrame(closeServiceRestart)) {
			c.ended <- time.Since(c.began)
		}
		_ = client.Close()
	}()
}

// stream opens an event stream.
func (c *crowd) stream() {
	f := c.flight()
	ctx, cancel := context.WithCancelCause(context.Background())
	f.ResponseWriter, f.cancel = httptest.NewRecorder(), cancel
	f.beginStream()
	go func() {
		<-ctx.Done()
		c.ended <- time.Since(c.began)
		f.finish()
	}()
}

// drain drains the crowd a second after it came.
func (c *crowd) drain(l DrainLimits) DrainResult {
	c.t.Helper()
	time.Sleep(time.Second)
	r, err := c.backend.Drain(c.t.Context(), l)
	if err != nil {
		c.t.Fatal(err)
	}
	synctest.Wait()
	return r
}

// bySecond counts the ends in each second after from; all must lie in the spread.
func (c *crowd) bySecond(from, spread time.Duration) []int {
	c.t.Helper()
	counts := make([]int, spread/time.Second+1)
	for len(c.ended) > 0 {
		at := <-c.ended - from
		if at < 0 || at > spread {
			c.t.Errorf("one was ended %v after the deadline, the spread is %v", at, spread)
			continue
		}
		counts[min(int(at/time.Second), len(counts)-1)]++
	}
	return counts
}

func TestDrainEndsLongConnectionsOneByOneOverTheSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t)
		for range 200 {
			c.socket(0)
		}
		for range 100 {
			c.stream()
		}
		r := c.drain(DrainLimits{Requests: time.Second, Upgraded: 5 * time.Minute, Spread: 10 * time.Second})
		if r.Upgraded != 300 || r.Requests != 0 || r.Elapsed > 5*time.Minute+10*time.Second {
			t.Errorf("%+v", r)
		}
		for second, n := range c.bySecond(time.Second+5*time.Minute, 10*time.Second)[:10] {
			if n < 26 || n > 34 { // 30, and what falls across a border
				t.Errorf("%d were ended in second %d, want about 30", n, second)
			}
		}
	})
}

func TestDrainWithoutASpreadEndsAllTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t)
		for range 50 {
			c.socket(0)
		}
		if r := c.drain(DrainLimits{Upgraded: time.Minute}); r.Upgraded != 50 || r.Elapsed != time.Minute {
			t.Errorf("%+v", r)
		}
		c.bySecond(time.Second+time.Minute, 0)
	})
}

func TestDrainCountsOnlyWhatItHasEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t)
		for range 40 {
			c.socket(0)
			c.socket(30 * time.Second)             // before the deadline
			c.socket(time.Minute + 30*time.Second) // when most are told already
		}
		r := c.drain(DrainLimits{Upgraded: time.Minute, Spread: time.Minute})
		told := len(c.ended)
		if int(r.Upgraded) != told || told < 40 || told >= 80 {
			t.Errorf("%d counted, %d were told", r.Upgraded, told)
		}
	})
}

// A rollback calls the drain off: whoever was not told yet may stay.
func TestDrainThatIsCalledOffLeavesTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t)
		for range 100 {
			c.socket(0)
		}
		time.Sleep(time.Second)
		d := c.backend.NewDrain(DrainLimits{Upgraded: time.Minute, Spread: 10 * time.Second})
		ctx, cancel := context.WithCancelCause(t.Context())
		over := errors.New("called off")
		time.AfterFunc(time.Minute+5*time.Second, func() { cancel(over) })
		r, err := d.Wait(ctx)
		synctest.Wait()
		if !errors.Is(err, over) || r.Upgraded < 45 || r.Upgraded > 55 || c.backend.Upgraded() != 100-r.Upgraded || r.Left != 100-r.Upgraded {
			t.Errorf("%v: %+v, %d are left", err, r, c.backend.Upgraded())
		}
		time.Sleep(time.Hour)
		if n := d.Result().Upgraded; n != r.Upgraded || int(n) != len(c.ended) {
			t.Errorf("%d were told in the end, %d counted, %d before", len(c.ended), n, r.Upgraded)
		}
		c.drain(DrainLimits{Upgraded: time.Millisecond})
	})
}

// A handshake or a response header may come after the deadline has passed.
func TestWhatBecomesLongInTheSpreadEndsInIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t)
		c.socket(0)
		late := c.flight()
		ctx, cancel := context.WithCancelCause(context.Background())
		late.ResponseWriter, late.cancel = httptest.NewRecorder(), cancel
		go func() {
			time.Sleep(time.Second + time.Minute + 5*time.Second)
			late.beginStream()
			<-ctx.Done()
			c.ended <- time.Since(c.began)
			late.finish()
		}()
		if r := c.drain(DrainLimits{Requests: time.Hour, Upgraded: time.Minute, Spread: 10 * time.Second}); r.Upgraded != 2 || r.Requests != 0 {
			t.Errorf("%+v", r)
		}
		c.bySecond(time.Second+time.Minute, 10*time.Second)
	})
}
