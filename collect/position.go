package collect

import (
	"time"

	"sofiacall.com/bluegreen/logfile"
	"sofiacall.com/bluegreen/switcher"
)

// overlap is how far back from its newest line the lines of an instance are
// looked at. A runtime reads again what is a little older than the newest line,
// so it must be told what of that is in the file.
const overlap = 10 * time.Second

// position reads how far an instance was collected from the end of its file,
// whose last lines are its own, or those of other instances that are known.
func position(file *logfile.Log, instance string, known func(instance string) bool) (switcher.Cursor, error) {
	if err := file.Mend(); err != nil {
		return nil, err
	}
	reader, err := logfile.Open(file.Path())
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	cursor := switcher.Cursor{}
	var newest time.Time
	err = reader.Backwards(time.Time{}, func(_ logfile.Position, line []byte) bool {
		l, ok := withoutMessage(line)
		switch {
		case !ok:
			return true // a machine that lost power may leave anything
		case l.Instance != instance:
			return known(l.Instance)
		case newest.IsZero():
			newest = l.Time
		case newest.Sub(l.Time) > overlap:
			return false
		}
		p, seen := cursor[l.Stream]
		switch {
		case !seen:
			p = switcher.Position{Time: l.Time, Count: 1, Offset: l.Offset}
		case p.Time.Equal(l.Time):
			p.Count++
		}
		cursor[l.Stream] = p
		return l.Offset == 0 // else it tells all
	})
	return cursor, err
}
