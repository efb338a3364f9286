package main

import (
	"context"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// worker repeats something, one after the other.
type worker interface {
	open(ctx context.Context) error // before anything is measured, and after a failure
	step(ctx context.Context) error
	close()
}

// drive lets workers run side by side and measures from outside while they do.
func drive(ctx context.Context, l *lab, c *contender, workers []worker) (sample, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute+l.options.duration())
	defer cancel()
	if err := openAll(ctx, workers); err != nil {
		return sample{}, err
	}
	var stop atomic.Bool
	var group sync.WaitGroup
	done := make([][]request, len(workers))
	var once sync.Once
	var first error // of what went wrong
	for i, w := range workers {
		group.Go(func() {
			defer w.close()
			for !stop.Load() && ctx.Err() == nil {
				start := time.Now()
				err := w.step(ctx)
				done[i] = append(done[i], request{start, time.Since(start), err != nil})
				if err == nil {
					continue
				}
				once.Do(func() { first = err })
				w.close()
				if w.open(ctx) != nil {
					return
				}
			}
		})
	}
	window, err := c.window(ctx, warmUp+slack, l.options.duration())
	if err == nil {
		err = pause(ctx, slack)
	}
	stop.Store(true)
	group.Wait()
	if err != nil {
		return sample{}, err
	}
	var requests []request
	for _, some := range done {
		requests = append(requests, some...)
	}
	s, err := window.sample(requests)
	if err != nil && first != nil {
		err = fmt.Errorf("%w; the first failure: %w", err, first)
	}
	return s, err
}

// openAll opens the workers, and closes them again if one cannot be opened.
func openAll(ctx context.Context, workers []worker) error {
	for i, w := range workers {
		if err := w.open(ctx); err != nil {
			for _, opened := range workers[:i] {
				opened.close()
			}
			return fmt.Errorf("preparing the load: %w", err)
		}
	}
	return nil
}

// handshakes opens connections one after the other and asks one small thing on
// each. No session is resumed.
type handshakes struct{ workers int }

func (handshakes) unit() string { return "connection" }

func (h handshakes) measure(ctx context.Context, l *lab, c *contender) (sample, error) {
	var workers []worker
	for i := range h.workers {
		// An address each, so that there are enough ports.
		workers = append(workers, &handshaker{c, &net.TCPAddr{IP: net.IPv4(127, 0, 1, byte(1+i))}})
	}
	return drive(ctx, l, c, workers)
}

type handshaker struct {
	to   *contender
	from net.Addr
}

func (h *handshaker) open(context.Context) error { return nil }
func (h *handshaker) close()                     {}

func (h *handshaker) step(ctx context.Context) error {
	conn, err := h.to.connect(ctx, h.from, h.to.site.Hosts[0])
	if err != nil {
		return err
	}
	defer conn.close()
	return conn.fetch(pathSmall)
}

// messages sends WebSocket messages and waits for their echoes.
type messages struct{ sockets, size int }

func (messages) unit() string { return "message" }

func (m messages) measure(ctx context.Context, l *lab, c *contender) (sample, error) {
	var workers []worker
	for range m.sockets {
		workers = append(workers, &talker{to: c, message: make([]byte, m.size), buf: make([]byte, maxFrame)})
	}
	return drive(ctx, l, c, workers)
}

type talker struct {
	to           *contender
	conn         *client
	message, buf []byte
}

func (t *talker) open(ctx context.Context) (err error) {
	if t.conn, err = t.to.connect(ctx, nil, t.to.site.Hosts[0]); err != nil {
		return err
	}
	return t.conn.openSocket()
}

func (t *talker) step(context.Context) error { return t.conn.say(t.message, t.buf) }
func (t *talker) close()                     { t.conn.close() }

// spread asks many hosts in turns, over connections that stay open. With more
// hosts than connections it takes hosts from all over the table.
type spread struct{ workers, connections int }

func (spread) unit() string { return "request" }

func (s spread) measure(ctx context.Context, l *lab, c *contender) (sample, error) {
	workers := make([]worker, s.workers)
	each := s.connections / s.workers
	for i := range workers {
		v := &visitor{to: c}
		for n := range each {
			// Steps of a prime visit the hosts in no order.
			v.hosts = append(v.hosts, c.site.Hosts[(i*each+n)*7919%len(c.site.Hosts)])
		}
		workers[i] = v
	}
	return drive(ctx, l, c, workers)
}

type visitor struct {
	to    *contender
	hosts []string
	conns []*client
	next  int
}

func (v *visitor) open(ctx context.Context) error {
	for _, host := range v.hosts {
		conn, err := v.to.connect(ctx, nil, host)
		if err != nil {
			v.close()
			return err
		}
		v.conns = append(v.conns, conn)
	}
	return nil
}

func (v *visitor) step(context.Context) error {
	v.next = (v.next + 1) % len(v.conns)
	return v.conns[v.next].fetch(pathSmall)
}

func (v *visitor) close() {
	for _, conn := range v.conns {
		conn.close()
	}
	v.conns = nil
}
