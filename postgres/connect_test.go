package postgres

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"sofiacall.com/bluegreen/internal/pgtest"
	"sofiacall.com/bluegreen/switcher"
)

// asked is what the database says of itself, by whoever is asked first.
func asked(t *testing.T, db *pgtest.Database, change func(*Options)) (answers, migrate error) {
	t.Helper()
	l := labOn(t, db, change)
	return l.d.Answers(t.Context()), l.d.Migrate(t.Context(), l.work(l.release(users), nil))
}

func TestEachWayInWhichADatabaseIsNotThereIsToldPlainly(t *testing.T) {
	c := pgtest.StartOwn(t, "max_connections=6", "superuser_reserved_connections=1")
	db := c.Database(t)
	replace := func(old, new string) func(*Options) {
		return func(o *Options) {
			in := func(url string) string { return strings.TrimSuffix(strings.Replace(url+"#", old, new, 1), "#") }
			o.AdminURL = in(o.AdminURL)
			app, _ := o.AppURL()
			app = in(app)
			o.AppURL = func() (string, error) { return app, nil }
		}
	}
	check := func(t *testing.T, change func(*Options), parts ...string) {
		t.Helper()
		answers, migrate := asked(t, db, change)
		for _, err := range []error{answers, migrate} {
			says(t, err, switcher.CodeFailed, append(parts, "127.0.0.1")...)
		}
	}
	same := func(*Options) {}
	t.Run("wrong password", func(t *testing.T) {
		wrong := func(o *Options) { replace("owner-secret", "wr0ngpass")(o); replace("app-secret", "wr0ngpass")(o) }
		check(t, wrong, "the password is wrong", "28P01", "as "+db.Owner[:4])
		l := labOn(t, db)
		wrong(&l.options)
		l.open()
		_, err := l.do(switcher.KindBackup, nil, nil)
		says(t, err, switcher.CodeFailed, "the password is wrong", "ALTER ROLE")
	})
	t.Run("missing database", func(t *testing.T) {
		check(t, replace("/"+db.Name+"#", "/nowhere"), "does not exist", "3D000", "database nowhere")
	})
	t.Run("TLS", func(t *testing.T) {
		check(t, replace("/"+db.Name+"#", "/"+db.Name+"?sslmode=require"), "TLS")
	})
	t.Run("out of connections", func(t *testing.T) {
		for range 5 {
			conn, err := pgx.Connect(t.Context(), db.OwnerURL)
			if err != nil {
				break
			}
			defer conn.Close(t.Context())
		}
		check(t, same, "all connections are taken: ", "53300", "max_connections")
	})
	t.Run("read-only", func(t *testing.T) {
		pgtest.Exec(t, c.Superuser, "ALTER DATABASE "+db.Name+" SET default_transaction_read_only = on")
		defer pgtest.Exec(t, c.Superuser, "ALTER DATABASE "+db.Name+" RESET default_transaction_read_only")
		check(t, same, "read-only", "default_transaction_read_only")
	})
	t.Run("slow", func(t *testing.T) {
		l := labOn(t, db)
		resume := c.Pause(t)
		defer resume()
		says(t, l.d.Answers(t.Context()), switcher.CodeFailed, "no answer in time", "127.0.0.1")
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		says(t, l.d.Migrate(ctx, l.work(l.release(users), nil)), switcher.CodeFailed, "no answer in time")
	})
	t.Run("down", func(t *testing.T) {
		c.Stop(t)
		defer c.Restart(t)
		check(t, same, "nothing listens there", "is PostgreSQL running")
	})
	l := labOn(t, db)
	if err := l.d.Answers(t.Context()); err != nil {
		t.Error(err)
	}
	if st := l.d.Status(); !st.OK || st.CheckedAt == nil || st.Error != "" {
		t.Errorf("%+v", st)
	}
}

func TestAURLThatCannotBeUsedIsAWrongConfiguration(t *testing.T) {
	for _, change := range map[string]func(*Options){
		"no URL":      func(o *Options) { o.AdminURL = "topsecret" },
		"no database": func(o *Options) { o.AdminURL = "postgres://owner:topsecret@127.0.0.1" },
		"bad":         func(o *Options) { o.AdminURL = "postgres://owner:topsecret@127.0.0.1:x/shop" },
	} {
		o := labOptions(t.TempDir(), "", "", newJobs())
		change(&o)
		_, err := New(o)
		says(t, err, switcher.CodeUsage, "ADMIN_URL")
	}
	for name, url := range map[string]string{"no URL": "topsecret", "no user": "postgres://127.0.0.1/shop", "another database": "postgres://app:topsecret@h/other"} {
		o := labOptions(t.TempDir(), "postgres://owner:x@127.0.0.1:1/shop", url, newJobs())
		d, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		err = d.Answers(t.Context())
		says(t, err, switcher.CodeUsage, "DATABASE_URL")
		if st := d.Status(); st.CheckedAt != nil || st.Error == "" {
			t.Errorf("%s: %+v", name, st)
		}
	}
}

func TestAStandbyIsNoDatabaseToWriteTo(t *testing.T) {
	// A session that may not write looks the same from here, and needs no second server.
	l := newLab(t)
	pgtest.Exec(t, l.db.SuperuserURL, "ALTER ROLE "+l.db.App+" SET default_transaction_read_only = on")
	says(t, l.d.Answers(t.Context()), switcher.CodeFailed, "read-only")
	pgtest.Exec(t, l.db.SuperuserURL, "ALTER ROLE "+l.db.App+" RESET default_transaction_read_only")
	if err := l.d.Answers(t.Context()); err != nil {
		t.Error(err)
	}
}
