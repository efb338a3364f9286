package process

import (
	"bytes"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sofiacall.com/bluegreen/switcher"
)

// damages are what a record may look like after a power cut, or an accident.
var damages = map[string]string{
	"empty":     "",
	"cut":       `{"app":"chat","inst`,
	"another":   `{"app":"chat","instance":"i9","state":"stopped"}`,
	"nothing":   "{}",
	"zeroed":    "\x00\x00\x00\x00",
	"no object": "[]",
}

func damaged(t *testing.T, dir, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, "i1.json"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestDamagedRecordOfNothingThatRunsIsSetAsideAndToldOnce(t *testing.T) {
	for name, text := range damages {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			rewrite(t, dir, record{App: "chat", Instance: "i2", Colour: switcher.Blue, State: stopped})
			damaged(t, dir, text)
			var said bytes.Buffer
			o := options(dir, script(serve))
			o.Logger = slog.New(slog.NewTextHandler(&said, nil))
			for range 2 {
				r := open(t, o)
				if listed(t, r, "i1").ID != "" || listed(t, r, "i2").ID == "" {
					t.Error("listed: i1, or not i2")
				}
				r.Close()
			}
			if n := strings.Count(said.String(), "i1.json.damaged"); n != 1 {
				t.Errorf("told %d times:\n%s", n, &said)
			}
			kept, err := os.ReadFile(filepath.Join(dir, "i1.json.damaged"))
			if string(kept) != text || err != nil {
				t.Errorf("kept %q, %v", kept, err)
			}
		})
	}
}

func TestDamagedRecordOfARunningInstanceIsMadeAnew(t *testing.T) {
	for name, text := range damages {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			first, err := New(options(dir, script(serve)))
			if err != nil {
				t.Fatal(err)
			}
			s := spec(t, "i1")
			start(t, first, s)
			pid := pidOf(t, first, "i1")
			first.Close()
			damaged(t, dir, text)

			r := open(t, options(dir, script(serve)))
			if now := pidOf(t, r, "i1"); now != pid {
				t.Errorf("adopted process %d, want %d", now, pid)
			}
			want := switcher.Instance{
				ID: "i1", Colour: s.Colour, Release: s.Release.ID, Commit: s.Release.Commit, Port: s.Port, Running: true,
			}
			if in := listed(t, r, "i1"); in != want {
				t.Errorf("listed as %+v, want %+v", in, want)
			}
			records, left, err := readRecords(dir)
			if len(records) != 1 || len(left) != 0 || err != nil || records[0].Process.PID != pid {
				t.Errorf("on disk: %+v, %v, %v", records, left, err)
			}
			if err := r.Remove(t.Context(), "i1"); err != nil || len(r.marked("i1")) != 0 {
				t.Errorf("it still runs, %v", err)
			}
		})
	}
}

func TestOutputOfADamagedRecordSurvivesARefusedStart(t *testing.T) {
	dir := t.TempDir()
	damaged(t, dir, "")
	if err := os.WriteFile(filepath.Join(dir, "i1.log"), []byte("last words\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := open(t, options(dir, script(serve)))
	s := spec(t, "i1")
	refuse(t, r, s)
	if out := output(t, r, "i1"); out != "last words" {
		t.Errorf("output %q", out)
	}
	start(t, r, s)
}

// refuse has a start refused for a stranger on the port.
func refuse(t *testing.T, r *Runtime, s switcher.Spec) {
	t.Helper()
	stranger, err := net.Listen("tcp", fmt.Sprint("127.0.0.1:", s.Port))
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	wantCode(t, r.Start(t.Context(), s), switcher.CodeRefused)
}
