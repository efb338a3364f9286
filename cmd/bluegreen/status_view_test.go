package main

import (
	"bytes"
	"testing"
	"time"

	"sofiacall.com/bluegreen/admin"
	"sofiacall.com/bluegreen/switcher"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func before(d time.Duration) *time.Time { t := noon.Add(-d); return &t }
func after(d time.Duration) *time.Time  { return before(-d) }

func chatRelease(n, commit string, age time.Duration) *switcher.Release {
	return &switcher.Release{
		ID: n, Commit: commit, Image: "ghcr.io/sofiacall/sofia-chat-backend:" + commit,
		DeployedAt: *before(age), DeployedBy: "maria@host",
	}
}

// testing is production on blue and a candidate on green.
func testingStatus() admin.Status {
	return admin.Status{
		Status: switcher.Status{
			App: "sofia-chat", Phase: switcher.PhaseTesting, Active: "blue", Inactive: "green", Generation: 7,
			Routes: map[switcher.RouteName]switcher.RouteStatus{
				switcher.Production: {Hosts: []string{"dev-sofia-chat.sofiacall.com"}, Slot: "blue"},
				switcher.Internal:   {Hosts: []string{"internal-dev-sofia-chat.sofiacall.com"}, Slot: "green"},
			},
			Slots: map[switcher.Colour]switcher.SlotStatus{
				"blue": {
					State: switcher.Active, Release: chatRelease("r12", "4f2a1c9", 26*time.Hour), Instance: "backend_blue", Address: "127.0.0.1:3001",
					Running: before(3 * time.Hour), InFlight: 3, Upgraded: 41,
					Health: switcher.Health{
						Status: switcher.Healthy, Since: before(2*time.Hour + 14*time.Minute), CheckedAt: before(4 * time.Second), LatencyMS: 1.24,
						FailedAt: before(135 * time.Minute), LastError: "connection refused",
					},
				},
				"green": {
					State: switcher.Testing, Release: chatRelease("r13", "b70e552", 3*time.Minute), Instance: "backend_green", Address: "127.0.0.1:3002",
					Health: switcher.Health{Status: switcher.Healthy, Since: before(3 * time.Minute), CheckedAt: before(9 * time.Second), LatencyMS: 0.9}, Upgraded: 1,
				},
			},
			Rollback: switcher.RollbackStatus{Reason: "no previous release is warm"},
		},
		Certificates: []admin.Certificate{
			{Host: "internal-dev-sofia-chat.sofiacall.com", Issuer: "acme", NotAfter: *after(9 * 24 * time.Hour), OK: true, Expiring: true, Error: "the CA does not answer"},
			{Host: "dev-sofia-chat.sofiacall.com", Issuer: "acme", NotAfter: *after(63 * 24 * time.Hour), OK: true},
		},
	}
}

// bakingStatus is just after a switch: green active, blue warm and draining.
func bakingStatus() admin.Status {
	st := testingStatus()
	st.Phase, st.Active, st.Inactive = switcher.PhaseBaking, "green", "blue"
	for name, route := range st.Routes {
		route.Slot = "green"
		st.Routes[name] = route
	}
	blue, green := st.Slots["blue"], st.Slots["green"]
	blue.State, green.State = switcher.Previous, switcher.Active
	green.Health = switcher.Health{
		Status: switcher.Unhealthy, Since: before(20 * time.Second), CheckedAt: before(time.Second), Failures: 3, Error: "answered 503 Service Unavailable",
	}
	st.Slots["blue"], st.Slots["green"] = blue, green
	st.Rollback = switcher.RollbackStatus{Ready: true, Reason: "until the next deploy or cleanup"}
	st.Bake = &switcher.BakeStatus{
		Release: "r13", Began: *before(48 * time.Second), Until: *after(9*time.Minute + 12*time.Second), Since: *before(11 * time.Second),
		Verdict: &switcher.Verdict{Outcome: switcher.Bad, Findings: []switcher.Finding{
			{Rule: "health", Outcome: switcher.Undecided, Text: "its probes do not all succeed"},
			{Rule: "error_rate", Outcome: switcher.Good, Text: "9 of 188 requests (4.8 %) failed, 5 % are too many"},
			{Rule: "error_rate_relative", Outcome: switcher.Bad, Text: "9 of 188 requests (4.8 %) failed, against 0.10 % of 12,034 on the previous release"},
		}},
	}
	st.Drain = &switcher.DrainStatus{
		Slot: "blue", Began: *before(48 * time.Second), InFlight: 1, Upgraded: 41,
		RequestsUntil: before(18 * time.Second), UpgradedUntil: after(4*time.Minute + 12*time.Second), ClosedBy: after(4*time.Minute + 22*time.Second),
	}
	st.Operation = &switcher.OperationStatus{ID: "k3v9q2x7ab", Kind: switcher.KindRollback, Actor: switcher.Self, Since: *before(2 * time.Second), Step: "probe"}
	st.Alert = "b70e552 (r13) is unhealthy on green and is being rolled back"
	return st
}

// closingStatus is a drain that ends what has outlived its deadline, while
// production is paused and in maintenance.
func closingStatus() admin.Status {
	st := bakingStatus()
	st.Operation, st.Alert = nil, ""
	st.Drain.Upgraded, st.Drain.ToClose, st.Drain.Closed, st.Drain.UpgradedUntil, st.Drain.ClosedBy = 182, 180, 120, before(4*time.Second), after(6*time.Second)
	st.Pause = &switcher.PauseStatus{Since: *before(12 * time.Second), Until: *after(18 * time.Second), By: "maria@host", Held: 214}
	st.Maintenance = &switcher.Maintenance{Since: *before(3 * time.Minute), By: "maria@host", Message: "We are moving house.\nBack at 14:00."}
	return st
}

// sharingStatus is one of an app with a database, to which one release cannot
// go back.
func sharingStatus() admin.Status {
	st := bakingStatus()
	st.Operation, st.Drain = nil, nil
	st.Rollback = switcher.RollbackStatus{Reason: "4f2a1c9 (r12) cannot live with the schema any more"}
	st.Database = &switcher.DatabaseStatus{
		Name: "chat", Server: "15.8", OK: true, Since: before(26 * time.Hour), CheckedAt: before(time.Second), Drift: "index public.users_email was added",
		Backup: &switcher.BackupStatus{Newest: "20261123T030000Z-nightly", At: before(9 * time.Hour), Verified: true, Next: after(15 * time.Hour)},
		Fits: []switcher.Fit{
			{Release: "r13", Plan: "9f2c01"}, {Release: "r12", Plan: "9f2c01", Findings: foundInPlan()},
			{Release: "r11", Plan: "9f2c01", Findings: foundInPlan()[3:4]},
		},
	}
	return st
}

// losingStatus is one of an app whose database is away.
func losingStatus() admin.Status {
	st := sharingStatus()
	st.Database = &switcher.DatabaseStatus{
		Name: "chat", Since: before(time.Minute), CheckedAt: before(time.Second), Error: "connecting to 10.0.0.5:5432 as app: connection refused",
		Backup: &switcher.BackupStatus{Late: true, Error: "no space left on device"},
	}
	return st
}

// emptyStatus is an app before its first deploy.
func emptyStatus() admin.Status {
	st := testingStatus()
	st.Phase, st.Active, st.Inactive = switcher.PhaseEmpty, "", "blue"
	for name, route := range st.Routes {
		route.Slot = ""
		st.Routes[name] = route
	}
	st.Slots = map[switcher.Colour]switcher.SlotStatus{
		"blue": {State: switcher.Empty, Address: "127.0.0.1:3001"}, "green": {State: switcher.Empty, Address: "127.0.0.1:3002"},
	}
	st.Rollback.Reason = "nothing has been deployed yet"
	st.Certificates = []admin.Certificate{{Host: "dev-sofia-chat.sofiacall.com", Issuer: "acme"}}
	return st
}

func TestStatusView(t *testing.T) {
	for _, c := range []struct {
		file    string
		status  admin.Status
		columns int
		live    bool
		colour  bool
	}{
		{"status-testing-120.txt", testingStatus(), 120, true, false},
		{"status-testing-colours.txt", testingStatus(), 120, true, true},
		{"status-testing-80.txt", testingStatus(), 80, true, false},
		{"status-testing-plain.txt", testingStatus(), 80, false, false},
		{"status-baking-120.txt", bakingStatus(), 120, true, false},
		{"status-closing-120.txt", closingStatus(), 120, true, false},
		{"status-closing-colours.txt", closingStatus(), 80, true, true},
		{"status-closing-plain.txt", closingStatus(), 80, false, false},
		{"status-baking-plain.txt", bakingStatus(), 80, false, false},
		{"status-sharing-80.txt", sharingStatus(), 80, true, false},
		{"status-sharing-plain.txt", sharingStatus(), 80, false, false},
		{"status-losing-120.txt", losingStatus(), 120, true, false},
		{"status-empty-100.txt", emptyStatus(), 100, true, false},
	} {
		t.Run(c.file, func(t *testing.T) {
			var out bytes.Buffer
			drawStatus(&terminal{Writer: &out, live: c.live, colour: c.colour, size: func() int { return c.columns }}, c.status, noon)
			golden(t, c.file, out.String())
		})
	}
}
