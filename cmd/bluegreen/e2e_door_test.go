package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"sofiacall.com/bluegreen/internal/browsertest"
)

const doorHost = "bluegreen.example.com"

// withDoor configures a dashboard behind a sign-in and returns its address. The
// users have their names as passwords.
func (e *testEdge) withDoor(users map[string]string) (address string) {
	e.t.Helper()
	var section strings.Builder
	port := freePorts(e.t, 1)[0]
	fmt.Fprintf(&section, "admin: { socket: %s, listen: \"127.0.0.1:%d\", host: %s, users: { ", e.socket(), port, doorHost)
	for user, scope := range users {
		hash, err := bcrypt.GenerateFromPassword([]byte(user), 10)
		if err != nil {
			e.t.Fatal(err)
		}
		fmt.Fprintf(&section, "%s: { password: '%s', scope: %s }, ", user, hash, scope)
	}
	e.edit("admin: { socket: "+e.socket()+" }", section.String()+"} }")
	return "https://" + net.JoinHostPort(doorHost, strconv.Itoa(port))
}

// healthy reports whether the door answers with a certificate that is trusted.
func (e *testEdge) healthy(address string) bool {
	e.t.Helper()
	at, err := url.Parse(address)
	if err != nil {
		e.t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: e.roots()},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, net.JoinHostPort("127.0.0.1", at.Port()))
		},
	}}
	answer, err := client.Get(address + "/healthz")
	if err != nil {
		return false
	}
	answer.Body.Close()
	return answer.StatusCode == http.StatusOK
}

// signedIn is a browser in which a user has signed in.
func (e *testEdge) signedIn(address, user string) *browsertest.Page {
	e.t.Helper()
	p := browsertest.Open(e.t, doorHost)
	p.Look(390, 844, "dark")
	p.Go(address)
	p.Wait("h1", "Sign in")
	p.Type("#user", user)
	p.Type("#password", user)
	p.Click("main button")
	p.Wait("h1", e.App)
	return p
}

// Who has a certificate already names its files, and replaces them without a
// restart.
func TestTheDashboardTakesACertificateFromFiles(t *testing.T) {
	t.Parallel()
	e := newTestEdge(t, "")
	e.start() // makes the edge's own CA, which issues what is in the files
	e.stop()
	address := e.withDoor(map[string]string{"maria": "read"})
	e.start()
	e.await("the edge's own issuer has one", func() bool { return e.healthy(address) })
	e.stop()
	pairs, err := filepath.Glob(e.file("state/certificates/*/" + doorHost + "/" + doorHost + ".*"))
	if err != nil || len(pairs) < 2 {
		t.Fatalf("certificates of the dashboard: %q, %v", pairs, err)
	}
	for _, path := range pairs {
		for _, suffix := range []string{".crt", ".key"} {
			if strings.HasSuffix(path, suffix) {
				if err := os.Rename(path, e.file("door"+suffix)); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	e.edit("host: "+doorHost, "host: "+doorHost+", tls: { cert: door.crt, key: door.key }")
	e.start()
	e.await("the files are served", func() bool { return e.healthy(address) })
}

// A page that cannot be renewed says so wherever it is scrolled to, and goes on by
// itself when the edge is back.
func TestAPageOfTheDashboardSaysThatItIsOld(t *testing.T) {
	t.Parallel()
	e := newTestEdge(t, "")
	address := e.withDoor(map[string]string{"maria": "operate"})
	e.start()
	e.deploy("v1")
	p := e.signedIn(address, "maria")
	p.Expect("ERR_CONNECTION_REFUSED")
	p.Expect("status of 401")
	e.stop()
	p.Wait("#stale", "No connection to the edge. This is how it was at ")
	p.Accessible("without the edge")
	browsertest.Eval[bool](p, "(scrollTo(0, document.body.scrollHeight), true)")
	if !browsertest.Eval[bool](p, "(({top, bottom}) => top > 0 && bottom <= innerHeight)(document.getElementById('stale').getBoundingClientRect())") {
		t.Error("who has scrolled down does not see it")
	}
	e.start()
	p.Wait("h1", "Sign in") // sessions end with the edge
}

// The dashboard opens on a phone, with a certificate of the edge's own issuer,
// for those who are users of it, and as what they are.
func TestTheDashboardOpensOnAPhoneBehindASignIn(t *testing.T) {
	t.Parallel()
	e := newTestEdge(t, "")
	address := e.withDoor(map[string]string{"maria": "operate", "jose": "read"})
	e.start()
	e.deploy("v1")
	e.deploy("v2")

	p := browsertest.Open(t, doorHost)
	p.Look(360, 740, "light")
	p.Go(address + "/apps/chat/switch")
	p.Wait("h1", "Sign in")
	p.Accessible("the sign-in")
	p.Expect("status of 403")
	p.Type("#user", "maria")
	p.Type("#password", "a guess")
	p.Click("main button")
	p.Wait("#problem", "Wrong user or password")
	p.Type("#password", "maria")
	p.Click("main button")
	p.Wait("h1", "Switch to Green") // which was asked for at first
	p.Accessible("the switch on a phone")
	p.Type("#confirm", "v2")
	p.Click("#go")
	p.Wait("#slot-green .tag", "Live")
	e.await("recorded as maria's", func() bool { return strings.Contains(e.must("history").stdout, "maria") })
	p.Go(`data:text/html,<a id="link" href="` + address + `/apps/chat">from a chat room</a>`)
	p.Click("#link")
	p.Wait("#slot-green .tag", "Live") // still signed in

	other := e.signedIn(address, "jose")
	other.Wait("#actions", "You may look")
	if n := browsertest.Eval[int](other, "document.querySelectorAll('#actions a, #actions button').length"); n != 0 {
		t.Errorf("who may only look is shown %d buttons", n)
	}
	e.edit("scope: read", "scope: operate")
	e.fails(3, []string{"a running edge cannot change admin"}, "reload")
}
