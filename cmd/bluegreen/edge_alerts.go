package main

import (
	"context"
	"path/filepath"
	"time"

	"sofiacall.com/bluegreen/admin"
	"sofiacall.com/bluegreen/config"
	"sofiacall.com/bluegreen/notify"
)

// newAlerts returns what tells the team.
func (e *edge) newAlerts(c *config.Config) *notify.Notifier {
	return notify.New(notify.Options{Dir: filepath.Join(c.State.Dir, "notify"), Settings: alertSettings(c), Logger: e.log})
}

func alertSettings(c *config.Config) notify.Settings {
	s := notify.Settings{Language: c.Language, Apps: map[string]notify.App{}}
	for name, app := range c.Apps {
		s.Apps[name] = notify.App{Services: app.Notify.Services, Repeat: app.Notify.Repeat}
	}
	return s
}

// testAlerts is admin.Options.TestAlerts.
func (e *edge) testAlerts(ctx context.Context, app string) admin.AlertTest {
	test := admin.AlertTest{Deliveries: []admin.Delivery{}}
	for _, d := range e.alerts.Test(ctx, app) {
		test.Deliveries = append(test.Deliveries, admin.Delivery{
			Service: d.Service, OK: d.Error == "", TookMS: float64(d.Took.Microseconds()) / 1000, Error: d.Error,
		})
	}
	return test
}

// alertStatus is admin.Options.Alerts.
func (e *edge) alertStatus(app string) admin.Alerts {
	status := e.alerts.Status(app)
	a := admin.Alerts{Troubles: []admin.Trouble{}, Services: []admin.AlertService{}, Unsaved: status.Unsaved}
	for _, t := range status.Troubles {
		a.Troubles = append(a.Troubles, admin.Trouble{Notice: t.Notice, Since: t.Since})
	}
	for _, s := range status.Services {
		service := admin.AlertService{Service: s.Service, Waiting: s.Waiting, Lost: s.Lost, Failing: s.Failing}
		if s.Failure != nil {
			service.FailedAt, service.Error = &s.Failure.Time, s.Failure.Error
		}
		a.Services = append(a.Services, service)
	}
	return a
}

// patience is how long what uses Go's default client may wait for an answer:
// some services that are told of alerts do, and set no limit themselves.
const patience = time.Minute
