package proxy

import "net/http"

// allowed reports whether the client may use the route: any one rule of its
// policy is enough, and a probe needs none.
func (f *flight) allowed(r *http.Request) bool {
	p := &f.route.Policy
	return p.Public || f.probe || contains(p.Access, f.client) ||
		p.Signed && f.isInvited(r)
}
