package backup

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Properties are what a database has besides what is in it. pg_dump leaves them
// out.
type Properties struct {
	Owner           string    `json:"owner"`
	Encoding        string    `json:"encoding"`
	Provider        string    `json:"provider"` // of its locale: libc, icu or builtin
	Collate         string    `json:"collate"`
	CType           string    `json:"ctype"`
	Locale          string    `json:"locale,omitempty"` // of icu and builtin
	ICURules        string    `json:"icu_rules,omitempty"`
	Tablespace      string    `json:"tablespace"`
	ConnectionLimit int       `json:"connection_limit"` // -1: none
	Comment         string    `json:"comment,omitempty"`
	Settings        []Setting `json:"settings,omitempty"`
	// Grants are nil where nobody ever changed them: then everybody may connect
	// and make temporary tables.
	Grants []Grant `json:"grants"`
}

// Setting is what ALTER DATABASE … SET, or ALTER ROLE … IN DATABASE … SET, has
// set.
type Setting struct {
	Role  string `json:"role,omitempty"` // empty: every one
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Grant is a privilege on the database.
type Grant struct {
	Role      string `json:"role"` // empty: PUBLIC
	Privilege string `json:"privilege"`
	Grantable bool   `json:"grantable,omitempty"`
}

func (at *moment) properties(ctx context.Context, m *Manifest) error {
	var err error
	m.Properties, err = readProperties(ctx, at.tx, m.Server)
	return err
}

// ReadProperties returns the properties of the database that a connection is to.
func ReadProperties(ctx context.Context, conn *pgx.Conn) (Properties, error) {
	var server int
	if err := conn.QueryRow(ctx, "SELECT current_setting('server_version_num')::int").Scan(&server); err != nil {
		return Properties{}, sqlError(ctx, "asking the server for its version", err)
	}
	p, err := readProperties(ctx, conn, server)
	return p, sqlError(ctx, "reading the properties of the database", err)
}

func readProperties(ctx context.Context, from interface {
	querier
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}, server int) (p Properties, err error) {
	provider, locale, rules := "'c'", "''", "''"
	if server >= 150000 {
		provider, locale = "d.datlocprovider", "coalesce(d.daticulocale, '')"
	}
	if server >= 160000 {
		rules = "coalesce(d.daticurules, '')"
	}
	if server >= 170000 {
		locale = "coalesce(d.datlocale, '')"
	}
	var untouched bool
	err = from.QueryRow(ctx, fmt.Sprintf(`SELECT pg_get_userbyid(d.datdba), pg_encoding_to_char(d.encoding),
  CASE %s::text WHEN 'i' THEN 'icu' WHEN 'b' THEN 'builtin' ELSE 'libc' END, d.datcollate::text, d.datctype::text, %s::text, %s::text,
  t.spcname::text, d.datconnlimit, coalesce(shobj_description(d.oid, 'pg_database'), ''), d.datacl IS NULL
FROM pg_database d JOIN pg_tablespace t ON t.oid = d.dattablespace WHERE d.datname = current_database()`, provider, locale, rules)).
		Scan(&p.Owner, &p.Encoding, &p.Provider, &p.Collate, &p.CType, &p.Locale, &p.ICURules, &p.Tablespace, &p.ConnectionLimit, &p.Comment, &untouched)
	if err != nil {
		return p, err
	}
	rows, err := from.Query(ctx, `SELECT coalesce(r.rolname::text, ''), split_part(c, '=', 1), substr(c, strpos(c, '=') + 1)
FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase LEFT JOIN pg_roles r ON r.oid = s.setrole, unnest(s.setconfig) c
WHERE d.datname = current_database() AND (s.setrole = 0 OR r.oid IS NOT NULL) ORDER BY 1, 2`)
	if err == nil {
		p.Settings, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Setting])
	}
	if err != nil || untouched {
		return p, err
	}
	rows, err = from.Query(ctx, `SELECT CASE a.grantee WHEN 0 THEN '' ELSE pg_get_userbyid(a.grantee)::text END, a.privilege_type, bool_or(a.is_grantable)
FROM pg_database d, aclexplode(d.datacl) a WHERE d.datname = current_database() GROUP BY 1, 2 ORDER BY 1, 2`)
	if err == nil {
		p.Grants, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Grant])
	}
	if p.Grants == nil {
		p.Grants = []Grant{} // everything was revoked, which is not what a new database has
	}
	return p, err
}

// Create is the statement that creates an empty database which sorts and
// compares text as the original does. It belongs to whoever runs it.
func (p Properties) Create(name string) string {
	sql := "CREATE DATABASE " + ident(name) + " TEMPLATE template0 ENCODING " + literal(p.Encoding) +
		" LC_COLLATE " + literal(p.Collate) + " LC_CTYPE " + literal(p.CType)
	switch p.Provider {
	case "icu":
		sql += " LOCALE_PROVIDER icu ICU_LOCALE " + literal(p.Locale)
		if p.ICURules != "" {
			sql += " ICU_RULES " + literal(p.ICURules)
		}
	case "builtin":
		sql += " LOCALE_PROVIDER builtin BUILTIN_LOCALE " + literal(p.Locale)
	}
	if p.Tablespace != "" && p.Tablespace != "pg_default" {
		sql += " TABLESPACE " + ident(p.Tablespace)
	}
	return sql
}

// Statements give a new database of that name everything else of the original,
// one at a time and in this order. Some may be refused to a role that is no
// superuser; the owner comes last, for the rest is up to the owner.
func (p Properties) Statements(name string) []string {
	on := "DATABASE " + ident(name)
	var sql []string
	for _, s := range p.Settings {
		of := on
		if s.Role != "" {
			of = "ROLE " + ident(s.Role) + " IN " + on
		}
		sql = append(sql, "ALTER "+of+" SET "+settingName(s.Name)+" TO "+settingValue(s.Name, s.Value))
	}
	if p.Grants != nil {
		sql = append(sql, "REVOKE ALL ON "+on+" FROM PUBLIC")
		for _, g := range p.Grants {
			to := "PUBLIC"
			if g.Role != "" {
				to = ident(g.Role)
			}
			grant := "GRANT " + g.Privilege + " ON " + on + " TO " + to
			if g.Grantable {
				grant += " WITH GRANT OPTION"
			}
			sql = append(sql, grant)
		}
	}
	if p.ConnectionLimit >= 0 {
		sql = append(sql, fmt.Sprintf("ALTER %s CONNECTION LIMIT %d", on, p.ConnectionLimit))
	}
	comment := "NULL"
	if p.Comment != "" {
		comment = literal(p.Comment)
	}
	sql = append(sql, "COMMENT ON "+on+" IS "+comment)
	return append(sql, "ALTER "+on+" OWNER TO "+ident(p.Owner))
}

func ident(name string) string { return pgx.Identifier{name}.Sanitize() }

func literal(value string) string {
	quoted := "'" + strings.ReplaceAll(value, "'", "''") + "'"
	if strings.Contains(value, `\`) {
		return " E" + strings.ReplaceAll(quoted, `\`, `\\`)
	}
	return quoted
}

// settingName quotes the name of a setting, which has a point in it if it is an
// extension's.
func settingName(name string) string {
	return pgx.Identifier(strings.Split(name, ".")).Sanitize()
}

// settingValue writes a value as SET takes it. Lists of names are kept with
// their elements quoted, and must be given element by element.
func settingValue(name, value string) string {
	switch strings.ToLower(name) {
	case "local_preload_libraries", "search_path", "session_preload_libraries", "shared_preload_libraries", "temp_tablespaces", "unix_socket_directories":
	default:
		return literal(value)
	}
	var elements []string
	for rest := strings.TrimSpace(value); rest != ""; {
		var element string
		if strings.HasPrefix(rest, `"`) {
			end := 1
			for end < len(rest) && (rest[end] != '"' || strings.HasPrefix(rest[end:], `""`)) {
				if rest[end] == '"' {
					end++
				}
				end++
			}
			element = strings.ReplaceAll(rest[1:min(end, len(rest))], `""`, `"`)
			rest = rest[min(end+1, len(rest)):]
			_, rest, _ = strings.Cut(rest, ",")
		} else {
			element, rest, _ = strings.Cut(rest, ",")
		}
		elements = append(elements, literal(strings.TrimSpace(element)))
		rest = strings.TrimSpace(rest)
	}
	if len(elements) == 0 {
		return "''"
	}
	return strings.Join(elements, ", ")
}
