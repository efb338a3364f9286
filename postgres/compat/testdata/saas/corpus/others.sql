-- case: trigger with a condition on a column that the old version writes
-- expect: block trigger_added app.projects.guard
CREATE FUNCTION util.guard() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'key is fixed'; END$$;
CREATE TRIGGER guard BEFORE UPDATE OF key ON app.projects FOR EACH ROW WHEN (OLD.key <> NEW.key) EXECUTE FUNCTION util.guard();

-- case: trigger on a column that is new
-- expect: warn row_shape app.projects
ALTER TABLE app.projects ADD stage text;
CREATE FUNCTION util.guard() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'stage is fixed'; END$$;
CREATE TRIGGER guard BEFORE UPDATE OF stage ON app.projects FOR EACH ROW EXECUTE FUNCTION util.guard();

-- case: trigger on a new table
-- expect: pass table_added app.webhooks
CREATE TABLE app.webhooks (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, url text NOT NULL);
CREATE FUNCTION util.guard() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NEW; END$$;
CREATE TRIGGER guard BEFORE INSERT ON app.webhooks FOR EACH ROW EXECUTE FUNCTION util.guard();

-- case: trigger for more columns
-- expect: block trigger_changed app.accounts.accounts_stamp
CREATE OR REPLACE TRIGGER accounts_stamp BEFORE UPDATE ON app.accounts FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION util.stamp();
-- old
UPDATE app.accounts SET locale = 'fr' WHERE id = 1 RETURNING lock_version;

-- case: trigger for fewer columns
-- expect: block trigger_changed app.accounts.accounts_stamp
CREATE OR REPLACE TRIGGER accounts_stamp BEFORE UPDATE OF state ON app.accounts FOR EACH ROW EXECUTE FUNCTION util.stamp();

-- case: trigger renamed so that it fires in another order
-- expect: data trigger_renamed app.projects.b_quote
ALTER TRIGGER b_quote ON app.projects RENAME TO a_quote;
-- setup
CREATE FUNCTION util.quote() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN NEW.name := '<' || NEW.name || '>'; RETURN NEW; END$$;
CREATE TRIGGER b_quote BEFORE INSERT ON app.projects FOR EACH ROW EXECUTE FUNCTION util.quote();

-- case: trigger disabled
-- expect: block trigger_dropped app.projects.a_trim
ALTER TABLE app.projects DISABLE TRIGGER a_trim;

-- case: trigger fires only for replicas
-- expect: data trigger_dropped app.accounts.accounts_stamp
ALTER TABLE app.accounts ENABLE REPLICA TRIGGER accounts_stamp;

-- case: trigger fires always
-- expect: warn trigger_changed app.accounts.accounts_stamp
ALTER TABLE app.accounts ENABLE ALWAYS TRIGGER accounts_stamp;

-- case: trigger on each row instead of the statement
-- false block: What a trigger does cannot be read off the schema; this one happens to be harmless.
-- expect: block trigger_changed app.projects.projects_track
DROP TRIGGER projects_track ON app.projects;
CREATE OR REPLACE FUNCTION util.track() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$BEGIN INSERT INTO app.log (line) VALUES (TG_OP); RETURN NULL; END$$;
CREATE TRIGGER projects_track AFTER INSERT ON app.projects FOR EACH ROW EXECUTE FUNCTION util.track();

-- case: function of a trigger no longer runs as its owner
-- expect: block privilege_revoked app.log
REVOKE INSERT ON app.log FROM corpus_app;
ALTER FUNCTION util.track() SECURITY INVOKER;

-- case: insert turned aside by a rule
-- expect: block rule_added app.activity.aside
CREATE RULE aside AS ON INSERT TO app.activity WHERE NEW.kind = 'click' DO INSTEAD NOTHING;

-- case: rule that also notes
-- false block: What a rule adds cannot be told from what it replaces; this one happens to be harmless.
-- expect: block rule_added app.files.also
CREATE RULE also AS ON UPDATE TO app.files DO ALSO INSERT INTO app.log (line) VALUES ('file');

-- case: function gains a default that makes a call ambiguous
-- expect: block overload_added util.slugify(text,text)
CREATE FUNCTION util.slugify(what text, separator text DEFAULT '-') RETURNS text LANGUAGE sql AS $$SELECT what$$;

-- case: overload that takes an untyped argument away
-- expect: data overload_added util.slugify(json)
CREATE FUNCTION util.slugify(what json) RETURNS text LANGUAGE sql AS $$SELECT 'json'$$;

-- case: overload with more arguments
-- expect: pass function_added util.slugify(text,text,boolean)
CREATE FUNCTION util.slugify(what text, separator text, upper boolean) RETURNS text LANGUAGE sql AS $$SELECT what$$;

-- case: overload for integers beside a variadic one
-- expect: data overload_added util.join_all(integer[])
CREATE FUNCTION util.join_all(VARIADIC parts integer[]) RETURNS text LANGUAGE sql AS $$SELECT 'numbers'$$;

-- case: overload that is a closer match than the variadic function
-- expect: block overload_added util.join_all(text,text,text)
CREATE FUNCTION util.join_all(text, text, text) RETURNS text LANGUAGE sql AS $$SELECT 'three'$$;

-- case: polymorphic function made concrete
-- expect: block function_dropped util.first_of(anyarray)
DROP FUNCTION util.first_of(anyarray);
CREATE FUNCTION util.first_of(text[]) RETURNS text LANGUAGE sql IMMUTABLE AS $$SELECT $1[1]$$;

-- case: variadic function takes a plain array
-- expect: block function_changed util.join_all(text[])
DROP FUNCTION util.join_all(text[]);
CREATE FUNCTION util.join_all(parts text[]) RETURNS text LANGUAGE sql IMMUTABLE AS $$SELECT array_to_string(parts, '/')$$;

-- case: default of an argument has another value
-- expect: data default_changed util.cost(integer,bigint)
CREATE OR REPLACE FUNCTION util.cost(seats integer, price bigint DEFAULT 12) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$SELECT seats * price$$;

-- case: argument gains a default
-- expect: pass default_added util.cost(integer,bigint)
CREATE OR REPLACE FUNCTION util.cost(seats integer DEFAULT 1, price bigint DEFAULT 10) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$SELECT seats * price$$;

-- case: function with one more argument that has a default
-- expect: data function_behaviour util.cost(integer,bigint)
DROP FUNCTION util.cost(integer, bigint);
CREATE FUNCTION util.cost(seats integer, price bigint DEFAULT 10, discount bigint DEFAULT 0) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$SELECT seats * price - discount$$;

-- case: function rewritten in another language
-- expect: data function_behaviour util.slugify(text)
CREATE OR REPLACE FUNCTION util.slugify(what text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$BEGIN RETURN replace(lower(what), ' ', '-'); END$$;

-- case: functions made safe for parallel plans and cheaper
-- expect: data function_behaviour util.slugify(text)
ALTER FUNCTION util.slugify(text) PARALLEL SAFE COST 10;
ALTER FUNCTION util.cost(integer, bigint) COST 5;

-- case: parameter of a procedure dropped
-- expect: block function_dropped util.bump(bigint,integer)
DROP PROCEDURE util.bump(bigint, integer);
CREATE PROCEDURE util.bump(job bigint) LANGUAGE sql AS 'UPDATE app.jobs SET attempts = attempts + 1 WHERE id = job';

-- case: procedure becomes a function
-- expect: block function_changed util.bump(bigint,integer)
DROP PROCEDURE util.bump(bigint, integer);
CREATE FUNCTION util.bump(job bigint, INOUT left_over integer DEFAULT 3) LANGUAGE sql AS 'SELECT 4';

-- case: function now returns a table type that gains a column
-- expect: warn row_shape app.accounts
ALTER TABLE app.accounts ADD phone text;

-- case: execution taken from everybody
-- expect: block privilege_revoked util.refresh()
REVOKE EXECUTE ON FUNCTION util.refresh() FROM PUBLIC;

-- case: execution taken from everybody and given to the app
-- expect: pass grants_changed util.bump(bigint,integer)
REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA util FROM PUBLIC;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA util TO corpus_app;
GRANT EXECUTE ON ALL PROCEDURES IN SCHEMA util TO corpus_app;

-- case: default privileges of functions taken from everybody
-- expect: warn default_privileges default privileges of corpus_owner for f
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;

-- case: default privileges for a new role
-- expect: warn default_privileges default privileges of corpus_owner for r in app
ALTER DEFAULT PRIVILEGES IN SCHEMA app GRANT SELECT ON TABLES TO corpus_other;
GRANT SELECT ON ALL TABLES IN SCHEMA app TO corpus_other;
GRANT USAGE ON SCHEMA app TO corpus_other;

-- case: grants of columns replaced by one of the table
-- expect: pass grants_changed app.secrets
GRANT SELECT, UPDATE ON app.secrets TO corpus_app;
REVOKE SELECT (tenant, open), UPDATE (open) ON app.secrets FROM corpus_app;
GRANT SELECT, UPDATE ON app.secrets TO corpus_app;

-- case: grant of a column taken
-- expect: block privilege_revoked app.secrets.open
REVOKE UPDATE (open) ON app.secrets FROM corpus_app;

-- case: table made anew without the grants of its columns
-- expect: block table_recreated app.secrets
DROP TABLE app.secrets;
CREATE TABLE app.secrets (tenant integer PRIMARY KEY, open text, closed text);
INSERT INTO app.secrets VALUES (1, 'open', 'closed');
REVOKE ALL ON app.secrets FROM corpus_app;

-- case: privilege comes by a role from now on
-- expect: pass grants_changed app.log
GRANT SELECT, INSERT, UPDATE, DELETE ON app.log TO corpus_staff;
REVOKE ALL ON app.log FROM corpus_app;

-- case: select taken where the old version locks rows
-- expect: block privilege_revoked app.jobs
REVOKE UPDATE ON app.jobs FROM corpus_app;

-- case: usage of a schema taken
-- expect: block privilege_revoked util
REVOKE USAGE ON SCHEMA util FROM corpus_app;

-- case: sequence of a new identity needs no privilege
-- expect: pass table_added app.invites
CREATE TABLE app.invites (id integer GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, email citext NOT NULL);

-- case: sequence of a key replaced by one without a privilege
-- expect: block default_not_allowed app.jobs.id
ALTER DEFAULT PRIVILEGES IN SCHEMA app REVOKE USAGE ON SEQUENCES FROM corpus_app;
CREATE SEQUENCE app.jobs_new START 100;
ALTER TABLE app.jobs ALTER id SET DEFAULT nextval('app.jobs_new');

-- case: policy for one command tightened
-- expect: block policy_changed app.files.write
ALTER POLICY write ON app.files WITH CHECK (tenant = current_setting('shop.tenant')::integer AND path LIKE '/x%');

-- case: policy renamed
-- expect: pass policy_renamed app.files.read
ALTER POLICY read ON app.files RENAME TO files_read;

-- case: restrictive policy added
-- expect: block policy_added app.files.narrow
CREATE POLICY narrow ON app.files AS RESTRICTIVE FOR UPDATE USING (path <> '/a');

-- case: policy for a role that the app is not
-- expect: pass policy_added app.files.audit
CREATE POLICY audit ON app.files FOR SELECT TO corpus_other USING (true);

-- case: restrictive policy for a role that the app is not
-- expect: pass policy_added app.files.audit
CREATE POLICY audit ON app.files AS RESTRICTIVE FOR SELECT TO corpus_other USING (false);

-- case: row security forced on the owner of a view
-- expect: block row_security_forced app.files
ALTER TABLE app.files FORCE ROW LEVEL SECURITY;
-- setup
CREATE VIEW app.all_files AS SELECT id FROM app.files;
-- old
SELECT count(*) FROM app.all_files;

-- case: policies for commands merged into one for all
-- expect: data policy_dropped app.files.read
DROP POLICY read ON app.files;
CREATE POLICY tenant ON app.files USING (tenant = current_setting('shop.tenant')::integer);

-- case: view asks as who uses it
-- expect: block privilege_revoked app.live_accounts
ALTER VIEW app.owners SET (security_invoker = true);
REVOKE SELECT ON app.live_accounts FROM corpus_app;

-- case: view loses its security barrier
-- expect: data view_option app.open_files
ALTER VIEW app.open_files RESET (security_barrier);

-- case: view no longer checks
-- expect: data view_option app.ready
ALTER VIEW app.ready RESET (check_option);

-- case: view checks
-- false block: Which rows the old version writes through the view is in its statements.
-- expect: block view_option app.live_accounts
ALTER VIEW app.live_accounts SET (check_option = local);
-- old
INSERT INTO app.live_accounts (tenant_id, email) VALUES ('10000000-0000-0000-0000-000000000000', 'q@acme.test');

-- case: view gains a column at its end
-- expect: warn row_shape app.live_accounts
CREATE OR REPLACE VIEW app.live_accounts AS SELECT tenant_id, id, email, state, locale FROM app.accounts WHERE deleted_at IS NULL;

-- case: view joins and can no longer be written through
-- expect: block view_not_updatable app.live_accounts
CREATE OR REPLACE VIEW app.live_accounts AS SELECT a.tenant_id, a.id, a.email, a.state FROM app.accounts a JOIN app.tenants t ON t.id = a.tenant_id WHERE a.deleted_at IS NULL;

-- case: view written in other words
-- expect: data view_changed app.live_accounts
CREATE OR REPLACE VIEW app.live_accounts AS SELECT a.tenant_id, a.id, a.email, a.state FROM app.accounts a WHERE NOT a.deleted_at IS NOT NULL;

-- case: view below another one replaced
-- expect: data view_changed app.live_accounts
CREATE OR REPLACE VIEW app.live_accounts AS SELECT tenant_id, id, lower(email) AS email, state FROM app.accounts WHERE deleted_at IS NULL;

-- case: views dropped and made again around a change of a type
-- expect: warn row_shape app.jobs
DROP VIEW app.ready;
ALTER TABLE app.jobs ALTER queue TYPE varchar;
CREATE VIEW app.ready AS SELECT id, queue, payload, state FROM app.jobs WHERE state = 0 WITH CHECK OPTION;

-- case: views made again without their grants
-- expect: block privilege_revoked app.owners
ALTER DEFAULT PRIVILEGES IN SCHEMA app REVOKE SELECT, INSERT, UPDATE, DELETE ON TABLES FROM corpus_app;
DROP VIEW app.owners;
CREATE VIEW app.owners AS SELECT p.name, a.email FROM app.projects p JOIN app.live_accounts a ON a.tenant_id = p.tenant_id AND a.id = p.owner_id;

-- case: materialized view made anew without rows
-- expect: block view_not_populated app.usage
DROP MATERIALIZED VIEW app.usage;
CREATE MATERIALIZED VIEW app.usage AS SELECT tenant_id, count(*) AS accounts FROM app.accounts GROUP BY tenant_id WITH NO DATA;
CREATE UNIQUE INDEX usage_tenant ON app.usage (tenant_id);

-- case: materialized view made anew with a further column
-- expect: warn row_shape app.usage
DROP MATERIALIZED VIEW app.usage;
CREATE MATERIALIZED VIEW app.usage AS SELECT tenant_id, count(*) AS accounts, count(deleted_at) AS gone FROM app.accounts GROUP BY tenant_id;
CREATE UNIQUE INDEX usage_tenant ON app.usage (tenant_id);

-- case: materialized view becomes a view
-- expect: block view_not_materialized app.usage
DROP MATERIALIZED VIEW app.usage;
CREATE VIEW app.usage AS SELECT tenant_id, count(*) AS accounts FROM app.accounts GROUP BY tenant_id;

-- case: table of a view swapped for a view
-- expect: data table_renamed_behind_view app.plans
ALTER TABLE app.plans RENAME TO plans_v2;
CREATE VIEW app.plans AS SELECT code, label, price, seats FROM app.plans_v2 WHERE code <> 'free';

-- case: publication of all tables
-- expect: block replica_identity_missing app.activity_2026
-- by: superuser
CREATE PUBLICATION everything FOR ALL TABLES;

-- case: publication of inserts only
-- expect: pass publication_added inserts
-- by: superuser
CREATE PUBLICATION inserts FOR ALL TABLES WITH (publish = 'insert');

-- case: publication of tables with keys
-- expect: pass publication_added keyed
-- by: superuser
CREATE PUBLICATION keyed FOR TABLE app.jobs, app.tenants;

-- case: replica identity taken from a published table
-- expect: block replica_identity_missing app.jobs
-- by: superuser
ALTER TABLE app.jobs REPLICA IDENTITY NOTHING;
-- setup
CREATE PUBLICATION keyed FOR TABLE app.jobs;

-- case: replica identity in full
-- expect: pass replica_identity_changed app.log
ALTER TABLE app.log REPLICA IDENTITY FULL;

-- case: event trigger that refuses tables
-- expect: data event_trigger_added no_ddl
-- by: superuser
CREATE FUNCTION util.no_ddl() RETURNS event_trigger LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'no tables here'; END$$;
CREATE EVENT TRIGGER no_ddl ON ddl_command_start WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION util.no_ddl();

-- case: operator dropped
-- expect: block unclassified operator util.===(pg_catalog.text,pg_catalog.text)
DROP OPERATOR util.=== (text, text);

-- case: cast of a type implicit from now on
-- expect: warn cast_changed cast (app.geo AS pg_catalog.text)
DROP CAST (app.geo AS text);
CREATE CAST (app.geo AS text) WITH FUNCTION util.of_geo(app.geo) AS ASSIGNMENT;

-- case: cast dropped
-- expect: block unclassified cast (app.geo AS pg_catalog.text)
DROP CAST (app.geo AS text);

-- case: cast of enums from strings
-- expect: warn cast_added cast (character varying AS app.state)
-- by: superuser
CREATE CAST (varchar AS app.state) WITH INOUT AS IMPLICIT;

-- case: extended statistics
-- expect: pass other_changed statistics object app.accounts_stats
CREATE STATISTICS app.accounts_stats (dependencies) ON state, status_id FROM app.accounts;

-- case: comments everywhere
-- expect: pass other_changed comment on function util.slugify(pg_catalog.text)
COMMENT ON COLUMN app.jobs.payload IS 'what to do';
COMMENT ON FUNCTION util.slugify(text) IS 'slug';
COMMENT ON TYPE app.state IS 'state';
COMMENT ON SCHEMA app IS 'the app';
COMMENT ON CONSTRAINT projects_key ON app.projects IS 'key';

-- case: extension that the app uses dropped
-- expect: block column_dropped app.tenants.slug
-- by: superuser
DROP EXTENSION citext CASCADE;

-- case: extension moved
-- expect: block type_changed app.tenants.slug
-- by: superuser
ALTER EXTENSION citext SET SCHEMA util;
-- old
SELECT 'A'::citext = 'a'::citext;

-- case: extension added
-- expect: pass extension_added hstore
-- by: superuser
CREATE EXTENSION hstore;

-- case: extension added that has operators on arrays too
-- expect: pass extension_added intarray
-- by: superuser
CREATE EXTENSION intarray;
-- old
SELECT '{1,2}' && ARRAY[2], ARRAY[1, 2] @> ARRAY[2], ARRAY[1, 2] = '{1,2}';

-- case: table unlogged
-- expect: warn persistence_changed app.log
ALTER TABLE app.log SET UNLOGGED;

-- case: foreign table of another server
-- expect: pass table_added app.remote
-- by: superuser
CREATE EXTENSION postgres_fdw;
CREATE SERVER elsewhere FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host 'localhost');
CREATE FOREIGN TABLE app.remote (id integer, what text) SERVER elsewhere;

-- case: table replaced by a foreign one
-- expect: block owner_changed app.log
-- by: superuser
CREATE EXTENSION file_fdw;
CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;
DROP TABLE app.log;
CREATE FOREIGN TABLE app.log (line text, at timestamptz) SERVER files OPTIONS (filename '/dev/null');
GRANT ALL ON app.log TO corpus_app;

-- case: foreign table among the children
-- expect: data child_added app.notes_far
-- by: superuser
CREATE EXTENSION file_fdw;
CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;
CREATE FOREIGN TABLE app.notes_far () INHERITS (app.notes) SERVER files OPTIONS (filename '/nowhere');

-- case: schema renamed
-- expect: block unclassified cast (app.geo AS pg_catalog.text)
-- by: superuser
ALTER SCHEMA util RENAME TO tools;

-- case: schema added for later
-- expect: pass schema_added reporting
-- by: superuser
CREATE SCHEMA reporting AUTHORIZATION corpus_owner;
CREATE TABLE reporting.daily (day date PRIMARY KEY, total bigint);

-- case: sequence made to cycle
-- expect: data sequence_cycle app.jobs_id_seq
ALTER SEQUENCE app.jobs_id_seq MAXVALUE 1000000 CYCLE;

-- case: sequence in steps of ten
-- expect: data sequence_increment app.jobs_id_seq
ALTER SEQUENCE app.jobs_id_seq INCREMENT BY 10 CACHE 20;

-- case: sequence counts down
-- expect: data sequence_increment app.jobs_id_seq
ALTER SEQUENCE app.jobs_id_seq INCREMENT BY -1 MINVALUE -1000000 MAXVALUE 9223372036854775807;

-- case: sequence restarted
-- expect: block sequence_reset app.jobs_id_seq
ALTER SEQUENCE app.jobs_id_seq RESTART WITH 1;

-- case: sequence restarted ahead
-- expect: pass
ALTER SEQUENCE app.jobs_id_seq RESTART WITH 1000;

-- case: sequence owned by nobody
-- expect: warn sequence_owner app.jobs_id_seq
ALTER SEQUENCE app.jobs_id_seq OWNED BY NONE;

-- case: sequence renamed that a default follows
-- expect: data sequence_renamed app.projects_id_seq
ALTER SEQUENCE app.projects_id_seq RENAME TO projects_seq;

-- case: constant moved by an update
-- expect: data rows_changed app.statuses
UPDATE app.statuses SET name = 'open' WHERE id = 1;

-- case: row of a lookup table deleted
-- expect: data rows_changed app.statuses
DELETE FROM app.statuses WHERE id = 3;

-- case: row of a lookup table added
-- expect: pass
INSERT INTO app.plans VALUES ('team', 'Team', 5000, 50);

-- case: rows of a lookup table renumbered
-- expect: data rows_changed app.accounts
ALTER TABLE app.accounts DROP CONSTRAINT accounts_status_id_fkey;
UPDATE app.statuses SET id = id + 10;
UPDATE app.accounts SET status_id = status_id + 10;
ALTER TABLE app.accounts ADD CONSTRAINT accounts_status_id_fkey FOREIGN KEY (status_id) REFERENCES app.statuses;

-- case: key of a lookup table that a default names moved
-- expect: data rows_changed app.plans
UPDATE app.plans SET code = 'gratis' WHERE code = 'free';

-- case: default plan moved with its row
-- expect: data default_changed app.tenants.plan
UPDATE app.plans SET code = 'gratis' WHERE code = 'free';
ALTER TABLE app.tenants ALTER plan SET DEFAULT 'gratis';

-- case: strings of a column put into lower case
-- expect: data rows_changed app.accounts
UPDATE app.accounts SET email = lower(email);

-- case: json of a column put into another shape
-- expect: data rows_changed app.tenants
UPDATE app.tenants SET settings = jsonb_build_object('v', 2, 'data', settings);

-- case: soft deletes made real
-- expect: data rows_changed app.accounts
DELETE FROM app.accounts WHERE deleted_at IS NOT NULL;

-- case: new column filled from old ones
-- expect: warn row_shape app.projects
ALTER TABLE app.projects ADD title text;
UPDATE app.projects SET title = name;

-- case: bookkeeping of a framework
-- expect: pass table_added public._prisma_migrations
CREATE TABLE IF NOT EXISTS "_prisma_migrations" (id varchar(36) PRIMARY KEY NOT NULL, checksum varchar(64) NOT NULL, finished_at timestamptz, migration_name varchar(255) NOT NULL, logs text, rolled_back_at timestamptz, started_at timestamptz NOT NULL DEFAULT now(), applied_steps_count integer NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS django_migrations (id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, app varchar(255) NOT NULL, name varchar(255) NOT NULL, applied timestamptz NOT NULL);
INSERT INTO django_migrations (app, name, applied) VALUES ('app', '0001_initial', now());

-- case: setting of the database, time zone
-- expect: data setting_changed setting /TimeZone
-- by: superuser
DO $$BEGIN EXECUTE format('ALTER DATABASE %I SET timezone = %L', current_database(), 'Asia/Tokyo'); END$$;

-- case: setting of the database, read only
-- expect: block setting_changed setting /default_transaction_read_only
-- by: superuser
DO $$BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = on', current_database()); END$$;

-- case: setting of the database, output of bytes
-- expect: data setting_changed setting /bytea_output
-- by: superuser
DO $$BEGIN EXECUTE format('ALTER DATABASE %I SET bytea_output = escape', current_database()); END$$;

-- case: setting of the database, style of dates
-- expect: data setting_changed setting /DateStyle
-- by: superuser
DO $$BEGIN EXECUTE format('ALTER DATABASE %I SET datestyle = %L', current_database(), 'SQL, DMY'); END$$;

-- case: setting of the database, strings
-- expect: data setting_changed setting /standard_conforming_strings
-- by: superuser
DO $$BEGIN EXECUTE format('ALTER DATABASE %I SET standard_conforming_strings = off', current_database()); END$$;

-- case: setting of the database, row security off
-- expect: block setting_changed setting /row_security
-- by: superuser
DO $$BEGIN EXECUTE format('ALTER DATABASE %I SET row_security = off', current_database()); END$$;

-- case: setting of the database, digits of floats
-- expect: data setting_changed setting /extra_float_digits
-- by: superuser
DO $$BEGIN EXECUTE format('ALTER DATABASE %I SET extra_float_digits = 0', current_database()); END$$;

-- case: setting of the database, planner
-- expect: pass setting_changed setting /random_page_cost
-- by: superuser
DO $$BEGIN EXECUTE format('ALTER DATABASE %I SET random_page_cost = 1.1', current_database()); END$$;
DO $$BEGIN EXECUTE format('ALTER DATABASE %I SET work_mem = %L', current_database(), '16MB'); END$$;

-- case: setting of the database, timeouts
-- expect: data setting_changed setting /idle_in_transaction_session_timeout
-- by: superuser
DO $$BEGIN EXECUTE format('ALTER DATABASE %I SET lock_timeout = %L', current_database(), '5s'); END$$;
DO $$BEGIN EXECUTE format('ALTER DATABASE %I SET idle_in_transaction_session_timeout = %L', current_database(), '1min'); END$$;

-- case: setting of the app's role in the database, search path
-- expect: block search_path_changed search_path
-- by: superuser
DO $$BEGIN EXECUTE format('ALTER ROLE corpus_app IN DATABASE %I SET search_path = %L', current_database(), ''); END$$;
-- old
SELECT 'A'::citext = 'a';

-- case: setting of another role in the database
-- expect: pass setting_changed setting corpus_other/default_transaction_read_only
-- by: superuser
DO $$BEGIN EXECUTE format('ALTER ROLE corpus_other IN DATABASE %I SET default_transaction_read_only = on', current_database()); END$$;

-- case: connecting no longer for everybody
-- expect: block privilege_revoked database
-- by: superuser
DO $$BEGIN EXECUTE format('REVOKE CONNECT ON DATABASE %I FROM PUBLIC', current_database()); END$$;

-- case: connecting for the app's roles only
-- expect: data privilege_revoked util.refresh()
-- by: superuser
DO $$BEGIN EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database()); END$$;
DO $$BEGIN EXECUTE format('GRANT CONNECT, TEMPORARY ON DATABASE %I TO corpus_app', current_database()); END$$;
