package config

import (
	"net/url"
	"strings"
)

// validateNotify checks the URLs of the services without citing them, for they are
// secrets. What their kind demands is asked of check, if there is one.
func validateNotify(n Notify, key string, r *report, check func(string) error) {
	seen := map[string]int{}
	for i, service := range n.Services {
		at := index(key+".services", i)
		if first, again := seen[service]; again {
			r.key(at, "is the same as services[%d]: remove one, or everything is told twice", first)
			continue
		}
		seen[service] = i
		u, err := url.Parse(service)
		switch {
		case err != nil || u.Scheme == "" || u.Opaque != "" || strings.TrimSpace(service) != service:
			r.key(at, "must be the URL of a service, such as slack://… or generic+https://…; it is not cited, for it is a secret")
		case u.Scheme == "http" || u.Scheme == "https":
			r.key(at, "is the URL of a page: for a webhook write generic+%s://…, for a chat the URL that shoutrrr documents", u.Scheme)
		case check != nil:
			if err := check(service); err != nil {
				r.key(at, "is not a service that can be told: %v", err)
			}
		}
	}
}
