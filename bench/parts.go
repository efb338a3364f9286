package main

import (
	"context"
	"fmt"
)

// Names of the parts that are not a load on everybody in turns.
const (
	caseHosts   = "hosts"
	caseIdle    = "idle"
	caseSwitch  = "switch"
	caseWindows = "windows"
)

// runHosts measures what more hosts cost: bluegreen and nginx with 1, 100 and
// 10,000 of them, under the same load over the same number of connections.
func (r *report) runHosts(ctx context.Context, l *lab) error {
	if !l.options.wanted(caseHosts) {
		return nil
	}
	edge, err := l.start(ctx, bluegreen, hostNames(1), "")
	if err != nil {
		return err
	}
	edge.label = withHosts(bluegreen, 1)
	all := []*contender{edge}
	var pairs [][2]string
	for _, name := range []string{bluegreen, nginx} {
		for _, n := range []int{1, 100, 10000} {
			if n > 1 {
				pairs = append(pairs, [2]string{withHosts(name, n), withHosts(name, 1)})
			}
			if n == 1 && name == bluegreen {
				continue
			}
			c, err := l.start(ctx, name, hostNames(n), edge.site.Backend)
			if err != nil {
				return err
			}
			c.label = withHosts(name, n)
			all = append(all, c)
		}
	}
	return r.runLoad(ctx, l, loadCase{caseHosts, "https/1.1, answers of 12 bytes, 1,000 connections to many hosts", spread{40, 1000}}, all, pairs)
}

func withHosts(name string, n int) string { return fmt.Sprintf("%s, hosts: %d", name, n) }

// runIdle measures what idle WebSockets hold, one contender after the other.
func (r *report) runIdle(ctx context.Context, l *lab) error {
	if !l.options.wanted(caseIdle) {
		return nil
	}
	address, stop, err := l.startBackend("blue")
	if err != nil {
		return err
	}
	defer stop()
	for _, name := range l.options.lineup() {
		err := l.scoped(func() error {
			progress("%s: %s", caseIdle, name)
			c, err := l.start(ctx, name, hostNames(1), address)
			if err != nil {
				return err
			}
			result, err := idleSockets(ctx, l, c)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			r.Idle = append(r.Idle, result)
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// runSwitch measures latency while bluegreen switches.
func (r *report) runSwitch(ctx context.Context, l *lab) error {
	if !l.options.wanted(caseSwitch) {
		return nil
	}
	progress("%s: %d pairs of seconds", caseSwitch, l.options.switches)
	c, err := l.start(ctx, bluegreen, hostNames(1), "")
	if err != nil {
		return err
	}
	result, err := switchSeconds(ctx, l, c)
	if err != nil {
		return fmt.Errorf("case %s: %w", caseSwitch, err)
	}
	r.Switch = &result
	return nil
}

// runWindows looks for requests on the old colour after a switch of bluegreen
// and after a reload of nginx.
func (r *report) runWindows(ctx context.Context, l *lab) error {
	if !l.options.wanted(caseWindows) {
		return nil
	}
	progress("%s: %d moves each", caseWindows, l.options.windows)
	edge, err := l.start(ctx, bluegreen, hostNames(1), "")
	if err != nil {
		return err
	}
	result, err := switches(ctx, l, edge)
	if err != nil {
		return fmt.Errorf("case %s, bluegreen: %w", caseWindows, err)
	}
	r.Windows = append(r.Windows, result)

	backends := map[string]string{}
	for _, colour := range []string{"blue", "green"} {
		address, stop, err := l.startBackend(colour)
		if err != nil {
			return err
		}
		defer stop()
		backends[colour] = address
	}
	proxy, err := l.start(ctx, nginx, hostNames(1), backends["blue"])
	if err != nil {
		return err
	}
	result, err = reloads(ctx, l, proxy, backends)
	if err != nil {
		return fmt.Errorf("case %s, nginx: %w", caseWindows, err)
	}
	r.Windows = append(r.Windows, result)
	return nil
}
