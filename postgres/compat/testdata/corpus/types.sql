-- case: varchar widened
-- expect: warn type_widened public.users.nick
ALTER TABLE users ALTER COLUMN nick TYPE varchar(50);

-- case: varchar to text, which a view reads as well
-- expect: warn type_widened public.users.nick
ALTER TABLE users ALTER COLUMN nick TYPE text;

-- case: varchar narrowed
-- expect: block type_narrowed public.users.nick
ALTER TABLE users ALTER COLUMN nick TYPE varchar(6);

-- case: text to varchar
-- expect: block type_narrowed public.users.bio
-- old:
UPDATE users SET bio = repeat('x', 500);
-- change:
ALTER TABLE users ALTER COLUMN bio TYPE varchar(200);

-- case: integer to bigint
-- expect: data type_enlarged public.orders.total
-- note: The view that adds it up has to be made anew, and its sum is of another type.
-- setup:
DROP VIEW totals; CREATE VIEW totals AS SELECT user_id, 150::bigint AS total FROM users u, LATERAL (SELECT u.id AS user_id) x;
DROP AGGREGATE product(integer); CREATE AGGREGATE product(bigint) (sfunc = int8mul, stype = bigint, initcond = 1);
-- change:
ALTER TABLE orders ALTER COLUMN total TYPE bigint;
-- new:
UPDATE orders SET total = 5000000000 WHERE id = 2;

-- case: bigint to integer
-- expect: block type_narrowed public.audit.tally
-- old:
UPDATE audit SET tally = 5000000000;
INSERT INTO audit (what, tally) VALUES ('big', 5000000000);
-- change:
ALTER TABLE audit ALTER COLUMN tally TYPE integer;

-- case: integer to bigint on a large table
-- expect: lock table_rewritten public.events
ALTER TABLE events ALTER COLUMN id TYPE bigint;

-- case: integer to text
-- expect: block type_changed public.sessions.user_id
-- old:
SELECT count(*) FROM sessions WHERE user_id = 1;
-- change:
ALTER TABLE sessions ALTER COLUMN user_id TYPE text;

-- case: integer to numeric
-- expect: block type_changed public.orders.total
-- setup:
DROP VIEW totals; CREATE VIEW totals AS SELECT 1 AS user_id, 150::bigint AS total;
DROP AGGREGATE product(integer); CREATE AGGREGATE product(numeric) (sfunc = numeric_mul, stype = numeric, initcond = 1);
-- change:
ALTER TABLE orders ALTER COLUMN total TYPE numeric;

-- case: numeric scale reduced
-- expect: block type_narrowed public.users.balance
ALTER TABLE users ALTER COLUMN balance TYPE numeric(10,1);

-- case: numeric precision raised
-- expect: data type_enlarged public.users.balance
ALTER TABLE users ALTER COLUMN balance TYPE numeric(14,2);

-- case: real to double precision
-- expect: data type_enlarged public.measures.value
-- note: A client that reads four bytes gets eight; partitions change with their parent.
ALTER TABLE measures ALTER COLUMN value TYPE double precision;

-- case: timestamp precision raised
-- expect: data type_precision public.sessions.ends
ALTER TABLE sessions ALTER COLUMN ends TYPE timestamp(3);
-- new:
INSERT INTO sessions (ends) VALUES ('2026-01-01 10:00:00.123');

-- case: timestamp to timestamptz
-- expect: block type_changed public.sessions.ends
ALTER TABLE sessions ALTER COLUMN ends TYPE timestamptz USING ends AT TIME ZONE 'UTC';

-- case: date to timestamp
-- expect: block type_changed public.orders.placed
ALTER TABLE orders ALTER COLUMN placed TYPE timestamp;

-- case: char widened
-- expect: block type_changed public.orders.code
-- note: Values are padded: 'EUR' is read as 'EUR  '.
ALTER TABLE orders ALTER COLUMN code TYPE char(5);

-- case: char to text
-- expect: block type_changed public.orders.code
ALTER TABLE orders ALTER COLUMN code TYPE text;

-- case: jsonb to json
-- expect: block type_changed public.users.prefs
-- old:
SELECT count(*) FROM users WHERE prefs @> '{"a": 1}';
-- change:
ALTER TABLE users ALTER COLUMN prefs TYPE json;

-- case: jsonb to text
-- expect: block type_changed public.users.prefs
ALTER TABLE users ALTER COLUMN prefs TYPE text;

-- case: text array to jsonb
-- expect: block type_changed public.users.tags
ALTER TABLE users ALTER COLUMN tags TYPE jsonb USING to_jsonb(tags);

-- case: text to an enum
-- expect: block type_changed public.orders.note
-- old:
INSERT INTO orders (user_id, total, note) VALUES (1, 1, 'anything');
-- change:
CREATE TYPE notes AS ENUM ('urgent');
ALTER TABLE orders ALTER COLUMN note TYPE notes USING note::notes;

-- case: enum to text
-- expect: block type_changed public.users.feels
ALTER TABLE users ALTER COLUMN feels DROP DEFAULT, ALTER COLUMN feels TYPE text;
ALTER TABLE users ALTER COLUMN feels SET DEFAULT 'ok';

-- case: domain to its base type
-- expect: data type_changed public.users.zip
ALTER TABLE users ALTER COLUMN zip TYPE text;

-- case: collation changed
-- expect: data collation_changed public.users.name
-- setup:
INSERT INTO users (email, name) VALUES ('upper@example.org', 'ZOE'), ('lower@example.org', 'abe');
DROP VIEW active, contacts;
CREATE VIEW active AS SELECT 1 AS id, 'ann@example.org'::varchar(100) AS email, 'Ann' AS name;
-- old:
SELECT email FROM users ORDER BY name;
-- change:
ALTER TABLE users ALTER COLUMN name TYPE text COLLATE "en-x-icu";

-- case: enum value added
-- expect: data enum_value_added public.mood
-- old:
SELECT count(*) FROM users WHERE feels NOT IN ('sad', 'ok', 'happy');
-- change:
ALTER TYPE mood ADD VALUE 'proud';
-- new:
INSERT INTO users (email, name, feels) VALUES ('p@example.org', 'Pia', 'proud');

-- case: enum value renamed
-- expect: block enum_value_renamed public.mood
ALTER TYPE mood RENAME VALUE 'happy' TO 'glad';

-- case: enum made anew without one value
-- expect: block enum_value_dropped public.mood
UPDATE users SET feels = 'ok';
ALTER TABLE users ALTER COLUMN feels DROP DEFAULT;
ALTER TYPE mood RENAME TO mood_old;
CREATE TYPE mood AS ENUM ('ok', 'happy');
ALTER TABLE users ALTER COLUMN feels TYPE mood USING feels::text::mood;
ALTER TABLE users ALTER COLUMN feels SET DEFAULT 'ok';
DROP TYPE mood_old;

-- case: enum made anew with one more value
-- expect: data type_recreated public.mood
-- note: With a new connection all is well; prepared statements and type ids of open ones are not.
ALTER TABLE users ALTER COLUMN feels DROP DEFAULT;
ALTER TYPE mood RENAME TO mood_old;
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy', 'proud');
ALTER TABLE users ALTER COLUMN feels TYPE mood USING feels::text::mood;
ALTER TABLE users ALTER COLUMN feels SET DEFAULT 'ok';
DROP TYPE mood_old;

-- case: enum type renamed
-- expect: block type_renamed public.mood
ALTER TYPE mood RENAME TO feeling;

-- case: enum type moved to another schema
-- expect: block type_renamed public.mood
-- by: superuser
ALTER TYPE mood SET SCHEMA billing;

-- case: domain gains a check
-- expect: block domain_tightened public.zip.zip_peru
ALTER DOMAIN zip ADD CONSTRAINT zip_peru CHECK (VALUE LIKE '1%') NOT VALID;

-- case: domain loses its check
-- expect: data constraint_dropped public.zip.zip_check
ALTER DOMAIN zip DROP CONSTRAINT zip_check;
-- new:
UPDATE users SET zip = 'K1A 0B1';

-- case: domain no longer takes NULL
-- expect: block domain_tightened public.zip
UPDATE users SET zip = '00000' WHERE zip IS NULL;
ALTER DOMAIN zip SET NOT NULL;

-- case: domain gets a default
-- expect: warn default_changed public.zip
ALTER DOMAIN zip SET DEFAULT '00000';

-- case: composite type gains a field
-- expect: block field_added public.place.country
ALTER TYPE place ADD ATTRIBUTE country text CASCADE;

-- case: composite type loses a field
-- expect: block column_dropped public.place.street
ALTER TYPE place DROP ATTRIBUTE street CASCADE;

-- case: field of a composite type renamed
-- expect: block column_renamed public.place.city
ALTER TYPE place RENAME ATTRIBUTE city TO town;

-- case: range type dropped with its column
-- expect: block column_dropped public.orders.span
DROP TYPE span CASCADE;

-- case: new types of every kind
-- expect: pass type_added public.colour
CREATE TYPE colour AS ENUM ('red');
CREATE DOMAIN percent AS integer CHECK (VALUE BETWEEN 0 AND 100);
CREATE TYPE pair AS (a integer, b integer);
CREATE TYPE dates AS RANGE (subtype = date);
