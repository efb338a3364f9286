package backup

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"sofiacall.com/bluegreen/switcher"
)

// Server is a database on a server and how to connect to it. It is never shown
// with its password.
type Server struct {
	config   *pgx.ConnConfig
	settings map[string]string // of the URL, as libpq names them
	mask     switcher.Mask
}

// ParseServer takes a connection string as libpq does: a URL, or name=value
// pairs. Its errors quote nothing of it.
func ParseServer(connection string) (*Server, error) {
	config, err := pgx.ParseConfig(connection)
	if err != nil {
		return nil, errors.New("the database's URL cannot be understood: it has the form postgres://user:password@host:port/database")
	}
	s := &Server{config: config, settings: settingsOf(connection)}
	secrets := []string{"URL=" + connection}
	if p := config.Password; p != "" {
		secrets = append(secrets, "P="+p, "Q="+url.QueryEscape(p), "R="+url.PathEscape(p))
	}
	s.mask = switcher.NewMask(secrets)
	return s, nil
}

// In returns the same server with another database.
func (s *Server) In(database string) *Server {
	other := *s
	other.config = s.config.Copy()
	other.config.Database = database
	return &other
}

// Database is the name of the database.
func (s *Server) Database() string { return s.config.Database }

// User is the role that it is connected to as.
func (s *Server) User() string { return s.config.User }

// String tells the database without its password.
func (s *Server) String() string {
	return fmt.Sprintf("database %s on %s as %s", s.config.Database, s.address(), s.config.User)
}

func (s *Server) address() string {
	if strings.HasPrefix(s.config.Host, "/") {
		return s.config.Host
	}
	return net.JoinHostPort(s.config.Host, strconv.Itoa(int(s.config.Port)))
}

// Connect opens a connection in which no function of the app's is found, for it
// would be run with the rights of this role. Its errors tell host, database, user
// and SQLSTATE.
func (s *Server) Connect(ctx context.Context) (*pgx.Conn, error) {
	return s.connect(ctx, map[string]string{"search_path": "pg_catalog"})
}

func (s *Server) connect(ctx context.Context, settings map[string]string) (*pgx.Conn, error) {
	config := s.config.Copy()
	config.RuntimeParams["application_name"] = "bluegreen backup"
	maps.Copy(config.RuntimeParams, settings)
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, s.connectError(ctx, err)
	}
	return conn, nil
}

func (s *Server) connectError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	e := &switcher.Error{Code: switcher.CodeFailed, What: "connecting to " + s.String()}
	var refused *pgconn.PgError
	var unreachable *net.OpError
	switch {
	case errors.As(err, &refused):
		e.Err = fmt.Errorf("%s (SQLSTATE %s)", s.mask.Line(refused.Message), refused.Code)
	case errors.As(err, &unreachable):
		e.Err = unreachable.Err
	default:
		e.Err = errors.New("no answer that could be understood")
	}
	return e
}

// passed are the variables of our own environment that programs need.
var passed = regexp.MustCompile(`^(PATH|HOME|TMPDIR|SSL_CERT_\w+|KRB5\w*|PG(SSL\w+|GSS\w+|KRB\w+|CHANNELBINDING|REQUIREAUTH|SYSCONFDIR))=`)

// environment returns what a program of PostgreSQL connects with: no argument
// holds a password, for arguments can be seen by everybody.
func (s *Server) environment() []string {
	env := []string{"LC_ALL=C"}
	for _, entry := range os.Environ() {
		if passed.MatchString(entry) {
			env = append(env, entry)
		}
	}
	return append(env, s.variables()...)
}

// variables returns the connection as libpq's variables.
func (s *Server) variables() []string {
	hosts, ports := []string{s.config.Host}, []string{strconv.Itoa(int(s.config.Port))}
	for _, f := range s.config.Fallbacks {
		if port := strconv.Itoa(int(f.Port)); f.Host != hosts[len(hosts)-1] || port != ports[len(ports)-1] {
			hosts, ports = append(hosts, f.Host), append(ports, port)
		}
	}
	env := []string{
		"PGHOST=" + strings.Join(hosts, ","), "PGPORT=" + strings.Join(ports, ","),
		"PGUSER=" + s.config.User, "PGDATABASE=" + s.config.Database,
		"PGAPPNAME=bluegreen backup",
	}
	if s.config.Password != "" {
		env = append(env, "PGPASSWORD="+s.config.Password)
	}
	for setting, variable := range variableOf {
		if value := s.settings[setting]; value != "" {
			env = append(env, variable+"="+value)
		}
	}
	return env
}

// variableOf is libpq's variable for what pgx does not keep of a URL.
var variableOf = map[string]string{
	"sslmode": "PGSSLMODE", "sslrootcert": "PGSSLROOTCERT", "sslcert": "PGSSLCERT", "sslkey": "PGSSLKEY",
	"sslcrl": "PGSSLCRL", "sslnegotiation": "PGSSLNEGOTIATION", "sslsni": "PGSSLSNI",
	"connect_timeout": "PGCONNECT_TIMEOUT", "channel_binding": "PGCHANNELBINDING", "options": "PGOPTIONS",
	"target_session_attrs": "PGTARGETSESSIONATTRS", "krbsrvname": "PGKRBSRVNAME", "gssencmode": "PGGSSENCMODE",
}

var pair = regexp.MustCompile(`(\w+)\s*=\s*('(?:[^'\\]|\\.)*'|(?:[^\s\\]|\\.)*)`)

func settingsOf(connection string) map[string]string {
	settings := make(map[string]string)
	if u, err := url.Parse(connection); err == nil && strings.HasPrefix(u.Scheme, "postgres") {
		for name := range u.Query() {
			settings[name] = u.Query().Get(name)
		}
		return settings
	}
	unescape := regexp.MustCompile(`\\(.)`)
	for _, found := range pair.FindAllStringSubmatch(connection, -1) {
		value := found[2]
		if strings.HasPrefix(value, "'") {
			value = value[1 : len(value)-1]
		}
		settings[found[1]] = unescape.ReplaceAllString(value, "$1")
	}
	return settings
}
