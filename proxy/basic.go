package proxy

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"maps"
	"net/http"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"time"

	"golang.org/x/crypto/bcrypt"
)

const (
	// rememberFor is how long a result stands without being checked again.
	// The hash is part of what is remembered, so that a new one counts at
	// once.
	rememberFor = 5 * time.Minute
	remembered  = 4096

	// turnWait is how long a request waits until its password is hashed.
	turnWait = 5 * time.Second

	// An address may guess failureBurst times, and once more every
	// failureEvery.
	failureBurst = 10
	failureEvery = 6 * time.Second
)

// Passwords checks the passwords of basic authentication (RFC 7617) for all
// routes of a Server. A check costs tens of milliseconds of a processor by
// design (bcrypt), so they take turns, their results are remembered for a few
// minutes, and whoever guesses has to wait. It is safe for concurrent use.
type Passwords struct {
	secret [32]byte // of this process; what is remembered is of no use without it
	turns  chan struct{}

	right, wrong memory
	failures     *RateLimit // of each address
}

// NewPasswords returns a Passwords that remembers nothing.
func NewPasswords() *Passwords {
	p := &Passwords{
		turns:    make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/4)),
		failures: NewRateLimit(1/failureEvery.Seconds(), failureBurst),
	}
	_, _ = rand.Read(p.secret[:]) // never fails
	return p
}

// Users returns the users whose passwords have these bcrypt hashes; without
// any it returns nil.
func (p *Passwords) Users(hashes map[string]string) *Users {
	if len(hashes) == 0 {
		return nil
	}
	u := &Users{passwords: p, hashes: maps.Clone(hashes)}
	for _, name := range slices.Sorted(maps.Keys(hashes)) {
		u.decoys = append(u.decoys, hashes[name])
	}
	return u
}

// Users are the users of a Policy.
type Users struct {
	passwords *Passwords
	hashes    map[string]string
	decoys    []string
}

// know reports whether the Authorization field of r is for one of the users,
// and so not for a backend. A browser that has signed in once sends it with
// every request, also where another rule lets the client in.
func (u *Users) know(r *http.Request) bool {
	if u == nil {
		return false
	}
	user, _, given := r.BasicAuth()
	return given && u.hashes[user] != ""
}

// verdict is what became of a password.
type verdict int

const (
	right   verdict = iota
	wrong           // not the user's
	tooMany         // the address has to wait
	busy            // too many others have their passwords checked
)

// check says whether password is the user's. An unknown user costs what a
// known one costs: some user's hash is computed, always the same one for the
// same name, so that the cost of it tells nothing either.
func (u *Users) check(ctx context.Context, client netip.Addr, user, password string) verdict {
	p := u.passwords
	hash, known := u.hashes[user]
	kind := "password"
	if !known {
		kind = "password of nobody" // or it could pass for that of a former user
		pick := p.digest("decoy", user)
		hash = u.decoys[binary.BigEndian.Uint64(pick[:])%uint64(len(u.decoys))]
	}
	id := p.digest(kind, user, hash, password)
	if v, settled := p.recall(id, client); settled {
		return v
	}
	if !p.turn(ctx) {
		return busy
	}
	defer func() { <-p.turns }()
	// Whoever had the turn before may have settled it.
	if v, settled := p.recall(id, client); settled {
		return v
	}
	if bcrypt.CompareHashAndPassword([]byte(hash), []byte(password)) == nil && known {
		p.right.add(id, time.Now())
		return right
	}
	p.wrong.add(id, time.Now())
	p.failures.take(client, time.Now())
	return wrong
}

// recall returns a verdict that needs no hashing.
func (p *Passwords) recall(id digest, client netip.Addr) (v verdict, settled bool) {
	now := time.Now()
	switch {
	case p.right.has(id, now):
		return right, true
	case p.wrong.has(id, now): // nothing is learnt from it again
		return wrong, true
	}
	return tooMany, p.failures.spent(client, now)
}

// turn waits for the right to hash; the caller gives it back.
func (p *Passwords) turn(ctx context.Context) bool {
	select {
	case p.turns <- struct{}{}:
		return true
	default:
	}
	wait := time.NewTimer(turnWait)
	defer wait.Stop()
	select {
	case p.turns <- struct{}{}:
		return true
	case <-wait.C:
	case <-ctx.Done():
	}
	return false
}

type digest [sha256.Size]byte

func (p *Passwords) digest(parts ...string) (d digest) {
	h := hmac.New(sha256.New, p.secret[:])
	for _, part := range parts {
		var size [8]byte
		binary.BigEndian.PutUint64(size[:], uint64(len(part)))
		h.Write(size[:])
		h.Write([]byte(part))
	}
	h.Sum(d[:0])
	return d
}

// memory is a bounded set whose members are forgotten after rememberFor.
type memory struct {
	mu    sync.RWMutex
	until map[digest]time.Time
}

func (m *memory) has(d digest, now time.Time) bool {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return now.Before(m.until[d])
}

func (m *memory) add(d digest, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.until == nil {
		m.until = make(map[digest]time.Time)
	}
	if len(m.until) >= remembered {
		maps.DeleteFunc(m.until, func(_ digest, until time.Time) bool { return now.After(until) })
	}
	for any := range m.until {
		if len(m.until) < remembered {
			break
		}
		delete(m.until, any)
	}
	m.until[d] = now.Add(rememberFor)
}
