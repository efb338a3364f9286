package notify

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"sync"
	"time"

	"sofiacall.com/bluegreen/switcher"
)

// Delivery is how a test of a service went.
type Delivery struct {
	Service string // such as slack #1
	Took    time.Duration
	Error   string // why it failed; empty: it was delivered
}

// Test sends a test message to every service of an app now, past what waits
// for it, and returns when all have answered or may no longer.
func (n *Notifier) Test(ctx context.Context, app string) []Delivery {
	n.mu.Lock()
	settings := n.settings
	var services []*service
	for _, id := range n.order {
		if sv := n.services[id]; app != "" && sv.wants(app) {
			services = append(services, sv)
		}
	}
	n.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	results := make([]Delivery, len(services))
	var all sync.WaitGroup
	for i, sv := range services {
		all.Go(func() { results[i] = n.try(ctx, sv, app, settings) })
	}
	all.Wait()
	return results
}

// try sends a test message. One that hangs is left behind, and counts as one.
func (n *Notifier) try(ctx context.Context, sv *service, app string, s Settings) Delivery {
	n.mu.Lock()
	name, hung := sv.places[app], sv.hung
	if hung < maxHung {
		sv.hung++ // until it has ended
	}
	n.mu.Unlock()
	d := Delivery{Service: name}
	if hung >= maxHung {
		d.Error = fmt.Sprintf("%d earlier attempts have not ended yet", hung)
		return d
	}
	m := &message{ID: rand.Text(), Stage: Trial, Notice: switcher.Notice{Kind: "test", App: app, Time: time.Now()}}
	ended := make(chan error, 1)
	began := time.Now()
	go func() {
		err := n.send(sv, m, s)
		n.mu.Lock()
		sv.hung--
		n.mu.Unlock()
		ended <- err
	}()
	select {
	case err := <-ended:
		if err != nil {
			d.Error = err.Error()
		}
	case <-ctx.Done():
		d.Error = fmt.Sprintf("no answer within %v", time.Since(began).Round(time.Second))
	}
	d.Took = time.Since(began)
	return d
}

// Status is what is to be known of the alerts of an app.
type Status struct {
	Troubles []Trouble       // that last, the oldest first; those of the edge too
	Services []ServiceStatus // in the order of the configuration
	Unsaved  string          // why what waits is in memory only; empty: it is on disk
}

// Trouble is one that the team was told of and that lasts.
type Trouble struct {
	Notice switcher.Notice
	Since  time.Time
}

// ServiceStatus is how deliveries to a service go.
type ServiceStatus struct {
	Service string
	Waiting int
	Lost    int      // given up since the last one that was delivered
	Failure *Failure // the last one; nil: none since the start
	Failing bool     // nothing was delivered since
}

// Status returns what is to be known of the alerts of an app.
func (n *Notifier) Status(app string) Status {
	n.mu.Lock()
	defer n.mu.Unlock()
	var st Status
	for _, t := range n.troubles {
		if t.open() && (t.Notice.App == app || t.Notice.App == "") {
			st.Troubles = append(st.Troubles, Trouble{t.Notice, t.Since})
		}
	}
	slices.SortFunc(st.Troubles, func(a, b Trouble) int {
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.Notice.Kind, b.Notice.Kind))
	})
	for _, id := range n.order {
		sv := n.services[id]
		if !sv.wants(app) {
			continue
		}
		s := ServiceStatus{Service: sv.places[app], Waiting: len(sv.queue), Lost: sv.lost, Failing: sv.failures > 0}
		if !sv.last.Time.IsZero() {
			last := sv.last
			s.Failure = &last
		}
		st.Services = append(st.Services, s)
	}
	if n.unsaved != nil {
		st.Unsaved = n.unsaved.Error()
	}
	return st
}
