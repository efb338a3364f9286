package config

import (
	"net/netip"
	"time"
)

// Config is one accepted configuration file. Defaults are filled in, hosts are in
// their lower-case ASCII form, and relative paths have been resolved against the
// directory of the file.
type Config struct {
	// Edge says where the proxy listens.
	Edge Edge `yaml:"edge"`
	// TLS says where certificates come from.
	TLS TLS `yaml:"tls"`
	// Admin says where the control plane listens.
	Admin Admin `yaml:"admin"`
	// State says where durable state is kept.
	State State `yaml:"state"`
	// Metrics says where Prometheus may ask for figures.
	Metrics Metrics `yaml:"metrics"`
	// Logs says where the backends' output and the access logs go.
	Logs Logs `yaml:"logs"`
	// Tracing sends traces of requests to a collector; default none.
	Tracing Tracing `yaml:"tracing"`
	// Disk says when a disk is nearly full.
	Disk Disk `yaml:"disk"`
	// Language of alerts, pages and the dashboard: en (default) or es.
	Language string `yaml:"language" jsonschema:"enum=en,enum=es"`
	// Apps are the deployable backends, by name; at least one.
	Apps map[string]*App `yaml:"apps" jsonschema:"required"`

	// name and lines let CheckFiles report a problem like validation does.
	name  string
	lines positions
}

// Edge is the listening side of the proxy.
type Edge struct {
	// HTTP is the address of the plain listener, which answers ACME challenges and redirects; default ":80".
	HTTP string `yaml:"http"`
	// HTTPS is the address of the TLS listener; default ":443".
	HTTPS string `yaml:"https"`
	// TrustedProxies are the peers whose forwarding headers are believed: X-Forwarded-For, -Proto and -Host, or Forwarded
	// where they are missing; default none.
	TrustedProxies []netip.Prefix `yaml:"trusted_proxies"`
	// HTTP3 serves HTTP/3 on the UDP port of https; default true.
	HTTP3 bool `yaml:"http3"`
	// ProxyProtocol are the peers that must begin each connection with a PROXY header (version 1 or 2), which names
	// their client; default none.
	ProxyProtocol []netip.Prefix `yaml:"proxy_protocol"`
	// Connections is how many open connections one client address may have, IPv6 by its /64; default 1000. Loopback
	// and trusted proxies have no limit.
	Connections int `yaml:"connections" jsonschema:"minimum=1"`
	// Timeouts are what a client may take.
	Timeouts Timeouts `yaml:"timeouts"`
}

// Timeouts say when a client that stands still is given up.
type Timeouts struct {
	// Header is the time for the TLS handshake and a request's header; default 10s.
	Header time.Duration `yaml:"header"`
	// Body is how long a client may send nothing of a body that it owes, or read nothing of an answer; default 60s.
	// WebSockets and event streams have no such limit.
	Body time.Duration `yaml:"body"`
	// Idle is how long a connection may wait for its next request; default 3m.
	Idle time.Duration `yaml:"idle"`
}

// TLS is the source of certificates.
type TLS struct {
	// Issuer is acme (default), internal (an own CA, for demo and tests) or files.
	Issuer string `yaml:"issuer" jsonschema:"enum=acme,enum=internal,enum=files"`
	// Email is the contact of the ACME account; optional.
	Email string `yaml:"email"`
	// Directory is the URL of the ACME directory (RFC 8555 section 7.1.1); default Let's Encrypt.
	Directory string `yaml:"directory"`
	// Root is a PEM file of further roots to trust when talking to a private ACME CA; optional.
	Root string `yaml:"root"`
	// Certificates are the certificates to serve with issuer files.
	Certificates []Certificate `yaml:"certificates"`
}

// Certificate is a certificate chain and its key, in PEM files.
type Certificate struct {
	// Hosts are the hosts it is served for; empty means the names in the certificate.
	Hosts []string `yaml:"hosts"`
	// Cert is the file of the chain, leaf first.
	Cert string `yaml:"cert" jsonschema:"required"`
	// Key is the file of the private key.
	Key string `yaml:"key" jsonschema:"required"`
}

// State is the place of the durable state.
type State struct {
	// Dir is a directory; default /var/lib/bluegreen.
	Dir string `yaml:"dir"`
}

// Metrics is a plain listener for Prometheus, besides /metrics of the admin API.
type Metrics struct {
	// Listen is the address at which /metrics is answered over plain HTTP, loopback or private, such as
	// "127.0.0.1:9145"; default none.
	Listen string `yaml:"listen"`
}

// Logs is the place of the backends' output and of the access logs.
type Logs struct {
	// Dir is the directory that holds <app>/{blue,green}.log and <app>/access-{blue,green}.log; default /var/log.
	Dir string `yaml:"dir"`
	// MaxSize is the size at which a file is rotated; at least 64k, default 100MB.
	MaxSize Bytes `yaml:"max_size"`
	// MaxAge is the age at which what was rotated out is removed. A file that stays small is rotated after
	// max_age/keep; at least 1h, default 720h.
	MaxAge time.Duration `yaml:"max_age"`
	// Keep is how many files that were rotated out of each are kept; default 10.
	Keep int `yaml:"keep" jsonschema:"minimum=1"`
	// TotalSize is what all files of an app may take, the oldest being removed first; at least eight times
	// max_size, for of the four files the newest that was rotated out is always kept; default 2GB.
	TotalSize Bytes `yaml:"total_size"`
}
