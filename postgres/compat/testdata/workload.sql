-- What the old version does with the base, each statement in a transaction of its
-- own that is rolled back. Arguments follow after "--", one each after a "|".

SELECT id, email, name, nick, bio, status, balance, age, feels, home, zip, prefs, tags FROM users WHERE email = $1; -- ann@example.org
SELECT name FROM users WHERE status = 'active' AND age > $1 ORDER BY name; -- 20
SELECT name FROM users WHERE feels = 'happy'::mood;
SELECT (home).city FROM users WHERE id = 1;
SELECT count(*) FROM users WHERE lower(nick) = lower($1); -- Annie
INSERT INTO users (email, name) VALUES ($1, $2) RETURNING email, name, balance, age; -- new@example.org | New
INSERT INTO users (email, name, nick, bio, status, balance, age, feels, zip) VALUES ('c@example.org', 'A name of more than twenty letters', 'charlie', NULL, 'closed', 12.34, 149, 'sad', '54321') RETURNING balance, feels;
INSERT INTO users (email, name, home) VALUES ('d@example.org', 'Dan', ROW('Side', 'Cusco')::place);
INSERT INTO users (email, name) VALUES ('ann@example.org', 'Anna') ON CONFLICT (email) DO UPDATE SET name = excluded.name RETURNING name;
UPDATE users SET bio = NULL, nick = NULL, age = NULL WHERE email = $1; -- ann@example.org
UPDATE users SET balance = balance + 0.05 WHERE id = 1 RETURNING balance;
DELETE FROM users WHERE email = 'bob@example.org';
SELECT u.name, o.total, placed, code, o.note FROM users u JOIN orders o ON o.user_id = u.id ORDER BY o.total;
INSERT INTO orders (user_id, total, code, note) VALUES ($1, $2, $3, NULL) RETURNING total, placed; -- 1 | 70000 | USD
UPDATE orders SET total = 7 WHERE code = 'EUR' AND placed = '2026-01-01' RETURNING total;
SELECT span FROM orders WHERE span @> 3;
INSERT INTO items (order_id, sku, price) VALUES ($1, $2, 5) RETURNING qty, cost; -- 1 | ink
INSERT INTO items (order_id, sku) VALUES (1, NULL) RETURNING sku;
INSERT INTO items (order_id, sku, qty) VALUES (1, 'pen', 2) ON CONFLICT ON CONSTRAINT items_key DO UPDATE SET qty = items.qty + 1 RETURNING qty;
WITH i AS (INSERT INTO items (order_id, sku) VALUES (99, 'pad')) INSERT INTO orders (id, user_id, total) VALUES (99, 1, 1);
INSERT INTO sessions (user_id, ends, data) VALUES (1, '2026-02-02 10:00:00', '\x00ff') RETURNING ends;
SELECT user_id, ends FROM sessions WHERE token = $1; -- 00000000-0000-0000-0000-000000000001
INSERT INTO audit (id, what) VALUES (-1, 'by hand');
INSERT INTO audit (what) VALUES ('by itself') RETURNING tally;
SELECT value FROM measures WHERE taken >= $1 ORDER BY taken; -- 2025-01-01
INSERT INTO measures (taken, value) VALUES ('2025-07-07', 3), ('2026-07-07', 4);
INSERT INTO measures_2026 (taken, value) VALUES ('2026-08-08', 3);
SELECT count(*) FROM events WHERE body IS NOT NULL;
INSERT INTO events (id, body) VALUES (1, 'again') RETURNING at;
SELECT id, body FROM documents ORDER BY id;
INSERT INTO documents VALUES (3, 1, 'mine too');
UPDATE documents SET body = 'changed';
SELECT nextval('invoice') > 100;
SELECT nextval('users_id_seq') > 2, currval('users_id_seq') > 2;
SELECT amount FROM billing.invoices WHERE id = 1;
SELECT id, email, name FROM active ORDER BY id;
UPDATE active SET name = 'Annette' WHERE id = 1 RETURNING name;
INSERT INTO active (email, name) VALUES ('e@example.org', 'Eve');
SELECT total FROM totals WHERE user_id = 1;
SELECT status, users FROM counts ORDER BY status;
INSERT INTO contacts (email, name) VALUES ('f@example.org', 'Fay');
SELECT tax(100), tax(100, 10), tax(amount => 50);
SELECT greet('Ann'), greet($1); -- Bob
SELECT label FROM found('ann@example.org');
SELECT user_id, of_email FROM everybody();
SELECT secret();
CALL touch(1);
SELECT product(total) FROM orders;
SELECT similarity('abc', 'abd') > 0.2;
COPY users (email, name) FROM STDIN; -- g@example.org	Gus
COPY events TO STDOUT;
CREATE TEMPORARY TABLE scratch AS SELECT 1 AS one;
