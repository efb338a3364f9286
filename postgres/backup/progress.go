package backup

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"strings"
	"sync"
	"time"

	"sofiacall.com/bluegreen/switcher"
)

// tracker turns what pg_dump and pg_restore say into progress: bytes of the
// tables as the server has them, done of all. A table that is being copied
// counts as far as the server says; building indexes has no bytes, and is told
// by the number of what is done.
type tracker struct {
	doing  string
	report func(switcher.Progress)

	mu      sync.Mutex
	tables  map[string]Table
	total   int64
	done    int64
	running map[string]float64 // tables being copied, and how much of each is done
	serial  bool               // one table at a time, whose end is not told
	items   int                // of the archive; 0: not known
	item    int                // that was begun last
}

func newTracker(doing string, tables map[string]Table, report func(switcher.Progress)) *tracker {
	t := &tracker{doing: doing, report: report, tables: tables, running: make(map[string]float64)}
	for _, table := range tables {
		t.total += table.Bytes
	}
	return t
}

var (
	copying  = regexp.MustCompile(`(?:dumping contents of table|processing data for table) "(.+)\.(.+)"$`)
	copied   = regexp.MustCompile(`finished item \d+ TABLE DATA (.+)$`)
	creating = regexp.MustCompile(`: (?:creating|executing) (\S.*)$`)
)

// line takes a line that the program wrote.
func (t *tracker) line(text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if found := copying.FindStringSubmatch(text); found != nil {
		if t.serial {
			for name := range maps.Clone(t.running) {
				t.finish(name)
			}
		}
		name := t.known(found[1], found[2])
		t.running[name] = 0
		t.item++
		t.tell(name)
	} else if found := copied.FindStringSubmatch(text); found != nil {
		for name := range maps.Clone(t.running) {
			if strings.HasSuffix(name, "."+found[1]) || strings.HasSuffix(name, "."+ident(found[1])) {
				t.finish(name)
				break
			}
		}
		t.tell("")
	} else if found := creating.FindStringSubmatch(text); found != nil {
		t.item++
		t.tell(found[1])
	}
}

func (t *tracker) finish(table string) {
	t.done += t.tables[table].Bytes
	delete(t.running, table)
}

// known is the name that the manifest has for what the program calls a table.
func (t *tracker) known(schema, table string) string {
	for _, name := range []string{schema + "." + table, ident(schema) + "." + table, schema + "." + ident(table), ident(schema) + "." + ident(table)} {
		if _, ok := t.tables[name]; ok {
			return name
		}
	}
	return schema + "." + table
}

// copies takes how many rows of each table that is being copied are done. What
// was being copied before and is no more is done.
func (t *tracker) copies(rows map[string]int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for name := range maps.Clone(t.running) {
		if _, still := rows[name]; !still && t.running[name] > 0 {
			t.finish(name)
		}
	}
	for name, n := range rows {
		table, ok := t.tables[name]
		if !ok {
			continue
		}
		all := table.Estimate
		if table.Rows != nil {
			all = *table.Rows
		}
		t.running[name] = 0.5 // of unknown
		if all > 0 {
			t.running[name] = min(1, float64(n)/float64(all))
		}
	}
	t.tell("")
}

func (t *tracker) tell(what string) {
	if t.report == nil {
		return
	}
	text := t.doing
	if what != "" {
		text += ": " + what
	}
	if t.items > 0 {
		text += fmt.Sprintf(" (%d of %d)", min(t.item, t.items), t.items)
	}
	done := t.done
	for name, part := range t.running {
		done += int64(part * float64(t.tables[name].Bytes))
	}
	t.report(switcher.Progress{Text: text, Done: min(done, t.total), Total: t.total})
}

// watch asks the server each second how far its COPY statements in a database
// are, until stop is called. Servers before 14 do not tell.
func (t *tracker) watch(ctx context.Context, database *Server) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		conn, err := database.Connect(ctx)
		if err != nil {
			return // progress is told by the program's own lines alone
		}
		defer conn.Close(context.WithoutCancel(ctx))
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			rows, err := conn.Query(ctx, `SELECT format('%I.%I', n.nspname, c.relname), p.tuples_processed
FROM pg_stat_progress_copy p JOIN pg_class c ON c.oid = p.relid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE p.datname = current_database() AND p.type = 'PIPE'`)
			if err != nil {
				return
			}
			counts := make(map[string]int64)
			var name string
			var n int64
			for rows.Next() {
				if rows.Scan(&name, &n) == nil {
					counts[name] = n
				}
			}
			if rows.Err() != nil {
				return
			}
			t.copies(counts)
		}
	}()
	return func() { cancel(); <-ended }
}
