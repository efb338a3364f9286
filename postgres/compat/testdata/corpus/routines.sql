-- case: function added
-- expect: pass function_added public.twice(integer)
CREATE FUNCTION twice(n integer) RETURNS integer LANGUAGE sql AS 'SELECT 2 * n';

-- case: function dropped
-- expect: block function_dropped public.greet(text)
DROP FUNCTION greet(text);

-- case: function renamed
-- expect: block function_renamed public.greet(text)
ALTER FUNCTION greet(text) RENAME TO hello;

-- case: function takes another type
-- expect: block function_dropped public.tax(integer,integer)
DROP FUNCTION tax(integer, integer);
CREATE FUNCTION tax(amount text, rate integer DEFAULT 20) RETURNS integer LANGUAGE sql AS 'SELECT amount::integer * rate / 100';

-- case: function takes one argument more, which has a default
-- expect: warn function_extended public.greet(text)
DROP FUNCTION greet(text);
CREATE FUNCTION greet(who text, what text DEFAULT 'Hello ') RETURNS text LANGUAGE sql AS $$SELECT 'Hello ' || who$$;

-- case: function takes one argument more
-- expect: block function_dropped public.greet(text)
DROP FUNCTION greet(text);
CREATE FUNCTION greet(who text, what text) RETURNS text LANGUAGE sql AS $$SELECT what || who$$;

-- case: argument loses its default
-- expect: block default_dropped public.tax(integer,integer)
DROP FUNCTION tax(integer, integer);
CREATE FUNCTION tax(amount integer, rate integer) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT amount * rate / 100';

-- case: argument renamed
-- expect: data argument_renamed public.tax(integer,integer)
DROP FUNCTION tax(integer, integer);
CREATE FUNCTION tax(price integer, rate integer DEFAULT 20) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT price * rate / 100';

-- case: function returns another type
-- expect: block function_changed public.greet(text)
DROP FUNCTION greet(text);
CREATE FUNCTION greet(who text) RETURNS jsonb LANGUAGE sql AS $$SELECT to_jsonb('Hello ' || who)$$;

-- case: function returns a column of another name
-- expect: block function_changed public.found(text)
DROP FUNCTION found(text);
CREATE FUNCTION found(email text, OUT id integer, OUT title text) LANGUAGE sql STABLE AS $$SELECT u.id, u.name FROM users u WHERE u.email = found.email$$;

-- case: function returns one column more
-- expect: block function_changed public.everybody()
DROP FUNCTION everybody();
CREATE FUNCTION everybody() RETURNS TABLE (user_id integer, of_email varchar, of_name text) LANGUAGE sql STABLE AS 'SELECT id, email, name FROM users ORDER BY id';
-- old:
SELECT * FROM everybody() AS e (a, b);
SELECT everybody();

-- case: overload that makes calls ambiguous
-- expect: block overload_added public.tax(integer)
CREATE FUNCTION tax(amount integer) RETURNS integer LANGUAGE sql AS 'SELECT amount';

-- case: overload that untyped arguments may mean
-- expect: block overload_added public.day(timestamp without time zone)
-- setup:
CREATE FUNCTION day(of date) RETURNS text LANGUAGE sql AS $$SELECT to_char(of, 'DD')$$;
-- old:
SELECT day('2026-01-01');
-- change:
CREATE FUNCTION day(of timestamp) RETURNS text LANGUAGE sql AS $$SELECT to_char(of, 'DD')$$;

-- case: overload beside one that takes text
-- expect: data overload_added public.greet(integer)
CREATE FUNCTION greet(who integer) RETURNS text LANGUAGE sql AS $$SELECT 'Number ' || who$$;

-- case: overload that takes more arguments
-- expect: pass function_added public.greet(text,text,integer)
CREATE FUNCTION greet(who text, what text, often integer) RETURNS text LANGUAGE sql AS $$SELECT what || who$$;

-- case: overload that gets a default
-- expect: block overload_added public.pick(integer,integer)
-- setup:
CREATE FUNCTION pick(a integer) RETURNS integer LANGUAGE sql AS 'SELECT a';
CREATE FUNCTION pick(a integer, b integer) RETURNS integer LANGUAGE sql AS 'SELECT a + b';
-- old:
SELECT pick(1);
-- change:
CREATE OR REPLACE FUNCTION pick(a integer, b integer DEFAULT 0) RETURNS integer LANGUAGE sql AS 'SELECT a + b';

-- case: function refuses what it took
-- expect: data function_behaviour public.greet(text)
CREATE OR REPLACE FUNCTION greet(who text) RETURNS text LANGUAGE plpgsql AS $$BEGIN RAISE 'no greetings'; END$$;

-- case: function does the same in another way
-- expect: data function_behaviour public.greet(text)
CREATE OR REPLACE FUNCTION greet(who text) RETURNS text LANGUAGE sql AS $$SELECT concat('Hello ', who)$$;

-- case: function that writes becomes stable
-- expect: data function_behaviour public.log_it(text)
-- setup:
CREATE FUNCTION log_it(what text) RETURNS void LANGUAGE plpgsql AS $$BEGIN INSERT INTO audit (what) VALUES (what); END$$;
-- old:
SELECT log_it('x');
-- change:
ALTER FUNCTION log_it(text) STABLE;

-- case: function becomes strict
-- expect: data function_behaviour public.label(text)
-- setup:
CREATE FUNCTION label(x text) RETURNS text LANGUAGE sql AS $$SELECT coalesce(x, 'none')$$;
-- old:
SELECT label(NULL);
-- change:
ALTER FUNCTION label(text) STRICT;

-- case: function no longer runs as its owner
-- expect: block function_invoker public.secret()
ALTER FUNCTION secret() SECURITY INVOKER;

-- case: function gets a search_path that does not fit
-- expect: data function_behaviour public.everybody()
ALTER FUNCTION everybody() SET search_path = pg_catalog;

-- case: function becomes cheaper to plan
-- expect: pass other_changed planning of function public.everybody()
ALTER FUNCTION everybody() ROWS 10;

-- case: procedure dropped
-- expect: block function_dropped public.touch(integer)
DROP PROCEDURE touch(integer);

-- case: procedure becomes a function
-- expect: block function_changed public.touch(integer)
DROP PROCEDURE touch(integer);
CREATE FUNCTION touch(who integer) RETURNS void LANGUAGE sql AS 'UPDATE users SET seen = now() WHERE id = who';

-- case: aggregate begins elsewhere
-- expect: data function_behaviour public.product(integer)
CREATE OR REPLACE AGGREGATE product(integer) (sfunc = int4mul, stype = integer, initcond = 2);

-- case: trigger that refuses writes
-- expect: block trigger_added public.orders.orders_guard
CREATE FUNCTION guard() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN IF NEW.code IS NULL OR NEW.code = 'USD' THEN RAISE 'no'; END IF; RETURN NEW; END$$;
CREATE TRIGGER orders_guard BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION guard();

-- case: trigger that drops writes
-- expect: block trigger_added public.sessions.sessions_none
-- note: INSERT succeeds, and inserts nothing.
CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER sessions_none BEFORE INSERT ON sessions FOR EACH ROW EXECUTE FUNCTION nothing();

-- case: trigger that only notes the time
-- expect: block trigger_added public.sessions.sessions_ends
-- false block: What a trigger does cannot be read off the schema; this one happens to be harmless.
CREATE FUNCTION set_data() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN NEW.data := coalesce(NEW.data, ''); RETURN NEW; END$$;
CREATE TRIGGER sessions_ends BEFORE UPDATE ON sessions FOR EACH ROW EXECUTE FUNCTION set_data();

-- case: trigger on a new table
-- expect: pass table_added public.pets
CREATE TABLE pets (id integer, changed timestamptz);
CREATE FUNCTION set_changed() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN NEW.changed := now(); RETURN NEW; END$$;
CREATE TRIGGER pets_changed BEFORE UPDATE ON pets FOR EACH ROW EXECUTE FUNCTION set_changed();

-- case: trigger that is made disabled
-- expect: pass trigger_added public.sessions.sessions_none
CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
BEGIN;
CREATE TRIGGER sessions_none BEFORE INSERT ON sessions FOR EACH ROW EXECUTE FUNCTION nothing();
ALTER TABLE sessions DISABLE TRIGGER sessions_none;
COMMIT;

-- case: trigger that fills a required column dropped
-- expect: block trigger_dropped public.items.items_sku
DROP TRIGGER items_sku ON items;

-- case: trigger that fills a required column disabled
-- expect: block trigger_dropped public.items.items_sku
ALTER TABLE items DISABLE TRIGGER items_sku;

-- case: trigger that writes an audit dropped
-- expect: data trigger_dropped public.orders.orders_note
DROP TRIGGER orders_note ON orders;

-- case: trigger that lets a view be written to dropped
-- expect: block trigger_dropped public.contacts.contacts_write
DROP TRIGGER contacts_write ON contacts;

-- case: trigger runs at another moment
-- expect: block trigger_changed public.items.items_sku
CREATE OR REPLACE TRIGGER items_sku BEFORE UPDATE ON items FOR EACH ROW EXECUTE FUNCTION fill_sku();

-- case: function of a trigger does something else
-- expect: data function_behaviour public.fill_sku()
CREATE OR REPLACE FUNCTION fill_sku() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NEW; END$$;

-- case: rule that drops writes
-- expect: block rule_added public.sessions.nothing
CREATE RULE nothing AS ON INSERT TO sessions DO INSTEAD NOTHING;

-- case: rule that writes somewhere else as well
-- expect: block rule_added public.sessions.noted
CREATE RULE noted AS ON UPDATE TO sessions DO ALSO INSERT INTO audit (id, what) VALUES ('x'::text::integer, 'session');
-- old:
UPDATE sessions SET ends = '2026-03-03';

-- case: cast that is applied by itself
-- expect: block cast_added cast (pg_catalog.uuid AS pg_catalog.text)
-- by: superuser
-- old:
SELECT length('id ' || token) FROM sessions;
-- change:
CREATE CAST (uuid AS text) WITH INOUT AS IMPLICIT;

-- case: cast that is applied where something is assigned
-- expect: data operator_added cast (pg_catalog.uuid AS pg_catalog.jsonb)
-- by: superuser
CREATE FUNCTION as_json(uuid) RETURNS jsonb LANGUAGE sql IMMUTABLE AS 'SELECT to_jsonb($1)';
CREATE CAST (uuid AS jsonb) WITH FUNCTION as_json(uuid) AS ASSIGNMENT;

-- case: operator dropped
-- expect: block unclassified operator public.=~=(pg_catalog.text,pg_catalog.text)
-- setup:
CREATE OPERATOR =~= (LEFTARG = text, RIGHTARG = text, PROCEDURE = starts_with);
-- old:
SELECT 'abc' =~= 'a';
-- change:
DROP OPERATOR =~= (text, text);

-- case: text search configuration dropped
-- expect: block unclassified text search configuration public.plain
-- setup:
CREATE TEXT SEARCH CONFIGURATION plain (COPY = simple);
-- old:
SELECT to_tsvector('plain', 'a b');
-- change:
DROP TEXT SEARCH CONFIGURATION plain;

-- case: text search configuration and collation added
-- expect: pass other_added collation public.german
CREATE TEXT SEARCH CONFIGURATION plain (COPY = simple);
CREATE COLLATION german (provider = icu, locale = 'de');

-- case: extension dropped
-- expect: block extension_dropped pg_trgm
-- by: superuser
DROP EXTENSION pg_trgm;

-- case: extension moved
-- expect: block extension_moved pg_trgm
-- by: superuser
CREATE SCHEMA extensions;
ALTER EXTENSION pg_trgm SET SCHEMA extensions;

-- case: extension added
-- expect: pass extension_added pgcrypto
-- by: superuser
CREATE EXTENSION pgcrypto;

-- case: event trigger that watches changes of the schema
-- expect: data event_trigger_added no_ddl
-- by: superuser
CREATE FUNCTION no_ddl() RETURNS event_trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'no changes'; END$$;
CREATE EVENT TRIGGER no_ddl ON ddl_command_start EXECUTE FUNCTION no_ddl();

-- case: function takes a wider type
-- expect: data function_widened public.half(integer)
-- setup:
CREATE FUNCTION half(n integer) RETURNS integer LANGUAGE sql AS 'SELECT n / 2';
-- old:
SELECT half(4);
-- change:
DROP FUNCTION half(integer);
CREATE FUNCTION half(n bigint) RETURNS integer LANGUAGE sql AS 'SELECT (n / 2)::integer';

-- case: function takes text instead of varchar
-- expect: warn function_extended public.shout(character varying)
-- setup:
CREATE FUNCTION shout(t varchar) RETURNS text LANGUAGE sql AS 'SELECT upper(t)';
-- old:
SELECT shout('a'), shout(name) FROM users WHERE id = 1;
-- change:
DROP FUNCTION shout(varchar);
CREATE FUNCTION shout(t text) RETURNS text LANGUAGE sql AS 'SELECT upper(t)';

-- case: function returns a wider type
-- expect: data type_enlarged public.half(integer)
-- setup:
CREATE FUNCTION half(n integer) RETURNS integer LANGUAGE sql AS 'SELECT n / 2';
-- old:
SELECT half(4);
-- change:
DROP FUNCTION half(integer);
CREATE FUNCTION half(n integer) RETURNS bigint LANGUAGE sql AS 'SELECT n::bigint / 2';

-- case: overload in another schema on the search path
-- expect: block overload_added corpus_app.day(timestamp without time zone)
-- by: superuser
-- setup:
CREATE FUNCTION day(of date) RETURNS text LANGUAGE sql AS $$SELECT to_char(of, 'DD')$$;
-- old:
SELECT day('2026-01-01');
-- change:
CREATE SCHEMA corpus_app AUTHORIZATION corpus_app;
CREATE FUNCTION corpus_app.day(of timestamp) RETURNS text LANGUAGE sql AS $$SELECT to_char(of, 'DD')$$;

-- case: overload in a schema that is not on the search path
-- expect: pass function_added billing.tax(integer)
CREATE FUNCTION billing.tax(amount integer) RETURNS integer LANGUAGE sql AS 'SELECT amount';

-- case: trigger dropped with its function
-- expect: data trigger_dropped public.orders.orders_note
DROP FUNCTION note_order() CASCADE;

-- case: function of a trigger renamed
-- expect: pass function_renamed public.note_order()
ALTER FUNCTION note_order() RENAME TO note_an_order;

-- case: column named like an argument of a function that reads the table
-- expect: data name_ambiguous public.orders.wanted
-- setup:
CREATE FUNCTION orders_of(wanted integer) RETURNS bigint LANGUAGE plpgsql AS 'BEGIN RETURN (SELECT count(*) FROM orders WHERE user_id = wanted); END';
-- old:
SELECT orders_of(1);
-- change:
ALTER TABLE orders ADD COLUMN wanted integer;

-- case: constraint trigger added
-- expect: block trigger_added public.sessions.sessions_late
-- old:
UPDATE sessions SET ends = NULL;
-- change:
CREATE FUNCTION no_end() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN IF NEW.ends IS NULL THEN RAISE 'no end'; END IF; RETURN NULL; END$$;
CREATE CONSTRAINT TRIGGER sessions_late AFTER UPDATE ON sessions DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION no_end();

-- case: function made anew, and may be executed by nobody else
-- expect: block privilege_revoked public.greet(text)
DROP FUNCTION greet(text);
CREATE FUNCTION greet(who text) RETURNS text LANGUAGE sql AS $$SELECT 'Hello ' || who$$;
REVOKE ALL ON FUNCTION greet(text) FROM PUBLIC;
