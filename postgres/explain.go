package postgres

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"sofiacall.com/bluegreen/switcher"
)

// What the server says with its SQLSTATE, where that needs more than its own
// words. See appendix A of PostgreSQL's documentation.
const (
	wrongPassword   = "28P01"
	noSuchAccount   = "28000"
	noSuchDatabase  = "3D000"
	tooManySessions = "53300"
	diskFull        = "53100"
	notNow          = "57P03"
	shutDown        = "57P01"
	crashed         = "57P02"
	readOnly        = "25006"
	notAllowed      = "42501"
	lockTimeout     = "55P03"
	cancelled       = "57014"
	inUse           = "55006"
)

// explain says in plain words why the database did not do something. Of the
// driver's own texts nothing is passed on, for some quote a URL; of the
// server's, only its message.
func explain(ctx context.Context, err error, doing string, config *pgx.ConnConfig) error {
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.DeadlineExceeded) {
		return cause
	}
	why, hint := plainly(err)
	return &switcher.Error{Code: switcher.CodeFailed, What: fmt.Sprintf("%s %s: %s", doing, where(config), why), Hint: hint}
}

// plainly returns why something failed, and the next step.
func plainly(err error) (why, hint string) {
	var server *pgconn.PgError
	if errors.As(err, &server) {
		why, hint = byState(server)
		return fmt.Sprintf("%s (SQLSTATE %s)", why, server.Code), hint
	}
	var unknownAuthority x509.UnknownAuthorityError
	var wrongHost x509.HostnameError
	var invalid x509.CertificateInvalidError
	var record tls.RecordHeaderError
	var alert tls.AlertError
	var name *net.DNSError
	switch {
	case errors.Is(err, context.DeadlineExceeded), pgconn.Timeout(err), errors.Is(err, os.ErrDeadlineExceeded):
		return "no answer in time", "the server is overloaded, stuck or cut off: look at its load and its log"
	case errors.As(err, &unknownAuthority):
		return "TLS: its certificate is of an authority that is not trusted here", "name the authority's certificate with sslrootcert in the URL"
	case errors.As(err, &wrongHost), errors.As(err, &invalid):
		return "TLS: its certificate does not hold for this host", "check the certificate's names and dates, or use the host that it is for"
	case errors.As(err, &record), errors.As(err, &alert), saysTLS(err):
		return "TLS: both sides do not agree on it", "check sslmode in the URL and ssl of the server"
	case errors.As(err, &name):
		return "its host name is not known", "check the host in the URL, and the name server"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nothing listens there (connection refused)", "is PostgreSQL running, and on this host and port?"
	case errors.Is(err, os.ErrNotExist):
		return "there is no socket", "is PostgreSQL running, and is its unix_socket_directories the one in the URL?"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return "there is no way to that host", "check the network"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, net.ErrClosed), errors.Is(err, pgconn.ErrConnClosed), saysEnded(err):
		return "the connection has ended", "the server was restarted, or something in between has cut it: look at its log"
	}
	return "it cannot be reached", "look at the server's log"
}

func byState(e *pgconn.PgError) (why, hint string) {
	switch e.Code {
	case wrongPassword:
		return "the password is wrong", "correct it in the URL, or set it with ALTER ROLE … PASSWORD"
	case noSuchAccount:
		return "the server does not let this user in: " + e.Message, "pg_hba.conf of the server says who may come from where; does the role exist?"
	case noSuchDatabase:
		return "the database does not exist", "create it, or correct its name in the URL; `bluegreen db backups` lists what could be restored"
	case tooManySessions:
		return "all connections are taken: " + e.Message, "see who holds them in pg_stat_activity; use fewer, a pooler, or raise max_connections"
	case diskFull:
		return "the server's disk is full", "make room there"
	case notNow, shutDown, crashed:
		return "the server is starting or ending: " + e.Message, "wait for it, and look at its log"
	case readOnly:
		return "the database is read-only", "default_transaction_read_only is on, or this is a standby"
	case notAllowed:
		return e.Message, "the role in the URL lacks that privilege"
	case lockTimeout:
		return "a lock was not to be had in time", "something holds it for long: see pg_locks and pg_stat_activity"
	case cancelled:
		return e.Message, ""
	}
	return e.Message, ""
}

func saysTLS(err error) bool {
	text := err.Error()
	return strings.Contains(text, "server refused TLS") || strings.Contains(text, "tls: ") || strings.Contains(text, "tls error")
}

func saysEnded(err error) bool {
	text := err.Error()
	return strings.Contains(text, "EOF") || strings.Contains(text, "conn closed") || strings.Contains(text, "conn busy")
}

// state is the SQLSTATE of a server's error; empty: it is none.
func state(err error) string {
	var server *pgconn.PgError
	if errors.As(err, &server) {
		return server.Code
	}
	return ""
}
