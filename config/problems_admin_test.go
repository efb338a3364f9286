package config

import "testing"

func TestAdminMistakesAreExplained(t *testing.T) {
	user := "maria: { password: '" + hash10 + "', scope: operate }"
	good := `listen: ":9443", host: bluegreen.example.com`
	checkProblems(t, []problemCase{
		{
			name: "users of no listener",
			top:  "admin: { host: bluegreen.example.com, users: { " + user + " } }\n",
			want: []string{
				"6: admin.host: is used with admin.listen only: remove it, or say where the dashboard is to listen",
				"6: admin.users: is used with admin.listen only: remove it, or say where the dashboard is to listen",
			},
		},
		{
			name: "a listener without anything",
			top:  "admin: { listen: \":9443\" }\n",
			want: []string{
				"6: admin.host: is missing: write the name by which the dashboard is opened, such as bluegreen.example.com",
				"6: admin.users: is missing, so nobody could sign in: write NAME: { password: HASH, scope: operate }",
			},
		},
		{
			name: "a listener that is another's",
			top:  "admin: { listen: \":443\", host: bluegreen.example.com, users: { " + user + " } }\n",
			want: []string{
				"6: admin.listen: is the same address as one of the edge: each listener needs its own",
			},
		},
		{
			name: "no address and no host",
			top:  "admin: { listen: bluegreen.example.com, host: \"https://bluegreen.example.com\", users: { " + user + " } }\n",
			want: []string{
				`6: admin.listen: must be a port with an optional IP address, such as ":443" or "127.0.0.1:8443", is "bluegreen.example.com"`,
				`6: admin.host: "https://bluegreen.example.com" is not a host name: leave out the scheme`,
			},
		},
		{
			name: "a certificate by half",
			top:  "admin: { " + good + ", tls: { cert: a.pem }, users: { " + user + " } }\n",
			want: []string{
				"6: admin.tls.key: is missing: name the PEM file of the private key",
			},
		},
		{
			name: "users who are not whole",
			top:  "admin: { " + good + ", users: { maria: { scope: operate }, jose: { password: '" + hash10 + "' } } }\n",
			want: []string{
				"6: admin.users.maria.password: is missing: `bluegreen config hash-password` prints one, and `htpasswd -nBC 12 USER` after the colon",
				"6: admin.users.jose.scope: is missing: write read, deploy, operate or admin",
			},
		},
		{
			name: "a password and a scope that are none",
			top:  "admin: { " + good + ", users: { maria: { password: hunter2, scope: root } } }\n",
			want: []string{
				"6: admin.users.maria.password: " + isNone,
				`6: admin.users.maria.scope: must be read, deploy, operate or admin, is "root"`,
			},
		},
		{
			name: "nobody",
			top:  "admin: { " + good + ", users: { } }\n",
			want: []string{
				"6: admin.users: is missing, so nobody could sign in: write NAME: { password: HASH, scope: operate }",
			},
		},
		{
			name: "a user who is a hash",
			top:  "admin: { " + good + ", users: { 'maria:$2y$x': { scope: read } } }\n",
			want: []string{
				"6: admin.users: has a user with a : or $ in the name: write USER: HASH, the hash in single quotes",
			},
		},
	})
}
