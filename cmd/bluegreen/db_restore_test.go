package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"sofiacall.com/bluegreen/switcher"
)

func restorePlan() switcher.RestorePlan {
	return switcher.RestorePlan{
		ID: "3f9a01c2", Until: noon.Add(10 * time.Minute), Database: "chat", Backup: "20261123T030000Z-nightly", At: *before(9 * time.Hour), Verified: true,
		BackupBytes: 48_100_000, Bytes: 612_000_000, Free: -1, Expected: 22 * time.Second, Swap: 12 * time.Second, KeptAs: "chat_failed_20261123T120000",
		Dropped:  []string{"chat_failed_20260102T101010"},
		Warnings: []string{"the server's disk cannot be seen from here: it needs 583 MB beside what is there"},
		Lost:     4092, CountedBy: "counters",
		Tables: []switcher.TableLoss{{Gone: []string{"public.messages", "public.reactions"}, Inserted: 4000, Updated: 12}, {Table: "public.users", Inserted: 70, Updated: 8, Deleted: 2}},
	}
}

func TestAPlanOfARestoreSaysWhatIsLost(t *testing.T) {
	plan := restorePlan()
	show := func(p switcher.RestorePlan, live bool) string {
		return draw(func(t *terminal) { drawRestore(t, "sofia-chat", p, noon) }, 80, live, false)
	}
	golden(t, "restore.txt", show(plan, true))
	golden(t, "restore-plain.txt", show(plan, false))
	plan.Verified, plan.Expected, plan.CountedBy, plan.Lost = false, 0, "rows", 41
	plan.Obstacles = []switcher.Obstacle{{What: "owner may not end sessions of chat, and a database in use cannot be renamed", Remedy: "GRANT pg_signal_backend TO owner"}}
	golden(t, "restore-obstacle.txt", show(plan, true))
	plan.Lost, plan.Unknown = switcher.LostUnknown, "the database is gone, and its counters with it"
	golden(t, "restore-unknown.txt", show(plan, true))
}

// Nothing is ever restored because somebody has typed a command.
func TestARestoreHappensOnlyWhenItsNumberIsPassedBack(t *testing.T) {
	d, b, base := newDatabaseDesk(t)
	b.Deploy(t, "a")
	base.SetPlan(restorePlan())
	asked := func() int { return len(base.Asked()) }
	began := asked()

	out, errs := d.does(3, "db", "restore", "--freeze-writes")
	d.says(out, "4092 written rows will be lost")
	d.says(errs, "nothing was done\n  within ten minutes: bluegreen db restore --plan 3f9a01c2 --confirm-lost 4092 --freeze-writes\n")
	out, _ = d.does(3, "db", "restore", "--json")
	var plan switcher.RestorePlan
	if err := json.NewDecoder(strings.NewReader(out)).Decode(&plan); err != nil || plan.ID != "3f9a01c2" || plan.Lost != 4092 {
		t.Errorf("as JSON: %v, %s", err, out)
	}
	d.does(2, "db", "restore", "--plan", "3f9a01c2")
	d.does(2, "db", "restore", "--confirm-lost", "4092")
	d.does(2, "db", "restore", "--plan", "3f9a01c2", "--confirm-lost", "many")
	if asked() != began {
		t.Fatalf("it was asked for: %+v", base.Asked()[began:])
	}

	d.does(0, "db", "restore", "--plan", "3f9a01c2", "--confirm-lost", "4092")
	d.does(0, "db", "restore", "--plan", "3f9a01c2", "--confirm-lost", "unknown", "--reason", "fire")
	got := base.Asked()[began:]
	if len(got) != 2 || got[0].Kind != switcher.KindRestore || *got[0].Request.Lost != 4092 || got[0].Request.Plan != "3f9a01c2" || *got[1].Request.Lost != switcher.LostUnknown {
		t.Errorf("asked for was %+v", got)
	}

	blocked := restorePlan()
	blocked.Obstacles = []switcher.Obstacle{{What: "no room", Remedy: "make some"}}
	base.SetPlan(blocked)
	out, errs = d.does(3, "db", "restore")
	d.says(out, "no room\n    make some")
	d.says(errs, "cannot be restored now")
}
