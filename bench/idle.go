package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"golang.org/x/sync/errgroup"
)

// idleResult is what a contender holds for WebSockets on which nothing happens.
type idleResult struct {
	Name    string  `json:"name"`
	Sockets int     `json:"sockets"`
	Before  memory  `json:"before"` // with none open
	After   memory  `json:"after"`
	Each    float64 `json:"kb_each"` // of PSS
}

// settle is how long nothing happens before memory is read.
const settle = 5 * time.Second

// idleSockets opens WebSockets through a fresh contender and reads its memory
// before and after. What the kernel holds for a connection is the same for all
// and is not counted.
func idleSockets(ctx context.Context, l *lab, c *contender) (r idleResult, err error) {
	n := min(l.options.idle, connections(l.options.files)-100)
	r = idleResult{Name: c.name, Sockets: n}
	if err := idlePrime(ctx, c); err != nil {
		return r, err
	}
	if r.Before, err = memoryOf(c.pids); err != nil {
		return r, err
	}
	sockets := make([]*client, n)
	defer func() {
		for _, s := range sockets {
			if s != nil {
				s.close()
			}
		}
	}()
	group, open := errgroup.WithContext(ctx)
	group.SetLimit(16)
	for i := range sockets {
		group.Go(func() error {
			// Some addresses, so that there are enough ports.
			from := &net.TCPAddr{IP: net.IPv4(127, 0, 2, byte(1+i%16))}
			var err error
			if sockets[i], err = c.connect(open, from, c.site.Hosts[0]); err != nil {
				return err
			}
			if err := sockets[i].openSocket(); err != nil {
				return err
			}
			return sockets[i].say([]byte("hello"), make([]byte, maxFrame))
		})
	}
	if err := group.Wait(); err != nil {
		return r, fmt.Errorf("opening %d WebSockets: %w", n, err)
	}
	if err := pause(ctx, settle); err != nil {
		return r, err
	}
	if r.After, err = memoryOf(c.pids); err != nil {
		return r, err
	}
	r.Each = float64(r.After.PSS-r.Before.PSS) / float64(n)
	return r, stillOpen(sockets)
}

// idlePrime uses what every process needs once, so that it is not counted as
// the sockets'.
func idlePrime(ctx context.Context, c *contender) error {
	conn, err := c.connect(ctx, nil, c.site.Hosts[0])
	if err != nil {
		return err
	}
	defer conn.close()
	if err := conn.fetch(pathSmall); err != nil {
		return err
	}
	return pause(ctx, settle)
}

// stillOpen makes sure that the sockets which were counted are alive: every
// hundredth is asked for an echo.
func stillOpen(sockets []*client) error {
	for i := 0; i < len(sockets); i += 100 {
		if err := sockets[i].say([]byte("there?"), make([]byte, maxFrame)); err != nil {
			return errors.Join(fmt.Errorf("idle WebSocket %d is not open any more", i), err)
		}
	}
	return nil
}
