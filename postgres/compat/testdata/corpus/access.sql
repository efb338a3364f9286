-- case: privilege on a table revoked
-- expect: block privilege_revoked public.orders
REVOKE DELETE, UPDATE ON orders FROM corpus_app;

-- case: privilege on a table revoked and given to a role that the app is a member of
-- expect: pass grants_changed public.orders
REVOKE ALL ON orders FROM corpus_app;
GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON orders TO corpus_staff;

-- case: privilege on a table left for single columns
-- expect: block privilege_revoked public.users
REVOKE SELECT ON users FROM corpus_app;
GRANT SELECT (id, email, name, status, age) ON users TO corpus_app;

-- case: privilege on a table left for all columns
-- expect: warn privilege_revoked public.sessions
REVOKE SELECT ON sessions FROM corpus_app;
GRANT SELECT (token, user_id, ends, data) ON sessions TO corpus_app;

-- case: privilege that another role had revoked
-- expect: pass grants_changed public.orders
-- setup:
GRANT SELECT ON orders TO corpus_other;
-- change:
REVOKE SELECT ON orders FROM corpus_other;

-- case: privilege given
-- expect: pass grants_changed public.orders
GRANT SELECT ON orders TO corpus_other;

-- case: privilege on a schema revoked
-- expect: block privilege_revoked billing
-- by: superuser
REVOKE USAGE ON SCHEMA billing FROM corpus_app;

-- case: privilege on a sequence revoked
-- expect: block privilege_revoked public.users_id_seq
REVOKE ALL ON SEQUENCE users_id_seq FROM corpus_app;

-- case: privilege on a function revoked from everybody
-- expect: block privilege_revoked public.greet(text)
REVOKE EXECUTE ON FUNCTION greet(text) FROM PUBLIC;

-- case: privilege on a type revoked from everybody
-- expect: warn privilege_revoked public.mood
-- note: USAGE on a type is checked only where columns and functions are made of it.
REVOKE USAGE ON TYPE mood FROM PUBLIC;

-- case: temporary tables no longer allowed
-- expect: data privilege_revoked database
-- by: superuser
DO $$BEGIN EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database()); END$$;

-- case: connecting no longer allowed
-- expect: block privilege_revoked database
-- by: superuser
DO $$BEGIN EXECUTE format('REVOKE CONNECT ON DATABASE %I FROM PUBLIC', current_database()); END$$;

-- case: default privileges changed
-- expect: warn default_privileges
ALTER DEFAULT PRIVILEGES REVOKE DELETE ON TABLES FROM corpus_app;

-- case: row security enabled without a policy
-- expect: block row_security_enabled public.sessions
ALTER TABLE sessions ENABLE ROW LEVEL SECURITY;

-- case: row security enabled with a policy that lets everything through
-- expect: warn row_security_enabled public.sessions
CREATE POLICY everybody ON sessions USING (true);
ALTER TABLE sessions ENABLE ROW LEVEL SECURITY;

-- case: row security disabled
-- expect: block row_security_disabled public.documents
ALTER TABLE documents DISABLE ROW LEVEL SECURITY;

-- case: restrictive policy added
-- expect: block policy_added public.documents.readonly
CREATE POLICY readonly ON documents AS RESTRICTIVE FOR UPDATE USING (false);

-- case: permissive policy added
-- expect: data policy_added public.documents.shared
CREATE POLICY shared ON documents USING (tenant = 2);

-- case: policy dropped
-- expect: block policy_dropped public.documents.own
DROP POLICY own ON documents;

-- case: policy filters otherwise
-- expect: block policy_changed public.documents.own
ALTER POLICY own ON documents USING (tenant = 2);

-- case: policy for another role added
-- expect: pass policy_added public.documents.others
CREATE POLICY others ON documents AS RESTRICTIVE TO corpus_other USING (false);

-- case: policy on a table without row security
-- expect: pass policy_added public.sessions.own
CREATE POLICY own ON sessions USING (false);

-- case: owner of a table changed
-- expect: block owner_changed public.legacy
-- note: A function of the old owner reads it, and runs as the old owner.
-- by: superuser
ALTER TABLE legacy OWNER TO corpus_other;

-- case: owner of a table changed that foreign keys refer to
-- expect: block owner_changed public.orders
-- by: superuser
-- setup:
REVOKE USAGE ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO corpus_app, corpus_owner;
-- change:
ALTER TABLE orders OWNER TO corpus_other;

-- case: owner of a view changed
-- expect: block owner_changed public.totals
-- by: superuser
ALTER VIEW totals OWNER TO corpus_other;

-- case: owner of a function that runs as its owner changed
-- expect: block owner_changed public.secret()
-- by: superuser
ALTER FUNCTION secret() OWNER TO corpus_other;

-- case: owner of everything changed
-- expect: warn owner_changed public.users
-- by: superuser
REASSIGN OWNED BY corpus_owner TO corpus_other;
GRANT ALL ON SCHEMA public TO corpus_other;

-- case: table of the app given to somebody else
-- expect: block privilege_revoked public.mine
-- by: superuser
-- setup:
CREATE TABLE mine (id integer);
ALTER TABLE mine OWNER TO corpus_app;
-- old:
INSERT INTO mine VALUES (1);
-- change:
REVOKE ALL ON mine FROM corpus_app;
ALTER TABLE mine OWNER TO corpus_owner;
GRANT SELECT ON mine TO corpus_app;

-- case: search_path of the database without public
-- expect: block search_path_changed search_path
-- by: superuser
DO $$BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = billing', current_database()); END$$;

-- case: search_path of the app's role with one schema more at the end
-- expect: pass search_path_changed search_path
-- by: superuser
DO $$BEGIN EXECUTE format('ALTER ROLE corpus_app IN DATABASE %I SET search_path = "$user", public, billing', current_database()); END$$;

-- case: search_path of another role
-- expect: pass setting_changed setting corpus_other/search_path
-- by: superuser
DO $$BEGIN EXECUTE format('ALTER ROLE corpus_other IN DATABASE %I SET search_path = billing', current_database()); END$$;

-- case: database becomes read-only
-- expect: block setting_changed setting /default_transaction_read_only
-- by: superuser
DO $$BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = on', current_database()); END$$;

-- case: row security refused by a setting
-- expect: block setting_changed setting /row_security
-- by: superuser
DO $$BEGIN EXECUTE format('ALTER DATABASE %I SET row_security = off', current_database()); END$$;

-- case: time zone of the database
-- expect: data setting_changed setting /TimeZone
-- by: superuser
-- old:
SELECT '2026-01-01 00:00'::timestamptz = '2026-01-01 00:00+00';
-- change:
DO $$BEGIN EXECUTE format('ALTER DATABASE %I SET timezone = ''America/Lima''', current_database()); END$$;

-- case: work_mem of the database
-- expect: pass setting_changed setting /work_mem
-- by: superuser
DO $$BEGIN EXECUTE format('ALTER DATABASE %I SET work_mem = ''16MB''', current_database()); END$$;

-- case: custom setting that statements read is gone
-- expect: block setting_changed setting /shop.region
-- by: superuser
-- setup:
DO $$BEGIN EXECUTE format('ALTER DATABASE %I SET shop.region = ''eu''', current_database()); END$$;
-- old:
SELECT current_setting('shop.region');
-- change:
DO $$BEGIN EXECUTE format('ALTER DATABASE %I RESET shop.region', current_database()); END$$;

-- case: tables published that have no primary key
-- expect: block replica_identity_missing public.audit
-- by: superuser
-- old:
UPDATE audit SET tally = 1;
-- change:
CREATE PUBLICATION everything FOR ALL TABLES;

-- case: table published that has a primary key
-- expect: pass publication_added people
-- by: superuser
CREATE PUBLICATION people FOR TABLE users, sessions;

-- case: table published with inserts only
-- expect: pass publication_added appended
-- by: superuser
CREATE PUBLICATION appended FOR TABLE audit WITH (publish = 'insert');

-- case: replica identity of a published table taken away
-- expect: block replica_identity_missing public.sessions
-- by: superuser
-- setup:
CREATE PUBLICATION people FOR TABLE sessions;
-- old:
UPDATE sessions SET data = '';
-- change:
ALTER TABLE sessions REPLICA IDENTITY NOTHING;

-- case: columns published that leave the primary key out
-- expect: block publication_narrow people
-- by: superuser
-- old:
UPDATE sessions SET data = '';
-- change:
CREATE PUBLICATION people FOR TABLE sessions (user_id);

-- case: publication dropped
-- expect: data publication_dropped people
-- by: superuser
-- setup:
CREATE PUBLICATION people FOR TABLE sessions;
-- change:
DROP PUBLICATION people;

-- case: row security enabled with policies for some statements
-- expect: block row_security_enabled public.sessions
CREATE POLICY readers ON sessions FOR SELECT USING (true);
ALTER TABLE sessions ENABLE ROW LEVEL SECURITY;

-- case: role that the app was a member of taken from it
-- expect: block role_changed role corpus_app
-- by: superuser
-- setup:
GRANT SELECT ON legacy TO corpus_staff;
-- old:
SELECT label FROM legacy;
-- change:
REVOKE corpus_staff FROM corpus_app;

-- case: column added that the app may not read, for it may read single columns only
-- expect: data column_not_readable public.legacy.more
-- setup:
GRANT SELECT (id, label) ON legacy TO corpus_app;
-- old:
SELECT count(*) FROM (SELECT * FROM legacy) all_of_it;
-- change:
ALTER TABLE legacy ADD COLUMN more text;

-- case: foreign keys switched off
-- expect: data constraint_disabled disabled constraints of table public.orders
-- by: superuser
ALTER TABLE orders DISABLE TRIGGER ALL;

-- case: setting that nobody knows
-- expect: block unclassified setting /exit_on_error
-- false block: What a setting does that no rule knows, nobody can tell.
-- by: superuser
DO $$BEGIN EXECUTE format('ALTER DATABASE %I SET exit_on_error = on', current_database()); END$$;
