package edgetls

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/caddyserver/certmagic"
)

// attemptLimit bounds one attempt to get a certificate; certmagic's own limits are per request.
const attemptLimit = 10 * time.Minute

// recheck is the longest sleep while nothing is due, so that a changed clock is noticed.
const recheck = time.Hour

// issuing is what exists only while certificates are managed. certmagic is asked for single
// attempts; when to make one is decided here, because its own retry loop gives up without an error.
type issuing struct {
	config *certmagic.Config
	cache  *certmagic.Cache
	acme   *certmagic.ACMEIssuer // nil for the internal authority
}

func (c *Certificates) newIssuing() *issuing {
	in := &issuing{}
	logger := zapLogger(c.log)
	// A Config cannot be had without a Cache. It stays empty but for challenges, so that its own
	// maintenance finds nothing to do.
	in.cache = certmagic.NewCache(certmagic.CacheOptions{
		GetConfigForCert: func(certmagic.Certificate) (*certmagic.Config, error) { return in.config, nil },
		Logger:           logger,
	})
	in.config = certmagic.New(in.cache, certmagic.Config{
		Storage:    c.store,
		Logger:     logger,
		OCSP:       certmagic.OCSPConfig{DisableStapling: true}, // would need the network to load
		DisableARI: true,
		Issuers:    []certmagic.Issuer{c.authority()},
	})
	if c.opts.Issuer == IssuerACME {
		in.acme = c.newACME(in.config, logger)
		in.config.Issuers = []certmagic.Issuer{unattended{in.acme}}
	}
	return in
}

func (c *Certificates) authority() authority {
	return authority{stateDir: c.opts.StateDir, lifetime: c.opts.pace.lifetime}
}

func (c *Certificates) issuerKey() string {
	if c.opts.Issuer == IssuerACME {
		return (&certmagic.ACMEIssuer{CA: c.directory()}).IssuerKey()
	}
	return c.authority().IssuerKey()
}

// manage runs one keeper for each host, and starts and ends keepers as hosts come and go.
func (c *Certificates) manage(ctx context.Context) error {
	in := c.newIssuing()
	defer in.cache.Stop()
	c.issuing.Store(in)
	defer c.issuing.Store(nil)

	var keepers sync.WaitGroup
	defer keepers.Wait()
	running := map[*host]context.CancelFunc{}
	for {
		hosts := *c.hosts.Load()
		for h, stop := range running {
			if hosts[h.name] != h {
				stop()
				delete(running, h)
			}
		}
		for _, h := range hosts {
			if running[h] == nil {
				keeping, stop := context.WithCancel(ctx)
				running[h] = stop
				keepers.Go(func() { defer stop(); c.keep(keeping, in, h) })
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-c.changed:
		}
	}
}

// keep gets and renews the certificate of one host until ctx ends.
func (c *Certificates) keep(ctx context.Context, in *issuing, h *host) {
	for failures := 0; ; {
		wait := c.untilDue(h)
		if failures > 0 {
			wait = c.pause(failures)
			c.log.Warn("certificate not obtained", "host", h.name, "error", h.failed(), "retry_in", wait)
		}
		if !sleep(ctx, min(wait, recheck)) {
			return
		}
		if failures == 0 && c.untilDue(h) > 0 {
			continue
		}
		switch {
		case c.attempt(ctx, in, h, failures):
			failures = 0
		case ctx.Err() != nil:
			return
		default:
			failures++
		}
	}
}

func (c *Certificates) untilDue(h *host) time.Duration {
	cert := h.cert.Load()
	if cert == nil || c.opts.Issuer == IssuerInternal && !c.authority().signed(cert.Leaf) {
		return 0
	}
	return max(0, time.Until(renewAt(cert)))
}

// pause doubles with every failure in a row. The jitter keeps hosts that failed together, because
// the issuer was down, from coming back together.
func (c *Certificates) pause(failures int) time.Duration {
	p := c.opts.pace
	wait := min(p.retry<<min(failures-1, 10), p.retryMax)
	return wait - time.Duration(rand.Int64N(int64(wait)/5+1))
}

// attempt gets a certificate for h once and serves it. failures is how many attempts have failed
// before: an ACME issuer with a staging server tries there first after a failure, for the sake of
// rate limits.
func (c *Certificates) attempt(ctx context.Context, in *issuing, h *host, failures int) bool {
	ctx, cancel := context.WithTimeout(ctx, attemptLimit)
	defer cancel()
	ctx = context.WithValue(ctx, certmagic.AttemptsCtxKey, &failures)
	if err := c.obtain(ctx, in, h.name); err != nil {
		if !errors.Is(ctx.Err(), context.Canceled) {
			h.fail(explain(err))
		}
		return false
	}
	if !c.loadStored(h) {
		return false
	}
	c.log.Info("certificate obtained", "host", h.name, "issuer", c.opts.Issuer, "not_after", h.cert.Load().Leaf.NotAfter)
	return true
}

// obtain puts a new certificate for name into storage. certmagic orders nothing while it has all
// parts of a certificate, usable or not; without the metadata, which only certmagic reads, it starts
// afresh. Until the new one is there the old one stays, and a crash in between loses nothing.
func (c *Certificates) obtain(ctx context.Context, in *issuing, name string) error {
	if err := c.store.Delete(ctx, certmagic.StorageKeys.SiteMeta(c.issuerKey(), name)); err != nil {
		return fmt.Errorf("preparing the renewal: %w", err)
	}
	return in.config.ObtainCertSync(ctx, name)
}

// loadStored serves what is stored for h, and tells whether there was something to serve.
func (c *Certificates) loadStored(h *host) bool {
	cert, err := c.store.pair(c.issuerKey(), h.name)
	switch {
	case err == nil:
		h.serve(cert)
		return true
	case errors.Is(err, fs.ErrNotExist):
		h.fail("no certificate has been obtained yet")
	default:
		h.fail(err.Error())
		c.log.Error("stored certificate cannot be used", "host", h.name, "error", err)
	}
	return false
}

// sleep tells whether d passed before ctx ended.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return ctx.Err() == nil
	}
}
