package config

import "testing"

func TestTopLevelMistakesAreExplained(t *testing.T) {
	checkProblems(t, []problemCase{
		{
			name: "no apps",
			file: "language: en\n",
			want: []string{
				"1: apps: there are no apps: describe at least one",
			},
		},
		{
			name: "empty apps",
			file: "apps: {}\n",
			want: []string{
				"1: apps: there are no apps: describe at least one",
			},
		},
		{
			name: "a language",
			top:  "language: fr\n",
			want: []string{
				`6: language: must be en or es, is "fr"`,
			},
		},
		{
			name: "a listener without a port",
			top:  "edge: { http: localhost, https: \"example.com:443\" }\n",
			want: []string{
				`6: edge.http: must be a port with an optional IP address, such as ":443" or "127.0.0.1:8443", is "localhost"`,
				`6: edge.https: must be a port with an optional IP address, such as ":443" or "127.0.0.1:8443", is "example.com:443"`,
			},
		},
		{
			name: "a listener twice",
			top:  "edge: { http: \":443\" }\n",
			want: []string{
				"6: edge.https: is the same address as edge.http: each listener needs its own",
			},
		},
		{
			name: "a proxy with bits beyond its range",
			top:  "edge: { trusted_proxies: [10.0.0.1/8, 10.0.0.0/33, fe80::1%eth0] }\n",
			want: []string{
				`6: edge.trusted_proxies[0]: is neither a range nor an address: "10.0.0.1/8" has bits set beyond its length; write the first address of the range, or the address alone`,
				`6: edge.trusted_proxies[1]: must be an address such as 10.0.0.1 or a range such as 10.0.0.0/8, is "10.0.0.0/33"`,
				`6: edge.trusted_proxies[2]: must be an address such as 10.0.0.1 or a range such as 10.0.0.0/8, is "fe80::1%eth0"`,
			},
		},
		{
			name: "a balancer with bits beyond its range",
			top:  "edge: { proxy_protocol: [10.0.0.1/8, balancer.example.com, \"\"] }\n",
			want: []string{
				`6: edge.proxy_protocol[0]: is neither a range nor an address: "10.0.0.1/8" has bits set beyond its length; write the first address of the range, or the address alone`,
				`6: edge.proxy_protocol[1]: must be an address such as 10.0.0.1 or a range such as 10.0.0.0/8, is "balancer.example.com"`,
				`6: edge.proxy_protocol[2]: is empty: give it a value or remove the key`,
			},
		},
		{
			name: "balancers that are no list",
			top:  "edge: { proxy_protocol: 10.0.0.1 }\n",
			want: []string{
				"6: edge.proxy_protocol: must be a list, such as [a, b]",
			},
		},
		{
			name: "connections that let nobody in",
			top:  "edge: { connections: 0 }\n",
			want: []string{
				"6: edge.connections: must be at least 1, is 0",
			},
		},
		{
			name: "connections that are no number, and HTTP/3 that is no choice",
			top:  "edge: { connections: many, http3: maybe }\n",
			want: []string{
				`6: edge.connections: must be a whole number, is "many"`,
				`6: edge.http3: must be true or false, is "maybe"`,
			},
		},
		{
			name: "timeouts that wait for nobody, without a unit, and unknown",
			top:  "edge: { timeouts: { header: 0s, body: 30, idel: 1m } }\n",
			want: []string{
				`6: edge.timeouts.header: must be longer than zero, is "0s"`,
				`6: edge.timeouts.body: has no unit: write a duration such as 30s or 5m, not the bare number "30"`,
				`6: edge.timeouts.idel: unknown key; did you mean idle?`,
			},
		},
		{
			name: "an issuer",
			top:  "tls: { issuer: letsencrypt }\n",
			want: []string{
				`6: tls.issuer: must be acme, internal or files, is "letsencrypt"`,
			},
		},
		{
			name: "an e-mail address",
			top:  "tls: { email: \"Ops <ops@example.com>\" }\n",
			want: []string{
				`6: tls.email: must be a plain address such as ops@example.com, is "Ops <ops@example.com>"`,
			},
		},
		{
			name: "a directory with a password is not cited",
			top:  "tls: { directory: \"https://u:hunter2@example.com\" }\n",
			want: []string{
				"6: tls.directory: must be an https URL without a user, such as https://acme-v02.api.letsencrypt.org/directory",
			},
		},
		{
			name: "what only acme needs",
			top:  "tls: { issuer: internal, email: a@example.com, directory: \"https://x\", root: x.pem }\n",
			want: []string{
				"6: tls.email: is used by issuer acme only: remove it, or set tls.issuer to acme",
				"6: tls.directory: is used by issuer acme only: remove it, or set tls.issuer to acme",
				"6: tls.root: is used by issuer acme only: remove it, or set tls.issuer to acme",
			},
		},
		{
			name: "certificates without issuer files",
			top:  "tls: { certificates: [{ cert: a, key: b }] }\n",
			want: []string{
				"6: tls.certificates: is used by issuer files only: remove it, or set tls.issuer to files",
			},
		},
		{
			name: "issuer files without certificates",
			top:  "tls: { issuer: files }\n",
			want: []string{
				"6: tls.certificates: is needed with issuer files: list cert and key of every certificate",
			},
		},
		{
			name: "a certificate without its files",
			top:  "tls: { issuer: files, certificates: [{}] }\n",
			want: []string{
				"6: tls.certificates[0].cert: is missing: name the PEM file of the certificate chain",
				"6: tls.certificates[0].key: is missing: name the PEM file of the private key",
			},
		},
		{
			name: "certificates that leave a host out",
			top:  "tls: { issuer: files, certificates: [{ hosts: [a.example.com, c.example.com], cert: a, key: b }] }\n",
			want: []string{
				`4: apps.a.internal[0]: "b.example.com" has no certificate: add it to the hosts of one in tls.certificates`,
				`6: tls.certificates[0].hosts[1]: "c.example.com" is not a host of any app: correct it or remove it`,
			},
		},
		{
			name: "a home directory",
			top:  "state: { dir: ~/state }\n",
			want: []string{
				"6: state.dir: begins with ~, which is not expanded here: write the whole path",
			},
		},
	})
}
