package process

import (
	"fmt"
	"net"
	"os"
	"strings"
	"testing"

	"sofiacall.com/bluegreen/switcher"
)

func TestForeignProcessOnThePortIsRefusedByNameAndLeftAlone(t *testing.T) {
	r := open(t, options(t.TempDir(), script(serve)))
	for _, address := range []string{"127.0.0.1:0", "0.0.0.0:0", "[::]:0"} {
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		s := spec(t, "i1")
		s.Port = l.Addr().(*net.TCPAddr).Port
		for what, err := range map[string]error{"check": r.Check(t.Context(), s), "start": r.Start(t.Context(), s)} {
			wantCode(t, err, switcher.CodeRefused)
			if want := fmt.Sprintf("process %d (", os.Getpid()); !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q does not say %q", what, err, want)
			}
		}
		if list, _ := r.List(t.Context()); len(list) != 0 {
			t.Errorf("left: %v", list)
		}
		l.Close()
	}
}

func TestOwnInstanceOnThePortIsNoObstacleForCheck(t *testing.T) {
	o := options(t.TempDir(), nil)
	o.Command = []string{python(t), "-c", "import os,socket,time\ns=socket.create_server(('127.0.0.1',int(os.environ['PORT'])))\nprint('ready',flush=True)\ntime.sleep(60)"}
	r := open(t, o)
	s := spec(t, "old")
	start(t, r, s)
	says(t, r, "old", "ready")
	s.Instance = "new"
	if err := r.Check(t.Context(), s); err != nil {
		t.Error(err)
	}
	err := r.Start(t.Context(), s)
	wantCode(t, err, switcher.CodeRefused)
	if !strings.Contains(err.Error(), "instance old") {
		t.Errorf("%q does not name the holder", err)
	}
}
