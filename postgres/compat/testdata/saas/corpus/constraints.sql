-- case: partial unique index with a wider condition
-- expect: block unique_changed app.accounts.accounts_email
DROP INDEX app.accounts_email;
CREATE UNIQUE INDEX accounts_email ON app.accounts (tenant_id, lower(email));
-- old
INSERT INTO app.accounts (tenant_id, email) VALUES ('10000000-0000-0000-0000-000000000000', 'gone@acme.test');

-- case: partial unique index with a narrower condition
-- expect: block unique_changed app.jobs.jobs_unique
DROP INDEX app.jobs_unique;
CREATE UNIQUE INDEX jobs_unique ON app.jobs (unique_key) WHERE state < 1;

-- case: unique index made anew under another name
-- expect: pass index_renamed app.accounts.accounts_email
CREATE UNIQUE INDEX accounts_email2 ON app.accounts (tenant_id, lower(email)) WHERE deleted_at IS NULL;
DROP INDEX app.accounts_email;

-- case: unique index renamed that nobody can name
-- expect: pass index_renamed app.jobs.jobs_unique
ALTER INDEX app.jobs_unique RENAME TO ux_jobs_unique_key;

-- case: unique index gains a covered column
-- expect: pass index_changed app.projects.projects_name
CREATE UNIQUE INDEX projects_name2 ON app.projects (tenant_id, name) INCLUDE (archived, position);
DROP INDEX app.projects_name;
ALTER INDEX app.projects_name2 RENAME TO projects_name;

-- case: unique index on the expression without lower
-- expect: block unique_changed app.accounts.accounts_email
DROP INDEX app.accounts_email;
CREATE UNIQUE INDEX accounts_email ON app.accounts (tenant_id, email) WHERE deleted_at IS NULL;

-- case: unique index in another collation
-- expect: block unique_changed app.projects.projects_name
DROP INDEX app.projects_name;
CREATE UNIQUE INDEX projects_name ON app.projects (tenant_id, name COLLATE app.nocase) INCLUDE (archived);
-- old
INSERT INTO app.projects (tenant_id, name) VALUES ('10000000-0000-0000-0000-000000000000', 'apollo');

-- case: two unique indexes on the same columns
-- expect: pass index_added app.tenants.tenants_slug_again
CREATE UNIQUE INDEX tenants_slug_again ON app.tenants (slug);

-- case: unique index that a stronger one implies
-- expect: pass index_added app.accounts.accounts_id_email
CREATE UNIQUE INDEX accounts_id_email ON app.accounts (tenant_id, id, email);

-- case: unique index over deleted rows only
-- expect: block unique_added app.accounts.accounts_gone
CREATE UNIQUE INDEX accounts_gone ON app.accounts (tenant_id) WHERE deleted_at IS NOT NULL;
-- old
UPDATE app.accounts SET deleted_at = now() WHERE email = 'Ann@acme.test';

-- case: key gains a column
-- expect: block unique_changed app.members.members_pkey
ALTER TABLE app.members ADD since date NOT NULL DEFAULT '2026-01-01';
ALTER TABLE app.members DROP CONSTRAINT members_pkey, ADD PRIMARY KEY (tenant_id, project_id, account_id, since);

-- case: key loses a column
-- expect: block unique_changed app.members.members_pkey
ALTER TABLE app.members DROP CONSTRAINT members_pkey, ADD PRIMARY KEY (project_id, account_id);

-- case: columns of a key in another order
-- expect: warn unique_reordered app.members.members_pkey
ALTER TABLE app.members DROP CONSTRAINT members_pkey, ADD PRIMARY KEY (account_id, project_id, tenant_id);

-- case: key made of an index that was built before
-- expect: block not_null_set app.log.line
CREATE UNIQUE INDEX log_line ON app.log (line);
ALTER TABLE app.log ALTER line SET NOT NULL;
ALTER TABLE app.log ADD PRIMARY KEY USING INDEX log_line;
-- old
INSERT INTO app.log (line) VALUES (NULL);

-- case: key added to a table that has none
-- expect: warn row_shape app.log
ALTER TABLE app.log ADD id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY;

-- case: key added to a large table that has none
-- expect: lock table_rewritten app.activity_2026
ALTER TABLE app.activity ADD id bigserial;
ALTER TABLE app.activity ADD PRIMARY KEY (id, at);

-- case: nulls distinct again
-- expect: data unique_loosened app.projects.projects_key
ALTER TABLE app.projects DROP CONSTRAINT projects_key;
ALTER TABLE app.projects ADD CONSTRAINT projects_key UNIQUE (tenant_id, key) DEFERRABLE;

-- case: unique constraint no longer deferrable
-- expect: block constraint_not_deferred app.projects.projects_key
ALTER TABLE app.projects DROP CONSTRAINT projects_key;
ALTER TABLE app.projects ADD CONSTRAINT projects_key UNIQUE NULLS NOT DISTINCT (tenant_id, key);

-- case: unique constraint that a conflict names becomes deferrable
-- expect: block constraint_deferrable app.tenants.tenants_slug_key
ALTER TABLE app.tenants DROP CONSTRAINT tenants_slug_key, ADD CONSTRAINT tenants_slug_key UNIQUE (slug) DEFERRABLE;

-- case: exclusion constraint renamed
-- expect: block constraint_renamed app.bookings.bookings_overlap
ALTER TABLE app.bookings RENAME CONSTRAINT bookings_overlap TO bookings_no_overlap;

-- case: exclusion constraint with closed ends
-- expect: block unique_changed app.bookings.bookings_overlap
ALTER TABLE app.bookings DROP CONSTRAINT bookings_overlap;
ALTER TABLE app.bookings ADD CONSTRAINT bookings_overlap EXCLUDE USING gist (room WITH =, tsrange(lower(during), upper(during), '[]') WITH &&);

-- case: exclusion constraint over all rooms
-- expect: block unique_added app.bookings.bookings_one
ALTER TABLE app.bookings ADD CONSTRAINT bookings_one EXCLUDE USING gist (during WITH &&);

-- case: exclusion constraint dropped
-- expect: block unique_dropped app.bookings.bookings_overlap
ALTER TABLE app.bookings DROP CONSTRAINT bookings_overlap;

-- case: foreign key deferred
-- expect: data constraint_deferrable app.tenants.tenants_plan_fkey
ALTER TABLE app.tenants ALTER CONSTRAINT tenants_plan_fkey DEFERRABLE INITIALLY DEFERRED;

-- case: foreign key renamed
-- expect: warn constraint_renamed app.projects.projects_owner
ALTER TABLE app.projects RENAME CONSTRAINT projects_owner TO fk_projects_owner;

-- case: foreign key no longer sets one column only
-- expect: block foreign_key_action app.projects.projects_owner
ALTER TABLE app.projects DROP CONSTRAINT projects_owner;
ALTER TABLE app.projects ADD CONSTRAINT projects_owner FOREIGN KEY (tenant_id, owner_id) REFERENCES app.accounts ON DELETE SET NULL;
-- setup
DELETE FROM app.members;
-- old
DELETE FROM app.accounts WHERE id = 1;

-- case: foreign key from set null to restrict
-- expect: block foreign_key_action app.projects.projects_owner
ALTER TABLE app.projects DROP CONSTRAINT projects_owner;
ALTER TABLE app.projects ADD CONSTRAINT projects_owner FOREIGN KEY (tenant_id, owner_id) REFERENCES app.accounts ON DELETE RESTRICT;
-- setup
DELETE FROM app.members;
-- old
DELETE FROM app.accounts WHERE id = 1;

-- case: foreign key matches in full
-- expect: block foreign_key_changed app.projects.projects_owner
ALTER TABLE app.projects DROP CONSTRAINT projects_owner;
ALTER TABLE app.projects ADD CONSTRAINT projects_owner FOREIGN KEY (tenant_id, owner_id) REFERENCES app.accounts MATCH FULL ON DELETE CASCADE;

-- case: foreign key no longer updated with the key
-- expect: block foreign_key_action app.tenants.tenants_plan_fkey
ALTER TABLE app.tenants DROP CONSTRAINT tenants_plan_fkey, ADD CONSTRAINT tenants_plan_fkey FOREIGN KEY (plan) REFERENCES app.plans;
-- old
UPDATE app.plans SET code = 'gratis' WHERE code = 'free';

-- case: foreign key dropped
-- expect: data constraint_dropped app.accounts.accounts_status_id_fkey
ALTER TABLE app.accounts DROP CONSTRAINT accounts_status_id_fkey;

-- case: foreign key dropped and added again as not valid
-- expect: pass constraint_changed app.accounts.accounts_status_id_fkey
ALTER TABLE app.accounts DROP CONSTRAINT accounts_status_id_fkey;
ALTER TABLE app.accounts ADD CONSTRAINT accounts_status_id_fkey FOREIGN KEY (status_id) REFERENCES app.statuses NOT VALID;

-- case: foreign key from a new table
-- note: It holds rows of the old table in place only once it has rows of its own.
-- expect: data foreign_key_added app.comments.comments_note_id_fkey
CREATE TABLE app.comments (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, note_id integer NOT NULL REFERENCES app.notes ON DELETE CASCADE, body text);

-- case: foreign key from a new table that holds its parent
-- expect: data foreign_key_added app.attachments.attachments_job_id_fkey
CREATE TABLE app.attachments (id bigint PRIMARY KEY, job_id bigint REFERENCES app.jobs);
-- new
RESET ROLE;
INSERT INTO app.attachments SELECT id, id FROM app.jobs;

-- case: check loosened
-- expect: data check_loosened app.members.members_role_check
ALTER TABLE app.members DROP CONSTRAINT members_role_check;
ALTER TABLE app.members ADD CONSTRAINT members_role_check CHECK (role = ANY (ARRAY['viewer', 'editor', 'admin', 'guest'])) NOT VALID;
ALTER TABLE app.members VALIDATE CONSTRAINT members_role_check;

-- case: check tightened for new rows only
-- expect: block check_changed app.members.members_role_check
ALTER TABLE app.members DROP CONSTRAINT members_role_check;
ALTER TABLE app.members ADD CONSTRAINT members_role_check CHECK (role IN ('admin', 'editor')) NOT VALID;

-- case: check written in another way
-- expect: pass
ALTER TABLE app.members DROP CONSTRAINT members_role_check;
ALTER TABLE app.members ADD CONSTRAINT members_role_check CHECK (role IN ('viewer', 'editor', 'admin'));

-- case: check renamed
-- expect: warn constraint_renamed app.accounts.accounts_email_at
ALTER TABLE app.accounts RENAME CONSTRAINT accounts_email_at TO ck_accounts_email;

-- case: check that calls a function
-- expect: block check_added app.projects.projects_valid
CREATE FUNCTION util.valid(text) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$SELECT $1 !~ ' '$$;
ALTER TABLE app.projects ADD CONSTRAINT projects_valid CHECK (util.valid(name)) NOT VALID;
-- old
INSERT INTO app.projects (tenant_id, name) VALUES ('10000000-0000-0000-0000-000000000000', 'a b');

-- case: check on a new column together with an old one
-- expect: block check_added app.jobs.jobs_finished
ALTER TABLE app.jobs ADD finished_at timestamp, ADD CONSTRAINT jobs_finished CHECK (state <> 1 OR finished_at IS NOT NULL);

-- case: not null proven by a check
-- expect: block check_added app.projects.projects_owned
ALTER TABLE app.projects ADD CONSTRAINT projects_owned CHECK (owner_id IS NOT NULL) NOT VALID;

-- case: check that the domain of the column demands already
-- false block: What a domain demands is not looked for in a check.
-- expect: block check_added app.plans.plans_price
ALTER TABLE app.plans ADD CONSTRAINT plans_price CHECK (price >= 0);

-- case: check added to the parent only
-- expect: block check_added app.notes.notes_short
ALTER TABLE app.notes ADD CONSTRAINT notes_short CHECK (length(body) < 20) NO INHERIT;
-- old
UPDATE app.notes SET body = repeat('long ', 9);

-- case: constraint trigger that refuses at the end
-- expect: block trigger_added app.members.members_refuse
CREATE FUNCTION util.refuse() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'no'; END$$;
CREATE CONSTRAINT TRIGGER members_refuse AFTER INSERT ON app.members DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION util.refuse();

-- case: index of an operator class that does not take old values
-- expect: data index_too_long app.files.files_body
CREATE INDEX files_body ON app.files (body);
-- old
UPDATE app.files SET body = (SELECT string_agg(sha256(n::text::bytea), '') FROM generate_series(1, 400) n);

-- case: hash index and brin index
-- expect: pass index_added app.files.files_path
CREATE INDEX files_path ON app.files USING hash (path);
CREATE INDEX jobs_run ON app.jobs USING brin (run_at);

-- case: gin index on json
-- expect: pass index_added app.tenants.tenants_settings
CREATE INDEX tenants_settings ON app.tenants USING gin (settings jsonb_path_ops);

-- case: index on an expression that cannot fail
-- expect: pass index_added app.accounts.accounts_lower
CREATE INDEX accounts_lower ON app.accounts (lower(email) text_pattern_ops);

-- case: index on a json path that casts
-- expect: data index_expression app.jobs.jobs_n
CREATE INDEX jobs_n ON app.jobs (((payload ->> 'n')::integer));
-- old
INSERT INTO app.jobs (payload) VALUES ('{"n": "x"}');

-- case: index dropped that was there for speed
-- expect: warn index_dropped app.jobs.jobs_ready
DROP INDEX app.jobs_ready;

-- case: index reindexed and clustered
-- expect: warn table_rewritten app.jobs
REINDEX TABLE app.jobs;
CLUSTER app.jobs USING jobs_pkey;

-- case: unique index of a materialized view dropped
-- expect: block unique_dropped app.usage.usage_tenant
DROP INDEX app.usage_tenant;

-- case: unique index added to a materialized view
-- expect: pass index_added app.usage.usage_again
CREATE UNIQUE INDEX usage_again ON app.usage (tenant_id, accounts);

-- case: partition of its own taken out of the default one
-- expect: data partition_carved app.activity_2027
CREATE TABLE app.activity_2027 PARTITION OF app.activity FOR VALUES FROM ('2027-01-01') TO ('2028-01-01');
-- old
INSERT INTO app.activity (tenant, at, kind) VALUES (3, '2027-03-03', 'later');

-- case: rows of the default partition moved into a partition of their own
-- expect: data partition_carved app.activity_2024
CREATE TABLE app.activity_2024 (LIKE app.activity INCLUDING ALL);
WITH moved AS (DELETE FROM app.activity_rest WHERE at < '2025-01-01' RETURNING tenant, at, kind, data) INSERT INTO app.activity_2024 SELECT tenant, at, kind, data FROM moved;
ALTER TABLE app.activity ATTACH PARTITION app.activity_2024 FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');

-- case: default partition dropped
-- expect: block partition_dropped app.activity_rest
DROP TABLE app.activity_rest;

-- case: default partition detached
-- expect: block partition_detached app.activity_rest
ALTER TABLE app.activity DETACH PARTITION app.activity_rest;

-- case: table attached as a partition that checks more
-- expect: block partition_stricter app.activity_2027
CREATE TABLE app.activity_2027 (LIKE app.activity INCLUDING ALL, CONSTRAINT small CHECK (tenant < 100));
ALTER TABLE app.activity ATTACH PARTITION app.activity_2027 FOR VALUES FROM ('2027-01-01') TO ('2028-01-01');
-- old
INSERT INTO app.activity (tenant, at, kind) VALUES (300, '2027-03-03', 'later');

-- case: partition attached with a default of its own
-- expect: data partition_carved app.activity_2027
CREATE TABLE app.activity_2027 (LIKE app.activity INCLUDING ALL);
ALTER TABLE app.activity_2027 ALTER kind SET DEFAULT 'x';
ALTER TABLE app.activity ATTACH PARTITION app.activity_2027 FOR VALUES FROM ('2027-01-01') TO ('2028-01-01');

-- case: partition attached with a trigger of its own
-- expect: block partition_stricter app.activity_2027
CREATE FUNCTION util.lose() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NULL; END$$;
CREATE TABLE app.activity_2027 (LIKE app.activity INCLUDING ALL);
CREATE TRIGGER lose BEFORE INSERT ON app.activity_2027 FOR EACH ROW EXECUTE FUNCTION util.lose();
ALTER TABLE app.activity ATTACH PARTITION app.activity_2027 FOR VALUES FROM ('2027-01-01') TO ('2028-01-01');
-- old
INSERT INTO app.activity (tenant, at, kind) VALUES (3, '2027-03-03', 'later');

-- case: partition attached with a unique constraint of its own
-- expect: block partition_stricter app.activity_2027
CREATE TABLE app.activity_2027 (LIKE app.activity INCLUDING ALL, UNIQUE (tenant));
ALTER TABLE app.activity ATTACH PARTITION app.activity_2027 FOR VALUES FROM ('2027-01-01') TO ('2028-01-01');
-- old
INSERT INTO app.activity (tenant, at, kind) VALUES (3, '2027-03-03', 'later'), (3, '2027-03-03', 'later');

-- case: child table no longer inherits
-- expect: block inheritance_removed app.notes_archive
ALTER TABLE app.notes_archive NO INHERIT app.notes;

-- case: another child inherits
-- expect: data child_added app.notes_draft
CREATE TABLE app.notes_draft () INHERITS (app.notes);

-- case: another child inherits, with rows
-- expect: data child_added app.notes_draft
CREATE TABLE app.notes_draft () INHERITS (app.notes);
INSERT INTO app.notes_draft VALUES (9, 'draft', 'eve');

-- case: table split by tenant with its keys kept
-- expect: block row_security_disabled app.files
ALTER TABLE app.files RENAME TO files_old;
CREATE TABLE app.files (LIKE app.files_old INCLUDING DEFAULTS) PARTITION BY LIST (tenant);
CREATE TABLE app.files_rest PARTITION OF app.files DEFAULT;
INSERT INTO app.files SELECT id, tenant, path, body FROM app.files_old;
DROP VIEW app.open_files;
CREATE VIEW app.open_files WITH (security_barrier) AS SELECT id, path FROM app.files;
DROP TABLE app.files_old;
