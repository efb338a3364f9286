package proxy

import (
	"hash/maphash"
	"net/netip"
	"sync"
	"time"
)

const (
	defaultConnections = 1000
	connectionShards   = 64
	// refusalsEvery is how often a refused address is worth a line.
	refusalsEvery = time.Minute
)

// connections counts the open connections of each client address: IPv4 whole,
// IPv6 by its /64. It holds nothing of an address without connections.
type connections struct {
	seed   maphash.Seed
	shards [connectionShards]connectionShard
}

// A connectionShard has a share of all addresses, so that connections that are
// accepted at once seldom meet at a lock.
type connectionShard struct {
	mu      sync.Mutex
	origins map[netip.Addr]*origin
}

// origin is what is known of an address with open connections.
type origin struct {
	open    int
	refused int // since it was told
	told    time.Time
}

func newConnections() *connections {
	return &connections{seed: maphash.MakeSeed()}
}

func (c *connections) shard(client netip.Addr) *connectionShard {
	return &c.shards[maphash.Comparable(c.seed, client)%connectionShards]
}

// open counts a connection of client, unless there are limit already. A refusal
// that is worth a line comes with the number of refusals since the last.
func (c *connections) open(client netip.Addr, limit int) (ok bool, refused int) {
	s := c.shard(client)
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.origins[client]
	if o == nil {
		if s.origins == nil {
			s.origins = make(map[netip.Addr]*origin)
		}
		o = new(origin)
		s.origins[client] = o
	}
	if o.open < limit {
		o.open++
		return true, 0
	}
	o.refused++
	if now := time.Now(); now.Sub(o.told) >= refusalsEvery {
		refused, o.refused, o.told = o.refused, 0, now
	}
	return false, refused
}

// close takes back what open has counted.
func (c *connections) close(client netip.Addr) {
	s := c.shard(client)
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.origins[client]
	if o.open--; o.open == 0 {
		delete(s.origins, client)
	}
}

// count returns how many connections client has open.
func (c *connections) count(client netip.Addr) int {
	s := c.shard(client)
	s.mu.Lock()
	defer s.mu.Unlock()
	if o := s.origins[client]; o != nil {
		return o.open
	}
	return 0
}

// place is one counted connection; its zero value is one that is not counted.
type place struct {
	in     *connections
	client netip.Addr
}

// leave gives the place back. It must be called once.
func (p place) leave() {
	if p.in != nil {
		p.in.close(p.client)
	}
}

// admit counts a connection from an address, unless nobody counts those: this
// machine's, and trusted proxies', whose connections are many clients'.
func (s *Server) admit(from netip.Addr) (place, bool) {
	table := s.table.Load()
	if !from.IsValid() || from.IsLoopback() || contains(table.trusted, from) {
		return place{}, true
	}
	client := networkOf(from)
	ok, refused := s.clients.open(client, table.connections)
	if refused > 0 {
		s.log.Warn("a client has as many connections open as it may; further ones are refused",
			"client", client, "limit", table.connections, "refused", refused)
	}
	if !ok {
		return place{}, false
	}
	return place{s.clients, client}, true
}
