package dashboard

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"time"

	"sofiacall.com/bluegreen/admin"
	"sofiacall.com/bluegreen/switcher"
)

// Options make a Server. Apps is required; what a nil function would show is
// left out of the pages.
type Options struct {
	// Apps returns the apps, sorted by name.
	Apps func() []*switcher.App
	// Certificates returns the certificates of an app's hosts.
	Certificates func(app string) []admin.Certificate
	// Figures returns what happened on a route of a slot since from, in steps,
	// oldest first.
	Figures func(app string, route switcher.RouteName, slot switcher.Colour, from time.Time, step time.Duration) []Figures
	// Lines returns the last lines that a slot's instances wrote, oldest first.
	Lines func(ctx context.Context, app string, slot switcher.Colour, n int) ([]Line, error)
	// Drain returns how long what a slot has in flight may last.
	Drain func(app string) switcher.DrainSettings
	// Language that is spoken to browsers that ask for none of ours: en or es.
	Language string
	// Version of the edge.
	Version string
	// Door is the way in with a sign-in; nil: there is none.
	Door *Door
	// Logger; nil discards.
	Logger *slog.Logger
}

// Door is a listener behind a sign-in.
type Door struct {
	Listener net.Listener
	TLS      *tls.Config
	Host     string // the only one that is answered
	// Check says whether a password is the user's: nil, or one of the errors
	// below, or that of ctx.
	Check  func(ctx context.Context, client netip.Addr, user, password string) error
	Scopes map[string]admin.Scope // of the users
}

// What Door.Check answers when it lets nobody in.
var (
	ErrPassword = errors.New("wrong user or password")
	ErrTooMany  = errors.New("too many wrong passwords from this address")
	ErrCrowd    = errors.New("too many passwords are being checked")
)

// Figures are what happened on a route of a slot in one step of time.
type Figures struct {
	From     time.Time
	Span     time.Duration
	Requests int64
	Errors   int64
	P50, P99 time.Duration // of the time to answer
}

// Line is one line that an instance wrote.
type Line struct {
	Time   time.Time
	Stream string // stdout or stderr
	Text   string
}
