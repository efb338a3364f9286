-- A schema with something of every kind, made by a superuser and by :owner for :app.
CREATE EXTENSION hstore;
CREATE EXTENSION postgres_fdw;
CREATE EXTENSION btree_gist;
GRANT ALL ON FOREIGN DATA WRAPPER postgres_fdw TO :owner;
REVOKE EXECUTE ON FUNCTION akeys(hstore) FROM PUBLIC;
GRANT SELECT ON pg_catalog.pg_authid TO :app;

SET ROLE :owner;
CREATE SCHEMA "My Schema";
GRANT USAGE ON SCHEMA "My Schema" TO :app;
COMMENT ON SCHEMA "My Schema" IS 'with a space';

CREATE COLLATION german (provider = libc, locale = 'C');
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE DOMAIN email AS varchar(200) DEFAULT 'nobody@example.com' CONSTRAINT at CHECK (VALUE ~ '@') CONSTRAINT listed CHECK (VALUE NOT IN ('a@', 'b@'));
CREATE TYPE address AS (street text COLLATE german, number integer);
CREATE TYPE span AS RANGE (subtype = float8, subtype_diff = float8mi);
COMMENT ON TYPE mood IS 'how it goes';
GRANT USAGE ON TYPE mood TO :app;

CREATE FUNCTION price(amount numeric, rate numeric DEFAULT 1.2, VARIADIC more text[] DEFAULT '{}') RETURNS numeric LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS 'SELECT amount * rate';
CREATE FUNCTION price(amount integer) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT amount';
CREATE FUNCTION dice() RETURNS integer LANGUAGE sql VOLATILE AS 'SELECT 4';
CREATE FUNCTION listed() RETURNS TABLE (name text, size bigint) LANGUAGE sql STABLE ROWS 7 COST 50 SET work_mem = '1MB' AS 'SELECT ''a'', 1::bigint';
CREATE PROCEDURE tidy(INOUT done integer) LANGUAGE plpgsql SECURITY DEFINER AS 'BEGIN done := 1; END';
CREATE AGGREGATE longest(text) (SFUNC = textcat, STYPE = text, INITCOND = '');
CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
GRANT EXECUTE ON FUNCTION dice() TO :app;
REVOKE EXECUTE ON FUNCTION dice() FROM PUBLIC;
COMMENT ON FUNCTION dice() IS 'fair';
CREATE OPERATOR === (LEFTARG = integer, RIGHTARG = integer, FUNCTION = int4eq, COMMUTATOR = ===, HASHES);
CREATE CAST (text AS address) WITH INOUT AS ASSIGNMENT;
CREATE CONVERSION mine FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8;
CREATE TEXT SEARCH DICTIONARY plain (TEMPLATE = simple);
CREATE TEXT SEARCH CONFIGURATION words (PARSER = default);
ALTER TEXT SEARCH CONFIGURATION words ADD MAPPING FOR asciiword WITH plain;

CREATE SEQUENCE counter AS bigint START 5 INCREMENT 2 MINVALUE 1 MAXVALUE 1000 CYCLE;
CREATE TABLE plans (id integer PRIMARY KEY, name text UNIQUE DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE users (
    gone integer,
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    "order" varchar(10) NOT NULL DEFAULT 'x' CHECK ("order" IN ('x', 'y')),
    name text COLLATE german DEFAULT lower('ABC'),
    mail email,
    plan integer REFERENCES plans ON UPDATE CASCADE ON DELETE SET NULL,
    mood mood DEFAULT 'ok',
    home address,
    rolled integer DEFAULT dice(),
    width integer DEFAULT 3,
    doubled integer GENERATED ALWAYS AS (width * 2) STORED,
    room integer, during tsrange,
    EXCLUDE USING gist (room WITH =, during WITH &&)
) WITH (fillfactor = 80);
ALTER TABLE users DROP COLUMN gone;
ALTER TABLE users ADD COLUMN late integer DEFAULT 7;
ALTER TABLE users ALTER COLUMN name SET STORAGE EXTERNAL, ALTER COLUMN name SET STATISTICS 50;
ALTER SEQUENCE counter OWNED BY users.width;
COMMENT ON TABLE users IS 'people';
COMMENT ON COLUMN users.name IS 'as told';
GRANT SELECT, INSERT ON users TO :app WITH GRANT OPTION;
GRANT UPDATE (name) ON users TO :app;
GRANT USAGE ON SEQUENCE counter TO :app;
CREATE INDEX users_lower ON users (lower(name), width DESC) INCLUDE (room) WHERE "order" IN ('x', 'y');
CREATE UNIQUE INDEX users_mail ON users (mail);
CREATE STATISTICS users_stats ON width, room FROM users;
CREATE TRIGGER users_stamp BEFORE INSERT OR UPDATE OF name ON users FOR EACH ROW WHEN (NEW.width > 1) EXECUTE FUNCTION stamp();
CREATE CONSTRAINT TRIGGER users_late AFTER INSERT ON users DEFERRABLE FOR EACH ROW EXECUTE FUNCTION stamp();
ALTER TABLE users DISABLE TRIGGER users_stamp;
CREATE RULE users_quiet AS ON DELETE TO users WHERE OLD.width = 99 DO INSTEAD NOTHING;
ALTER TABLE users ENABLE ROW LEVEL SECURITY;
ALTER TABLE users FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON users AS RESTRICTIVE FOR UPDATE TO :app USING (name = current_user) WITH CHECK (width > 0);
ALTER TABLE users REPLICA IDENTITY USING INDEX users_pkey;
CREATE TABLE children (age integer) INHERITS (users);
ALTER TABLE users ADD CONSTRAINT positive CHECK (width > 0) NOT VALID;
CREATE TYPE rowlike AS (a integer, b text);
CREATE TABLE typed OF rowlike;
CREATE UNLOGGED TABLE "My Schema"."Odd ""name""" ("a.b" integer);

CREATE TABLE events (id integer NOT NULL, at date NOT NULL, plan integer REFERENCES plans, CHECK (id > 0)) PARTITION BY RANGE (at);
CREATE TABLE events_old PARTITION OF events FOR VALUES FROM (MINVALUE) TO ('2026-01-01') PARTITION BY LIST (id);
CREATE TABLE events_old_odd PARTITION OF events_old FOR VALUES IN (1, 3);
CREATE TABLE events_rest PARTITION OF events DEFAULT;
CREATE UNIQUE INDEX events_key ON events (id, at);
CREATE TABLE notes (id integer, at date, FOREIGN KEY (id, at) REFERENCES events (id, at));
CREATE TRIGGER events_stamp AFTER INSERT ON events FOR EACH ROW EXECUTE FUNCTION stamp();

CREATE VIEW adults WITH (security_barrier = true, check_option = local) AS SELECT id, name, "order" FROM users WHERE "order" IN ('x', 'y');
CREATE VIEW totals AS SELECT count(*) AS number, mood FROM users GROUP BY mood;
CREATE TRIGGER totals_stamp INSTEAD OF INSERT ON totals FOR EACH ROW EXECUTE FUNCTION stamp();
CREATE MATERIALIZED VIEW summary AS SELECT name, count(*) AS number FROM plans GROUP BY name;
CREATE UNIQUE INDEX summary_name ON summary (name);
COMMENT ON VIEW totals IS 'summed';
COMMENT ON INDEX users_lower IS 'for the search';
COMMENT ON CONSTRAINT positive ON users IS 'soon';

CREATE SERVER other FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', dbname 'other');
CREATE USER MAPPING FOR :app SERVER other OPTIONS (user 'me', password 'mapped-secret');
CREATE FOREIGN TABLE remote (a integer OPTIONS (column_name 'b')) SERVER other OPTIONS (table_name 'far');
CREATE PUBLICATION changes FOR TABLE plans, notes WITH (publish = 'insert, update');
ALTER DEFAULT PRIVILEGES IN SCHEMA "My Schema" GRANT SELECT ON TABLES TO :app;
RESET ROLE;

CREATE FUNCTION watched() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
CREATE EVENT TRIGGER watch ON ddl_command_end WHEN TAG IN ('DROP SCHEMA') EXECUTE FUNCTION watched();
CREATE OPERATOR FAMILY numbers USING btree;
CREATE OPERATOR CLASS backwards FOR TYPE integer USING btree FAMILY numbers AS OPERATOR 1 >, OPERATOR 2 >=, OPERATOR 3 =, OPERATOR 4 <=, OPERATOR 5 <, FUNCTION 1 btint4cmp(integer, integer);
CREATE ACCESS METHOD pile TYPE TABLE HANDLER heap_tableam_handler;
CREATE FUNCTION handler() RETURNS language_handler LANGUAGE c AS '$libdir/plpgsql', 'plpgsql_call_handler';
CREATE LANGUAGE plother HANDLER handler;
CREATE FUNCTION to_sql(internal) RETURNS internal LANGUAGE internal AS 'textin';
CREATE TEXT SEARCH TEMPLATE bare (LEXIZE = dsimple_lexize, INIT = dsimple_init);
CREATE TEXT SEARCH PARSER split (START = prsd_start, GETTOKEN = prsd_nexttoken, END = prsd_end, LEXTYPES = prsd_lextype);
CREATE TYPE shell;
CREATE FUNCTION base_in(cstring) RETURNS shell LANGUAGE internal IMMUTABLE STRICT AS 'textin';
CREATE FUNCTION base_out(shell) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'textout';
CREATE TYPE shell (INPUT = base_in, OUTPUT = base_out, LIKE = text);
