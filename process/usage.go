package process

import (
	"context"
	"os"
	"strconv"

	"sofiacall.com/bluegreen/switcher"
)

// Usage adds up the processes of an instance, its descendants too, and those
// of them that have ended and were waited for. Memory is what is resident;
// pages that two of them share count twice.
func (r *Runtime) Usage(_ context.Context, id string) (switcher.Usage, error) {
	in, err := r.find(id)
	if err != nil {
		return switcher.Usage{}, err
	}
	if in == nil || in.running() == nil {
		return switcher.Usage{}, &switcher.Error{Code: switcher.CodeFailed, What: "instance " + id + " does not run"}
	}
	used := switcher.Usage{Restarts: in.record().Restarts}
	for _, pid := range r.marked(id) {
		ticks, pages, ok := consumed(pid)
		if ok {
			used.CPUSeconds += float64(ticks) / ticksPerSecond
			used.Memory += pages * int64(os.Getpagesize())
		}
	}
	return used, nil
}

// consumed returns the processor time of a process and its children that were
// waited for, and its resident pages: proc(5), stat fields 14 to 17 and 24.
func consumed(pid int) (ticks, pages int64, ok bool) {
	fields, ok := statFields(pid)
	if !ok {
		return 0, 0, false
	}
	for _, field := range fields[14-3 : 18-3] {
		n, _ := strconv.ParseInt(field, 10, 64)
		ticks += n
	}
	pages, _ = strconv.ParseInt(fields[24-3], 10, 64)
	return ticks, pages, true
}
