package edgetls

import (
	"crypto/tls"
	"errors"
	"fmt"
	"strings"
	"time"
)

// loadFiles reads all key pairs and gives each host the one that covers it. A pair that cannot be
// read leaves a host with what it had, and its failure is told of the hosts that need it.
func (c *Certificates) loadFiles(hosts map[string]*host) {
	var pairs []*tls.Certificate
	var broken []string
	for _, file := range c.opts.Files {
		cert, err := tls.LoadX509KeyPair(file.Cert, file.Key)
		if err != nil {
			c.log.Error("key pair cannot be used", "cert", file.Cert, "key", file.Key, "error", err)
			broken = append(broken, fmt.Sprintf("%s: %v", file.Cert, err))
			continue
		}
		pairs = append(pairs, &cert)
	}
	for _, h := range hosts {
		if cert := covering(pairs, h.name); cert != nil {
			h.serve(cert)
			continue
		}
		reason := errors.New("no certificate file covers this host")
		if len(broken) > 0 {
			reason = fmt.Errorf("%w; unusable: %s", reason, strings.Join(broken, "; "))
		}
		h.fail(reason.Error())
		c.log.Error("host has no certificate", "host", h.name, "error", reason)
	}
}

// covering picks the pair that is valid for name now and for longest, or else any that names it.
func covering(pairs []*tls.Certificate, name string) *tls.Certificate {
	var best *tls.Certificate
	now := time.Now()
	for _, cert := range pairs {
		if cert.Leaf.VerifyHostname(name) != nil {
			continue
		}
		if best == nil || better(cert, best, now) {
			best = cert
		}
	}
	return best
}

func better(a, b *tls.Certificate, now time.Time) bool {
	aStarted, bStarted := !now.Before(a.Leaf.NotBefore), !now.Before(b.Leaf.NotBefore)
	if aStarted != bStarted {
		return aStarted
	}
	return a.Leaf.NotAfter.After(b.Leaf.NotAfter)
}
