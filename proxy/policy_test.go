package proxy

// under moves the service to its backend under a changed policy. The hosts of
// the harness all lead to the service from then on.
func (e *edge) under(adjust func(*Policy)) {
	e.t.Helper()
	r := *e.service.Route()
	adjust(&r.Policy)
	e.service.Set(&r)
	e.SetTable(mustTable(e.t, TableOptions{Services: map[string]*Service{appHost: e.service, otherHost: e.service}}))
}
