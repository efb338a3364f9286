package postgres

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

func TestAConnectionStringKeepsAllThatIsNotReplaced(t *testing.T) {
	const options = "-c lock_timeout=2000"
	for _, test := range []struct{ name, text, want string }{
		{"url", "postgres://app:pw@db.example:5433/shop?sslmode=require", "postgres://own%40er:s%20%2B%3A%2F@db.example:5433/scratch?sslmode=require&options=-c%20lock_timeout%3D2000"},
		{"socket", "postgres://app:pw@/shop?host=/sockets", "postgres://own%40er:s%20%2B%3A%2F@/scratch?host=/sockets&options=-c%20lock_timeout%3D2000"},
		{"several hosts", "postgresql://app:pw@a:1,b:2/shop?target_session_attrs=read-write", "postgresql://own%40er:s%20%2B%3A%2F@a:1,b:2/scratch?target_session_attrs=read-write&options=-c%20lock_timeout%3D2000"},
		{"own options", "postgres://app:pw@db/shop?options=-c%20search_path%3Dx", "postgres://own%40er:s%20%2B%3A%2F@db/scratch?options=-c%20search_path%3Dx%20-c%20lock_timeout%3D2000"},
		{"account in the query", "jdbc:postgresql://db:5432/shop?user=app&password=pw", "jdbc:postgresql://db:5432/scratch?user=own%40er&password=s%20%2B%3A%2F&options=-c%20lock_timeout%3D2000"},
		{"driver without options", "postgresql+asyncpg://app:pw@db/shop?ssl=true", "postgresql+asyncpg://own%40er:s%20%2B%3A%2F@db/scratch?ssl=true"},
		{"prisma", "postgresql://app:pw@db/shop?schema=public&connection_limit=5", "postgresql://own%40er:s%20%2B%3A%2F@db/scratch?schema=public&connection_limit=5&options=-c%20lock_timeout%3D2000"},
		{"keywords", `host=/sockets user = app password='a\'b' dbname=shop`, `host='/sockets' user='own@er' password='s +:/' dbname='scratch' options='-c lock_timeout=2000'`},
	} {
		c, err := parseConnString(test.text)
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		if c.user != "app" || c.database != "shop" {
			t.Errorf("%s: user %q, database %q", test.name, c.user, c.database)
		}
		got := c.with("own@er", "s +:/", "scratch", options)
		if got != test.want {
			t.Errorf("%s:\n got %s\nwant %s", test.name, got, test.want)
		}
		if !strings.HasPrefix(got, "postgresql+") && !strings.HasPrefix(got, "jdbc:") && test.name != "prisma" {
			parsed, err := pgx.ParseConfig(got)
			if err != nil || parsed.User != "own@er" || parsed.Password != "s +:/" || parsed.Database != "scratch" || !strings.Contains(parsed.RuntimeParams["options"], options) {
				t.Errorf("%s: a driver reads it otherwise: %v", test.name, err)
			}
		}
	}
}

func TestABadConnectionStringIsNotQuoted(t *testing.T) {
	for _, text := range []string{"", "postgres://app:topsecret%@db/shop", "postgres://app:x@db/shop?password=topsecret%zz", "topsecret", "user=app password='topsecret", "postgres://a:x@db/topsecret%"} {
		_, err := parseConnString(text)
		if err == nil {
			t.Errorf("%q is taken", text)
		} else if strings.Contains(err.Error(), "topsecret") {
			t.Errorf("it is quoted: %v", err)
		}
	}
}
