package proxy

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"
)

func FuzzHost(f *testing.F) {
	for _, seed := range []string{
		"app.test", "APP.test.:443", "[::1]:8443", "::1", "a..", "a:b:c", ":", "", "[", "]", "[]", "[[::1]]", "]10.0.0.1[", "[10.0.0.1]",
		"\u212aelvin.test", "xn--bcher-kva.test", "app.test\x00", "app.test:00443", "fe80::1%eth0", "a@app.test",
	} {
		f.Add(seed)
	}
	service := NewService(nil)
	known := map[string]*Service{"app.test": service, "kelvin.test": service, "[::1]": service, "10.0.0.1": service}
	table, err := NewTable(TableOptions{Services: known})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, host string) {
		normal := normalHost(host)
		if validHost(normal) && normalHost(normal) != normal {
			t.Errorf("%q becomes %q, and that %q", host, normal, normalHost(normal))
		}
		if len(normal) > len(host) {
			t.Errorf("%q became longer: %q", host, normal)
		}
		if _, ok := table.lookup(host); ok {
			// What is served differs from the known host in case, a port
			// and a dot only.
			if known[normal] == nil || !strings.EqualFold(host[:len(normal)], normal) || strings.Trim(host[len(normal):], ".:0123456789") != "" {
				t.Errorf("%q is served as %q", host, normal)
			}
			for i := range len(host) {
				if host[i] <= ' ' || host[i] >= 0x7f {
					t.Errorf("%q is served", host)
				}
			}
		}
		// A table takes what is valid, and finds it again.
		if one, err := NewTable(TableOptions{Services: map[string]*Service{host: service}}); err == nil {
			asked := host
			if a, err := netip.ParseAddr(normalHost(host)); err == nil && a.Is6() {
				asked = "[" + normalHost(host) + "]"
			}
			if _, ok := one.lookup(asked); !ok {
				t.Errorf("%q is in the table and not found", host)
			}
		}
	})
}

func FuzzForwardedFor(f *testing.F) {
	for _, seed := range []string{
		"198.51.100.7", "6.6.6.6, 198.51.100.7, 10.2.2.2", "[2001:db8::1]:99", "unknown", ",", "10.0.0.1,", "[::ffff:10.0.0.1]", "fe80::1%eth0",
		`for=198.51.100.7`, `for="[2001:db8::1]:99";proto=https, for=10.1.1.1`, `for="a\",b"`, `for=;for=`, `"`, `for="`, "10.1.1.1\n198.51.100.7",
	} {
		f.Add("10.1.1.1:1", seed)
		f.Add("192.0.2.1:1", seed)
		f.Add("[fd00::1%eth0]:1", seed)
	}
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	table, err := NewTable(TableOptions{TrustedProxies: trusted})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, peer, text string) {
		lines := strings.Split(text, "\n")
		self, _ := table.client(peer, nil)
		for name, told := range map[string][]string{"X-Forwarded-For": lines, "Forwarded": forwardedFor(lines)} {
			client, isTrusted := table.origin(&http.Request{RemoteAddr: peer, Header: http.Header{name: lines}})
			switch {
			case isTrusted != contains(trusted, self):
				t.Errorf("peer %q: trusted %v", peer, isTrusted)
			case !isTrusted && client != self:
				t.Errorf("%s %q of peer %q was believed: %s", name, lines, peer, client)
			case client != self && !leadsTo(trusted, told, client):
				t.Errorf("%s %q leads to %s", name, lines, client)
			case client.Zone() != "" || client.Is4In6():
				t.Errorf("%s %q: %s is not in the form of the access ranges", name, lines, client)
			}
		}
	})
}

// leadsTo reports whether client is in the chain, with nobody but trusted
// proxies behind it.
func leadsTo(trusted []netip.Prefix, lines []string, client netip.Addr) bool {
	var chain []string
	for _, line := range lines {
		chain = append(chain, strings.Split(line, ",")...)
	}
	for i := len(chain) - 1; i >= 0; i-- {
		hop, err := parseHop(strings.TrimSpace(chain[i]))
		if err != nil {
			return false
		}
		if hop == client {
			return true
		}
		if !contains(trusted, hop) {
			return false
		}
	}
	return false
}
