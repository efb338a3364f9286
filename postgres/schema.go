package postgres

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"

	"github.com/jackc/pgx/v5"

	"sofiacall.com/bluegreen/postgres/catalog"
	"sofiacall.com/bluegreen/postgres/compat"
	"sofiacall.com/bluegreen/switcher"
)

// schema reads the live schema.
func (w *work) schema(ctx context.Context) (*catalog.Schema, error) { return readSchema(ctx, w.conn) }

func readSchema(ctx context.Context, conn *pgx.Conn) (*catalog.Schema, error) {
	s, err := catalog.Read(ctx, conn)
	if err != nil {
		return nil, explain(ctx, err, "reading the schema of", conn.Config())
	}
	return s, nil
}

// drifted tells in what two schemas of the live database differ; empty: in
// nothing.
func drifted(recorded, now *catalog.Schema) string {
	if recorded.DigestAll() == now.DigestAll() {
		return ""
	}
	return differences(recorded, now)
}

// byHand tells in what the live schema differs from the recorded one, but for
// partitions that were added since, for apps make those themselves, as time goes on,
// and for extensions that only watch the server: a restore cannot bring them back,
// and whoever does has changed nothing.
func byHand(recorded, now *catalog.Schema) string {
	same := *now
	same.Tables = maps.Clone(now.Tables)
	same.Extensions = maps.Clone(now.Extensions)
	maps.DeleteFunc(same.Extensions, func(name string, _ catalog.Extension) bool { return compat.Watches(name) })
	for name, e := range recorded.Extensions {
		if !compat.Watches(name) {
			continue
		}
		if same.Extensions == nil {
			same.Extensions = map[string]catalog.Extension{}
		}
		same.Extensions[name] = e
	}
	for name, t := range now.Tables {
		root := t.PartitionOf
		for now.Tables[root].PartitionOf != "" {
			root = now.Tables[root].PartitionOf
		}
		_, known := recorded.Tables[name]
		if _, grows := recorded.Tables[root]; grows && !known {
			delete(same.Tables, name)
		}
	}
	return drifted(recorded, &same)
}

// differs is drifted where one is of a copy, which lacks what no dump carries.
func differs(a, b *catalog.Schema) string {
	if a.Digest() == b.Digest() {
		return ""
	}
	return differences(a, b)
}

func differences(a, b *catalog.Schema) string {
	if text := sentences(compat.Compare(a, b, compat.Options{})); text != "" {
		return text
	}
	return "in something that has no name here"
}

// appRole is what the app's role may do in a database.
type appRole struct {
	Name      string
	Superuser bool
	BypassRLS bool
	Roles     []string // that it is a member of
}

func (w *work) appRole(ctx context.Context) (appRole, error) {
	app, err := w.d.appURL()
	if err != nil {
		return appRole{}, err
	}
	return readRole(ctx, w.conn, app.user)
}

func readRole(ctx context.Context, conn *pgx.Conn, name string) (appRole, error) {
	r := appRole{Name: name}
	err := conn.QueryRow(ctx, `SELECT r.rolsuper, r.rolbypassrls,
			coalesce((SELECT array_agg(o.rolname::text) FROM pg_roles o WHERE o.rolname <> r.rolname AND pg_has_role(r.oid, o.oid, 'MEMBER')), '{}')
		FROM pg_roles r WHERE r.rolname = $1`, name).Scan(&r.Superuser, &r.BypassRLS, &r.Roles)
	if errors.Is(err, pgx.ErrNoRows) {
		return r, failed("create it, or correct the user in the app's URL", "role %s, with which the app connects, does not exist", name)
	}
	if err != nil {
		return r, explain(ctx, err, "reading the roles of", conn.Config())
	}
	if r.Superuser {
		r.Roles = nil // it is a member of all
	}
	return r, nil
}

// rules are compat's options for the app's role.
func (d *Database) rules(r appRole) compat.Options {
	return compat.Options{Role: r.Name, Roles: r.Roles, Superuser: r.Superuser, BypassRLS: r.BypassRLS, LargeBytes: d.options.Gate.LargeTable}
}

// planOf names a step from one schema to another.
func planOf(before, after *catalog.Schema) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %s", before.Digest(), after.Digest()))
	return hex.EncodeToString(sum[:6])
}

// Fit implements switcher.Database.
func (d *Database) Fit(ctx context.Context, release string) (switcher.Fit, error) {
	conn, err := d.asOwner(ctx, "")
	if err != nil {
		return switcher.Fit{Release: release, Unknown: err.Error()}, err
	}
	defer hangUp(conn)
	w := &work{conn, d}
	now, err := w.standing(ctx)
	if err != nil {
		return switcher.Fit{Release: release, Unknown: err.Error()}, err
	}
	role, err := w.appRole(ctx)
	if err != nil {
		return switcher.Fit{Release: release, Unknown: err.Error()}, err
	}
	return d.fit(release, now, role)
}
