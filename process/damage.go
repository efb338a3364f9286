package process

import (
	"os"
	"strconv"
	"time"

	"sofiacall.com/bluegreen/switcher"
)

// damagedSuffix ends the name of a record that was set aside.
const damagedSuffix = ".damaged"

// repair deals with a record that cannot be read, so that the other instances
// have a runtime. If processes carry the instance's mark, the record is made
// anew from what they were told; if none does, the file is set aside. A disk
// that does not follow is only told.
func (r *Runtime) repair(d damage) (record, bool) {
	path := r.recordPath(d.instance)
	log := r.log.With("instance", d.instance, "file", path)
	rec, ok := r.rebuild(d.instance)
	if !ok {
		log.Error("a record is damaged and set aside; nothing runs of this instance", "renamed_to", path+damagedSuffix, "error", d.err)
		if err := os.Rename(path, path+damagedSuffix); err != nil {
			log.Error("a damaged record could not be set aside", "error", err)
		}
		return record{}, false
	}
	log.Error("a record is damaged and was made anew from the environment of the instance", "error", d.err)
	if err := r.write(rec); err != nil {
		log.Error("an instance could not be recorded", "error", err)
	}
	return rec, true
}

// rebuild makes the record of an instance from the environment of a process
// that carries its mark. A process that is just executing another program has
// no environment, so that nothing found is looked for a moment longer.
func (r *Runtime) rebuild(instance string) (record, bool) {
	const looks, pause = 5, 20 * time.Millisecond
	for range looks {
		leader := r.leaderOf(instance)
		for _, pid := range append([]int{leader.PID}, r.marked(instance)...) {
			if told := variables(pid); r.isMark(told, instance) {
				return recordOf(told, leader), true
			}
		}
		time.Sleep(pause)
	}
	if _, err := os.Stat(r.endPath(instance)); err == nil { // a job that has ended
		return record{App: r.app, Instance: instance, State: running, Job: true}, true
	}
	return record{}, false
}

// recordOf is the record of an instance by what its processes were told.
// Whether it was kept is not known: that is for the switcher to say again.
func recordOf(told map[string]string, leader identity) record {
	port, _ := strconv.Atoi(told[envPort]) // 0 of a job, or if the command has changed it
	rec := record{
		App: told[envApp], Instance: told[envInstance], Colour: switcher.Colour(told[envColour]),
		Release: told[envRelease], Commit: told[envCommit], Port: port,
		State: running, Process: leader, Job: told[envJob] != "",
	}
	if leader.PID == 0 { // only remains of it, which adopt ends
		rec.State = starting
	}
	return rec
}
