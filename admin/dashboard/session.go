package dashboard

import (
	"crypto/rand"
	"crypto/sha256"
	"maps"
	"net/http"
	"sync"
	"time"

	"sofiacall.com/bluegreen/admin"
	"sofiacall.com/bluegreen/switcher"
)

const (
	// A session ends sessionFor after its begin, or idleFor after its owner
	// last did something: a page that looks for news by itself is no sign of
	// somebody in front of it.
	sessionFor = 12 * time.Hour
	idleFor    = time.Hour

	// linkFor is how long a one-time link waits for its only use.
	linkFor = time.Minute

	// Bounds of what is remembered; the oldest is forgotten first.
	sessionsKept = 1000
	linksKept    = 100
)

// session is somebody who may look, and what else they may do.
type session struct {
	actor switcher.Actor
	scope admin.Scope
	app   string    // which a link leads to; may be empty
	at    *entrance // where it is good
	began time.Time
	used  time.Time
}

// secret is the SHA-256 of what a browser shows: who reads this process's
// memory by a bug of ours learns no cookie.
type secret [sha256.Size]byte

// sessions remembers who has come in, in memory only: a restart of the edge
// signs everybody out.
type sessions struct {
	mu    sync.Mutex
	open  map[secret]session
	links map[secret]session // that nobody has opened yet
}

func newSecret() (shown string, kept secret) {
	shown = rand.Text() + rand.Text() // 260 bits
	return shown, sha256.Sum256([]byte(shown))
}

func (s session) over(now time.Time) bool {
	return now.Sub(s.began) >= sessionFor || now.Sub(s.used) >= idleFor
}

// begin opens a session and returns its cookie's value.
func (s *sessions) begin(who session) string {
	shown, kept := newSecret()
	s.mu.Lock()
	defer s.mu.Unlock()
	who.began = time.Now()
	who.used = who.began
	s.open = keep(s.open, kept, who, sessionsKept)
	return shown
}

// invite returns the key of a link that opens a session once, soon.
func (s *sessions) invite(who session) (key string, expires time.Time) {
	shown, kept := newSecret()
	s.mu.Lock()
	defer s.mu.Unlock()
	who.began = time.Now()
	who.used = who.began
	s.links = keep(s.links, kept, who, linksKept)
	return shown, who.began.Add(linkFor)
}

// keep adds to a bounded map.
func keep(to map[secret]session, id secret, who session, limit int) map[secret]session {
	if to == nil {
		to = make(map[secret]session)
	}
	for len(to) >= limit {
		var oldest secret
		first := true
		for other, s := range to {
			if first || s.began.Before(to[oldest].began) {
				oldest, first = other, false
			}
		}
		delete(to, oldest)
	}
	to[id] = who
	return to
}

// redeem takes the session of a link, which is then good no more.
func (s *sessions) redeem(key string) (session, bool) {
	id := sha256.Sum256([]byte(key))
	s.mu.Lock()
	defer s.mu.Unlock()
	who, known := s.links[id]
	delete(s.links, id)
	return who, known && time.Since(who.began) < linkFor
}

// find returns the session of a cookie; touch says that its owner did something.
func (s *sessions) find(cookie string, touch bool) (session, bool) {
	id := sha256.Sum256([]byte(cookie))
	s.mu.Lock()
	defer s.mu.Unlock()
	who, known := s.open[id]
	now := time.Now()
	if !known || who.over(now) {
		delete(s.open, id)
		return session{}, false
	}
	if touch {
		who.used = now
		s.open[id] = who
	}
	return who, true
}

func (s *sessions) end(cookie string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, sha256.Sum256([]byte(cookie)))
}

// anybody forgets what is over and reports whether anybody may still come to
// an entrance.
func (s *sessions) anybody(at *entrance) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	maps.DeleteFunc(s.open, func(_ secret, who session) bool { return who.over(now) })
	maps.DeleteFunc(s.links, func(_ secret, who session) bool { return now.Sub(who.began) >= linkFor })
	for _, all := range []map[secret]session{s.open, s.links} {
		for _, who := range all {
			if who.at == at {
				return true
			}
		}
	}
	return false
}

// session finds who asks. A request by which a page looks for news does not
// keep the session alive.
func (e *entrance) session(r *http.Request) (session, bool) {
	cookie, err := r.Cookie(e.cookie)
	if err != nil {
		return session{}, false
	}
	who, known := e.server.sessions.find(cookie.Value, r.Header.Get(headerLive) == "")
	return who, known && who.at == e
}

// headerLive marks the requests of script.js.
const headerLive = "Bluegreen-Live"

// begin opens a session in place of the one before, and gives the browser its
// cookie, which lives no longer than the session.
func (e *entrance) begin(w http.ResponseWriter, r *http.Request, who session) {
	if cookie, err := r.Cookie(e.cookie); err == nil {
		e.server.sessions.end(cookie.Value)
	}
	who.at = e
	http.SetCookie(w, &http.Cookie{
		Name: e.cookie, Value: e.server.sessions.begin(who), Path: "/", MaxAge: int(sessionFor.Seconds()),
		Secure: e.door != nil, HttpOnly: true, SameSite: http.SameSiteStrictMode,
	})
}

// signOut ends the session of the browser.
func (e *entrance) signOut(w http.ResponseWriter, r *http.Request) {
	if cookie, err := r.Cookie(e.cookie); err == nil {
		e.server.sessions.end(cookie.Value)
	}
	http.SetCookie(w, &http.Cookie{
		Name: e.cookie, Path: "/", MaxAge: -1, Secure: e.door != nil, HttpOnly: true, SameSite: http.SameSiteStrictMode,
	})
	http.Redirect(w, r, "/", http.StatusSeeOther)
}
