-- What the old version does with the second base.

SELECT t.slug, t.plan, p.label, p.price FROM app.tenants t JOIN app.plans p ON p.code = t.plan ORDER BY t.slug;
SELECT id FROM app.tenants WHERE slug = $1; -- ACME
SELECT settings -> 'limits' ->> 'seats' FROM app.tenants WHERE settings @> $1; -- {"theme": "dark"}
INSERT INTO app.tenants (slug) VALUES ($1) RETURNING plan, settings; -- initech
INSERT INTO app.tenants (slug) VALUES ('acme') ON CONFLICT (slug) DO UPDATE SET settings = '{"again": true}' RETURNING id, settings;
UPDATE app.tenants SET settings = settings || $1 WHERE slug = 'acme' RETURNING settings; -- {"x": 1}
DELETE FROM app.tenants WHERE slug = 'globex';
SELECT name FROM app.statuses ORDER BY id;
SELECT count(*) FROM app.plans WHERE code IN ('free', 'pro');
SELECT id, email, handle, state, status_id, locale, credit FROM app.accounts WHERE tenant_id = $1 AND deleted_at IS NULL ORDER BY id; -- 10000000-0000-0000-0000-000000000000
SELECT email FROM app.accounts WHERE state >= 'active' ORDER BY state, email;
SELECT (lives).street, ((lives).at).lat, (lives).at::text FROM app.accounts WHERE id = 1;
INSERT INTO app.accounts (tenant_id, email, handle, state, credit) VALUES ($1, $2, $3, $4, $5) RETURNING status_id, locale, lock_version; -- 20000000-0000-0000-0000-000000000000 | carl@globex.test | carl | active | 12
INSERT INTO app.accounts (tenant_id, email) VALUES ('10000000-0000-0000-0000-000000000000', 'ann@ACME.test') ON CONFLICT (tenant_id, lower(email)) WHERE deleted_at IS NULL DO UPDATE SET state = 'active' RETURNING id;
INSERT INTO app.accounts (tenant_id, email, lives) VALUES ('10000000-0000-0000-0000-000000000000', 'd@acme.test', ROW('Side', ROW(1, 2)));
UPDATE app.accounts SET email = 'anne@acme.test' WHERE id = 1 AND lock_version = 0 RETURNING lock_version, updated_at;
UPDATE app.accounts SET deleted_at = now() WHERE email = 'bob@globex.test';
UPDATE app.accounts SET credit = NULL, handle = NULL, locale = NULL, lives = NULL WHERE id = 1;
SELECT id, name, key, labels, meta, archived, position, budget FROM app.projects WHERE tenant_id = $1 AND NOT archived ORDER BY name; -- 10000000-0000-0000-0000-000000000000
SELECT name FROM app.projects WHERE labels && ARRAY['big'];
SELECT name FROM app.projects ORDER BY priority DESC;
SELECT name FROM app.projects WHERE search @@ to_tsquery('simple', $1); -- apollo
SELECT meta #>> '{a,1}' FROM app.projects WHERE meta ? 'a';
INSERT INTO app.projects (tenant_id, owner_id, name, key, labels, budget) VALUES ($1, 1, $2, $3, $4, 1234567890.12) RETURNING id > 2, name, position, priority; -- 10000000-0000-0000-0000-000000000000 |  Ceres  | CE | {x,y}
INSERT INTO app.projects (tenant_id, name, key, meta) VALUES ('10000000-0000-0000-0000-000000000000', 'Apollo', 'ZZ', NULL) ON CONFLICT (tenant_id, name) DO UPDATE SET archived = true RETURNING archived;
UPDATE app.projects SET key = CASE key WHEN 'AP' THEN 'BO' ELSE 'AP' END WHERE tenant_id = '10000000-0000-0000-0000-000000000000';
UPDATE app.projects SET owner_id = NULL, position = -1, priority = 'low' WHERE name = 'Apollo' RETURNING position;
DELETE FROM app.projects WHERE name = 'Apollo';
INSERT INTO app.members (tenant_id, project_id, account_id) VALUES ('10000000-0000-0000-0000-000000000000', 2, 1) RETURNING role;
INSERT INTO app.members VALUES ('10000000-0000-0000-0000-000000000000', 1, 1, 'editor', 2.5) ON CONFLICT DO NOTHING;
INSERT INTO app.members AS m VALUES ('10000000-0000-0000-0000-000000000000', 1, 1) ON CONFLICT (tenant_id, project_id, account_id) DO UPDATE SET role = 'editor' WHERE m.role = 'admin' RETURNING role, rate;
SELECT id, payload FROM app.jobs WHERE state = 0 AND queue = $1 AND run_at <= $2 ORDER BY run_at, id LIMIT 1 FOR UPDATE SKIP LOCKED; -- default | 2026-02-02 00:00:00
UPDATE app.jobs SET state = 1, worker = 'w', attempts = attempts + 1 WHERE id = (SELECT id FROM app.jobs WHERE state = 0 ORDER BY id FOR UPDATE SKIP LOCKED LIMIT 1) RETURNING id, attempts;
INSERT INTO app.jobs (payload, unique_key) VALUES ('{}', 'mail-1') ON CONFLICT (unique_key) WHERE state < 2 DO NOTHING;
INSERT INTO app.jobs (queue, payload, run_at) VALUES ($1, $2, '2026-03-03 03:03:03') RETURNING state, run_at; -- slow | {"n": 1}
DELETE FROM app.jobs WHERE state = 0 AND payload ->> 'mail' = '2';
INSERT INTO app.bookings (room, during, price) VALUES (1, '[2026-01-02, 2026-01-03)', '{1}'), (2, '[2026-01-01, 2026-01-02)', NULL);
INSERT INTO app.bookings (room, during) VALUES (1, '[2026-01-01, 2026-01-02)') ON CONFLICT ON CONSTRAINT bookings_overlap DO NOTHING;
SELECT room, price FROM app.bookings WHERE during @> timestamp '2026-01-01 12:00';
INSERT INTO app.activity (tenant, kind, data) VALUES (1, 'click', '{"b": 1,  "b": 2}');
INSERT INTO app.activity (tenant, at, kind) VALUES (2, '2030-01-01', 'future'), (2, '2026-12-31', 'soon');
SELECT count(*) FROM app.activity WHERE at >= '2026-01-01';
SELECT kind FROM app.activity_rest;
SELECT id, body FROM app.notes ORDER BY id;
SELECT id FROM app.notes WHERE author = 'ann' ORDER BY id;
SELECT body FROM ONLY app.notes;
INSERT INTO app.notes_archive (id, body, archived_on) VALUES (3, 'third', '2026-02-02');
UPDATE app.log SET line = 'changed';
DELETE FROM app.log;
SELECT tenant, open FROM app.secrets;
UPDATE app.secrets SET open = 'wide' WHERE tenant = 1;
SELECT id, path, body FROM app.files ORDER BY id;
INSERT INTO app.files (id, tenant, path) VALUES (3, 1, '/c');
UPDATE app.files SET path = '/changed';
SELECT path FROM app.open_files ORDER BY id;
SELECT email, state FROM app.live_accounts ORDER BY email;
UPDATE app.live_accounts SET state = 'suspended' WHERE id = 1;
SELECT name, email FROM app.owners ORDER BY name;
INSERT INTO app.ready (payload) VALUES ('{}');
UPDATE app.ready SET queue = 'fast' WHERE queue = 'default';
SELECT accounts FROM app.usage ORDER BY tenant_id;
SELECT util.refresh();
SELECT util.join_all('a', 'b', 'c'), util.join_all(VARIADIC ARRAY['x']);
SELECT util.first_of(ARRAY[7, 8]), util.first_of(labels) FROM app.projects WHERE id = 1;
SELECT util.cost(3), util.cost(3, 5), util.cost(price => 2, seats => 4);
SELECT email, credit FROM util.who('active');
SELECT util.slugify('A b'), util.slugify($1); -- C d
CALL util.bump(1, 5);
SELECT 'a' OPERATOR(util.===) 'A';
SELECT '2026-07-01 12:00+00'::timestamptz > '2026-07-01 11:00'::timestamp, '\x41'::bytea;
SELECT to_char(timestamptz '2026-07-01 12:00+00', 'HH24:MI'), date '2026-02-01';
SELECT 1.5::real, 0.1::double precision + 0.2, 'a\b';
COPY app.jobs (queue, payload) FROM STDIN; -- bulk	{"k": 1}
COPY (SELECT id, body FROM app.notes) TO STDOUT;
CREATE TEMPORARY TABLE scratch (id integer) ON COMMIT DROP;
LOCK TABLE app.jobs IN ROW EXCLUSIVE MODE;
