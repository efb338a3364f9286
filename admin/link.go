package admin

import (
	"context"
	"net/http"

	"sofiacall.com/bluegreen/switcher"
)

// makeLink logs who made a link and what it opens, and not the link.
func (s *Server) makeLink(app *switcher.App, w http.ResponseWriter, r *http.Request) error {
	request, err := readRequest[LinkRequest](w, r)
	if err != nil {
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
	return post[Link](ctx, c, path(app, "link"), r)
}
