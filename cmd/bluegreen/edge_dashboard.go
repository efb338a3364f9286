package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"

	"golang.org/x/net/netutil"
	"golang.org/x/sync/errgroup"

	"sofiacall.com/bluegreen/admin"
	"sofiacall.com/bluegreen/admin/dashboard"
	"sofiacall.com/bluegreen/config"
	"sofiacall.com/bluegreen/metrics"
	"sofiacall.com/bluegreen/proxy"
	"sofiacall.com/bluegreen/switcher"
	edgetls "sofiacall.com/bluegreen/tls"
)

// doorLimit is how many connections the listener behind the sign-in has at a
// time; strangers may use them up, and then the command line still works.
const doorLimit = 512

// newDashboard joins the dashboard with what it shows. Its door is open only if
// there is a listener for it.
func (e *edge) newDashboard(c *config.Config) (*dashboard.Server, error) {
	o := dashboard.Options{
		Apps: e.sortedApps, Certificates: e.certificatesOf, Figures: e.series, Lines: e.lastLines, Drain: e.drainOf,
		Language: c.Language, Version: e.options.Version, Logger: e.log,
	}
	if e.listeners.dashboard != nil {
		door, err := e.door(c)
		if err != nil {
			return nil, err
		}
		o.Door = door
	}
	return dashboard.New(o), nil
}

// serveDashboard runs it until ctx ends. Its end by itself is told, and ends
// nothing else.
func (e *edge) serveDashboard(ctx context.Context) error {
	var both errgroup.Group
	both.Go(func() error { return wrap("serving the dashboard", e.dashboard.Run(ctx)) })
	if e.doorCerts != nil {
		both.Go(func() error { return wrap("watching the dashboard's certificate", e.doorCerts.Run(ctx)) })
	}
	if err := both.Wait(); err != nil {
		e.log.Error("production goes on without the dashboard", "error", err)
	}
	return nil
}

// door is the way into the dashboard behind a sign-in.
func (e *edge) door(c *config.Config) (*dashboard.Door, error) {
	policy := e.certs.Config()
	if c.Admin.TLS.Cert != "" {
		certs, err := edgetls.New(edgetls.Options{
			Issuer: edgetls.IssuerFiles, Hosts: []string{c.Admin.Host}, Logger: e.log,
			Files: []edgetls.KeyPair{{Cert: c.Admin.TLS.Cert, Key: c.Admin.TLS.Key}},
		})
		if err != nil {
			return nil, err
		}
		e.doorCerts, policy = certs, certs.Config()
	}
	all, scopes := map[string]string{}, map[string]admin.Scope{}
	for name, user := range c.Admin.Users {
		all[name], scopes[name] = string(user.Password), scopeOf(user.Scope)
	}
	users := e.passwords.Users(all)
	return &dashboard.Door{
		Listener: e.listeners.dashboard, TLS: webOnly(policy), Host: c.Admin.Host, Scopes: scopes,
		Check: func(ctx context.Context, client netip.Addr, user, password string) error {
			switch err := users.SignIn(ctx, client, user, password); {
			case errors.Is(err, proxy.ErrTooManyGuesses):
				return dashboard.ErrTooMany
			case errors.Is(err, proxy.ErrPasswordsBusy):
				return dashboard.ErrCrowd
			case err != nil:
				return dashboard.ErrPassword
			}
			return nil
		},
	}, nil
}

// webOnly leaves out what is negotiated for challenges of the CA: those are
// answered on the edge's own listener.
func webOnly(policy *tls.Config) *tls.Config {
	policy = policy.Clone()
	policy.NextProtos = slices.DeleteFunc(slices.Clone(policy.NextProtos), func(p string) bool { return p != "h2" && p != "http/1.1" })
	policy.GetConfigForClient = nil // of hosts that ask for certificates, and the dashboard does not
	return policy
}

func scopeOf(name string) admin.Scope {
	for _, s := range []admin.Scope{admin.ScopeRead, admin.ScopeDeploy, admin.ScopeOperate, admin.ScopeAdmin} {
		if s.String() == name {
			return s
		}
	}
	return admin.ScopeNone
}

// openDashboard is admin.Options.Dashboard.
func (e *edge) openDashboard(who switcher.Actor, scope admin.Scope, app string) (admin.DashboardLink, error) {
	if e.dashboard == nil {
		return admin.DashboardLink{}, &switcher.Error{Code: switcher.CodeUnreachable, What: "the edge is starting", Hint: "try again in a moment"}
	}
	return e.dashboard.Open(who, scope, app)
}

// certificatesOf are those of an app's hosts.
func (e *edge) certificatesOf(app string) (all []admin.Certificate) {
	section := e.current().Apps[app]
	if section == nil {
		return nil
	}
	for _, c := range e.certificates() {
		if slices.Contains(section.Production, c.Host) || slices.Contains(section.Internal, c.Host) {
			all = append(all, c)
		}
	}
	return all
}

// drainOf is how long what an app has in flight may last.
func (e *edge) drainOf(app string) switcher.DrainSettings {
	section := e.current().Apps[app]
	if section == nil {
		return switcher.DrainSettings{}
	}
	return switcher.DrainSettings{Timeout: section.Drain.Timeout, Websockets: section.Drain.Websockets, Spread: section.Drain.Spread}
}

// series turns the steps of a route's figures into the dashboard's terms.
func (e *edge) series(app string, route switcher.RouteName, slot switcher.Colour, from time.Time, step time.Duration) []dashboard.Figures {
	series := e.metrics.Series(app, string(route), string(slot), from, step)
	all := make([]dashboard.Figures, len(series))
	for i, f := range series {
		all[i] = figuresOf(f)
	}
	return all
}

func figuresOf(f metrics.Figures) dashboard.Figures {
	return dashboard.Figures{
		From: f.From, Span: f.To.Sub(f.From), Requests: f.Requests, Errors: f.Errors,
		P50: f.Duration.Quantile(0.5), P99: f.Duration.Quantile(0.99),
	}
}

// lastLines are the newest lines that the instances of a slot wrote.
func (e *edge) lastLines(ctx context.Context, app string, slot switcher.Colour, n int) (lines []dashboard.Line, err error) {
	err = e.readLogs(ctx, app, admin.LogQuery{Colour: slot, Lines: n}, admin.LogAnswer{
		Line: func(raw []byte) error {
			var l logLine
			if json.Unmarshal(raw, &l) != nil {
				l.Message = string(raw)
			}
			lines = append(lines, dashboard.Line{Time: l.Time, Stream: l.Stream, Text: l.Message})
			return nil
		},
		Idle: func() error { return nil },
	})
	return lines, err
}

// listenDashboard opens the listener behind the sign-in, if there is to be one.
func listenDashboard(c *config.Config) (net.Listener, error) {
	if c.Admin.Listen == "" {
		return nil, nil
	}
	l, err := listen(c.Admin.Listen, "admin.listen")
	if err != nil {
		return nil, fmt.Errorf("opening the dashboard: %w", err)
	}
	return netutil.LimitListener(l, doorLimit), nil
}
