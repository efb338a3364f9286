package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"sofiacall.com/bluegreen/switcher"
)

const (
	connectTimeout = 10 * time.Second
	ownLockTimeout = "15s"           // of the edge's own statements, which change nothing that an app locks
	answerTimeout  = 2 * time.Second // for the app to connect and get an answer
)

// adminConfig reads the URL of the owner. What pgx says of a bad one quotes it.
func adminConfig(o Options) (*pgx.ConnConfig, error) {
	name := cmp.Or(o.AdminURLEnv, "the admin URL")
	bad := func(why string) error {
		return &switcher.Error{Code: switcher.CodeUsage, What: name + " is no URL of a PostgreSQL database: " + why,
			Hint: "write it as postgres://USER:PASSWORD@HOST/DATABASE, for the owner of the database"}
	}
	parsed, err := parseConnString(o.AdminURL)
	if err != nil {
		return nil, bad(err.Error())
	}
	config, err := pgx.ParseConfig(o.AdminURL)
	switch {
	case err != nil:
		return nil, bad("the driver does not understand it")
	case parsed.database == "":
		return nil, bad("it names no database")
	case config.User == "":
		return nil, bad("it names no user")
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = connectTimeout
	}
	return config, nil
}

// session is what every session of the edge has, whatever the role's own
// settings are: they are meant for the app.
func session(config *pgx.ConnConfig, application string) {
	config.RuntimeParams = maps.Clone(config.RuntimeParams)
	if config.RuntimeParams == nil {
		config.RuntimeParams = map[string]string{}
	}
	config.RuntimeParams["application_name"] = application
	config.RuntimeParams["statement_timeout"] = "0"
	config.RuntimeParams["lock_timeout"] = ownLockTimeout
	config.RuntimeParams["idle_in_transaction_session_timeout"] = "0"
}

// asOwner connects to a database as its owner; an empty name is the live one. A
// function of the app's that fits the arguments better than the server's own would
// be run in its place, with the owner's rights: so none is found.
func (d *Database) asOwner(ctx context.Context, database string) (*pgx.Conn, error) {
	config := d.ownerConfig(database)
	config.RuntimeParams["search_path"] = "pg_catalog"
	return d.connect(ctx, config)
}

func (d *Database) ownerConfig(database string) *pgx.ConnConfig {
	config := d.admin.Copy()
	config.Database = cmp.Or(database, config.Database)
	session(config, d.applicationName("edge"))
	return config
}

// asApp connects to a database as the app does, but from here: with the app's
// account, and the host of the owner's URL.
func (d *Database) asApp(ctx context.Context, database string) (*pgx.Conn, error) {
	config, err := d.appConfig(database)
	if err != nil {
		return nil, err
	}
	return d.connect(ctx, config)
}

func (d *Database) appConfig(database string) (*pgx.ConnConfig, error) {
	app, err := d.appURL()
	if err != nil {
		return nil, err
	}
	config := d.ownerConfig(database)
	session(config, d.applicationName("check"))
	config.User, config.Password = app.user, app.password
	return config, nil
}

// appURL is what the app connects with, as its environment says now.
func (d *Database) appURL() (*connString, error) {
	text, err := d.options.AppURL()
	if err != nil {
		return nil, err
	}
	c, err := parseConnString(text)
	usage := func(why string) error {
		return &switcher.Error{Code: switcher.CodeUsage, What: fmt.Sprintf("%s of the app is no URL of its database: %s", d.options.URLEnv, why),
			Hint: "write it as postgres://USER:PASSWORD@HOST/DATABASE"}
	}
	switch {
	case err != nil:
		return nil, usage(err.Error())
	case c.user == "":
		return nil, usage("it names no user")
	case c.database != "" && c.database != d.admin.Database:
		return nil, usage(fmt.Sprintf("it names database %s, and the owner's URL names %s", c.database, d.admin.Database))
	}
	return c, nil
}

func (d *Database) connect(ctx context.Context, config *pgx.ConnConfig) (*pgx.Conn, error) {
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, explain(ctx, err, "connecting to", config)
	}
	return conn, nil
}

// hangUp ends a connection politely, and in time also when the server hangs.
func hangUp(conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = conn.Close(ctx)
}

// applicationName says in pg_stat_activity whose session it is, and what for.
func (d *Database) applicationName(purpose string) string {
	return "bluegreen-" + d.options.App + "-" + purpose
}

// where names the database in error texts.
func where(config *pgx.ConnConfig) string {
	host := config.Host
	if !strings.HasPrefix(host, "/") {
		host = net.JoinHostPort(host, strconv.Itoa(int(config.Port)))
	}
	return fmt.Sprintf("database %s at %s as %s", config.Database, host, config.User)
}

// Answers implements switcher.Database: the app's role can connect, read, and
// write.
func (d *Database) Answers(ctx context.Context) error {
	err := d.ask(ctx)
	if !errors.Is(ctx.Err(), context.Canceled) { // a caller who leaves says nothing about the database
		d.noteHealth(time.Now(), err)
	}
	return err
}

func (d *Database) ask(ctx context.Context) error {
	config, err := d.appConfig("")
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	conn, err := d.connect(ctx, config)
	if err != nil {
		return err
	}
	defer hangUp(conn)
	var standby bool
	var readOnly string
	err = conn.QueryRow(ctx, "SELECT pg_is_in_recovery(), current_setting('transaction_read_only')").Scan(&standby, &readOnly)
	switch {
	case err != nil:
		return explain(ctx, err, "asking", config)
	case standby:
		return failed("a standby takes no writes: the primary is elsewhere, or has to be promoted", "%s is a standby", where(config))
	case readOnly == "on":
		return failed("default_transaction_read_only is on, for the server, the database or the role", "%s is read-only", where(config))
	}
	return nil
}

// failed is an error with a next step.
func failed(hint, format string, args ...any) *switcher.Error {
	return &switcher.Error{Code: switcher.CodeFailed, What: fmt.Sprintf(format, args...), Hint: hint}
}

// refused is an error with a next step, of what speaks against an operation.
func refused(hint, format string, args ...any) *switcher.Error {
	return &switcher.Error{Code: switcher.CodeRefused, What: fmt.Sprintf(format, args...), Hint: hint}
}
