package admin

import (
	"context"
	"net/http"
)

// openDashboard makes a link by which its bearer acts as the caller.
func (s *Server) openDashboard(w http.ResponseWriter, r *http.Request) error {
	request, err := readRequest[DashboardRequest](w, r)
	if err != nil {
		return err
	}
	who := caller(r.Context())
	link, err := s.options.Dashboard(who.actor, who.scope, request.App)
	if err != nil {
		return err
	}
	s.log.Info("admin: link to the dashboard made", "actor", who.actor, "scope", who.scope.String())
	return writeJSON(w, link)
}

// Dashboard asks for a link to the dashboard, by which one acts as the caller.
func (c *Client) Dashboard(ctx context.Context, r DashboardRequest) (DashboardLink, error) {
	return post[DashboardLink](ctx, c, "/v1/dashboard", r)
}
