package config

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// Access says who may open the internal hosts: everybody, or whoever meets ANY ONE of the rules that are given.
// An address in Allow needs no password and no certificate; all others need one of the rest.
type Access struct {
	// Public means everybody; in the file it is the scalar "public".
	Public bool `yaml:"-"`
	// Allow are the ranges of clients that get in, without a password; default 127.0.0.0/8 and ::1 if there is no access at all.
	Allow []netip.Prefix `yaml:"allow" jsonschema:"minItems=1"`
	// Basic are the users that get in with a password, and the bcrypt hashes of these.
	Basic Users `yaml:"basic"`
	// ClientCA is a PEM file of authorities; who shows a certificate that one of them has issued gets in.
	ClientCA string `yaml:"client_ca"`
	// Signed lets in who opens a link that bluegreen link has printed, until the link expires; default false.
	Signed bool `yaml:"signed"`
}

const accessForms = "must be public or a map of rules, such as { allow: [10.0.0.0/8] }"

// decodeNode reads the scalar public, or a map of rules.
func (a *Access) decodeNode(d *decoder, n *yaml.Node, key string) {
	if n.Kind == yaml.MappingNode {
		d.structure(n, key, reflect.ValueOf(a).Elem())
		given := func(rule string) bool { return d.at.given(join(key, rule)) }
		if !given("allow") && !given("basic") && !given("client_ca") && !a.Signed && !d.blamed[join(key, "signed")] {
			d.key(key, "says nothing: write one of allow, basic, client_ca and signed: true, or access: public for everybody")
		}
		return
	}
	if n.Kind != yaml.ScalarNode {
		d.node(n, key, accessForms)
		return
	}
	text, ok := d.text(n, key)
	if ok && text != "public" {
		d.node(n, key, accessForms+", is %s", quote(n.Value))
	}
	a.Public = ok && text == "public"
}

// Users maps the names of users to the hashes of their passwords.
type Users map[string]PasswordHash

// PasswordHash is a bcrypt hash of a password. It is a secret: printing it shows nothing.
type PasswordHash string

const hidden = "[hidden]"

// String hides the hash.
func (PasswordHash) String() string { return hidden }

// GoString hides the hash.
func (PasswordHash) GoString() string { return hidden }

// MarshalText hides the hash.
func (PasswordHash) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// The costs of a PasswordHash: with less a stolen hash is guessed too fast, with
// more a login takes seconds.
const (
	BcryptMinCost = 10
	BcryptMaxCost = 14
)

var (
	// bcryptHash is a hash in the modular crypt format, with its cost.
	bcryptHash = regexp.MustCompile(`^\$2[aby]\$([0-9]{2})\$[./A-Za-z0-9]{53}$`)
	// cryptLike is what a $ in front of can only be a hash, perhaps with the user as htpasswd prints it.
	cryptLike = regexp.MustCompile(`^([^$]*:)?\$[0-9A-Za-z]`)
)

// decodeNode reads a map from users to hashes. No text it reports contains a hash or a
// password, not even one that stands in the place of a name.
func (u *Users) decodeNode(d *decoder, n *yaml.Node, key string) {
	if !d.wants(n, key, yaml.MappingNode) {
		return
	}
	*u = Users{}
	if len(n.Content) == 0 {
		d.node(n, key, "is empty, so it lets nobody in: write USER: HASH; %s", makeHash)
	}
	for i := 0; i < len(n.Content); i += 2 { // before a name that is given twice is shown
		if !d.isUser(resolve(n.Content[i]), key) {
			return
		}
	}
	for _, e := range d.entries(n, key) {
		if !d.isUser(e.key, key) { // one that is merged in
			return
		}
		path := join(key, e.key.Value)
		d.at[path] = position{line: max(1, e.key.Line), column: e.key.Column}
		if hash, ok := d.hash(resolve(e.value), path); ok {
			(*u)[e.key.Value] = PasswordHash(hash)
		}
	}
}

// isUser reports a key that is not the name of a user who can be asked for
// (RFC 7617 section 2), and does not show it.
func (d *decoder) isUser(n *yaml.Node, key string) bool {
	name := n.Value
	switch {
	case name == "" || len(name) > 64:
		d.node(n, key, "has a user whose name is empty or longer than 64 bytes")
	case strings.ContainsAny(name, ":$"):
		d.node(n, key, "has a user with a : or $ in the name: write USER: HASH, the hash in single quotes")
	case !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl):
		d.node(n, key, "has a user with control characters in the name")
	default:
		return true
	}
	return false
}

const makeHash = "`bluegreen config hash-password` prints one, and `htpasswd -nBC 12 USER` after the colon"

// hash reads a bcrypt hash. As it is printed it may be pasted: its dollar signs begin no
// variable. A variable, and dollar signs that are doubled, are expanded as everywhere.
func (d *decoder) hash(n *yaml.Node, key string) (string, bool) {
	text := n.Value
	if n.Kind != yaml.ScalarNode || !cryptLike.MatchString(text) {
		var ok bool
		if text, ok = d.text(n, key); !ok {
			return "", false
		}
	}
	parts := bcryptHash.FindStringSubmatch(text)
	switch {
	case parts == nil && strings.Contains(text, ":$"):
		d.node(n, key, "holds more than a hash: write only what follows the colon")
	case parts == nil:
		d.node(n, key, "is not a bcrypt hash: %s", makeHash)
	default:
		cost, _ := strconv.Atoi(parts[1]) // two digits
		if cost >= BcryptMinCost && cost <= BcryptMaxCost {
			return text, true
		}
		d.node(n, key, "is a bcrypt hash of cost %d, and %d to %d are accepted: less is guessed too fast, more takes seconds; %s",
			cost, BcryptMinCost, BcryptMaxCost, makeHash)
	}
	return "", false
}

func validateAccess(a Access, key string, r *report) {
	if a.Allow != nil && len(a.Allow) == 0 {
		r.key(key+".allow", "is empty, so it lets nobody in: list ranges such as 10.0.0.0/8")
	}
	for i, p := range a.Allow {
		if p.IsValid() && p.Bits() == 0 {
			r.key(index(key+".allow", i), "lets everybody in: write access: public if that is meant")
		}
	}
}

// Authorities reads the certificates of ClientCA; nil without one.
func (a Access) Authorities() ([]*x509.Certificate, error) {
	if a.ClientCA == "" {
		return nil, nil
	}
	data, err := os.ReadFile(a.ClientCA)
	if err != nil {
		return nil, err
	}
	var all []*x509.Certificate
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			break
		}
		if strings.Contains(block.Type, "PRIVATE KEY") {
			return nil, errors.New("holds a private key, which the edge does not need: remove it from the file")
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("holds a certificate that cannot be read, number %d: %w", len(all)+1, err)
		}
		if !cert.IsCA || cert.KeyUsage != 0 && cert.KeyUsage&x509.KeyUsageCertSign == 0 {
			return nil, fmt.Errorf("holds a certificate that is not an authority's, number %d (%s): name the file of the CA that has issued it",
				len(all)+1, quote(cert.Subject.CommonName))
		}
		all = append(all, cert)
	}
	if len(all) == 0 {
		return nil, errors.New("holds no PEM certificate: name the file of the CA that issues those of the clients")
	}
	return all, nil
}
