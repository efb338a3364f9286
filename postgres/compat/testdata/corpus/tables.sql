-- case: table added
-- expect: pass table_added public.coupons
CREATE TABLE coupons (id serial PRIMARY KEY, code text NOT NULL UNIQUE);

-- case: table dropped
-- expect: block table_dropped public.sessions
DROP TABLE sessions;

-- case: table dropped with what hangs on it
-- expect: block table_dropped public.orders
DROP TABLE orders CASCADE;

-- case: table renamed
-- expect: block table_renamed public.sessions
ALTER TABLE sessions RENAME TO logins;

-- case: table renamed, with a view that takes its name
-- expect: warn table_renamed_behind_view public.sessions
ALTER TABLE sessions RENAME TO logins;
CREATE VIEW sessions AS SELECT * FROM logins;

-- case: table renamed, with a view that the app may not use
-- expect: block table_renamed public.sessions
ALTER TABLE sessions RENAME TO logins;
CREATE VIEW sessions AS SELECT * FROM logins;
REVOKE ALL ON sessions FROM corpus_app;

-- case: table renamed, with a view that leaves a column out
-- expect: block table_renamed public.sessions
ALTER TABLE sessions RENAME TO logins;
CREATE VIEW sessions AS SELECT token, user_id, ends FROM logins;

-- case: table renamed, with a view that cannot be written to
-- expect: block table_renamed public.sessions
ALTER TABLE sessions RENAME TO logins;
CREATE VIEW sessions AS SELECT DISTINCT * FROM logins;

-- case: table with row security renamed, with a view that shows all rows
-- expect: block table_renamed public.documents
ALTER TABLE documents RENAME TO papers;
CREATE VIEW documents AS SELECT * FROM papers;

-- case: table made anew with the same columns
-- expect: block table_recreated public.sessions
DROP TABLE sessions;
CREATE TABLE sessions (token uuid PRIMARY KEY DEFAULT gen_random_uuid(), user_id integer, ends timestamp(0), data bytea);

-- case: table copied and swapped, in a DO block
-- expect: block table_renamed public.sessions
-- false block: A swap of tables that were copied cannot be told from one that loses rows.
DO $$BEGIN
	CREATE TABLE sessions_new (LIKE sessions INCLUDING ALL);
	INSERT INTO sessions_new SELECT * FROM sessions;
	ALTER TABLE sessions RENAME TO sessions_old;
	ALTER TABLE sessions_new RENAME TO sessions;
END$$;

-- case: table moved to another schema
-- expect: block table_renamed public.sessions
-- by: superuser
CREATE SCHEMA auth AUTHORIZATION corpus_owner;
GRANT USAGE ON SCHEMA auth TO corpus_app;
ALTER TABLE sessions SET SCHEMA auth;

-- case: schema renamed
-- expect: block schema_renamed billing
-- by: superuser
ALTER SCHEMA billing RENAME TO finance;

-- case: schema dropped
-- expect: block schema_dropped billing
-- by: superuser
DROP SCHEMA billing CASCADE;

-- case: schema added, with tables of names of its own
-- expect: pass schema_added stats
-- by: superuser
CREATE SCHEMA stats;
CREATE TABLE stats.views (id integer);

-- case: schema named like the app's role, with a table that has the name of another
-- expect: block name_shadowed public.users
-- note: "$user" comes first on the search path.
-- by: superuser
CREATE SCHEMA corpus_app;
GRANT USAGE ON SCHEMA corpus_app TO corpus_app;
CREATE TABLE corpus_app.users (id integer, email text);
GRANT SELECT ON corpus_app.users TO corpus_app;

-- case: table of the name of another in a schema that is not on the path
-- expect: pass table_added billing.users
-- by: superuser
CREATE TABLE billing.users (id integer);

-- case: rows deleted
-- expect: pass
-- unseen: Rows are no part of a schema: the rehearsal counts them.
-- change:
DELETE FROM measures WHERE taken < '2000-01-01';

-- case: table emptied
-- expect: data table_emptied public.legacy
TRUNCATE legacy;
-- setup:
GRANT SELECT ON legacy TO corpus_app;

-- case: large table written anew
-- expect: lock table_rewritten public.events
-- by: superuser
VACUUM FULL events;

-- case: table becomes unlogged
-- expect: warn persistence_changed public.sessions
ALTER TABLE sessions SET UNLOGGED;

-- case: partition added
-- expect: pass table_added public.measures_2027
CREATE TABLE measures_2027 PARTITION OF measures FOR VALUES FROM ('2027-01-01') TO ('2028-01-01');

-- case: default partition added
-- expect: pass table_added public.measures_rest
CREATE TABLE measures_rest PARTITION OF measures DEFAULT;

-- case: partition detached
-- expect: block partition_detached public.measures_2025
ALTER TABLE measures DETACH PARTITION measures_2025;

-- case: partition dropped
-- expect: block partition_dropped public.measures_2025
DROP TABLE measures_2025;

-- case: partition takes fewer rows
-- expect: block partition_bound_changed public.measures_2025
DELETE FROM measures_2025 WHERE taken >= '2025-06-01';
ALTER TABLE measures DETACH PARTITION measures_2025;
ALTER TABLE measures ATTACH PARTITION measures_2025 FOR VALUES FROM ('2025-01-01') TO ('2025-07-01');

-- case: table becomes a partition
-- expect: block partition_attached public.rest
-- setup:
CREATE TABLE rest (taken date NOT NULL, value real);
-- old:
INSERT INTO rest VALUES ('1999-01-01', 1);
-- change:
ALTER TABLE measures ATTACH PARTITION rest FOR VALUES FROM ('2028-01-01') TO ('2029-01-01');

-- case: child table added
-- expect: data child_added public.vip
CREATE TABLE vip (discount integer) INHERITS (sessions);
-- old:
SELECT count(*) FROM sessions;
-- new:
INSERT INTO vip (user_id) VALUES (2);

-- case: child table cut off
-- expect: block inheritance_removed public.vip
-- setup:
CREATE TABLE vip (discount integer) INHERITS (sessions);
INSERT INTO vip (user_id) VALUES (2);
-- old:
SELECT count(*) FROM sessions;
-- change:
ALTER TABLE vip NO INHERIT sessions;

-- case: view added
-- expect: pass view_added public.rich
CREATE VIEW rich AS SELECT * FROM users WHERE balance > 1000;

-- case: view dropped
-- expect: block view_dropped public.totals
DROP VIEW totals;

-- case: view renamed
-- expect: block view_renamed public.totals
ALTER VIEW totals RENAME TO sums;

-- case: view gains a column
-- expect: warn column_added public.active.nick
CREATE OR REPLACE VIEW active AS SELECT id, email, name, nick FROM users WHERE status = 'active';

-- case: view gains a column in the middle
-- expect: data column_moved public.active.name
DROP VIEW active;
CREATE VIEW active AS SELECT id, email, nick, name FROM users WHERE status = 'active';

-- case: view made anew as it was
-- expect: pass
DROP VIEW totals;
CREATE VIEW totals AS SELECT user_id, sum(total) AS total FROM orders GROUP BY user_id;

-- case: view made anew, and its privileges are lost
-- expect: block privilege_revoked public.totals
ALTER DEFAULT PRIVILEGES REVOKE ALL ON TABLES FROM corpus_app;
DROP VIEW totals;
CREATE VIEW totals AS SELECT user_id, sum(total) AS total FROM orders GROUP BY user_id;

-- case: column of a view renamed
-- expect: block column_renamed public.totals.total
ALTER VIEW totals RENAME COLUMN total TO amount;

-- case: column of a view of another type
-- expect: block type_changed public.totals.total
DROP VIEW totals;
CREATE VIEW totals AS SELECT user_id, sum(total)::text AS total FROM orders GROUP BY user_id;

-- case: view shows other rows
-- expect: data view_changed public.active
CREATE OR REPLACE VIEW active AS SELECT id, email, name FROM users WHERE status = 'closed';

-- case: view can no longer be written to
-- expect: block view_not_updatable public.active
CREATE OR REPLACE VIEW active AS SELECT id, email, name FROM users WHERE status = 'active' LIMIT 100;

-- case: view refuses rows that it does not show
-- expect: block view_option public.active
-- note: What the old version inserts has status new.
ALTER VIEW active SET (check_option = local);

-- case: view runs with the privileges of who asks
-- expect: block view_option public.hidden
-- setup:
CREATE VIEW hidden AS SELECT label FROM legacy;
-- old:
SELECT label FROM hidden;
-- change:
ALTER VIEW hidden SET (security_invoker = true);

-- case: materialized view has no data
-- expect: block view_not_populated public.counts
REFRESH MATERIALIZED VIEW counts WITH NO DATA;

-- case: materialized view refreshed
-- expect: pass
-- unseen: The same rows, in another file.
REFRESH MATERIALIZED VIEW counts;

-- case: view becomes a table
-- expect: data view_became_table public.totals
DROP VIEW totals;
CREATE TABLE totals AS SELECT user_id, sum(total) AS total FROM orders GROUP BY user_id;

-- case: view becomes materialized
-- expect: data view_materialized public.totals
DROP VIEW totals;
CREATE MATERIALIZED VIEW totals AS SELECT user_id, sum(total) AS total FROM orders GROUP BY user_id;

-- case: sequence dropped
-- expect: block sequence_dropped public.invoice
DROP SEQUENCE invoice;

-- case: sequence renamed
-- expect: block sequence_renamed public.invoice
ALTER SEQUENCE invoice RENAME TO invoice_number;

-- case: sequence set back
-- expect: block sequence_reset public.users_id_seq
-- note: Neither a catalog nor a dump of the schema shows where a sequence stands.
ALTER SEQUENCE users_id_seq RESTART;

-- case: sequence set forward
-- expect: pass
SELECT setval('users_id_seq', 1000);

-- case: sequence ends earlier
-- expect: data sequence_narrowed public.invoice
ALTER SEQUENCE invoice MAXVALUE 101;
-- new:
SELECT nextval('invoice');

-- case: sequence steps otherwise
-- expect: data sequence_increment public.invoice
ALTER SEQUENCE invoice INCREMENT 50;

-- case: serial becomes an identity column
-- expect: data sequence_dropped public.users_id_seq
-- note: The sequence of the serial is asked by its name.
ALTER TABLE users ALTER COLUMN id DROP DEFAULT;
DROP SEQUENCE users_id_seq;
ALTER TABLE users ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (SEQUENCE NAME users_ids START 1000);

-- case: several changes in one migration, one of which breaks
-- expect: block column_dropped public.orders.code
BEGIN;
ALTER TABLE users ADD COLUMN a integer;
CREATE INDEX users_a ON users (a);
ALTER TABLE orders DROP COLUMN code;
CREATE TABLE b (id integer);
COMMIT;

-- case: a column dropped in a loop over the catalog
-- expect: block column_dropped public.users.tags
DO $$DECLARE t text; BEGIN
	FOR t IN SELECT attrelid::regclass FROM pg_attribute WHERE attname = 'tags' AND attrelid > 16384 LOOP
		EXECUTE format('ALTER TABLE %s DROP COLUMN tags', t);
	END LOOP;
END$$;

-- case: a migration that undoes itself
-- expect: pass
ALTER TABLE users ALTER COLUMN bio SET DEFAULT 'x';
ALTER TABLE users ALTER COLUMN bio DROP DEFAULT;
CREATE TABLE gone (id integer);
DROP TABLE gone;

-- case: sequence of a column renamed
-- expect: data sequence_renamed public.orders_id_seq
ALTER SEQUENCE orders_id_seq RENAME TO orders_numbers;

-- case: sequence of a column dropped with its default
-- expect: block default_dropped public.orders.id
DROP SEQUENCE orders_id_seq CASCADE;

-- case: table emptied, and its ids begin anew
-- expect: block sequence_reset public.orders_id_seq
TRUNCATE orders RESTART IDENTITY CASCADE;

-- case: everything a team does in one release
-- expect: data foreign_key_added public.teams_members.teams_members_user_id_fkey
CREATE TABLE teams (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, title text NOT NULL);
CREATE TABLE teams_members (team_id bigint NOT NULL REFERENCES teams, user_id integer NOT NULL REFERENCES users ON DELETE CASCADE, PRIMARY KEY (team_id, user_id));
CREATE INDEX teams_members_user ON teams_members (user_id);
ALTER TABLE users ADD COLUMN locale text NOT NULL DEFAULT 'es';
COMMENT ON TABLE teams IS 'who works with whom';
GRANT SELECT, INSERT ON teams, teams_members TO corpus_app;
