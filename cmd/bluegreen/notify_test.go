package main

import (
	"bytes"
	"testing"
	"time"

	"sofiacall.com/bluegreen/admin"
	"sofiacall.com/bluegreen/switcher"
)

func TestAlertsView(t *testing.T) {
	var out bytes.Buffer
	show := &terminal{Writer: &out}
	showDeliveries(show, []admin.Delivery{
		{Service: "slack #1", OK: true, TookMS: 231.4},
		{Service: "generic #2", TookMS: 30_000, Error: "no answer within 30 s"},
	})
	showAlerts(show, admin.Alerts{
		Troubles: []admin.Trouble{
			{Notice: switcher.Notice{Kind: switcher.NoticeDisk, Subject: "/var/log", Cause: "95.4 % of it is used, 12 GB are free"}, Since: *before(26 * time.Hour)},
			{Notice: switcher.Notice{Kind: switcher.NoticeUnhealthy, App: "chat", Colour: switcher.Blue}, Since: *before(88 * time.Second)},
		},
		Services: []admin.AlertService{
			{Service: "slack #1"},
			{Service: "generic #2", Waiting: 3, Lost: 1, Failing: true, FailedAt: before(100 * time.Second), Error: "connection refused"},
		},
		Unsaved: "no space left on device",
	}, noon)
	golden(t, "notify.txt", out.String())
}
