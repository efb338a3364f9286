package config

import (
	"maps"
	"net"
	"net/mail"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// validate reports everything that is wrong with the decoded file, and brings hosts
// into their normal form. What a service of notify must be is asked of service.
func validate(c *Config, r *report, env func(string) (string, bool), service func(string) error) {
	validateEdge(&c.Edge, r)
	validateTracing(&c.Tracing, r)
	validateLogs(c.Logs, r)
	validateDisk(c.Disk, r)
	validateMetrics(&c.Metrics, r)
	oneOf(r, "language", c.Language, "en", "es")
	if len(c.Apps) == 0 {
		r.key("apps", "there are no apps: describe at least one")
	}
	u := newUnique(r)
	for _, name := range slices.Sorted(maps.Keys(c.Apps)) {
		validateApp(c.Apps[name], "apps."+name, r, u)
		validateDatabase(c.Apps[name], "apps."+name+".database", u, env)
		validateNotify(c.Apps[name].Notify, "apps."+name+".notify", r, service)
	}
	validateTLS(&c.TLS, r, u.hosts)
	validateAdmin(c, r, u.hosts)
}

// unique holds what two apps, routes or slots must not share, by the key that has it.
type unique struct {
	*report
	hosts, ports, names, dirs map[string]string
}

func newUnique(r *report) *unique {
	return &unique{r, map[string]string{}, map[string]string{}, map[string]string{}, map[string]string{}}
}

// claim reports a value that another key has taken already.
func (u *unique) claim(taken map[string]string, value, key, what string) {
	if first, ok := taken[value]; ok {
		u.key(key, "%s %s is taken by %s (line %d): give each its own", what, u.number(key, value), first, u.at.nearest(first).line)
		return
	}
	taken[value] = key
}

func oneOf(r *report, key, value string, allowed ...string) {
	if !slices.Contains(allowed, value) {
		last := len(allowed) - 1
		r.key(key, "must be %s or %s, is %s", strings.Join(allowed[:last], ", "), allowed[last], r.shown(key, value))
	}
}

func validateEdge(e *Edge, r *report) {
	validateListen(e.HTTP, "edge.http", r)
	validateListen(e.HTTPS, "edge.https", r)
	if e.HTTP == e.HTTPS && !strings.HasSuffix(e.HTTP, ":0") {
		r.key("edge.https", "is the same address as edge.http: each listener needs its own")
	}
	if e.Connections < 1 {
		r.key("edge.connections", "must be at least 1, is %s", r.number("edge.connections", e.Connections))
	}
}

// validateListen wants an optional IP address and a port; port 0 means any free one.
func validateListen(address, key string, r *report) {
	host, port, err := net.SplitHostPort(address)
	if err == nil && host != "" {
		_, err = netip.ParseAddr(host)
	}
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		r.key(key, "must be a port with an optional IP address, such as \":443\" or \"127.0.0.1:8443\", is %s", r.shown(key, address))
	}
}

// validateMetrics wants an address that strangers do not reach: whoever reaches
// it may read.
func validateMetrics(m *Metrics, r *report) {
	if !r.at.given("metrics.listen") {
		return
	}
	host, port, err := net.SplitHostPort(m.Listen)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	address, notAddress := netip.ParseAddr(host)
	switch {
	case err != nil || host != "" && notAddress != nil:
		r.key("metrics.listen", "must be an IP address and a port, such as \"127.0.0.1:9145\", is %s", r.shown("metrics.listen", m.Listen))
	case notAddress != nil || !isNear(address):
		r.key("metrics.listen", "must be a loopback or private address, is %s: whoever reaches it may read, without a password and in the clear",
			r.shown("metrics.listen", m.Listen))
	}
}

// isNear reports whether an address is of this machine or of a private network.
func isNear(a netip.Addr) bool { return a.IsLoopback() || a.IsPrivate() }

// validateTLS checks what the issuer needs. The hosts are those of all apps.
func validateTLS(t *TLS, r *report, hosts map[string]string) {
	oneOf(r, "tls.issuer", t.Issuer, "acme", "internal", "files")
	for _, key := range []string{"tls.email", "tls.directory", "tls.root"} {
		if t.Issuer != "acme" && r.at.given(key) {
			r.key(key, "is used by issuer acme only: remove it, or set tls.issuer to acme")
		}
	}
	if address, err := mail.ParseAddress(t.Email); t.Email != "" && (err != nil || address.Address != t.Email) {
		r.key("tls.email", "must be a plain address such as ops@example.com, is %s", r.shown("tls.email", t.Email))
	}
	if u, err := url.Parse(t.Directory); t.Directory != "" && (err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil) {
		r.key("tls.directory", "must be an https URL without a user, such as %s", letsEncrypt)
	}
	switch {
	case t.Issuer != "files" && r.at.given("tls.certificates"):
		r.key("tls.certificates", "is used by issuer files only: remove it, or set tls.issuer to files")
	case t.Issuer == "files" && len(t.Certificates) == 0:
		r.key("tls.certificates", "is needed with issuer files: list cert and key of every certificate")
	case t.Issuer == "files":
		validateCertificates(t.Certificates, r, hosts)
	}
}

// validateCertificates checks that each has its files, that hosts named are hosts of
// an app, and, when all name their hosts, that no host of an app is left out.
func validateCertificates(certificates []Certificate, r *report, hosts map[string]string) {
	covered, allNamed := map[string]bool{}, true
	for i := range certificates {
		c, key := &certificates[i], index("tls.certificates", i)
		required(r, key+".cert", c.Cert, "name the PEM file of the certificate chain")
		required(r, key+".key", c.Key, "name the PEM file of the private key")
		allNamed = allNamed && len(c.Hosts) > 0
		for j := range c.Hosts {
			hostKey := index(key+".hosts", j)
			if normalHost(r, hostKey, &c.Hosts[j]); hosts[c.Hosts[j]] == "" {
				r.key(hostKey, "%s is not a host of any app: correct it or remove it", r.shown(hostKey, c.Hosts[j]))
			}
			covered[c.Hosts[j]] = true
		}
	}
	for _, host := range slices.Sorted(maps.Keys(hosts)) {
		if allNamed && !covered[host] {
			r.key(hosts[host], "%s has no certificate: add it to the hosts of one in tls.certificates", r.shown(hosts[host], host))
		}
	}
}

// required reports a key that has no value.
func required(r *report, key, value, advice string) {
	if value == "" {
		r.key(key, "is missing: %s", advice)
	}
}
