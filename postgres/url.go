package postgres

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// connString is what an app is told to connect with: a URL of whatever scheme
// its language wants, or libpq's keywords and values. All that is not replaced
// stays as it was written.
type connString struct {
	user, password, database string

	prefix  string   // scheme:// of a URL; empty: keywords and values
	account bool     // a URL that names user and password before the host
	host    string   // of a URL, with its port, or several
	pairs   []string // of a URL's query, still encoded
	words   []keyword
}

type keyword struct{ name, value string }

// The parts of a connection string that are looked at. Whether user and password
// are among a URL's query or before its host is the driver's habit.
const (
	keyUser     = "user"
	keyPassword = "password"
	keyDatabase = "dbname"
	keyOptions  = "options"
)

// parseConnString never quotes what it was given.
func parseConnString(text string) (*connString, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return nil, errors.New("it is empty")
	}
	if i := strings.Index(text, "://"); i > 0 && !strings.ContainsAny(text[:i], " ='") {
		return parseURL(text[:i+3], text[i+3:])
	}
	return parseKeywords(text)
}

func parseURL(prefix, rest string) (*connString, error) {
	c := &connString{prefix: prefix}
	rest, query, _ := strings.Cut(rest, "?")
	authority, database, _ := strings.Cut(rest, "/")
	if i := strings.LastIndex(authority, "@"); i >= 0 {
		c.account = true
		user, password, _ := strings.Cut(authority[:i], ":")
		authority = authority[i+1:]
		var err, passwordErr error
		c.user, err = url.PathUnescape(user)
		c.password, passwordErr = url.PathUnescape(password)
		if err != nil || passwordErr != nil {
			return nil, errors.New("its user or password has a % that encodes nothing: a % itself is %25")
		}
	}
	c.host = authority
	var err error
	if c.database, err = url.PathUnescape(database); err != nil {
		return nil, errors.New("its database has a % that encodes nothing: a % itself is %25")
	}
	for pair := range strings.SplitSeq(query, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		decoded, err := url.PathUnescape(value)
		if err != nil {
			return nil, fmt.Errorf("its parameter %s has a %% that encodes nothing: a %% itself is %%25", name)
		}
		c.pairs = append(c.pairs, pair)
		c.take(name, decoded)
	}
	return c, nil
}

// take notes a parameter that is about the account or the database.
func (c *connString) take(name, value string) {
	switch name {
	case keyUser:
		c.user = value
	case keyPassword:
		c.password = value
	case keyDatabase:
		c.database = value
	}
}

func parseKeywords(text string) (*connString, error) {
	c := &connString{}
	for text = strings.TrimSpace(text); text != ""; text = strings.TrimSpace(text) {
		name, rest, found := strings.Cut(text, "=")
		name = strings.TrimSpace(name)
		if !found || name == "" || strings.ContainsAny(name, " '") {
			return nil, errors.New("it is neither a URL nor keywords with values (host=… dbname=…)")
		}
		value, rest, err := cutValue(strings.TrimLeft(rest, " "))
		if err != nil {
			return nil, err
		}
		text = rest
		c.words = append(c.words, keyword{name, value})
		c.take(name, value)
	}
	return c, nil
}

// cutValue cuts the value off that libpq would read first.
func cutValue(text string) (value, rest string, err error) {
	var b strings.Builder
	quoted := strings.HasPrefix(text, "'")
	if quoted {
		text = text[1:]
	}
	for i := 0; i < len(text); i++ {
		switch ch := text[i]; {
		case ch == '\\' && i+1 < len(text):
			i++
			b.WriteByte(text[i])
		case quoted && ch == '\'':
			return b.String(), text[i+1:], nil
		case !quoted && (ch == ' ' || ch == '\n' || ch == '\t'):
			return b.String(), text[i+1:], nil
		default:
			b.WriteByte(ch)
		}
	}
	if quoted {
		return "", "", errors.New("a quoted value in it does not end")
	}
	return b.String(), "", nil
}

// with is the same connection for another account and database, whose sessions
// have options as well.
func (c *connString) with(user, password, database, options string) string {
	if c.prefix == "" {
		return c.keywordsWith(user, password, database, options)
	}
	replaced := map[string]string{keyUser: user, keyPassword: password, keyDatabase: database}
	var query []string
	for _, pair := range c.pairs {
		name, value, _ := strings.Cut(pair, "=")
		if name == keyOptions {
			if old, err := url.PathUnescape(value); err == nil {
				options = strings.TrimSpace(old + " " + options)
			}
			continue
		}
		if value, is := replaced[name]; is {
			pair = name + "=" + escape(value)
		}
		query = append(query, pair)
	}
	if c.takesOptions() && options != "" {
		query = append(query, keyOptions+"="+escape(options))
	}
	var b strings.Builder
	b.WriteString(c.prefix)
	if c.account || !c.has(keyUser) {
		b.WriteString(escape(user) + ":" + escape(password) + "@")
	}
	b.WriteString(c.host + "/" + escape(database))
	if len(query) > 0 {
		b.WriteString("?" + strings.Join(query, "&"))
	}
	return b.String()
}

// escape encodes everything that has a meaning in any part of a URL. A space is
// %20: libpq takes a + as it is.
func escape(text string) string { return strings.ReplaceAll(url.QueryEscape(text), "+", "%20") }

func (c *connString) has(name string) bool {
	return slices.ContainsFunc(c.pairs, func(pair string) bool { return strings.HasPrefix(pair, name+"=") })
}

// takesOptions reports whether the driver that the scheme is for is known to
// pass options on to the server. Others find them in PGOPTIONS, or not at all.
func (c *connString) takesOptions() bool {
	switch c.prefix {
	case "postgres://", "postgresql://", "jdbc:postgresql://", "postgresql+psycopg2://", "postgresql+psycopg://":
		return true
	}
	return false
}

func (c *connString) keywordsWith(user, password, database, options string) string {
	var out []string
	add := func(name, value string) {
		out = append(out, name+"='"+strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(value)+"'")
	}
	for _, word := range c.words {
		switch word.name {
		case keyUser, keyPassword, keyDatabase:
		case keyOptions:
			options = strings.TrimSpace(word.value + " " + options)
		default:
			add(word.name, word.value)
		}
	}
	add(keyUser, user)
	add(keyPassword, password)
	add(keyDatabase, database)
	if options != "" {
		add(keyOptions, options)
	}
	return strings.Join(out, " ")
}
