package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"sofiacall.com/bluegreen/switcher"
)

// makeLink logs who made a link and what it opens, and not the link.
func (s *Server) makeLink(app *switcher.App, w http.ResponseWriter, r *http.Request) error {
	if s.options.Link == nil {
		return errors.New("this edge makes no links")
	}
	body, err := readBody(w, r)
	if err != nil {
		return err
	}
	var request LinkRequest
	if err := decode(body, &request); err != nil {
		return err
	}
	link, err := s.options.Link(app.Name(), request)
	if err != nil {
		return err
	}
	s.log.Info("admin: link made", "app", app.Name(), "host", link.Host, "expires", link.Expires, "actor", caller(r.Context()).actor)
	return writeJSON(w, link)
}

// Link asks for a signed link to an internal host of an app.
func (c *Client) Link(ctx context.Context, app string, r LinkRequest) (Link, error) {
	body, err := json.Marshal(r)
	if err != nil {
		return Link{}, fmt.Errorf("encoding the request: %w", err)
	}
	answer, err := c.ask(ctx, http.MethodPost, path(app, "link"), bytes.NewReader(body))
	if err != nil {
		return Link{}, err
	}
	defer answer.Body.Close()
	var link Link
	if err := json.NewDecoder(answer.Body).Decode(&link); err != nil {
		return Link{}, c.unreachable(fmt.Errorf("reading the answer: %w", err))
	}
	return link, nil
}
