package config

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"path/filepath"
	"strings"
	"testing"
)

const (
	hash10 = "$2a$10$YUAc9GslVyc/t76cpper2.9lKXlaWj93du53U3L9J2G/gYcgWedxq"
	hash04 = "$2y$04$la.Al1BGXJXJ8msu5Cf5aOysVh8eU7KscJirZdw8G1t0PNU1UyE.y"
	isNone = "is not a bcrypt hash: `bluegreen config hash-password` prints one, and `htpasswd -nBC 12 USER` after the colon"
)

func TestAccessMistakesAreExplained(t *testing.T) {
	checkProblems(t, []problemCase{
		{
			name: "for nobody",
			app:  "access: { allow: [] }",
			want: []string{
				"6: apps.a.access.allow: is empty, so it lets nobody in: list ranges such as 10.0.0.0/8",
			},
		},
		{
			name: "that says nothing",
			app:  "access: {}",
			want: []string{
				"6: apps.a.access: says nothing: write one of allow, basic, client_ca and signed: true, or access: public for everybody",
			},
		},
		{
			name: "that only says what is not",
			app:  "access: { signed: false }",
			want: []string{
				"6: apps.a.access: says nothing: write one of allow, basic, client_ca and signed: true, or access: public for everybody",
			},
		},
		{
			name: "for everybody by a range",
			app:  `access: { allow: [0.0.0.0/0, "::/0"] }`,
			want: []string{
				"6: apps.a.access.allow[0]: lets everybody in: write access: public if that is meant",
				"6: apps.a.access.allow[1]: lets everybody in: write access: public if that is meant",
			},
		},
		{
			name: "as a word",
			app:  "access: everybody",
			want: []string{
				`6: apps.a.access: must be public or a map of rules, such as { allow: [10.0.0.0/8] }, is "everybody"`,
			},
		},
		{
			name: "as a list",
			app:  "access: [10.0.0.0/8]",
			want: []string{
				"6: apps.a.access: must be public or a map of rules, such as { allow: [10.0.0.0/8] }",
			},
		},
		{
			name: "with values of the wrong kind",
			app:  "access:\n  basic: [maria]\n  client_ca: {}\n  signed: \"yes\"",
			want: []string{
				"7: apps.a.access.basic: must be a map of keys",
				"8: apps.a.access.client_ca: must be a single value",
				`9: apps.a.access.signed: must be true or false, is "yes"`,
			},
		},
		{
			name: "with no users",
			app:  "access: { basic: {} }",
			want: []string{
				"6: apps.a.access.basic: is empty, so it lets nobody in: write USER: HASH; `bluegreen config hash-password` prints one, and `htpasswd -nBC 12 USER` after the colon",
			},
		},
		{
			name: "with passwords that are not hashed well",
			app: "access:\n  basic:\n    plain: hunter2\n    apache: $apr1$hunter2$hunter2hunter2hunter22\n    weak: " + hash04 +
				"\n    slow: " + strings.Replace(hash10, "$10$", "$15$", 1) + "\n    short: " + hash10[:59] +
				"\n    line: \"maria:" + hash10 + "\"\n    number: 12345\n    none:\n    list: [x]\n    variable: ${SECRET}\n    old: " +
				strings.Replace(hash10, "$2a", "$2x", 1),
			want: []string{
				"8: apps.a.access.basic.plain: " + isNone,
				"9: apps.a.access.basic.apache: " + isNone,
				"10: apps.a.access.basic.weak: is a bcrypt hash of cost 4, and 10 to 14 are accepted: less is guessed too fast, more takes seconds; `bluegreen config hash-password` prints one, and `htpasswd -nBC 12 USER` after the colon",
				"11: apps.a.access.basic.slow: is a bcrypt hash of cost 15, and 10 to 14 are accepted: less is guessed too fast, more takes seconds; `bluegreen config hash-password` prints one, and `htpasswd -nBC 12 USER` after the colon",
				"12: apps.a.access.basic.short: " + isNone,
				"13: apps.a.access.basic.line: holds more than a hash: write only what follows the colon",
				"14: apps.a.access.basic.number: must be text: put quotes around it",
				"15: apps.a.access.basic.none: has no value: give it one or remove the key",
				"16: apps.a.access.basic.list: must be a single value",
				"17: apps.a.access.basic.variable: " + isNone,
				"18: apps.a.access.basic.old: " + isNone,
			},
		},
		{
			name: "with a name that is too long",
			app:  "access: { basic: { " + strings.Repeat("x", 65) + ": '" + hash10 + "' } }",
			want: []string{
				"6: apps.a.access.basic: has a user whose name is empty or longer than 64 bytes",
			},
		},
		{
			name: "with a name that cannot be shown",
			app:  `access: { basic: { "a\tb": '` + hash10 + "' } }",
			want: []string{
				"6: apps.a.access.basic: has a user with control characters in the name",
			},
		},
		{
			name: "with a password in the name",
			app:  "access:\n  basic:\n    \"maria:hunter2\": x\n    \"maria:hunter2\": x",
			want: []string{
				"8: apps.a.access.basic: has a user with a : or $ in the name: write USER: HASH, the hash in single quotes",
			},
		},
		{
			name: "with name and hash the wrong way round",
			app:  "access:\n  basic:\n    $2a$10$hunter2: maria\n    $2a$10$hunter2: jose",
			want: []string{
				"8: apps.a.access.basic: has a user with a : or $ in the name: write USER: HASH, the hash in single quotes",
			},
		},
		{
			name: "with a user twice",
			app:  "access:\n  basic:\n    maria: " + hash10 + "\n    maria: $2a$10$hunter2",
			want: []string{
				"9: apps.a.access.basic.maria: is given twice, first in line 8: keep one of them",
			},
		},
	})
}

func TestAHashIsWrittenAsItIsPrinted(t *testing.T) {
	env := func(string) (string, bool) { return hash10, true }
	for _, written := range []string{
		"'" + hash10 + "'", `"` + hash10 + `"`, hash10, strings.ReplaceAll(hash10, "$", "$$"), `"${HASH}"`,
	} {
		c, err := Parse("x.yaml", []byte(oneApp+"    access: { basic: { maria.lopez: "+written+" } }\n"), Options{Env: env})
		if err != nil {
			t.Errorf("%s: %v", written, err)
			continue
		}
		equal(t, map[string]PasswordHash(c.Apps["a"].Access.Basic), map[string]PasswordHash{"maria.lopez": PasswordHash(hash10)})
	}
}

func TestAHashIsNotPrinted(t *testing.T) {
	c := parseOne(t, oneApp+"    access: { basic: { maria: "+hash10+" } }\n", Options{})
	encoded, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{fmt.Sprintf("%v", c.Apps["a"]), fmt.Sprintf("%+v", c.Apps["a"]), fmt.Sprintf("%#v", c.Apps["a"]), fmt.Sprintf("%+v", c), string(encoded)} {
		if strings.Contains(text, hash10[8:]) || strings.Contains(text, hash10[7:20]) {
			t.Errorf("shown: %s", text)
		}
	}
}

func TestAFileOfAuthoritiesIsCheckedWithItsLine(t *testing.T) {
	dir := t.TempDir()
	authority, key := certificatePEM(t, true)
	leaf, _ := certificatePEM(t, false)
	check := func(content string) error {
		path := write(t, dir, "ca.pem", content)
		c := parseOne(t, oneApp+"    access: { client_ca: "+path+" }\n", Options{})
		err := c.CheckFiles()
		all, readErr := c.Apps["a"].Access.Authorities()
		if (err == nil) != (readErr == nil) || (err == nil) != (len(all) > 0) {
			t.Errorf("CheckFiles: %v; Authorities: %d, %v", err, len(all), readErr)
		}
		return err
	}
	if err := check("comment\n" + authority + authority); err != nil {
		t.Error(err)
	}
	for content, want := range map[string]string{
		"":               "holds no PEM certificate",
		"hunter2":        "holds no PEM certificate",
		authority + key:  "holds a private key",
		authority + leaf: "holds a certificate that is not an authority's, number 2",
		"-----BEGIN CERTIFICATE-----\naGk=\n-----END CERTIFICATE-----\n": "holds a certificate that cannot be read, number 1",
	} {
		err := check(content)
		if err == nil || !strings.HasPrefix(err.Error(), "/etc/bluegreen/bluegreen.yaml:6: apps.a.access.client_ca: the file ") || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
	c := parseOne(t, oneApp+"    access: { client_ca: "+filepath.Join(dir, "none.pem")+" }\n", Options{})
	if err := c.CheckFiles(); err == nil || strings.Count(err.Error(), "6: apps.a.access.client_ca: there is no file") != 1 || strings.Count(err.Error(), "\n") != 1 {
		t.Errorf("a missing file: %v", err)
	}
}

func certificatePEM(t *testing.T, authority bool) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "clients"}, BasicConstraintsValid: true, IsCA: authority,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}))
}
