package main

import (
	"crypto/x509"
	"fmt"

	"sofiacall.com/bluegreen/config"
	"sofiacall.com/bluegreen/proxy"
	"sofiacall.com/bluegreen/switcher"
)

// policies are the rules of an app's routes, with the parts that outlive a
// reload.
func (e *edge) policies(app *config.App, f *front) map[switcher.RouteName]proxy.Policy {
	all := f.policies()
	for name, p := range all {
		p.Links = e.links.Links(app.Name)
		all[name] = p
	}
	internal := all[switcher.Internal]
	hashes := map[string]string{}
	for user, hash := range app.Access.Basic {
		hashes[user] = string(hash)
	}
	internal.Basic = e.passwords.Users(hashes)
	internal.Authorities = e.authorities[app.Name]
	internal.Signed = app.Access.Signed
	all[switcher.Internal] = internal
	return all
}

// readAuthorities reads the authorities of clients of each app that has any.
func readAuthorities(c *config.Config) (map[string][]*x509.Certificate, error) {
	all := map[string][]*x509.Certificate{}
	for _, app := range sorted(c.Apps) {
		authorities, err := app.Access.Authorities()
		if err != nil {
			return nil, &switcher.Error{
				Code: switcher.CodeUsage, What: fmt.Sprintf("reading access.client_ca of app %s: the file %s: %v", app.Name, app.Access.ClientCA, err),
			}
		}
		all[app.Name] = authorities
	}
	return all, nil
}

// askClients makes handshakes for internal hosts ask for certificates of what
// their apps accept.
func (e *edge) askClients(c *config.Config, authorities map[string][]*x509.Certificate) {
	e.authorities = authorities
	byHost := map[string][]*x509.Certificate{}
	for name, app := range c.Apps {
		for _, host := range app.Internal {
			byHost[host] = authorities[name]
		}
	}
	e.certs.SetAuthorities(byHost)
}
