-- case: check between nullable columns that are new
-- expect: warn row_shape app.projects
ALTER TABLE app.projects ADD starts date, ADD ends date, ADD CONSTRAINT projects_dates CHECK (ends >= starts);

-- case: not null column with a default that a function gives
-- expect: lock table_rewritten app.activity_2026
ALTER TABLE app.activity ADD trace uuid NOT NULL DEFAULT gen_random_uuid();

-- case: not null column with a stable default
-- expect: data name_ambiguous app.projects.updated_at
ALTER TABLE app.projects ADD created_at timestamptz NOT NULL DEFAULT now(), ADD updated_at timestamptz DEFAULT CURRENT_TIMESTAMP NOT NULL;

-- case: not null column as Rails adds one with a default
-- expect: data name_ambiguous app.projects.lock_version
ALTER TABLE "app"."projects" ADD "lock_version" integer DEFAULT 0 NOT NULL;

-- case: not null column as Django adds one
-- note: Django drops the default that filled the rows.
-- expect: block column_required app.projects.color
ALTER TABLE "app"."projects" ADD COLUMN "color" varchar(7) DEFAULT '#fff' NOT NULL;
ALTER TABLE "app"."projects" ALTER COLUMN "color" DROP DEFAULT;

-- case: not null column in three steps
-- expect: warn row_shape app.projects
ALTER TABLE app.projects ADD region text;
ALTER TABLE app.projects ALTER region SET DEFAULT 'eu';
UPDATE app.projects SET region = 'eu';
ALTER TABLE app.projects ADD CONSTRAINT projects_region CHECK (region IS NOT NULL) NOT VALID;
ALTER TABLE app.projects VALIDATE CONSTRAINT projects_region;
ALTER TABLE app.projects ALTER region SET NOT NULL;
ALTER TABLE app.projects DROP CONSTRAINT projects_region;

-- case: foreign key column added, with its index
-- expect: warn row_shape app.projects
CREATE TABLE app.teams (tenant_id uuid NOT NULL, id bigint GENERATED ALWAYS AS IDENTITY, PRIMARY KEY (tenant_id, id));
ALTER TABLE app.projects ADD team_id bigint;
ALTER TABLE app.projects ADD CONSTRAINT projects_team FOREIGN KEY (tenant_id, team_id) REFERENCES app.teams NOT VALID;
ALTER TABLE app.projects VALIDATE CONSTRAINT projects_team;
CREATE INDEX projects_team ON app.projects (team_id);

-- case: foreign key column with a default that is not there yet
-- expect: data foreign_key_added app.tenants.tenants_region_fkey
CREATE TABLE app.regions (id integer PRIMARY KEY);
ALTER TABLE app.tenants ADD region integer DEFAULT 1;
ALTER TABLE app.tenants ADD FOREIGN KEY (region) REFERENCES app.regions NOT VALID;

-- case: foreign key column with a default that is there
-- expect: data foreign_key_added app.tenants.tenants_region_fkey
CREATE TABLE app.regions (id integer PRIMARY KEY);
INSERT INTO app.regions VALUES (1);
ALTER TABLE app.tenants ADD region integer DEFAULT 1 REFERENCES app.regions;

-- case: unique column added with a constant default
-- expect: block unique_added app.notes.notes_slot
ALTER TABLE app.notes ADD slot integer DEFAULT 1;
UPDATE app.notes SET slot = id;
CREATE UNIQUE INDEX notes_slot ON ONLY app.notes (slot);
-- old
INSERT INTO app.notes (id) VALUES (101), (102);

-- case: unique column added that is filled at random
-- expect: warn row_shape app.statuses
ALTER TABLE app.statuses ADD public_id uuid NOT NULL DEFAULT gen_random_uuid();
CREATE UNIQUE INDEX statuses_public ON app.statuses (public_id);

-- case: unique column added that old rows leave empty
-- expect: warn row_shape app.tenants
ALTER TABLE app.tenants ADD domain text UNIQUE;

-- case: unique column added that may be empty only once
-- expect: block unique_added app.jobs.jobs_dedup
ALTER TABLE app.jobs ADD dedup text;
UPDATE app.jobs SET dedup = id;
CREATE UNIQUE INDEX jobs_dedup ON app.jobs (dedup) NULLS NOT DISTINCT;
-- old
INSERT INTO app.jobs (payload) VALUES ('{}'), ('{}');

-- case: generated column becomes a plain one
-- expect: block generated_dropped app.projects.search
ALTER TABLE app.projects ALTER search DROP EXPRESSION;
-- old
INSERT INTO app.projects (tenant_id, name) VALUES ('10000000-0000-0000-0000-000000000000', 'Delta') RETURNING search;

-- case: plain column becomes a generated one
-- expect: block column_recreated app.accounts.handle
ALTER TABLE app.accounts DROP handle, ADD handle app.handle GENERATED ALWAYS AS (split_part(email, '@', 1)) STORED;

-- case: generated column that fails for values of the old version
-- expect: data generated_expression app.jobs.mail
ALTER TABLE app.jobs ADD mail integer GENERATED ALWAYS AS ((payload ->> 'n')::integer) STORED;
-- old
INSERT INTO app.jobs (payload) VALUES ('{"n": "many"}');

-- case: generated column that cannot fail
-- expect: warn row_shape app.notes_archive
ALTER TABLE app.notes_archive ADD has_body boolean GENERATED ALWAYS AS (body IS NOT NULL) STORED;

-- case: default of a domain that a column takes
-- expect: warn default_changed app.handle
ALTER DOMAIN app.handle SET DEFAULT 'nobody';

-- case: domain no longer takes null
-- expect: block domain_tightened app.handle
UPDATE app.accounts SET handle = 'x' WHERE handle IS NULL;
ALTER DOMAIN app.handle SET NOT NULL;

-- case: domain loses its check
-- expect: data constraint_dropped app.cents.cents_check
ALTER DOMAIN app.cents DROP CONSTRAINT cents_check;

-- case: domain renamed
-- expect: block type_renamed app.labels
ALTER DOMAIN app.labels RENAME TO tags;
-- old
SELECT '{a}'::app.labels;

-- case: domain moved to another schema
-- expect: block type_renamed app.cents
ALTER DOMAIN app.cents SET SCHEMA util;
-- old
SELECT 5::app.cents;

-- case: column moved from a domain to its type
-- expect: data type_changed app.plans.price
ALTER TABLE app.plans ALTER price TYPE bigint;

-- case: column moved from a type to a domain that checks
-- expect: block type_changed app.jobs.worker
CREATE DOMAIN app.short AS text CHECK (length(VALUE) < 8);
ALTER TABLE app.jobs ALTER worker TYPE app.short;
-- old
UPDATE app.jobs SET worker = 'worker-1234';

-- case: enum extended at its end
-- expect: data enum_value_added app.priority
ALTER TYPE app.priority ADD VALUE 'urgent';

-- case: enum extended at its beginning
-- expect: data enum_value_added app.priority
ALTER TYPE app.priority ADD VALUE 'none' BEFORE 'low';

-- case: enum made anew in another order
-- expect: data enum_order app.priority
ALTER TABLE app.projects ALTER priority DROP DEFAULT;
ALTER TYPE app.priority RENAME TO priority_old;
CREATE TYPE app.priority AS ENUM ('high', 'mid', 'low');
ALTER TABLE app.projects ALTER priority TYPE app.priority USING priority::text::app.priority;
ALTER TABLE app.projects ALTER priority SET DEFAULT 'mid';
DROP TYPE app.priority_old;

-- case: enum made anew without a value, as Prisma does it
-- expect: block enum_value_dropped app.priority
CREATE TYPE app."priority_new" AS ENUM ('low', 'high');
UPDATE app.projects SET priority = 'low' WHERE priority = 'mid';
ALTER TABLE app.projects ALTER COLUMN "priority" DROP DEFAULT;
ALTER TABLE app.projects ALTER COLUMN "priority" TYPE app."priority_new" USING ("priority"::text::app."priority_new");
ALTER TYPE app."priority" RENAME TO "priority_old";
ALTER TYPE app."priority_new" RENAME TO "priority";
DROP TYPE app."priority_old";
ALTER TABLE app.projects ALTER COLUMN "priority" SET DEFAULT 'low';

-- case: composite inside of a composite gains a part
-- expect: block field_added app.geo.height
ALTER TYPE app.geo ADD ATTRIBUTE height double precision;

-- case: composite inside of a composite changes a type
-- expect: block column_recreated app.accounts.lives
ALTER TABLE app.accounts DROP lives;
DROP CAST (app.geo AS text);
DROP FUNCTION util.of_geo(app.geo);
ALTER TYPE app.geo ALTER ATTRIBUTE lat TYPE text;
ALTER TABLE app.accounts ADD lives app.address;

-- case: json becomes jsonb
-- expect: block type_changed app.activity.data
ALTER TABLE app.activity ALTER data TYPE jsonb;
-- old
INSERT INTO app.activity (tenant, kind, data) VALUES (9, 'k', '{"b": 1,  "a": 2}') RETURNING data;

-- case: jsonb becomes json
-- expect: block type_changed app.tenants.settings
ALTER TABLE app.tenants ALTER settings DROP DEFAULT, ALTER settings TYPE json, ALTER settings SET DEFAULT '{}';

-- case: text becomes citext
-- expect: block type_changed app.jobs.worker
ALTER TABLE app.jobs ALTER worker TYPE citext;
-- old
SELECT count(*) FROM app.jobs WHERE coalesce(worker, 'Smith') = 'smith';

-- case: case-insensitive text becomes text
-- expect: block type_changed app.tenants.slug
ALTER TABLE app.tenants ALTER slug TYPE text;

-- case: timestamp becomes one with a time zone
-- expect: block type_changed app.jobs.run_at
ALTER TABLE app.jobs ALTER run_at TYPE timestamptz USING run_at AT TIME ZONE 'UTC';

-- case: integers of a table with an identity made big
-- expect: data type_enlarged app.bookings.id
ALTER TABLE app.bookings ALTER id TYPE bigint, ALTER room TYPE bigint;

-- case: numeric without limits
-- expect: data type_enlarged app.projects.budget
ALTER TABLE app.projects ALTER budget TYPE numeric;
-- old
INSERT INTO app.projects (tenant_id, name, budget) VALUES ('10000000-0000-0000-0000-000000000000', 'x', 1.239) RETURNING budget;

-- case: numeric with more digits of the same scale
-- expect: data type_enlarged app.projects.budget
ALTER TABLE app.projects ALTER budget TYPE numeric(18,2);

-- case: real becomes double precision
-- expect: data type_enlarged app.members.rate
ALTER TABLE app.members ALTER rate TYPE double precision;
-- old
INSERT INTO app.members (tenant_id, project_id, account_id, rate) VALUES ('10000000-0000-0000-0000-000000000000', 2, 1, 0.1) RETURNING rate;

-- case: array of strings becomes a json list
-- expect: block type_changed app.bookings.price
ALTER TABLE app.bookings ALTER price TYPE jsonb USING to_jsonb(price);

-- case: identity generated always from now on
-- expect: block identity_always app.accounts.id
ALTER TABLE app.accounts ALTER id SET GENERATED ALWAYS;
-- old
INSERT INTO app.accounts (tenant_id, id, email) VALUES ('20000000-0000-0000-0000-000000000000', 77, 'x@y');

-- case: identity that may be given from now on
-- expect: warn default_changed app.bookings.id
ALTER TABLE app.bookings ALTER id SET GENERATED BY DEFAULT;

-- case: serial turned into an identity
-- expect: warn default_changed app.jobs.id
ALTER TABLE app.jobs ALTER id DROP DEFAULT;
DROP SEQUENCE app.jobs_id_seq;
ALTER TABLE app.jobs ALTER id ADD GENERATED BY DEFAULT AS IDENTITY;
SELECT setval('app.jobs_id_seq', 2);

-- case: serial turned into an identity that begins at one again
-- expect: block sequence_reset app.jobs_id_seq
ALTER TABLE app.jobs ALTER id DROP DEFAULT;
DROP SEQUENCE app.jobs_id_seq;
ALTER TABLE app.jobs ALTER id ADD GENERATED BY DEFAULT AS IDENTITY;

-- case: identity dropped for a default of uuids
-- expect: block default_dropped app.bookings.id
ALTER TABLE app.bookings ALTER id DROP IDENTITY;

-- case: storage, statistics and options of columns
-- expect: pass storage_changed storage of column app.files.body
ALTER TABLE app.files ALTER body SET STORAGE EXTERNAL, ALTER path SET STATISTICS 500, ALTER tenant SET (n_distinct = -0.5);
ALTER TABLE app.jobs SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01);
ALTER TABLE app.files ALTER body SET COMPRESSION pglz;

-- case: column renamed with the old name generated from the new one
-- expect: block column_renamed app.members.rate
ALTER TABLE app.members RENAME rate TO hourly;
ALTER TABLE app.members ADD rate real GENERATED ALWAYS AS (hourly) STORED;
-- old
UPDATE app.members SET rate = 3;

-- case: column renamed behind a view of the table's old name
-- expect: block column_renamed app.notes.body
ALTER TABLE app.notes RENAME TO remarks;
ALTER TABLE app.remarks RENAME body TO content;
CREATE VIEW app.notes AS SELECT id, content AS body, author FROM app.remarks;
GRANT SELECT, INSERT, UPDATE, DELETE ON app.notes TO corpus_app;

-- case: collation of a column
-- expect: data collation_changed app.notes.author
ALTER TABLE app.notes ALTER author TYPE text COLLATE "default";

-- case: default set on a column that the old version leaves out
-- expect: warn default_changed app.projects.budget
ALTER TABLE app.projects ALTER budget SET DEFAULT 0;

-- case: default of an empty list lost
-- expect: block default_dropped app.projects.labels
ALTER TABLE app.projects ALTER labels DROP DEFAULT;

-- case: columns appended for soft deletes
-- expect: data name_ambiguous app.projects.deleted_at
ALTER TABLE app.projects ADD deleted_at timestamptz, ADD deleted_by bigint;
CREATE INDEX projects_deleted ON app.projects (deleted_at) WHERE deleted_at IS NOT NULL;

-- case: unique index made to ignore deleted rows
-- expect: block unique_changed app.projects.projects_name
ALTER TABLE app.projects ADD deleted_at timestamptz;
DROP INDEX app.projects_name;
CREATE UNIQUE INDEX projects_name ON app.projects (tenant_id, name) WHERE deleted_at IS NULL;

-- case: deletes turned into marks by a rule
-- expect: block rule_added app.jobs.soft
ALTER TABLE app.jobs ADD deleted_at timestamptz;
CREATE RULE soft AS ON DELETE TO app.jobs DO INSTEAD UPDATE app.jobs SET deleted_at = now() WHERE id = OLD.id;
