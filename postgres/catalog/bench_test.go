package catalog

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"sofiacall.com/bluegreen/internal/pgtest"
)

// large makes a database of 1,000 tables with ten columns each, 3,000 indexes,
// 4,000 constraints, 2,000 defaults and grants on every table.
func large(t testing.TB) *pgtest.Database {
	t.Helper()
	d := pgtest.Start(t).Database(t)
	var script strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&script, `CREATE TABLE t%[1]d (id bigserial PRIMARY KEY, parent bigint REFERENCES t%[2]d, a text UNIQUE, b text NOT NULL, c numeric(10, 2) DEFAULT 0,
			d timestamptz DEFAULT now(), e boolean, f jsonb, g varchar(20) CHECK (g IN ('x', 'y')), h uuid);
			CREATE INDEX ON t%[1]d (lower(b), d) WHERE e;`, i, max(i-1, 0))
		if i%100 == 99 {
			pgtest.Exec(t, d.OwnerURL, script.String())
			script.Reset()
		}
	}
	return d
}

// It takes 0.8 s of processor time, server and client together, on a machine
// that has other things to do, and should take less than a second on one that has
// not; only ten times that is a failure.
func TestAThousandTablesAreReadInAMoment(t *testing.T) {
	conn := pgtest.Connect(t, large(t).OwnerURL)
	begun := time.Now()
	s, err := Read(t.Context(), conn)
	if err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
	if len(s.Tables) != 1000 || len(s.Tables["public.t7"].Indexes) != 3 || len(s.Tables["public.t7"].Constraints) != 4 {
		t.Errorf("%d tables, the eighth with %d indexes and %d constraints", len(s.Tables), len(s.Tables["public.t7"].Indexes), len(s.Tables["public.t7"].Constraints))
	}
}

func BenchmarkRead(b *testing.B) {
	conn := pgtest.Connect(b, large(b).OwnerURL)
	before := busy(b, conn.PgConn().PID())
	for b.Loop() {
		if _, err := Read(b.Context(), conn); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64((busy(b, conn.PgConn().PID())-before).Milliseconds())/float64(b.N), "cpu-ms/op")
}

// busy is the processor time of a session's server process and of this one.
func busy(b *testing.B, session uint32) time.Duration {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", session))
	if err != nil {
		b.Fatal(err)
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	var own syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &own); err != nil {
		b.Fatal(err)
	}
	return time.Duration(user+system)*10*time.Millisecond + time.Duration(own.Utime.Nano()+own.Stime.Nano())
}

func BenchmarkDigest(b *testing.B) {
	s := read(b, large(b).OwnerURL)
	for b.Loop() {
		s.Digest()
	}
}
