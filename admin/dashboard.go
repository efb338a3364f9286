package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
)

// openDashboard makes a link by which its bearer acts as the caller.
func (s *Server) openDashboard(w http.ResponseWriter, r *http.Request) error {
	if s.options.Dashboard == nil {
		return errors.New("this edge has no dashboard")
	}
	body, err := readBody(w, r)
	if err != nil {
		return err
	}
	var request DashboardRequest
	if err := decode(body, &request); err != nil {
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
	body, err := json.Marshal(r)
	if err != nil {
		return DashboardLink{}, fmt.Errorf("encoding the request: %w", err)
	}
	answer, err := c.ask(ctx, http.MethodPost, "/v1/dashboard", bytes.NewReader(body))
	if err != nil {
		return DashboardLink{}, err
	}
	return read[DashboardLink](c, answer)
}
