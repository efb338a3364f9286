package proxy

import (
	"slices"
	"sync"
	"time"
)

// idlePool holds the connections to a backend that wait for an exchange. The
// one used last is taken first, so that those a burst has left behind end.
// Nothing reads an idle connection and one timer serves them all.
//
// The mutex guards a few assignments, as http.Transport's does.
type idlePool struct {
	timeout time.Duration

	mu      sync.Mutex
	conns   []*upstreamConn // the one used last is the last
	timer   *time.Timer
	armed   bool
	closing bool // what is still in use is not wanted back
}

// take returns a connection on which the backend waits for a request, or nil.
func (p *idlePool) take(now time.Time) *upstreamConn {
	for {
		c := p.pop()
		if c == nil {
			return nil
		}
		if now.Sub(c.idleSince) < p.timeout && c.isQuiet() {
			return c
		}
		_ = c.Close()
	}
}

func (p *idlePool) pop() *upstreamConn {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closing = false
	last := len(p.conns) - 1
	if last < 0 {
		return nil
	}
	c := p.conns[last]
	p.conns[last] = nil
	p.conns = p.conns[:last]
	return c
}

// put keeps c for another exchange, or closes it when there are enough.
func (p *idlePool) put(c *upstreamConn, now time.Time) {
	c.idleSince = now
	p.mu.Lock()
	kept := !p.closing && len(p.conns) < idleConnsPerBackend
	if kept {
		p.conns = append(p.conns, c)
		p.arm(p.timeout)
	}
	p.mu.Unlock()
	if !kept {
		_ = c.Close()
	}
}

// arm has the pool swept once; the caller holds mu.
func (p *idlePool) arm(after time.Duration) {
	switch {
	case p.armed:
		return
	case p.timer == nil:
		p.timer = time.AfterFunc(after, p.sweep)
	default:
		p.timer.Reset(after)
	}
	p.armed = true
}

// sweep closes what was not used for the timeout.
func (p *idlePool) sweep() {
	now := time.Now()
	p.mu.Lock()
	p.armed = false
	fresh := 0
	for fresh < len(p.conns) && now.Sub(p.conns[fresh].idleSince) >= p.timeout {
		fresh++
	}
	expired := slices.Clone(p.conns[:fresh])
	p.conns = slices.Delete(p.conns, 0, fresh)
	if len(p.conns) > 0 {
		p.arm(p.timeout - now.Sub(p.conns[0].idleSince))
	}
	p.mu.Unlock()
	closeAll(expired)
}

// close closes the idle connections and, unless a new exchange begins, those
// that are still in use when they become idle.
func (p *idlePool) close() {
	p.mu.Lock()
	all := p.conns
	p.conns, p.closing = nil, true
	if p.timer != nil {
		p.timer.Stop()
		p.armed = false
	}
	p.mu.Unlock()
	closeAll(all)
}

func closeAll(conns []*upstreamConn) {
	for _, c := range conns {
		_ = c.Close()
	}
}
