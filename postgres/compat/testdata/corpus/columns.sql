-- case: nullable column added
-- expect: warn column_added public.users.phone
ALTER TABLE users ADD COLUMN phone text;

-- case: column with a constant default added
-- expect: warn column_added public.users.points
ALTER TABLE users ADD COLUMN points integer NOT NULL DEFAULT 0;

-- case: required column without default added
-- expect: block column_required public.audit.source
TRUNCATE audit; ALTER TABLE audit ADD COLUMN source text NOT NULL;

-- case: required column whose default is dropped again in the same migration
-- expect: block column_required public.users.region
-- note: The usual way to fill a new column, and it leaves nothing for the old version.
ALTER TABLE users ADD COLUMN region text NOT NULL DEFAULT 'eu';
ALTER TABLE users ALTER COLUMN region DROP DEFAULT;

-- case: nullable column, filled, then NOT NULL, in a DO block
-- expect: block column_required public.users.full_name
DO $$BEGIN
	ALTER TABLE users ADD COLUMN full_name text;
	UPDATE users SET full_name = name;
	ALTER TABLE users ALTER COLUMN full_name SET NOT NULL;
END$$;

-- case: identity column added
-- expect: warn column_added public.sessions.number
ALTER TABLE sessions ADD COLUMN number bigint GENERATED ALWAYS AS IDENTITY;

-- case: identity column added to a large table
-- expect: lock table_rewritten public.events
ALTER TABLE events ADD COLUMN number bigint GENERATED ALWAYS AS IDENTITY;

-- case: column with a volatile default added to a large table
-- expect: lock table_rewritten public.events
ALTER TABLE events ADD COLUMN token uuid NOT NULL DEFAULT gen_random_uuid();

-- case: column with a stable default added to a large table
-- expect: warn column_added public.events.made
-- note: now() is evaluated once, so nothing is rewritten.
ALTER TABLE events ADD COLUMN made timestamptz NOT NULL DEFAULT now();

-- case: stored generated column added to a large table
-- expect: lock table_rewritten public.events
ALTER TABLE events ADD COLUMN length integer GENERATED ALWAYS AS (length(body)) STORED;

-- case: serial column added, whose sequence the app may not use
-- expect: block default_not_allowed public.sessions.number
-- note: The default privileges that gave the app new sequences are gone, and a plain serial needs USAGE.
ALTER DEFAULT PRIVILEGES REVOKE ALL ON SEQUENCES FROM corpus_app;
ALTER TABLE sessions ADD COLUMN number serial;

-- case: serial column added, whose sequence the app may use
-- expect: warn column_added public.sessions.number
ALTER TABLE sessions ADD COLUMN number serial;

-- case: column whose default calls a function the app may not execute
-- expect: block default_not_allowed public.users.made_by
CREATE FUNCTION maker() RETURNS text LANGUAGE sql AS 'SELECT current_user::text';
REVOKE EXECUTE ON FUNCTION maker() FROM PUBLIC;
ALTER TABLE users ADD COLUMN made_by text DEFAULT maker();

-- case: column of a domain that refuses NULL added
-- expect: block column_required public.audit.kind
CREATE DOMAIN kind AS text CHECK (VALUE IS NOT NULL);
TRUNCATE audit; ALTER TABLE audit ADD COLUMN kind kind;

-- case: column with a check on its own values added
-- expect: warn constraint_added public.users.users_tier_check
ALTER TABLE users ADD COLUMN tier text NOT NULL DEFAULT 'free' CHECK (tier IN ('free', 'paid'));

-- case: two columns added of which one must be set
-- expect: block check_added public.audit.one_of
TRUNCATE audit;
ALTER TABLE audit ADD COLUMN a integer, ADD COLUMN b integer, ADD CONSTRAINT one_of CHECK (num_nonnulls(a, b) = 1);

-- case: unique nullable column added
-- expect: warn constraint_added public.users.users_phone_key
ALTER TABLE users ADD COLUMN phone text UNIQUE;

-- case: unique column with a constant default added
-- expect: block unique_added public.audit.audit_slot_key
TRUNCATE audit;
INSERT INTO audit (what) VALUES ('one');
ALTER TABLE audit ADD COLUMN slot integer DEFAULT 0 UNIQUE;

-- case: column added that a joined table has too
-- expect: data name_ambiguous public.orders.name
-- note: "SELECT name FROM users JOIN orders" meant users.name.
-- old:
SELECT name, total FROM users JOIN orders ON orders.user_id = users.id ORDER BY total;
-- change:
ALTER TABLE orders ADD COLUMN name text;

-- case: column added to a table that a trigger copies whole rows of
-- expect: data whole_rows public.orders.channel
-- setup:
CREATE TABLE orders_history AS SELECT * FROM orders WHERE false;
CREATE FUNCTION keep_order() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN INSERT INTO orders_history SELECT NEW.*; RETURN NEW; END$$;
CREATE TRIGGER orders_keep AFTER UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION keep_order();
GRANT INSERT ON orders_history TO corpus_app;
-- change:
ALTER TABLE orders ADD COLUMN channel text;

-- case: column added to a table that a function selects everything of
-- expect: data whole_rows public.legacy.more
-- setup:
CREATE FUNCTION all_legacy() RETURNS TABLE (id integer, label text) LANGUAGE sql SECURITY DEFINER AS 'SELECT * FROM legacy';
-- old:
SELECT label FROM all_legacy();
-- change:
ALTER TABLE legacy ADD COLUMN more text;

-- case: column dropped
-- expect: block column_dropped public.users.bio
ALTER TABLE users DROP COLUMN bio;

-- case: column of a table nobody asks about dropped
-- expect: block column_dropped public.legacy.label
-- false block: Nobody but the operator can know that no statement names a column: the finding is right to ask.
-- setup:
GRANT SELECT ON legacy TO corpus_app;
-- change:
ALTER TABLE legacy DROP COLUMN label;

-- case: column renamed
-- expect: block column_renamed public.users.name
ALTER TABLE users RENAME COLUMN name TO full_name;

-- case: column renamed and added again under its old name
-- expect: block column_renamed public.orders.note
-- old:
SELECT count(note) FROM orders WHERE id = 1;
-- setup:
UPDATE orders SET note = 'by hand';
-- change:
ALTER TABLE orders RENAME COLUMN note TO remark;
ALTER TABLE orders ADD COLUMN note text;

-- case: column dropped and made anew
-- expect: block column_recreated public.users.prefs
ALTER TABLE users DROP COLUMN prefs;
ALTER TABLE users ADD COLUMN prefs jsonb;

-- case: two columns swap their names
-- expect: block column_renamed public.users.bio
-- note: Every name is still there.
ALTER TABLE users RENAME COLUMN bio TO swap;
ALTER TABLE users RENAME COLUMN nick TO bio;
ALTER TABLE users RENAME COLUMN swap TO nick;

-- case: NOT NULL set
-- expect: block not_null_set public.users.nick
UPDATE users SET nick = 'n' || id WHERE nick IS NULL;
ALTER TABLE users ALTER COLUMN nick SET NOT NULL;

-- case: NOT NULL set where a check demanded it before
-- expect: pass not_null_set public.users.balance2
-- setup:
ALTER TABLE users ADD COLUMN balance2 integer DEFAULT 1, ADD CONSTRAINT has2 CHECK (balance2 IS NOT NULL) NOT VALID;
-- change:
ALTER TABLE users VALIDATE CONSTRAINT has2;
ALTER TABLE users ALTER COLUMN balance2 SET NOT NULL;

-- case: NOT NULL set and the check for it dropped
-- expect: data constraint_dropped public.users.has2
-- note: The last step of the safe way; the check is dropped because NOT NULL does the same.
-- setup:
ALTER TABLE users ADD COLUMN balance2 integer DEFAULT 1, ADD CONSTRAINT has2 CHECK (balance2 IS NOT NULL);
-- change:
ALTER TABLE users ALTER COLUMN balance2 SET NOT NULL;
ALTER TABLE users DROP CONSTRAINT has2;

-- case: NOT NULL dropped
-- expect: data not_null_dropped public.users.name
-- old:
SELECT count(*) = count(name) FROM users;
-- change:
ALTER TABLE users ALTER COLUMN name DROP NOT NULL;
-- new:
INSERT INTO users (email, name) VALUES ('z@example.org', NULL);

-- case: default dropped on a required column
-- expect: block default_dropped public.users.balance
ALTER TABLE users ALTER COLUMN balance DROP DEFAULT;

-- case: default dropped on a nullable column
-- expect: data default_dropped public.users.feels
-- note: What the old version inserts is no longer what it reads back.
-- old:
INSERT INTO users (email, name) VALUES ('h@example.org', 'Hal') RETURNING feels;
-- change:
ALTER TABLE users ALTER COLUMN feels DROP DEFAULT;

-- case: default changed
-- expect: warn default_changed public.events.body
-- setup:
ALTER TABLE events ALTER COLUMN body SET DEFAULT 'a';
-- change:
ALTER TABLE events ALTER COLUMN body SET DEFAULT 'b';

-- case: default of a primary key dropped
-- expect: block default_dropped public.sessions.token
ALTER TABLE sessions ALTER COLUMN token DROP DEFAULT;

-- case: identity made ALWAYS
-- expect: block identity_always public.audit.id
ALTER TABLE audit ALTER COLUMN id SET GENERATED ALWAYS;

-- case: identity dropped
-- expect: block default_dropped public.audit.id
ALTER TABLE audit ALTER COLUMN id DROP IDENTITY;

-- case: generated column becomes a plain one
-- expect: block generated_dropped public.items.cost
ALTER TABLE items ALTER COLUMN cost DROP EXPRESSION;

-- case: generated column made anew with another expression
-- expect: block column_recreated public.items.cost
ALTER TABLE items DROP COLUMN cost;
ALTER TABLE items ADD COLUMN cost integer GENERATED ALWAYS AS (qty * price * 2) STORED;

-- case: column comment, statistics, storage
-- expect: pass storage_changed storage of column public.users.bio
COMMENT ON COLUMN users.bio IS 'who it is';
ALTER TABLE users ALTER COLUMN bio SET STATISTICS 500;
ALTER TABLE users ALTER COLUMN bio SET STORAGE EXTERNAL;

-- case: backfill of a new column
-- expect: warn column_added public.users.shown
ALTER TABLE users ADD COLUMN shown text;
UPDATE users SET shown = name WHERE shown IS NULL;

-- case: column added within a CASCADE that does nothing else
-- expect: warn column_added public.users.x
ALTER TABLE IF EXISTS users ADD COLUMN IF NOT EXISTS x integer, ADD COLUMN IF NOT EXISTS bio text;

-- case: generated column that must not be NULL, of one that may be
-- expect: block column_required public.users.slug
UPDATE users SET nick = 'n' || id WHERE nick IS NULL;
ALTER TABLE users ADD COLUMN slug text GENERATED ALWAYS AS (lower(nick)) STORED NOT NULL;

-- case: generated column whose expression fails for some values
-- expect: data generated_expression public.orders.number
-- old:
UPDATE orders SET note = 'not a number';
-- change:
ALTER TABLE orders ADD COLUMN number integer GENERATED ALWAYS AS (note::integer) STORED;

-- case: generated column that divides
-- expect: data generated_expression public.items.share
-- old:
UPDATE items SET qty = 0;
-- change:
ALTER TABLE items ADD COLUMN share integer GENERATED ALWAYS AS (100 / qty) STORED;

-- case: check on a new generated column
-- expect: block check_added public.orders.small
ALTER TABLE orders ADD COLUMN cents integer GENERATED ALWAYS AS (total * 100) STORED, ADD CONSTRAINT small CHECK (cents < 100000) NOT VALID;

-- case: unique generated column
-- expect: block unique_added public.orders.orders_upper
-- old:
INSERT INTO orders (user_id, total, code) VALUES (1, 1, 'eur');
-- change:
ALTER TABLE orders ADD COLUMN upper_code text GENERATED ALWAYS AS (upper(code)) STORED;
CREATE UNIQUE INDEX orders_upper ON orders (upper_code);

-- case: required column whose default is NULL
-- expect: block column_required public.audit.source
TRUNCATE audit; ALTER TABLE audit ADD COLUMN source text NOT NULL DEFAULT NULL::text;

-- case: column whose default reads a setting
-- expect: data default_setting public.audit.tenant
-- old:
SET shop.region TO DEFAULT;
-- change:
ALTER TABLE audit ADD COLUMN tenant text;
ALTER TABLE audit ALTER COLUMN tenant SET DEFAULT current_setting('shop.region');

-- case: default that a check refuses
-- expect: data default_changed public.users.status
ALTER TABLE users ALTER COLUMN status SET DEFAULT 'archived';

-- case: partial index on a text, with literals
-- expect: pass index_added public.users.users_active
CREATE INDEX users_active ON users (id) WHERE status = 'active' AND balance > 0;

-- case: expression index on lower case
-- expect: pass index_added public.users.users_email_lower
CREATE INDEX users_email_lower ON users (lower(email));
