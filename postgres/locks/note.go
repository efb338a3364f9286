package locks

// note is a lock that a session held at the end of a statement, and how often
// the statement went through the whole table.
type note struct {
	Tag      string
	Relation uint32
	Mode     string
	Scans    int64
}

// install has each statement that changes the schema noted by its own session,
// which alone knows what it has scanned. The counters of a session hold what it
// did in earlier statements too, so they are read before and after.
const install = `
BEGIN;
CREATE SCHEMA bluegreen_watch;
CREATE TABLE bluegreen_watch.note (id bigint GENERATED ALWAYS AS IDENTITY, tag text, relation oid, mode text, scans bigint);
CREATE TABLE bluegreen_watch.begun (session integer, relation oid, scans bigint);
CREATE FUNCTION bluegreen_watch.begin() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
	DELETE FROM bluegreen_watch.begun WHERE session = pg_backend_pid();
	INSERT INTO bluegreen_watch.begun SELECT pg_backend_pid(), oid, pg_stat_get_xact_numscans(oid) FROM pg_class
		WHERE oid >= 16384 AND relkind IN ('r', 'm') AND pg_stat_get_xact_numscans(oid) > 0;
END $$;
CREATE FUNCTION bluegreen_watch.end() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
	INSERT INTO bluegreen_watch.note (tag, relation, mode, scans)
		SELECT tg_tag, c.oid, l.mode, pg_stat_get_xact_numscans(c.oid) - coalesce((SELECT max(b.scans) FROM bluegreen_watch.begun b
			WHERE b.session = pg_backend_pid() AND b.relation = c.oid), 0)
		FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
		WHERE l.locktype = 'relation' AND l.pid = pg_backend_pid() AND l.granted AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
		AND c.oid >= 16384 AND c.relkind IN ('r', 'm', 'p') AND c.relnamespace <> 'bluegreen_watch'::regnamespace;
END $$;
CREATE EVENT TRIGGER bluegreen_watch_begin ON ddl_command_start EXECUTE FUNCTION bluegreen_watch.begin();
CREATE EVENT TRIGGER bluegreen_watch_end ON ddl_command_end EXECUTE FUNCTION bluegreen_watch.end();
ALTER EVENT TRIGGER bluegreen_watch_begin ENABLE ALWAYS;
ALTER EVENT TRIGGER bluegreen_watch_end ENABLE ALWAYS;
COMMIT`

const remove = `
BEGIN;
DROP EVENT TRIGGER bluegreen_watch_begin;
DROP EVENT TRIGGER bluegreen_watch_end;
DROP SCHEMA bluegreen_watch CASCADE;
COMMIT`

// madeAtOnce are the indexes and constraints that were made ready within the
// transaction that began them, which a row that stays as it was made tells. An
// index that is built CONCURRENTLY, and a constraint that is validated later,
// are marked as valid by another transaction.
const madeAtOnce = `
SELECT i.indexrelid FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indexrelid AND a.attnum = 1 WHERE i.indexrelid >= 16384 AND i.xmin = a.xmin
UNION ALL
SELECT k.oid FROM pg_constraint k WHERE k.oid >= 16384
	AND EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_constraint'::regclass AND d.objid = k.oid AND d.xmin = k.xmin)`

// blocking are the modes that keep writers out.
var blocking = []string{"ShareLock", "ShareRowExclusiveLock", "ExclusiveLock", "AccessExclusiveLock"}
