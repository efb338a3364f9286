package main

import (
	"fmt"
	"net"
	"strconv"
	"testing"

	"sofiacall.com/bluegreen/admin"
	"sofiacall.com/bluegreen/internal/pebbletest"
)

// The whole program against a real ACME server: the challenges arrive at the
// edge's own listeners, each host gets a certificate of its own, and the next
// start serves them with the CA gone.
func TestCertificatesComeFromAnACMEServerAndOutliveIt(t *testing.T) {
	e := newTestEdge(t, "")
	ca := pebbletest.Start(t, portOf(t, e.HTTP), portOf(t, e.HTTPS))
	e.TLS = fmt.Sprintf("{ issuer: acme, email: ops@app.localhost, directory: %q, root: %q }", ca.Directory, ca.Root)
	e.trusted = ca.Issuers()
	e.configure()
	door := e.withDoor(map[string]string{"maria": "read"})
	e.start()
	e.eventually("certified", certified)
	e.await("the dashboard has a certificate as well", func() bool { return e.healthy(door) })
	e.must("deploy", "a")
	if got := e.release("app.localhost"); got != "a" {
		t.Errorf("production shows %s", got)
	}
	if got := e.release("internal.app.localhost"); got != "a" {
		t.Errorf("internal shows %s", got)
	}
	if got := ca.Orders(); got != 3 {
		t.Errorf("%d orders for three hosts", got)
	}
	ca.Stop()
	e.kill()
	e.start()
	if got := e.release("app.localhost"); got != "a" {
		t.Errorf("without the CA production shows %s", got)
	}
}

func certified(st admin.Status) bool {
	for _, c := range st.Certificates {
		if !c.OK {
			return false
		}
	}
	return len(st.Certificates) == 2
}

func portOf(t *testing.T, address string) int {
	t.Helper()
	_, text, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return port
}
