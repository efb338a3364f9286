package proxy

import (
	"net/netip"
	"strings"
	"testing"
)

func TestHostsMatchExactlyAfterNormalising(t *testing.T) {
	service := NewService(nil)
	table := mustTable(t, TableOptions{Services: map[string]*Service{"App.Example.com": service, "[::1]": service, "10.0.0.1": service}})
	for host, known := range map[string]bool{
		"app.example.com":       true,
		"APP.example.COM":       true,
		"app.example.com.":      true,
		"app.example.com:443":   true,
		"app.example.com.:8443": true,
		"[::1]:8443":            true,
		"[::1]":                 true,
		"10.0.0.1:80":           true,
		"":                      false,
		".":                     false,
		":443":                  false,
		"example.com":           false,
		"x.app.example.com":     false,
		"app.example.com..":     false,
		"app.example.com:x":     false,
		"app.example.com:443:1": false,
		"app.example.com/":      false,
		"app.example.com@evil":  false,
		"::1":                   false,
	} {
		if _, ok := table.lookup(host); ok != known {
			t.Errorf("host %q: known %v, want %v", host, ok, known)
		}
	}
}

func TestTableNamesEveryBadHost(t *testing.T) {
	s := NewService(nil)
	_, err := NewTable(TableOptions{Services: map[string]*Service{
		"": s, "https://x.test": s, "no.service": nil, "twice.test": s, "TWICE.test.": s, "a b": s, "good.test": s,
	}})
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{`""`, `"https://x.test"`, `"no.service"`, "listed twice", `"a b"`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error does not name %s: %v", want, err)
		}
	}
	if strings.Contains(err.Error(), "good.test") {
		t.Errorf("error names a good host: %v", err)
	}
}

func TestClientAddressIsTheRightmostUntrustedOne(t *testing.T) {
	table := mustTable(t, TableOptions{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}})
	for _, c := range []struct {
		peer    string
		header  []string
		client  string
		trusted bool
	}{
		{"192.0.2.1:1000", nil, "192.0.2.1", false},
		{"192.0.2.1:1000", []string{"198.51.100.7"}, "192.0.2.1", false},
		{"[::ffff:192.0.2.1]:1000", nil, "192.0.2.1", false},
		{"10.1.1.1:1", nil, "10.1.1.1", true},
		{"10.1.1.1:1", []string{"198.51.100.7"}, "198.51.100.7", true},
		{"10.1.1.1:1", []string{"6.6.6.6, 198.51.100.7, 10.2.2.2"}, "198.51.100.7", true},
		{"10.1.1.1:1", []string{"6.6.6.6", "198.51.100.7", "10.2.2.2"}, "198.51.100.7", true},
		{"10.1.1.1:1", []string{"198.51.100.7:4711"}, "198.51.100.7", true},
		{"[fd00::1]:1", []string{"[2001:db8::1]:99"}, "2001:db8::1", true},
		{"10.1.1.1:1", []string{"198.51.100.7, unknown"}, "10.1.1.1", true},
		{"10.1.1.1:1", []string{"10.3.3.3, 10.2.2.2"}, "10.3.3.3", true},
		{"pipe", nil, "invalid IP", false},
	} {
		client, trusted := table.client(c.peer, c.header)
		if client.String() != c.client || trusted != c.trusted {
			t.Errorf("peer %s, X-Forwarded-For %q: client %s trusted %v; want %s %v", c.peer, c.header, client, trusted, c.client, c.trusted)
		}
	}
}
