package edgetls

import (
	"crypto/tls"
	"crypto/x509"
	"slices"
	"strings"

	"github.com/mholt/acmez/v3"
)

// SetAuthorities replaces the hosts that ask their clients for a certificate, and whose. A client
// that has none is served all the same: what it may do without one is decided above. A certificate
// that none of the authorities has issued ends the handshake. All other hosts ask for nothing.
// Open connections stay as they are.
func (c *Certificates) SetAuthorities(byHost map[string][]*x509.Certificate) {
	asking := make(map[string]*tls.Config, len(byHost))
	for name, authorities := range byHost {
		if len(authorities) > 0 {
			asking[strings.ToLower(name)] = c.askingConfig(authorities)
		}
	}
	c.asking.Store(&asking)
}

// askingConfig is the policy of a host that asks for a certificate. It resumes no sessions: a ticket
// of a time or of a host that did not ask would carry no certificate, and one of other authorities
// the wrong one.
func (c *Certificates) askingConfig(authorities []*x509.Certificate) *tls.Config {
	config := c.policy()
	config.ClientAuth = tls.VerifyClientCertIfGiven
	config.ClientCAs = x509.NewCertPool()
	for _, cert := range authorities {
		config.ClientCAs.AddCert(cert)
	}
	config.SessionTicketsDisabled = true
	return config
}

// configFor is the policy of the host that a client asks for; nil is that of most hosts.
func (c *Certificates) configFor(hello *tls.ClientHelloInfo) (*tls.Config, error) {
	asking := c.asking.Load()
	if asking == nil || slices.Equal(hello.SupportedProtos, []string{acmez.ACMETLS1Protocol}) {
		return nil, nil
	}
	return (*asking)[strings.ToLower(hello.ServerName)], nil
}
