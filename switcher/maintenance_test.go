package switcher

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sofiacall.com/bluegreen/proxy"
)

func maintenance(on bool, message ...string) MaintenanceRequest {
	r := MaintenanceRequest{On: &on}
	if len(message) > 0 {
		r.Message = &message[0]
	}
	return r
}

// shows is the message of the page on production; nil without a page.
func (l *lab) shows() *proxy.Maintenance {
	l.t.Helper()
	if l.app.Service(Internal).Route().Maintenance != nil {
		l.t.Error("internal shows the maintenance page")
	}
	return l.app.Service(Production).Route().Maintenance
}

func TestMaintenanceIsOnUntilItIsTurnedOff(t *testing.T) {
	inLab(t, func(l *lab) {
		l.deploy("a")
		if a := l.answered(l.app.Maintenance("maria@host", maintenance(true, "Back at 14:00"))); !a.Changed || l.shows() == nil || l.shows().Message != "Back at 14:00" {
			t.Fatalf("%+v, production shows %+v", a, l.shows())
		}
		generation := l.app.Status().Generation
		a := l.answered(l.app.Maintenance("pedro@host", maintenance(true)))
		if a.Changed || !strings.Contains(a.Text, "on already, since ") || !strings.Contains(a.Text, "by maria@host") || l.app.Status().Generation != generation {
			t.Errorf("once more: %+v, generation %d, before %d", a, l.app.Status().Generation, generation)
		}
		a = l.answered(l.app.Maintenance("pedro@host", maintenance(true, "Back at 15:00")))
		if !a.Changed || !strings.Contains(a.Text, "its message is replaced") || l.shows().Message != "Back at 15:00" {
			t.Errorf("with another message: %+v, production shows %+v", a, l.shows())
		}
		if st := l.app.Status().Maintenance; st == nil || st.By != "maria@host" || st.Message != "Back at 15:00" {
			t.Errorf("status = %+v", st)
		}
		l.app.Apply(l.settings())
		if l.shows() == nil {
			t.Error("a reload has ended it")
		}
		l.stop()
		l.start(nil)
		if m := l.shows(); m == nil || m.Message != "Back at 15:00" {
			t.Errorf("after a restart production shows %+v", m)
		}
		if a := l.answered(l.app.Maintenance("maria@host", maintenance(false))); !a.Changed || l.shows() != nil || l.app.Status().Maintenance != nil {
			t.Errorf("off: %+v, production shows %+v", a, l.shows())
		}
		if a := l.answered(l.app.Maintenance("maria@host", maintenance(false))); a.Changed || a.Text != "maintenance is off" {
			t.Errorf("off once more: %+v", a)
		}
		if n := len(l.told(KindMaintenance)); n != 3 {
			t.Errorf("told %d times, want 3: %+v", n, l.app.History())
		}
	})
}

// Releases are put right behind the page.
func TestReleasesLiveOnBehindTheMaintenancePage(t *testing.T) {
	inLab(t, func(l *lab) {
		l.deploy("a")
		l.bench.stuck = make(chan struct{})
		op, err := l.app.Deploy("maria@host", DeployRequest{Commit: "b"})
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		l.answered(l.app.Maintenance("maria@host", maintenance(true)))
		close(l.bench.stuck)
		l.must(op, nil)
		l.must(l.app.Switch("maria@host", SwitchRequest{}))
		l.must(l.app.Rollback("maria@host", RollbackRequest{}))
		if l.shows() == nil || l.app.Service(Production).Route().Label != "blue" {
			t.Errorf("production is on %s and shows %+v", l.app.Service(Production).Route().Label, l.shows())
		}
	})
}

func TestAMaintenanceMessageIsBoundedText(t *testing.T) {
	inLab(t, func(l *lab) {
		for _, message := range []string{strings.Repeat("é", MessageLimit+1), "a\x1b[31mb", "\xff"} {
			if _, err := l.app.Maintenance("maria@host", maintenance(true, message)); CodeOf(err) != CodeUsage || l.shows() != nil {
				t.Errorf("%.20q: %v", message, err)
			}
		}
		if _, err := l.app.Maintenance("maria@host", MaintenanceRequest{}); CodeOf(err) != CodeUsage {
			t.Errorf("neither on nor off: %v", err)
		}
		l.answered(l.app.Maintenance("maria@host", maintenance(true, strings.Repeat("é", MessageLimit-1)+"\n")))
	})
}

func TestMaintenanceGivesALinkForEachProductionHost(t *testing.T) {
	inLab(t, func(l *lab) {
		key, err := proxy.NewLinkKey(make([]byte, proxy.LinkKeySize), nil)
		if err != nil {
			t.Fatal(err)
		}
		settings := l.settings()
		settings.Hosts[Production] = []string{"app.test", "www.app.test"}
		settings.Policies = map[RouteName]proxy.Policy{Production: {Public: true, Links: key.Links("app")}}
		l.app.Apply(settings)
		for range 2 { // also when it is on already
			a := l.answered(l.app.Maintenance("maria@host", maintenance(true)))
			if len(a.Links) != 2 || !strings.HasPrefix(a.Links[1].URL, "https://www.app.test/?"+proxy.LinkParameter+"=") || time.Until(a.Links[0].Expires) != BypassFor {
				t.Errorf("links = %+v", a.Links)
			}
		}
		settings.Policies[Production] = proxy.Policy{Public: true, Links: key.Links("app"), Canonical: "app.test"}
		l.app.Apply(settings)
		if a := l.answered(l.app.Maintenance("maria@host", maintenance(true))); len(a.Links) != 1 || a.Links[0].Host != "app.test" {
			t.Errorf("with a canonical host: %+v", a.Links)
		}
		for _, r := range l.app.History() {
			if strings.Contains(r.Result+r.Reason, proxy.LinkParameter) {
				t.Errorf("the history tells a link: %+v", r)
			}
		}
		unsigned, _ := proxy.NewLinkKey(nil, func() ([]byte, error) { return nil, errors.New("disk full") })
		settings.Policies[Production] = proxy.Policy{Public: true, Links: unsigned.Links("app")}
		l.app.Apply(settings)
		if a := l.answered(l.app.Maintenance("maria@host", maintenance(true))); len(a.Links) != 0 || !strings.Contains(a.Text, "disk full") {
			t.Errorf("without a key: %+v", a)
		}
	})
}

// Invariant 4: a kill around either write comes back with what is on disk.
func TestAfterACrashMaintenanceIsAsOnDisk(t *testing.T) {
	inLab(t, func(l *lab) {
		l.deploy("a")
		l.stop()
		var walked []crash
		l.start(func(point string) {
			dir := l.t.TempDir()
			if err := os.CopyFS(dir, os.DirFS(l.dir)); err != nil {
				t.Error(err)
			}
			walked = append(walked, crash{point, dir, l.bench.clone()})
		})
		l.answered(l.app.Maintenance("maria@host", maintenance(true, "Back at 14:00")))
		l.answered(l.app.Maintenance("maria@host", maintenance(false)))
		var points []string
		for _, c := range walked {
			points = append(points, c.point)
			disk, err := readState(filepath.Join(c.dir, "app", stateFile), "app")
			if err != nil {
				t.Fatalf("%s: %v", c.point, err)
			}
			if on := disk.Maintenance != nil; on != (c.point == "maintenance/on/after" || c.point == "maintenance/off/before") {
				t.Errorf("%s: on disk maintenance is on: %v", c.point, on)
			}
			next := &lab{t: t, dir: c.dir, bench: c.bench}
			next.start(nil)
			if on := next.shows() != nil; on != (disk.Maintenance != nil) {
				t.Errorf("%s: production shows the page: %v, disk says %v", c.point, on, disk.Maintenance)
			}
			next.later(time.Minute)
			if told := len(next.told(KindMaintenance)); told != len(slices.DeleteFunc(slices.Clone(disk.History), func(r Record) bool { return r.Kind != KindMaintenance })) {
				t.Errorf("%s: told %d times", c.point, told)
			}
			next.stop()
		}
		if want := []string{"maintenance/on/before", "maintenance/on/after", "maintenance/off/before", "maintenance/off/after"}; !slices.Equal(points, want) {
			t.Errorf("failpoints %v, want %v", points, want)
		}
	})
}
