// Package edgetls owns the certificates of the edge: it sets certmagic up, loads what is stored,
// obtains and renews one certificate for every configured host, decides what a TLS handshake may
// negotiate, and signals certificates that are about to expire.
//
// Three issuers exist: "acme" (RFC 8555, answered through the edge's own listeners by HTTP-01 and
// TLS-ALPN-01), "internal" (a certificate authority of our own, kept in the state directory) and
// "files" (key pairs that somebody else renews). A certificate that is missing, unusable or expired
// is a problem of its own host alone.
//
// It must not know routes, slots, releases, or the format of the configuration file.
package edgetls

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mholt/acmez/v3"
	"golang.org/x/sync/errgroup"
)

// The issuers that Options.Issuer may name.
const (
	IssuerACME     = "acme"
	IssuerInternal = "internal"
	IssuerFiles    = "files"
)

// Options says where certificates come from and where they are kept.
type Options struct {
	// Issuer is IssuerACME, IssuerInternal or IssuerFiles.
	Issuer string
	// Email is the contact of the ACME account; it may be empty.
	Email string
	// Directory is the ACME directory URL (RFC 8555 §7.1.1); empty means Let's Encrypt.
	Directory string
	// Root is the path of a PEM file with the root that the ACME server's own TLS certificate is
	// verified against; empty means the roots of the system.
	Root string
	// StateDir holds everything that must survive a restart: certificates, acme (accounts) and ca
	// (the internal authority) below it. Directories are made 0700, files 0600.
	StateDir string
	// Hosts is every configured name; each gets a certificate of its own.
	Hosts []string
	// Files are the key pairs of IssuerFiles.
	Files []KeyPair
	// HTTPPort and TLSPort are the ports of the edge's own listeners, which answer the ACME
	// challenges. A port of 0 switches its challenge (HTTP-01, TLS-ALPN-01) off.
	HTTPPort, TLSPort int
	// OnExpiry is told of each certificate that begins to run out although it should have been
	// renewed by then, and again when it has expired. It is called by Run; it must not block for
	// long. Nil means nobody wants to know.
	OnExpiry func(Status)
	// Logger receives what happens; nil discards it.
	Logger *slog.Logger

	pace pace
}

// KeyPair names the PEM files of a certificate chain, leaf first, and of its private key.
type KeyPair struct{ Cert, Key string }

// pace holds the intervals of Run; its zero fields mean the defaults.
type pace struct {
	retry    time.Duration // before the first new attempt after a failure; doubles with each
	retryMax time.Duration // the longest pause between two attempts
	watch    time.Duration // between two looks at what expires
	files    time.Duration // between two looks at the key pairs
	lifetime time.Duration // of a certificate of the internal authority
}

func (p pace) withDefaults() pace {
	set := func(d *time.Duration, to time.Duration) {
		if *d == 0 {
			*d = to
		}
	}
	set(&p.retry, time.Minute)
	set(&p.retryMax, time.Hour)
	set(&p.watch, time.Minute)
	set(&p.files, 2*time.Second)
	set(&p.lifetime, 90*24*time.Hour)
	return p
}

// Certificates holds the certificate of every configured host. It is safe for concurrent use.
type Certificates struct {
	opts      Options
	log       *slog.Logger
	acmeRoots *x509.CertPool
	store     *storage
	issuing   atomic.Pointer[issuing] // set while Run manages certificates

	setting sync.Mutex   // one change of hosts or of their files at a time
	pairs   []*pairFiles // of IssuerFiles; guarded by setting
	hosts   atomic.Pointer[map[string]*host]
	changed chan struct{} // holds one token when hosts has been replaced

	asking atomic.Pointer[map[string]*tls.Config] // of hosts that ask clients for a certificate
}

// New loads every stored certificate before it returns and starts nothing. It never needs the
// issuer to be reachable, and a host whose certificate cannot be loaded does not make it fail:
// Status tells. Errors are those of the options.
func New(opts Options) (*Certificates, error) {
	opts.pace = opts.pace.withDefaults()
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if err := opts.check(); err != nil {
		return nil, err
	}
	c := &Certificates{
		opts:    opts,
		log:     opts.Logger,
		store:   newStorage(opts.StateDir),
		changed: make(chan struct{}, 1),
	}
	c.hosts.Store(&map[string]*host{})
	for _, pair := range opts.Files {
		c.pairs = append(c.pairs, &pairFiles{KeyPair: pair})
	}
	if opts.Root != "" {
		roots, err := readRoots(opts.Root)
		if err != nil {
			return nil, err
		}
		c.acmeRoots = roots
	}
	return c, c.SetHosts(opts.Hosts)
}

func (o Options) check() error {
	if !slices.Contains([]string{IssuerACME, IssuerInternal, IssuerFiles}, o.Issuer) {
		return fmt.Errorf("certificate issuer %q is unknown: use acme, internal or files", o.Issuer)
	}
	if o.Issuer != IssuerFiles && o.StateDir == "" {
		return fmt.Errorf("issuer %s needs a state directory to keep certificates in", o.Issuer)
	}
	if o.Issuer == IssuerACME && o.HTTPPort == 0 && o.TLSPort == 0 {
		return errors.New("issuer acme needs an HTTP or a TLS listener to answer challenges")
	}
	u, err := url.Parse(o.Directory)
	if err != nil {
		return errors.New("the ACME directory is not a URL")
	}
	if u.User != nil {
		return errors.New("the ACME directory URL carries credentials, which would reach logs: remove them")
	}
	return nil
}

// Config is the TLS policy of the edge: TLS 1.2 and 1.3, AEAD cipher suites only, h2 and http/1.1.
// A handshake for a name that is not configured, or for none, is refused with the alert
// unrecognized_name (RFC 6066 §3) and has no other effect. Hosts of SetAuthorities ask for a
// certificate.
func (c *Certificates) Config() *tls.Config {
	config := c.policy()
	config.GetConfigForClient = c.configFor
	return config
}

func (c *Certificates) policy() *tls.Config {
	protocols := []string{"h2", "http/1.1"}
	if c.opts.Issuer == IssuerACME {
		protocols = append(protocols, acmez.ACMETLS1Protocol)
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		CipherSuites: []uint16{ // of TLS 1.2; those of 1.3 are AEADs by definition
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
			tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
		},
		NextProtos:     protocols,
		GetCertificate: c.certificate,
	}
}

// certificate answers (nil, nil) for a name that is not ours: crypto/tls makes the alert
// unrecognized_name of that, and internal_error of any error.
func (c *Certificates) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	h := c.host(hello.ServerName)
	if h == nil {
		return nil, nil
	}
	if slices.Equal(hello.SupportedProtos, []string{acmez.ACMETLS1Protocol}) {
		return c.challengeCertificate(hello)
	}
	if cert := h.cert.Load(); cert != nil {
		return cert, nil
	}
	return nil, fmt.Errorf("no certificate for %s: %s", h.name, h.failed())
}

func (c *Certificates) host(name string) *host {
	return (*c.hosts.Load())[strings.ToLower(name)]
}

// SetHosts replaces the configured names. New names are loaded from storage at once and managed by
// Run, dropped ones are no longer served; what is stored of them stays, and so do open connections.
// With IssuerFiles the key pairs are read again at once. An unusable name is an error and changes nothing.
func (c *Certificates) SetHosts(names []string) error {
	c.setting.Lock()
	defer c.setting.Unlock()
	for _, name := range names {
		if name == "" || strings.ContainsAny(name, "/\\: *") || strings.Contains(name, "..") {
			return fmt.Errorf("%q is not a host name that a certificate can be had for", name)
		}
	}
	old := *c.hosts.Load()
	next := make(map[string]*host, len(names))
	for _, name := range names {
		name = strings.ToLower(name)
		if h, ok := old[name]; ok {
			next[name] = h
			continue
		}
		next[name] = &host{name: name}
	}
	c.load(next, old)
	c.hosts.Store(&next)
	select {
	case c.changed <- struct{}{}:
	default:
	}
	return nil
}

// load fills in certificates: from the key files for every host, for they may have changed, or from
// storage for the hosts that are new.
func (c *Certificates) load(next, old map[string]*host) {
	if c.opts.Issuer == IssuerFiles {
		c.loadFiles(next)
		return
	}
	for name, h := range next {
		if _, known := old[name]; !known {
			c.loadStored(h)
		}
	}
}

// Run obtains and renews certificates, or with IssuerFiles reads what somebody else has renewed, and
// watches what expires, until ctx ends. The edge's listeners must be open before, since they answer
// the challenges. A failure is kept in Status and tried again later; it never ends Run. Run must be
// called at most once.
func (c *Certificates) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return c.watch(ctx) })
	if c.opts.Issuer == IssuerFiles {
		g.Go(func() error { return c.watchFiles(ctx) })
	} else {
		g.Go(func() error { return c.manage(ctx) })
	}
	return g.Wait()
}

func readRoots(path string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(filepath.Clean(path))
	if err != nil {
		return nil, fmt.Errorf("reading the root of the ACME server: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("reading the root of the ACME server: %s holds no PEM certificate", path)
	}
	return roots, nil
}
