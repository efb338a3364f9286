package proxy

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/bcrypt"
)

const password = "correct horse"

// users has the user maria with the cheapest of hashes.
func users(t *testing.T, p *Passwords) *Users {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	return p.Users(map[string]string{"maria": string(hash)})
}

// keepOut makes the edge's host one that is open to nobody but by rule.
func (e *edge) keepOut(b *Backend, rule func(*Policy)) {
	route := e.route(b, "blue")
	route.Policy = Policy{Access: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}
	rule(&route.Policy)
	e.service.Set(route)
}

func basic(user, password string) string {
	r := http.Request{Header: http.Header{}}
	r.SetBasicAuth(user, password)
	return r.Header.Get("Authorization")
}

// seesAuthorization answers with the credentials that a backend gets to see.
func seesAuthorization(w http.ResponseWriter, r *http.Request) {
	_, _ = io.WriteString(w, strings.Join(r.Header["Authorization"], "|"))
}

func TestAPasswordLetsInAndStaysAtTheEdge(t *testing.T) {
	backend := startBackend(t, seesAuthorization)
	e := startEdge(t, backend)
	known := users(t, NewPasswords())
	e.keepOut(backend, func(p *Policy) { p.Basic = known })
	for _, h2 := range []bool{false, true} {
		for range 2 { // checked, then remembered
			response, body := e.get(h2, "https://"+appHost+"/", "Authorization", basic("maria", password))
			if response.StatusCode != http.StatusOK || body != "" {
				t.Errorf("%s, the backend sees %q", response.Status, body)
			}
		}
	}
	// A browser sends it everywhere, also where nobody asks for it.
	e.keepOut(backend, func(p *Policy) { p.Basic, p.Access = known, []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} })
	if response, body := e.get(true, "https://"+appHost+"/", "Authorization", basic("maria", password)); response.StatusCode != http.StatusOK || body != "" {
		t.Errorf("let in by another rule: %s, the backend sees %q", response.Status, body)
	}
	// What was not for the edge goes on.
	e.keepOut(backend, func(p *Policy) { p.Basic, p.Access = known, []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} })
	for _, field := range []string{"Bearer x", basic("the app's", "own")} {
		if response, body := e.get(true, "https://"+appHost+"/", "Authorization", field); response.StatusCode != http.StatusOK || body != field {
			t.Errorf("%s, the backend sees %q", response.Status, body)
		}
	}
}

func TestEveryKindOfBcryptHashIsUnderstood(t *testing.T) {
	p := NewPasswords()
	hash := users(t, p).hashes["maria"]
	for _, kind := range []string{"$2a$", "$2b$", "$2y$"} {
		u := p.Users(map[string]string{"maria": kind + hash[4:]})
		for given, want := range map[string]verdict{password: right, "wrong": wrong} {
			if v := u.check(t.Context(), netip.MustParseAddr("192.0.2.1"), "maria", given); v != want {
				t.Errorf("%s, %s: %v", kind, given, v)
			}
		}
	}
}

func TestWithoutTheRightPasswordThereIsAChallenge(t *testing.T) {
	backend := startBackend(t, says("hello"))
	e := startEdge(t, backend)
	e.keepOut(backend, func(p *Policy) { p.Basic = users(t, NewPasswords()) })
	for _, field := range []string{"", "Bearer x", "Basic", "Basic %%%", basic("maria", "wrong"), basic("maria", ""), basic("jose", password), basic("", ""), basic("MARIA", password)} {
		response, body := e.get(true, "https://"+appHost+"/", "Authorization", field, "Accept-Language", "es")
		challenge := response.Header.Get("WWW-Authenticate")
		if response.StatusCode != http.StatusUnauthorized || challenge != `Basic realm="`+appHost+`", charset="UTF-8"` || !strings.Contains(body, "Inicie sesión") {
			t.Errorf("%q: %s, challenge %q", field, response.Status, challenge)
		}
	}
	e.recorder.mu.Lock()
	defer e.recorder.mu.Unlock()
	for _, o := range e.recorder.requests {
		if o.Failure != FailureDenied {
			t.Errorf("observed as %v", o.Failure)
		}
	}
}

func TestGuessingIsSlowedDownForItsAddressOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := users(t, NewPasswords())
		guess := func(client string, i int) verdict {
			return u.check(t.Context(), netip.MustParseAddr(client), "maria", fmt.Sprint("guess ", i))
		}
		for i := range failureBurst {
			if v := guess("2001:db8::1", i); v != wrong {
				t.Fatalf("guess %d: %v", i, v)
			}
		}
		if v := guess("2001:db8::2", 100); v != tooMany {
			t.Errorf("a neighbour in the same network: %v", v)
		}
		if v := guess("2001:db8::1", 0); v != wrong {
			t.Errorf("the same wrong password once more: %v", v)
		}
		if v := u.check(t.Context(), netip.MustParseAddr("2001:db8::1"), "maria", password); v != tooMany {
			t.Errorf("the right password from there: %v", v)
		}
		other := netip.MustParseAddr("2001:db8:0:1::1")
		if v := u.check(t.Context(), other, "maria", password); v != right {
			t.Errorf("the right password from elsewhere: %v", v)
		}
		if v := u.check(t.Context(), netip.MustParseAddr("2001:db8::1"), "maria", password); v != right {
			t.Errorf("a password that was checked for another address: %v", v)
		}
		time.Sleep(failureEvery)
		if v := guess("2001:db8::1", 101); v != wrong {
			t.Errorf("after a pause: %v", v)
		}
		if v := guess("2001:db8::1", 102); v != tooMany {
			t.Errorf("and at once again: %v", v)
		}
	})
}

func TestAPasswordIsCheckedAgainAfterAWhileAndWithItsNewHashAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewPasswords()
		client := netip.MustParseAddr("192.0.2.1")
		before, after := users(t, p), users(t, p)
		if v := before.check(t.Context(), client, "maria", password); v != right {
			t.Fatal(v)
		}
		hold := func(f func()) { // nobody's password can be hashed while f runs
			for range cap(p.turns) {
				p.turns <- struct{}{}
			}
			f()
			for range cap(p.turns) {
				<-p.turns
			}
		}
		hold(func() {
			if v := before.check(t.Context(), client, "maria", password); v != right {
				t.Errorf("remembered: %v", v)
			}
			if v := after.check(t.Context(), client, "maria", password); v != busy {
				t.Errorf("with another hash it was not checked: %v", v)
			}
			time.Sleep(rememberFor)
			if v := before.check(t.Context(), client, "maria", password); v != busy {
				t.Errorf("it is remembered for ever: %v", v)
			}
		})
	})
}

func TestHashingIsBoundedAndWaitsAreShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewPasswords()
		u := users(t, p)
		for range cap(p.turns) {
			p.turns <- struct{}{}
		}
		var waiting sync.WaitGroup
		begin := time.Now()
		for i := range 100 {
			waiting.Go(func() {
				if v := u.check(t.Context(), netip.MustParseAddr("192.0.2.1"), "maria", fmt.Sprint(i)); v != busy {
					t.Errorf("beyond the bound: %v", v)
				}
			})
		}
		waiting.Wait()
		if waited := time.Since(begin); waited != turnWait {
			t.Errorf("it waited %v", waited)
		}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if v := u.check(gone, netip.MustParseAddr("192.0.2.1"), "maria", password); v != busy || time.Since(begin) != turnWait {
			t.Errorf("for a client that is gone: %v after %v", v, time.Since(begin))
		}
		<-p.turns
		if v := u.check(t.Context(), netip.MustParseAddr("192.0.2.1"), "maria", password); v != right {
			t.Errorf("with a free turn: %v", v)
		}
	})
}

// A page asks for many things at once; one check answers for all.
func TestAPasswordThatManyRequestsBringIsCheckedOnce(t *testing.T) {
	p := NewPasswords()
	u := users(t, p)
	for range cap(p.turns) {
		p.turns <- struct{}{}
	}
	var asking sync.WaitGroup
	for range 3 * failureBurst {
		asking.Go(func() {
			if v := u.check(t.Context(), netip.MustParseAddr("192.0.2.1"), "maria", "wrong"); v != wrong {
				t.Error(v)
			}
		})
	}
	for range cap(p.turns) {
		<-p.turns
	}
	asking.Wait()
	if tokens := p.failures.of(netip.MustParseAddr("192.0.2.1")).Tokens(); tokens < failureBurst-float64(cap(p.turns))-0.5 {
		t.Errorf("%v failures are counted", failureBurst-tokens)
	}
}

// Which names exist cannot be told from how long a refusal takes.
func TestAnUnknownUserCostsWhatAKnownOneCosts(t *testing.T) {
	p := NewPasswords()
	hashes := map[string]string{}
	for cost := bcrypt.MinCost; cost < bcrypt.MinCost+4; cost++ {
		hash, err := bcrypt.GenerateFromPassword([]byte(password), cost)
		if err != nil {
			t.Fatal(err)
		}
		hashes[fmt.Sprint("user ", cost)] = string(hash)
	}
	u := p.Users(hashes)
	client := netip.MustParseAddr("192.0.2.1")
	for i := range failureBurst {
		// The right password of every decoy, so that only the name is wrong.
		if v := u.check(t.Context(), client, fmt.Sprint("nobody ", i), password); v != wrong {
			t.Errorf("an unknown user: %v", v)
		}
	}
	if tokens := p.failures.of(client).Tokens(); tokens >= 1 {
		t.Errorf("only %v of the failures were counted, so the others hashed nothing", failureBurst-tokens)
	}
	if len(p.wrong.until) != failureBurst {
		t.Errorf("%d results are remembered", len(p.wrong.until))
	}
}

func TestWhatIsRememberedOfPasswordsIsBounded(t *testing.T) {
	var m memory
	now := time.Now()
	p := NewPasswords()
	for i := range remembered + 100 {
		m.add(p.digest(fmt.Sprint(i)), now)
	}
	if len(m.until) != remembered {
		t.Errorf("%d results", len(m.until))
	}
	m.add(p.digest("later"), now.Add(2*rememberFor))
	if len(m.until) != 1 {
		t.Errorf("what is over stays: %d results", len(m.until))
	}
}

func TestRefusalsOfGuessersSayWhenToComeBack(t *testing.T) {
	backend := startBackend(t, says("hello"))
	e := startEdge(t, backend)
	p := NewPasswords()
	e.keepOut(backend, func(policy *Policy) { policy.Basic = users(t, p) })
	now := time.Now()
	for range failureBurst {
		p.failures.take(netip.MustParseAddr("127.0.0.1"), now)
	}
	response, body := e.get(true, "https://"+appHost+"/", "Authorization", basic("maria", password))
	if response.StatusCode != http.StatusTooManyRequests || response.Header.Get("Retry-After") != "6" || !strings.Contains(body, "Too many requests") {
		t.Errorf("%s, Retry-After %q", response.Status, response.Header.Get("Retry-After"))
	}
	if o := e.recorder.only(t); o.Failure != FailureDenied {
		t.Errorf("observed as %v", o.Failure)
	}
}

func TestCredentialsReachNoLog(t *testing.T) {
	var log syncBuffer
	dead := backendAt(t, "127.0.0.1:1")
	e := startEdge(t, dead, func(o *Options) {
		o.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	links := linkKey(t).Links("chat")
	e.keepOut(dead, func(p *Policy) { p.Basic, p.Links, p.Signed = users(t, NewPasswords()), links, true })
	token := sign(t, links, appHost, time.Hour)
	var bodies string
	for _, header := range [][2]string{
		{"Authorization", basic("maria", password)}, {"Authorization", basic("maria", "wrong")},
		{"Cookie", LinkCookie + "=" + links.seal(inCookie, appHost, time.Now().Add(time.Hour).Unix())}, {"X-Nothing", "of no interest"},
	} {
		_, body := e.get(false, "https://"+appHost+"/?bluegreen_link="+token+"x", header[:]...)
		_, other := e.get(false, "https://"+appHost+"/", header[:]...)
		bodies += body + other
		for _, shown := range []string{log.String(), bodies} {
			if _, value, _ := strings.Cut(header[1], " "); strings.Contains(shown, header[1]) || value != "" && strings.Contains(shown, value) || strings.Contains(shown, token) {
				t.Errorf("%s is shown: %s", header[0], shown)
			}
		}
	}
	if log.Len() == 0 {
		t.Error("nothing was logged at all")
	}
}

type syncBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.String()
}

func (b *syncBuffer) Len() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Len()
}
