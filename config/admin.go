package config

import (
	"maps"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Admin is where the control plane listens.
type Admin struct {
	// Socket is the path of the unix socket; default /run/bluegreen/admin.sock.
	Socket string `yaml:"socket"`
	// Listen is the address at which the dashboard is served behind a sign-in, over TLS; default none.
	Listen string `yaml:"listen"`
	// Host is the name by which it is opened there; needed with listen.
	Host string `yaml:"host"`
	// TLS is its certificate; default one of tls.issuer.
	TLS AdminTLS `yaml:"tls"`
	// Users may sign in there; needed with listen.
	Users AdminUsers `yaml:"users"`
}

// AdminTLS is the certificate of the dashboard.
type AdminTLS struct {
	// Cert is the PEM file of the chain, leaf first.
	Cert string `yaml:"cert" jsonschema:"required"`
	// Key is the PEM file of the private key.
	Key string `yaml:"key" jsonschema:"required"`
}

// AdminUsers are the users of the dashboard by name.
type AdminUsers map[string]*AdminUser

// AdminUser is somebody who may sign in.
type AdminUser struct {
	// Password is its bcrypt hash.
	Password PasswordHash `yaml:"password" jsonschema:"required"`
	// Scope is what the user may do: read, deploy, operate or admin.
	Scope string `yaml:"scope" jsonschema:"required,enum=read,enum=deploy,enum=operate,enum=admin"`
}

// decodeNode reads a map from users to what they may do, and shows no name that
// could be a secret in the wrong place.
func (u *AdminUsers) decodeNode(d *decoder, n *yaml.Node, key string) {
	if !d.wants(n, key, yaml.MappingNode) {
		return
	}
	for i := 0; i < len(n.Content); i += 2 {
		if !d.isUser(resolve(n.Content[i]), key) {
			return
		}
	}
	d.mapping(n, key, reflect.ValueOf(u).Elem())
}

// decodeNode reads the hash of a password.
func (h *PasswordHash) decodeNode(d *decoder, n *yaml.Node, key string) {
	if !d.wants(n, key, yaml.ScalarNode) {
		return
	}
	text, _ := d.hash(n, key)
	*h = PasswordHash(text)
}

// validateAdmin checks that the dashboard has all it needs, or nothing. The
// hosts are those of all apps.
func validateAdmin(c *Config, r *report, hosts map[string]string) {
	a := &c.Admin
	if a.Listen == "" {
		for _, key := range []string{"admin.host", "admin.tls", "admin.users"} {
			if r.at.given(key) {
				r.key(key, "is used with admin.listen only: remove it, or say where the dashboard is to listen")
			}
		}
		return
	}
	validateListen(a.Listen, "admin.listen", r)
	if (a.Listen == c.Edge.HTTP || a.Listen == c.Edge.HTTPS) && !strings.HasSuffix(a.Listen, ":0") {
		r.key("admin.listen", "is the same address as one of the edge: each listener needs its own")
	}
	validateAdminHost(a, r, hosts)
	switch tls := a.TLS; {
	case r.at.given("admin.tls"):
		required(r, "admin.tls.cert", tls.Cert, "name the PEM file of the certificate chain")
		required(r, "admin.tls.key", tls.Key, "name the PEM file of the private key")
	case c.TLS.Issuer == "files":
		r.key("admin.tls", "is needed with tls.issuer files: name cert and key of the dashboard")
	}
	if len(a.Users) == 0 && !r.blamed["admin.users"] {
		r.key("admin.users", "is missing, so nobody could sign in: write NAME: { password: HASH, scope: operate }")
	}
	for _, name := range slices.Sorted(maps.Keys(a.Users)) {
		user, key := a.Users[name], join("admin.users", name)
		if !r.at.given(key+".password") && !r.blamed[key] {
			r.key(key+".password", "is missing: %s", makeHash)
		}
		if !r.at.given(key+".scope") && !r.blamed[key] {
			r.key(key+".scope", "is missing: write read, deploy, operate or admin")
		} else if !r.blamed[key+".scope"] && !r.blamed[key] {
			oneOf(r, key+".scope", user.Scope, "read", "deploy", "operate", "admin")
		}
	}
}

func validateAdminHost(a *Admin, r *report, hosts map[string]string) {
	if a.Host == "" {
		r.key("admin.host", "is missing: write the name by which the dashboard is opened, such as bluegreen.example.com")
		return
	}
	if normalHost(r, "admin.host", &a.Host); hosts[a.Host] != "" {
		r.key("admin.host", "%s is a host of an app (%s): give the dashboard a name of its own", r.shown("admin.host", a.Host), hosts[a.Host])
	}
}
