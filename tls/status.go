package edgetls

import (
	"cmp"
	"context"
	"crypto/tls"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Status is what is known of the certificate of one host.
type Status struct {
	Host   string `json:"host"`
	Issuer string `json:"issuer"`
	// NotAfter is the end of the served certificate's validity; zero when there is none.
	NotAfter time.Time `json:"not_after,omitzero"`
	// OK means that a client connecting now is shown a certificate that is valid now.
	OK bool `json:"ok"`
	// Expiring means that the certificate should have been renewed by now and was not, or has
	// expired already.
	Expiring bool `json:"expiring,omitempty"`
	// Error is the last failure in plain words, kept until the next success.
	Error string `json:"error,omitempty"`
}

// Status tells the state of every configured host, sorted by host.
func (c *Certificates) Status() []Status {
	now := time.Now()
	hosts := *c.hosts.Load()
	all := make([]Status, 0, len(hosts))
	for _, h := range hosts {
		all = append(all, h.status(c.opts.Issuer, now))
	}
	slices.SortFunc(all, func(a, b Status) int { return cmp.Compare(a.Host, b.Host) })
	return all
}

// Expiring is the part of Status that somebody should look at because the end is near or past.
func (c *Certificates) Expiring() []Status {
	return slices.DeleteFunc(c.Status(), func(s Status) bool { return !s.Expiring })
}

// host is one configured name with the certificate that is served for it.
type host struct {
	name string
	cert atomic.Pointer[tls.Certificate] // always with its Leaf

	mu      sync.Mutex
	failure string
}

func (h *host) fail(reason string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.failure = reason
}

func (h *host) failed() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.failure
}

// serve makes cert the one that is shown from now on.
func (h *host) serve(cert *tls.Certificate) {
	h.cert.Store(cert)
	h.fail("")
}

func (h *host) status(issuer string, now time.Time) Status {
	s := Status{Host: h.name, Issuer: issuer, Error: h.failed()}
	cert := h.cert.Load()
	if cert == nil {
		return s
	}
	s.NotAfter = cert.Leaf.NotAfter
	s.OK = !now.Before(cert.Leaf.NotBefore) && !now.After(s.NotAfter)
	s.Expiring = s.NotAfter.Sub(now) < alarm(cert)
	if s.Error == "" && now.After(s.NotAfter) {
		s.Error = "the certificate has expired"
	}
	return s
}

// renewAt is when a third of the certificate's lifetime is left.
func renewAt(cert *tls.Certificate) time.Time {
	return cert.Leaf.NotAfter.Add(-lifetime(cert) / 3)
}

// alarm is the remaining time below which a certificate is expiring: a quarter of its lifetime, by
// when several renewals have failed, and never more than three weeks.
func alarm(cert *tls.Certificate) time.Duration {
	return min(lifetime(cert)/4, 21*24*time.Hour)
}

func lifetime(cert *tls.Certificate) time.Duration {
	return cert.Leaf.NotAfter.Sub(cert.Leaf.NotBefore)
}

// watch signals expiry from the certificates that are served, whatever the attempts to renew them
// may report, once when the end comes near and once when it has come.
func (c *Certificates) watch(ctx context.Context) error {
	tick := time.NewTicker(c.opts.pace.watch)
	defer tick.Stop()
	told := map[string]Status{}
	for {
		expiring := map[string]Status{}
		for _, s := range c.Expiring() {
			expiring[s.Host] = s
			if before, known := told[s.Host]; !known || before.OK != s.OK {
				c.tell(s)
			}
		}
		told = expiring
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (c *Certificates) tell(s Status) {
	c.log.Warn("certificate is running out", "host", s.Host, "not_after", s.NotAfter, "expired", !s.OK, "error", s.Error)
	if c.opts.OnExpiry != nil {
		c.opts.OnExpiry(s)
	}
}
