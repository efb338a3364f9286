package main

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sofiacall.com/bluegreen/admin"
	"sofiacall.com/bluegreen/proxy"
	"sofiacall.com/bluegreen/switcher"
)

const (
	linkDefault = 24 * time.Hour
	linkMin     = time.Minute
	linkMax     = 30 * 24 * time.Hour
)

func newLinkCommand(p *program) *cobra.Command {
	var request admin.LinkRequest
	cmd := &cobra.Command{
		Use:   "link",
		Short: "Print a link that opens the internal host for a while",
		Long: `Link prints a URL that lets whoever opens it into the internal host until it
expires, whatever else the app's access rules say. The app's section must have
access: { signed: true }. The link is as good as a password: hand it on like one.
It cannot be taken back one by one: all links end when links.key is removed from
the state directory and the edge is restarted.`,
		Example: `  bluegreen link
  bluegreen link --expires 2h --path /login`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.withApp(cmd.Context(), func(client *admin.Client, app string) error {
				link, err := client.Link(cmd.Context(), app, request)
				if err != nil {
					return err
				}
				if p.json {
					return p.printJSON(link)
				}
				p.stdout.printf("%s\n", link.URL)
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&request.Expires, "expires", "24h", "how long the link works, at most 720h")
	cmd.Flags().StringVar(&request.Host, "host", "", "the internal host (default the first)")
	cmd.Flags().StringVar(&request.Path, "path", "/", "where the link leads, with a query if need be")
	return cmd
}

// link makes a signed link to an internal host of an app.
func (e *edge) link(app string, r admin.LinkRequest) (admin.Link, error) {
	section := e.current().Apps[app]
	if section == nil || !section.Access.Signed {
		return admin.Link{}, &switcher.Error{
			Code: switcher.CodeRefused, What: fmt.Sprintf("app %s does not accept signed links", app),
			Hint: "write signed: true under access, then bluegreen reload",
		}
	}
	host := strings.ToLower(cmp.Or(r.Host, section.Internal[0]))
	if !slices.Contains(section.Internal, host) {
		return admin.Link{}, usageError("the internal hosts are: "+strings.Join(section.Internal, ", "), "%q is not an internal host of app %s", r.Host, app)
	}
	expires, err := linkExpiry(r.Expires)
	if err != nil {
		return admin.Link{}, err
	}
	return e.signedLink(app, host, cmp.Or(r.Path, "/"), expires)
}

func linkExpiry(asked string) (time.Time, error) {
	wait := linkDefault
	if asked != "" {
		var err error
		if wait, err = time.ParseDuration(asked); err != nil {
			return time.Time{}, usageError("write it like 24h", "%q is not a duration", asked)
		}
	}
	if wait < linkMin || wait > linkMax {
		return time.Time{}, usageError("", "a link works for %s to %s, not %s", linkMin, linkMax, wait)
	}
	return time.Now().Add(wait).Truncate(time.Second), nil
}

// signedLink is the URL that opens a host of an app.
func (e *edge) signedLink(app, host, path string, expires time.Time) (admin.Link, error) {
	target, err := url.ParseRequestURI(path)
	if err != nil || !strings.HasPrefix(path, "/") || strings.ContainsAny(path, "# ") {
		return admin.Link{}, usageError("write it like /login?next=%2F", "%q is not a path", path)
	}
	token, err := e.links.Links(app).Sign(host, expires)
	if err != nil {
		return admin.Link{}, err
	}
	separator := "?"
	if target.RawQuery != "" || target.ForceQuery {
		separator = "&"
	}
	return admin.Link{Host: host, URL: e.origin(host) + path + separator + proxy.LinkParameter + "=" + token, Expires: expires}, nil
}
