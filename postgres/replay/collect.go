package replay

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// most is how many statements are replayed, the most frequent first.
const most = 2000

// Statement is one that the app has run, without its constants.
type Statement struct {
	ID    string // short, made from the text
	Text  string
	Calls int64

	copied string // table of a COPY … FROM that lists no columns
}

// Collect returns the statements that a role was seen to run in the database of
// the connection. Why there are none to be had is said in words: the extension is
// not there, or may not be read. An error says that the database could not be
// asked.
func Collect(ctx context.Context, conn *pgx.Conn, role string) (statements []Statement, unknown string, err error) {
	var schema string
	err = conn.QueryRow(ctx, `SELECT quote_ident(n.nspname) FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'pg_stat_statements'`).Scan(&schema)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, "the extension pg_stat_statements is not in the database: CREATE EXTENSION pg_stat_statements, and add it to shared_preload_libraries", nil
	}
	if err != nil {
		return nil, "", fmt.Errorf("looking for pg_stat_statements: %w", err)
	}
	rows, _ := conn.Query(ctx, `SELECT query, sum(calls)::bigint AS calls FROM `+schema+`.pg_stat_statements s
		WHERE s.dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) AND s.userid = (SELECT oid FROM pg_roles WHERE rolname = $1) AND query IS NOT NULL
		GROUP BY query ORDER BY calls DESC, query LIMIT $2`, role, most)
	found, err := pgx.CollectRows(rows, pgx.RowToStructByPos[struct {
		Text  string
		Calls int64
	}])
	var refused *pgconn.PgError
	if errors.As(err, &refused) && (refused.Code == "55000" || refused.Code == "42501") {
		return nil, "pg_stat_statements cannot be read: " + refused.Message, nil
	}
	if err != nil {
		return nil, "", fmt.Errorf("reading pg_stat_statements: %w", err)
	}
	for _, f := range found {
		if f.Text == "<insufficient privilege>" {
			return nil, "the statements of other roles may not be read: GRANT pg_read_all_stats TO the owner of the database", nil
		}
		if s, ok := statement(f.Text); ok {
			s.Calls = f.Calls
			statements = append(statements, s)
		}
	}
	return statements, "", nil
}

var (
	comment  = regexp.MustCompile(`(?s)/\*.*?\*/|--[^\n]*`)
	planned  = regexp.MustCompile(`(?i)^[\s(]*(SELECT|INSERT|UPDATE|DELETE|WITH|VALUES|TABLE|MERGE)\b`)
	copying  = regexp.MustCompile(`(?is)^\s*COPY\s+((?:"(?:[^"]|"")+"|[\w$]+)(?:\.(?:"(?:[^"]|"")+"|[\w$]+))?)\s*(\([^)]*\))?\s*(FROM|TO)\b`)
	constant = regexp.MustCompile(`'(?:[^']|'')*'|\$\$.*?\$\$`)
	blank    = regexp.MustCompile(`\s+`)
)

// statement is what can be replayed of a text: what the server plans, and COPY
// as what it amounts to. Other utility statements are left out.
func statement(text string) (Statement, bool) {
	digest := sha256.Sum256([]byte(text))
	s := Statement{ID: "q" + hex.EncodeToString(digest[:])[:10], Text: text}
	bare := comment.ReplaceAllString(text, " ")
	if planned.MatchString(bare) {
		return s, true
	}
	found := copying.FindStringSubmatch(bare)
	if found == nil {
		return s, false
	}
	table, columns, from := found[1], strings.Trim(found[2], "()"), strings.EqualFold(found[3], "FROM")
	switch {
	case !from && columns == "":
		s.Text = "SELECT * FROM " + table
	case !from:
		s.Text = "SELECT " + columns + " FROM " + table
	case columns == "":
		s.Text, s.copied = "INSERT INTO "+table+" SELECT * FROM "+table+" WHERE false", table
	default:
		s.Text = "INSERT INTO " + table + " (" + columns + ") SELECT " + columns + " FROM " + table + " WHERE false"
	}
	return s, true
}

// Short is the beginning of the statement, for a person, and without constants
// that are left in it.
func (s Statement) Short() string {
	text := strings.TrimSpace(blank.ReplaceAllString(constant.ReplaceAllString(comment.ReplaceAllString(s.Text, " "), "'…'"), " "))
	if runes := []rune(text); len(runes) > 100 {
		return string(runes[:100]) + "…"
	}
	return text
}
