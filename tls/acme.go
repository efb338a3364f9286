package edgetls

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"

	"github.com/caddyserver/certmagic"
	"github.com/mholt/acmez/v3/acme"
	"go.uber.org/zap"
)

func (c *Certificates) directory() string {
	return cmp.Or(c.opts.Directory, certmagic.LetsEncryptProductionCA)
}

func (c *Certificates) newACME(config *certmagic.Config, logger *zap.Logger) *certmagic.ACMEIssuer {
	return certmagic.NewACMEIssuer(config, certmagic.ACMEIssuer{
		CA:           c.directory(),
		Email:        c.opts.Email,
		Agreed:       true,
		TrustedRoots: c.acmeRoots,
		// certmagic's solvers find these ports taken, by us, and leave the answering to us.
		AltHTTPPort:             c.opts.HTTPPort,
		AltTLSALPNPort:          c.opts.TLSPort,
		DisableHTTPChallenge:    c.opts.HTTPPort == 0,
		DisableTLSALPNChallenge: c.opts.TLSPort == 0,
		Logger:                  logger,
	})
}

// unattended is an ACME issuer that never asks a person: a single attempt counts as interactive in
// certmagic, which would prompt for a missing e-mail address on standard input.
type unattended struct{ *certmagic.ACMEIssuer }

// PreCheck implements certmagic.PreChecker.
func (u unattended) PreCheck(ctx context.Context, names []string, _ bool) error {
	return u.ACMEIssuer.PreCheck(ctx, names, false)
}

// Challenge answers HTTP-01 challenges (RFC 8555 §8.3) of configured hosts and leaves every other
// request to next.
func (c *Certificates) Challenge(next http.Handler) http.Handler {
	if c.opts.Issuer != IssuerACME {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		in := c.issuing.Load()
		if in != nil && certmagic.LooksLikeHTTPChallenge(r) && c.host(hostname(r.Host)) != nil &&
			in.acme.HandleHTTPChallenge(w, r) {
			return
		}
		next.ServeHTTP(w, r)
	})
}

// challengeCertificate answers TLS-ALPN-01 (RFC 8737).
func (c *Certificates) challengeCertificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	in := c.issuing.Load()
	if in == nil || in.acme == nil {
		return nil, errors.New("no certificate is being obtained")
	}
	return in.config.GetCertificate(hello)
}

// hostname is the name in a Host header.
func hostname(hostport string) string {
	name, _, err := net.SplitHostPort(hostport)
	if err != nil {
		name = hostport
	}
	return strings.TrimSuffix(name, ".")
}

// explain says why an attempt failed and what to look at, for the person who reads the status.
func explain(err error) string {
	var (
		unknownRoot x509.UnknownAuthorityError
		wrongName   x509.HostnameError
		problem     acme.Problem
		network     *net.OpError
	)
	switch {
	case errors.As(err, &unknownRoot):
		return "the ACME server's own certificate comes from an authority that is not trusted here: " +
			"name the file with its root, or check the directory URL"
	case errors.As(err, &wrongName):
		return fmt.Sprintf("the ACME server's own certificate is for another name: %v", wrongName)
	case errors.As(err, &problem):
		return explainProblem(problem)
	case errors.Is(err, context.DeadlineExceeded):
		return "the ACME server took too long; it is tried again later"
	case errors.As(err, &network):
		return fmt.Sprintf("the ACME server cannot be reached: %v; check the directory URL and the network", network)
	default:
		return err.Error()
	}
}

// explainProblem words a problem document of RFC 8555 §6.7.
func explainProblem(p acme.Problem) string {
	reasons := []string{cmp.Or(p.Detail, p.Title, p.Type)}
	for _, sub := range p.Subproblems {
		reasons = append(reasons, sub.Detail)
	}
	reason := "the ACME server refused: " + strings.Join(reasons, "; ")
	switch strings.TrimPrefix(p.Type, acme.ProblemTypeNamespace) {
	case "connection", "dns", "tls", "unauthorized":
		return reason + "; check that the name points to this server and that its ports 80 and 443 are reachable"
	case "rateLimited":
		return reason + "; it is tried again later by itself"
	default:
		return reason
	}
}
