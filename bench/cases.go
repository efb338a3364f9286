package main

import (
	"context"
	"strings"
)

// load is a way to keep a contender busy and measure it.
type load interface {
	measure(ctx context.Context, l *lab, c *contender) (sample, error)
	unit() string // what it counts
}

// loadCase is a load that all contenders get in turns.
type loadCase struct {
	name, title string
	load        load
}

// loadCases are the cases in which the contenders have one host each.
//
// Small answers come over 32 connections on HTTP/1.1, and on HTTP/2 over 4
// with 8 streams each: as many requests in flight, enough to keep the proxy's
// core busy. Of large ones 8 are in flight, so that they do not only wait for
// each other.
func loadCases() []loadCase {
	h1 := func(path string, inFlight int) h2load {
		return h2load{h1: true, connections: inFlight, streams: 1, path: path}
	}
	h2 := func(path string, streams int) h2load {
		return h2load{connections: 4, streams: streams, path: path}
	}
	post := func(h h2load) h2load {
		h.body = 10 << 10
		return h
	}
	return []loadCase{
		{"https1-12b", "https/1.1, answers of 12 bytes", h1(pathSmall, 32)},
		{"h2-12b", "h2, answers of 12 bytes", h2(pathSmall, 8)},
		{"https1-10k", "https/1.1, answers of 10 KB", h1(pathMedium, 32)},
		{"h2-10k", "h2, answers of 10 KB", h2(pathMedium, 8)},
		{"https1-1m", "https/1.1, answers of 1 MB", h1(pathLarge, 8)},
		{"h2-1m", "h2, answers of 1 MB", h2(pathLarge, 2)},
		{"https1-post", "https/1.1, POST of 10 KB", post(h1(pathPost, 32))},
		{"h2-post", "h2, POST of 10 KB", post(h2(pathPost, 8))},
		{"handshakes", "new connections: TLS 1.3 handshake, one answer of 12 bytes, close", handshakes{workers: 16}},
		{"messages", "WebSocket messages of 128 bytes there and back", messages{sockets: 64, size: 128}},
	}
}

// wanted reports whether a case is to be run.
func (o options) wanted(name string) bool {
	for _, prefix := range o.cases {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return len(o.cases) == 0
}

// lineup returns the contenders of a run, in the order in which they are shown.
func (o options) lineup() []string {
	all := []string{nginx, haproxy, caddy, bluegreen}
	if o.other != "" {
		all = append(all, otherBuild)
	}
	if len(o.contenders) == 0 {
		return all
	}
	var some []string
	for _, name := range all {
		for _, asked := range o.contenders {
			if name == asked {
				some = append(some, name)
			}
		}
	}
	return some
}
