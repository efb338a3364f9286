package collect

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"sofiacall.com/bluegreen/logfile"
	"sofiacall.com/bluegreen/switcher"
)

// endless is a runtime whose one instance writes as fast as it is read, while
// more says so.
type endless struct {
	switcher.Runtime
	batch []switcher.Line
	more  func() bool
}

func (e *endless) Follow(_ context.Context, _ string, _ switcher.Cursor, take func([]switcher.Line) error) error {
	for e.more() {
		now := time.Now()
		for i := range e.batch {
			e.batch[i].Time = now.Add(time.Duration(i))
		}
		if err := take(e.batch); err != nil {
			return err
		}
	}
	return nil
}

// BenchmarkCollect is the cost of 512 lines of 120 bytes from the runtime to the
// file, with rotation and compression.
func BenchmarkCollect(b *testing.B) {
	const lines = 512
	text := []byte(`{"level":"info","msg":"message stored","room":"sofia","user":"maria","took_ms":1.25,"bytes":345,"trace":"4bf92f3577b34da6"}`)
	output := &endless{}
	for range lines {
		output.batch = append(output.batch, switcher.Line{Stream: switcher.Stdout, Text: text})
	}
	file := logfile.NewLog(filepath.Join(b.TempDir(), "blue.log"), logfile.Options{
		Limits: logfile.Limits{Size: 20 << 20, Age: time.Hour, Keep: 5, Total: 1 << 30},
	})
	c := New(Options{App: "chat", Files: map[switcher.Colour]*logfile.Log{switcher.Blue: file}})
	c.runtime = output
	f := &follow{source: source{"chat-blue-r1", switcher.Blue, "r1", "4f2a1c9"}, file: file, cursor: switcher.Cursor{}}
	f.encoder = newEncoder("chat", f.source)
	b.ReportAllocs()
	b.SetBytes(int64(lines * len(text)))
	output.more = b.Loop
	if err := c.readOnce(b.Context(), f, func() {}); err != nil {
		b.Fatal(err)
	}
	if err := file.Close(); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(lines*b.N)/b.Elapsed().Seconds(), "lines/s")
}
