package proxy

import (
	"errors"
	"hash/maphash"
	"math"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	limitShards     = 32
	clientsPerShard = 1024
)

// errBodyTooLarge ends the body of a request that is larger than its policy
// allows.
var errBodyTooLarge = errors.New("request body too large")

// RateLimit limits the requests of each client address, an IPv6 one by its /64
// network, for whoever has that can take any address in it. It remembers a
// bounded number of clients and forgets the one that has been quiet longest,
// so that no number of addresses makes it grow.
type RateLimit struct {
	rate   rate.Limit
	burst  int
	seed   maphash.Seed
	shards [limitShards]limitShard
}

// limitShard holds the clients of one share of the addresses. The seed keeps
// anybody from choosing addresses that meet in one shard.
type limitShard struct {
	mu      sync.Mutex
	clients map[netip.Addr]*limitedClient
	ring    limitedClient // its next is the client seen last
}

type limitedClient struct {
	limiter    *rate.Limiter
	network    netip.Addr
	next, prev *limitedClient
}

// NewRateLimit returns a limit of perSecond requests, of which burst may come
// at once. Both must be above zero.
func NewRateLimit(perSecond float64, burst int) *RateLimit {
	l := &RateLimit{rate: rate.Limit(perSecond), burst: burst, seed: maphash.MakeSeed()}
	for i := range l.shards {
		s := &l.shards[i]
		s.clients = make(map[netip.Addr]*limitedClient)
		s.ring.next, s.ring.prev = &s.ring, &s.ring
	}
	return l
}

// take counts a request of the client. It returns how long the client has to
// wait when it has had its share, else 0.
func (l *RateLimit) take(client netip.Addr, now time.Time) time.Duration {
	limiter := l.of(networkOf(client))
	if limiter.AllowN(now, 1) {
		return 0
	}
	missing := 1 - limiter.TokensAt(now)
	return max(time.Nanosecond, time.Duration(missing/float64(l.rate)*float64(time.Second)))
}

// spent reports whether the client has had its share, and counts nothing.
func (l *RateLimit) spent(client netip.Addr, now time.Time) bool {
	return l.of(networkOf(client)).TokensAt(now) < 1
}

func (l *RateLimit) of(network netip.Addr) *rate.Limiter {
	s := &l.shards[maphash.Comparable(l.seed, network)%limitShards]
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.clients[network]
	if c == nil {
		if len(s.clients) == clientsPerShard {
			quiet := s.ring.prev
			quiet.unlink()
			delete(s.clients, quiet.network)
		}
		c = &limitedClient{limiter: rate.NewLimiter(l.rate, l.burst), network: network}
		s.clients[network] = c
	} else {
		c.unlink()
	}
	c.next, c.prev = s.ring.next, &s.ring
	c.next.prev, s.ring.next = c, c
	return c.limiter
}

func (c *limitedClient) unlink() { c.prev.next, c.next.prev = c.next, c.prev }

// overLimit answers a request that is beyond the limits of its route, and
// reports whether it did. A body whose length is not announced is watched as
// it comes; see clientBody.
func (s *Server) overLimit(f *flight, r *http.Request) bool {
	p := &f.route.Policy
	if p.Rate != nil && !f.probe {
		if wait := p.Rate.take(f.client, f.start.Add(f.held)); wait > 0 {
			f.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
			s.fail(f, r, FailureRateLimited, http.StatusTooManyRequests)
			return true
		}
	}
	if p.BodyLimit > 0 && r.ContentLength > p.BodyLimit {
		s.fail(f, r, FailureTooLarge, http.StatusRequestEntityTooLarge)
		return true
	}
	return false
}

// withinLimit fails once more of the body has come than the route allows. The
// backend never gets the end of such a body: the exchange with it breaks off,
// so that it cannot take a part for the whole.
func (f *flight) withinLimit() error {
	if limit := f.route.Policy.BodyLimit; limit > 0 && f.received.Load() > limit {
		return errBodyTooLarge
	}
	return nil
}
