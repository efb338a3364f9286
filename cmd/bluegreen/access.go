package main

import (
	"sofiacall.com/bluegreen/config"
	"sofiacall.com/bluegreen/proxy"
	"sofiacall.com/bluegreen/switcher"
)

// policies are the rules of an app's routes, with the parts that outlive a
// reload.
func (e *edge) policies(app *config.App) map[switcher.RouteName]proxy.Policy {
	all := policies(app)
	for name, p := range all {
		p.Links = e.links.Links(app.Name)
		all[name] = p
	}
	return all
}
