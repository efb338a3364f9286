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
			name: "metrics for everybody",
			top:  "metrics: { listen: \":9145\" }\n",
			want: []string{
				`6: metrics.listen: must be a loopback or private address, is ":9145": whoever reaches it may read, without a password and in the clear`,
			},
		},
		{
			name: "metrics at a public address",
			top:  "metrics: { listen: \"192.0.2.7:9145\" }\n",
			want: []string{
				`6: metrics.listen: must be a loopback or private address, is "192.0.2.7:9145": whoever reaches it may read, without a password and in the clear`,
			},
		},
		{
			name: "metrics at no address",
			top:  "metrics: { listen: localhost:9145 }\n",
			want: []string{
				`6: metrics.listen: must be an IP address and a port, such as "127.0.0.1:9145", is "localhost:9145"`,
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
			name: "tracing to nowhere",
			top:  "tracing: { sample: 0.5 }\n",
			want: []string{
				"6: tracing.endpoint: is missing: name the collector, such as http://127.0.0.1:4318, or remove tracing",
			},
		},
		{
			name: "tracing of more than everything, and of a text",
			top:  "tracing: { endpoint: \"http://127.0.0.1:4318\", sample: 1.5, samples: 1 }\n",
			want: []string{
				`6: tracing.sample: must be the part of the requests that is recorded, from 0 to 1, such as 0.01, is "1.5"`,
				"6: tracing.samples: unknown key; did you mean sample?",
			},
		},
		{
			name: "tracing of a share in words",
			top:  "tracing: { endpoint: \"http://127.0.0.1:4318\", sample: 1% }\n",
			want: []string{
				`6: tracing.sample: must be the part of the requests that is recorded, from 0 to 1, such as 0.01, is "1%"`,
			},
		},
		{
			name: "a collector with a password is not cited",
			top:  "tracing: { endpoint: \"https://u:hunter2@example.com\" }\n",
			want: []string{
				"6: tracing.endpoint: must be an http or https URL without a user and a query, such as http://127.0.0.1:4318; what proves who you are goes into tracing.headers",
			},
		},
		{
			name: "a collector that is spoken to in another way",
			top:  "tracing: { endpoint: \"127.0.0.1:4317\" }\n",
			want: []string{
				"6: tracing.endpoint: must be an http or https URL without a user and a query, such as http://127.0.0.1:4318; what proves who you are goes into tracing.headers",
			},
		},
		{
			name: "a collector with its path",
			top:  "tracing: { endpoint: \"http://127.0.0.1:4318/v1/traces\" }\n",
			want: []string{
				"6: tracing.endpoint: must be the base URL: leave out /v1/traces, which is added",
			},
		},
		{
			name: "headers in the clear",
			top:  "tracing: { endpoint: \"http://traces.example.com\", headers: { Authorization: \"${TITLE}\" } }\n",
			want: []string{
				"6: tracing.endpoint: must be https where headers are given, for they would pass the network in the clear; http is for loopback and private addresses",
			},
		},
		{
			name: "headers that are none",
			top:  "tracing: { endpoint: \"https://example.com\", headers: { \"a b\": x, Host: x, A: x, a: x, B: 1, C: \"x\\ny\" } }\n",
			want: []string{
				"6: tracing.headers.a b: is not the name of a header field",
				"6: tracing.headers.Host: is set by bluegreen itself: remove it",
				"6: tracing.headers.a: is given twice, for upper and lower case are the same: keep one of them",
				"6: tracing.headers.B: must be text: put quotes around it",
				"6: tracing.headers.C: has a line break or another control character: remove it, and look at the end of the variable if it comes from one",
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
