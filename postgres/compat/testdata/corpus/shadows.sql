-- case: table of the same name in a schema that is searched first
-- expect: block name_shadowed public.users
-- by: superuser
CREATE SCHEMA corpus_app AUTHORIZATION corpus_app;
CREATE TABLE corpus_app.users (LIKE users INCLUDING ALL);
GRANT ALL ON corpus_app.users TO corpus_app;

-- case: view of the same name in a schema that is searched first
-- expect: block name_shadowed public.orders
-- by: superuser
CREATE SCHEMA corpus_app AUTHORIZATION corpus_app;
CREATE VIEW corpus_app.orders AS SELECT id, user_id, total, placed, code, note, span FROM public.orders WHERE total > 60;
GRANT ALL ON corpus_app.orders TO corpus_app;

-- case: schema of the app's role without what the app names
-- expect: pass schema_added corpus_app
-- by: superuser
CREATE SCHEMA corpus_app AUTHORIZATION corpus_app;
CREATE TABLE corpus_app.jobs (id integer PRIMARY KEY);

-- case: function that is a closer match than one of the server
-- expect: data function_shadows public.lower(character varying)
CREATE FUNCTION lower(varchar) RETURNS text LANGUAGE sql IMMUTABLE AS $$SELECT 'shadow'$$;

-- case: function named like one of the server, with other arguments
-- expect: pass function_added public.lower(text,integer,text)
CREATE FUNCTION lower(text, integer, text) RETURNS text LANGUAGE sql IMMUTABLE AS $$SELECT $1$$;

-- case: aggregate that is a closer match than one of the server
-- expect: data function_shadows public.count(character varying)
CREATE AGGREGATE count(varchar) (sfunc = int8inc_any, stype = bigint, initcond = 7);
-- old
SELECT count(nick) FROM users;

-- case: operator that is a closer match than one of the server
-- expect: data operator_added operator public.=(character varying,character varying)
CREATE FUNCTION never(varchar, varchar) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$SELECT false$$;
CREATE OPERATOR = (LEFTARG = varchar, RIGHTARG = varchar, FUNCTION = never);
-- old
SELECT count(*) FROM users WHERE nick = 'annie'::varchar;

-- case: column named like an argument of a function in SQL
-- expect: data name_ambiguous public.orders.bound
ALTER TABLE orders ADD bound integer;
-- setup
CREATE FUNCTION above(bound integer) RETURNS SETOF integer LANGUAGE sql STABLE AS 'SELECT total FROM orders WHERE total > bound';
-- old
SELECT above(60);

-- case: column named like a computed one
-- expect: data name_ambiguous public.users.full_name
ALTER TABLE users ADD full_name text;
-- setup
CREATE FUNCTION full_name(users) RETURNS text LANGUAGE sql STABLE AS $$SELECT $1.name || '!'$$;
-- old
SELECT u.full_name FROM users u ORDER BY id;

-- case: computed column beside the columns
-- expect: pass function_added public.full_name(public.users)
CREATE FUNCTION full_name(users) RETURNS text LANGUAGE sql STABLE AS $$SELECT $1.name || '!'$$;

-- case: setting that keeps triggers from firing
-- expect: block setting_changed setting /session_replication_role
-- by: superuser
DO $$BEGIN EXECUTE format('ALTER DATABASE %I SET session_replication_role = replica', current_database()); END$$;

-- case: setting of what = NULL means
-- expect: data setting_changed setting /transform_null_equals
-- by: superuser
DO $$BEGIN EXECUTE format('ALTER DATABASE %I SET transform_null_equals = on', current_database()); END$$;
-- old
SELECT count(*) FROM users WHERE bio = NULL;

-- case: setting of the text search configuration
-- expect: data setting_changed setting /default_text_search_config
-- by: superuser
DO $$BEGIN EXECUTE format('ALTER DATABASE %I SET default_text_search_config = simple', current_database()); END$$;
-- old
SELECT to_tsvector('cats') @@ to_tsquery('cat');

-- case: setting of how intervals are written
-- expect: data setting_changed setting /IntervalStyle
-- by: superuser
DO $$BEGIN EXECUTE format('ALTER DATABASE %I SET intervalstyle = iso_8601', current_database()); END$$;
-- old
SELECT interval '1 day 2 hours';

-- case: setting of the role
-- expect: block setting_changed setting corpus_app/role
-- by: superuser
DO $$BEGIN EXECUTE format('ALTER ROLE corpus_app IN DATABASE %I SET role = corpus_staff', current_database()); END$$;

-- case: setting of a timeout that statements do not keep
-- expect: data setting_changed setting /statement_timeout
-- by: superuser
DO $$BEGIN EXECUTE format('ALTER DATABASE %I SET statement_timeout = %L', current_database(), '50ms'); END$$;
-- old
SELECT pg_sleep(0.2) IS NULL;

-- case: setting of nulls in arrays
-- expect: data setting_changed setting /array_nulls
-- by: superuser
DO $$BEGIN EXECUTE format('ALTER DATABASE %I SET array_nulls = off', current_database()); END$$;
-- old
SELECT ('{NULL}'::text[])[1] IS NULL;

-- case: setting of what is logged
-- expect: pass setting_changed setting /log_min_duration_statement
-- by: superuser
DO $$BEGIN EXECUTE format('ALTER DATABASE %I SET log_min_duration_statement = 500', current_database()); END$$;

-- case: setting of an application
-- expect: warn setting_changed setting /shop.color
-- by: superuser
DO $$BEGIN EXECUTE format('ALTER DATABASE %I SET shop.color = blue', current_database()); END$$;

-- case: configuration of text search mapped otherwise
-- expect: data text_search_changed text search configuration public.words
ALTER TEXT SEARCH CONFIGURATION words ALTER MAPPING FOR asciiword WITH english_stem;
-- setup
CREATE TEXT SEARCH CONFIGURATION words (COPY = simple);
-- old
SELECT to_tsvector('words', 'running');

-- case: extension updated
-- expect: data extension_updated pg_trgm
-- by: superuser
ALTER EXTENSION pg_trgm UPDATE;
-- setup
DROP EXTENSION pg_trgm;
CREATE EXTENSION pg_trgm VERSION '1.3';

-- case: everybody's privileges revoked that nobody had
-- expect: pass
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM PUBLIC;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM PUBLIC;

-- case: trigger for updates of a new column that is generated from an old one
-- expect: block trigger_added public.users.refuse
ALTER TABLE users ADD shout text GENERATED ALWAYS AS (upper(name)) STORED;
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'no'; END$$;
CREATE TRIGGER refuse BEFORE UPDATE OF shout ON users FOR EACH ROW EXECUTE FUNCTION refuse();
-- old
UPDATE users SET name = 'Anna' WHERE id = 1;

-- case: indexes moved, filled and named otherwise
-- expect: pass index_renamed public.users.users_name
ALTER INDEX users_name SET (fillfactor = 70);
ALTER INDEX users_name RENAME TO ix_users_name;
ALTER TABLE orders SET (autovacuum_enabled = off, toast.autovacuum_enabled = off);
ALTER TABLE orders CLUSTER ON orders_pkey;
ALTER TABLE orders SET WITHOUT CLUSTER;
ALTER TABLE users ALTER bio SET STORAGE MAIN, ALTER name SET STATISTICS 200;

-- case: owner of all changed
-- expect: block owner_changed public.secret()
-- by: superuser
ALTER TABLE events OWNER TO corpus_other;
ALTER FUNCTION secret() OWNER TO corpus_other;

-- case: table swapped for a copy in one transaction, with its sequence
-- false block: A swap of tables that were copied cannot be told from one that loses rows.
-- expect: block table_recreated public.audit
CREATE TABLE audit_new (LIKE audit INCLUDING ALL);
INSERT INTO audit_new SELECT * FROM audit;
DROP TABLE audit;
ALTER TABLE audit_new RENAME TO audit;
