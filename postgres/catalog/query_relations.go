package catalog

var databaseQuery = `SELECT '' AS _key, pg_get_userbyid(datdba) AS owner, pg_encoding_to_char(encoding) AS encoding, datcollate AS collate,
	datctype AS ctype, datconnlimit AS connections FROM pg_database WHERE datname = current_database()`

var databaseGrantsQuery = `SELECT '' AS _key, ` + grants("datacl", "d", "datdba") + ` AS grants FROM pg_database WHERE datname = current_database()`

var namespacesQuery = `SELECT quote_ident(nspname) AS _key, oid::int8, pg_get_userbyid(nspowner) AS owner, ` + grants("nspacl", "n", "nspowner") + ` AS grants
	FROM pg_namespace n WHERE ` + ours + ` AND ` + own("pg_namespace", "oid")

var tablesQuery = `SELECT ` + relationName + ` AS _key, c.oid::int8, pg_relation_filenode(c.oid)::int8 AS file, c.relkind AS kind, c.relpersistence AS persistence,
	pg_get_userbyid(c.relowner) AS owner, c.relrowsecurity AS row_security, c.relforcerowsecurity AS force_row_security,
	c.relreplident::text || coalesce((SELECT ' ' || quote_ident(i.relname) FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
		WHERE c.relreplident = 'i' AND x.indrelid = c.oid AND x.indisreplident), '') AS replica_identity,
	CASE c.relkind WHEN 'p' THEN pg_get_partkeydef(c.oid) END AS partition_key,
	CASE WHEN c.relispartition THEN parents.names[1] END AS partition_of,
	CASE WHEN c.relispartition THEN pg_get_expr(c.relpartbound, c.oid) || parents.state END AS partition_bound,
	CASE WHEN NOT c.relispartition THEN parents.names END AS inherits,
	CASE WHEN c.reloftype <> 0 THEN format_type(c.reloftype, NULL) END AS of_type,
	(SELECT quote_ident(s.srvname) || coalesce(' ' || ` + options("f.ftoptions") + `, '') FROM pg_foreign_table f JOIN pg_foreign_server s ON s.oid = f.ftserver
		WHERE f.ftrelid = c.oid) AS server,
	` + grants("c.relacl", "r", "c.relowner") + ` AS grants, ` + comment("pg_class", "c.oid") + ` AS comment,
	c.reltuples AS rows, CASE c.relkind WHEN 'r' THEN pg_table_size(c.oid) END AS bytes
	` + fromRelations(`'r', 'p', 'f'`) + `
	LEFT JOIN LATERAL (SELECT array_agg(inhparent::regclass::text ORDER BY inhseqno) AS names,
		max({{14:CASE WHEN inhdetachpending THEN ' DETACH PENDING' ELSE '' END;;''}}) AS state FROM pg_inherits WHERE inhrelid = c.oid) parents ON true`

var viewsQuery = `SELECT ` + relationName + ` AS _key, c.oid::int8, c.relkind = 'm' AS materialized, pg_get_userbyid(c.relowner) AS owner,
	pg_get_viewdef(c.oid) AS definition, c.reloptions AS options, pg_relation_is_updatable(c.oid, true) AS updatable,
	c.relkind = 'm' AND c.relispopulated AS populated, ` + grants("c.relacl", "r", "c.relowner") + ` AS grants, ` + comment("pg_class", "c.oid") + ` AS comment
	` + fromRelations(`'v', 'm'`)

// Whether a default is volatile is told by the functions in its stored form.
var columnsQuery = `SELECT ` + relationName + ` AS _key, a.attnum AS number, quote_ident(a.attname) AS name, format_type(a.atttypid, a.atttypmod) AS type,
	a.attnotnull AS not_null, pg_get_expr(d.adbin, d.adrelid) AS default, nullif(a.attidentity, '') AS identity, nullif(a.attgenerated, '') AS generated,
	` + collation("a.attcollation", "t.typcollation") + ` AS collation,
	d.adbin IS NOT NULL AND d.adbin::text ~ ':(func|opfunc)id' AND EXISTS (SELECT FROM regexp_matches(d.adbin::text, ':(?:func|opfunc)id (\d+)', 'g') called
		JOIN pg_proc p ON p.oid = called[1]::oid WHERE p.provolatile = 'v') AS volatile,
	a.atthasmissing AS missing, CASE WHEN a.attacl IS NOT NULL THEN ` + grants("a.attacl", "c", "c.relowner") + ` END AS grants,
	m.description AS comment
	` + fromRelations(`'r', 'p', 'f', 'v', 'm', 'c'`) + `
	JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
	JOIN pg_type t ON t.oid = a.atttypid
	LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
	LEFT JOIN pg_description m ON m.classoid = 'pg_class'::regclass AND m.objoid = c.oid AND m.objsubid = a.attnum`

// A foreign key's rows for single partitions follow from the one that was declared.
var constraintsQuery = `SELECT holder.name AS _key, quote_ident(k.conname) AS _name, k.oid::int8, k.contype AS kind, pg_get_constraintdef(k.oid) AS definition,
	` + listed("k.conkey", "k.conrelid") + ` AS columns,
	CASE WHEN k.confrelid <> 0 THEN k.confrelid::regclass::text END AS references,
	CASE WHEN k.contype = 'f' THEN k.confupdtype END AS on_update, CASE WHEN k.contype = 'f' THEN k.confdeltype END AS on_delete,
	k.condeferrable AS deferrable, k.condeferred AS deferred, k.convalidated AS valid,
	CASE WHEN k.contype IN ('p', 'u', 'x') THEN (SELECT quote_ident(i.relname) FROM pg_class i WHERE i.oid = k.conindid) END AS index
	FROM (SELECT c.oid AS relation, 0::oid AS domain, ` + relationName + ` AS name ` + fromRelations(`'r', 'p', 'f'`) + `
		UNION ALL SELECT 0, t.oid, quote_ident(n.nspname) || '.' || quote_ident(t.typname) ` + fromTypes("d") + `) holder
	JOIN pg_constraint k ON k.conrelid = holder.relation AND k.contypid = holder.domain
	WHERE NOT (k.contype = 'f' AND k.conparentid <> 0)`

var indexesQuery = `SELECT ` + relationName + ` AS _key, quote_ident(i.relname) AS _name, i.oid::int8, pg_relation_filenode(i.oid)::int8 AS file,
	pg_get_indexdef(i.oid) AS definition, (SELECT amname FROM pg_am WHERE pg_am.oid = i.relam) AS method, keys.columns, keys.include,
	pg_get_expr(x.indpred, x.indrelid) AS predicate, x.indisunique AS unique, {{15:x.indnullsnotdistinct;;false}} AS nulls_not_distinct,
	x.indisprimary AS primary, x.indisexclusion AS exclusion, x.indisvalid AS valid, x.indisready AS ready,
	quote_ident(own.conname) AS constraint,
	(SELECT quote_ident(p.relname) FROM pg_inherits h JOIN pg_class p ON p.oid = h.inhparent WHERE h.inhrelid = i.oid) AS part_of,
	CASE i.relkind WHEN 'i' THEN pg_relation_size(i.oid) END AS bytes
	` + fromRelations(`'r', 'p', 'm'`) + `
	JOIN pg_index x ON x.indrelid = c.oid
	JOIN pg_class i ON i.oid = x.indexrelid
	LEFT JOIN pg_constraint own ON own.conindid = i.oid AND own.contype IN ('p', 'u', 'x')
	CROSS JOIN LATERAL (SELECT array_agg(key.name ORDER BY key.position) FILTER (WHERE key.position <= x.indnkeyatts) AS columns,
		array_agg(key.name ORDER BY key.position) FILTER (WHERE key.position > x.indnkeyatts) AS include
		FROM (SELECT k.position, CASE WHEN k.number = 0 THEN pg_get_indexdef(i.oid, k.position::int, false) ELSE quote_ident(a.attname) END AS name
			FROM unnest(x.indkey::int2[]) WITH ORDINALITY k(number, position)
			LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.number) key) keys`

// What servers before 15 take for internal are also the triggers that a partition has from its table.
var triggersQuery = `SELECT ` + relationName + ` AS _key, quote_ident(g.tgname) AS _name, g.oid::int8, pg_get_triggerdef(g.oid) AS definition,
	g.tgenabled AS enabled, g.tgfoid::regprocedure::text AS function
	` + fromRelations(`'r', 'p', 'f', 'v', 'm'`) + `
	JOIN pg_trigger g ON g.tgrelid = c.oid AND (NOT g.tgisinternal OR g.tgparentid <> 0 AND g.tgconstraint = 0)`

var rulesQuery = `SELECT ` + relationName + ` AS _key, quote_ident(w.rulename) AS _name, w.oid::int8, pg_get_ruledef(w.oid) AS definition, w.ev_enabled AS enabled
	` + fromRelations(`'r', 'p', 'f', 'v', 'm'`) + `
	JOIN pg_rewrite w ON w.ev_class = c.oid AND w.rulename <> '_RETURN'`

var policiesQuery = `SELECT ` + relationName + ` AS _key, quote_ident(p.polname) AS _name, p.oid::int8, p.polcmd AS command, p.polpermissive AS permissive,
	(SELECT array_agg(CASE role WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(role) END ORDER BY pg_get_userbyid(role)) FROM unnest(p.polroles) role) AS roles,
	pg_get_expr(p.polqual, p.polrelid) AS using, pg_get_expr(p.polwithcheck, p.polrelid) AS check
	` + fromRelations(`'r', 'p'`) + `
	JOIN pg_policy p ON p.polrelid = c.oid`

var sequencesQuery = `SELECT ` + relationName + ` AS _key, c.oid::int8, pg_get_userbyid(c.relowner) AS owner, format_type(s.seqtypid, NULL) AS type,
	s.seqstart AS start, s.seqmin AS min, s.seqmax AS max, s.seqincrement AS increment, s.seqcycle AS cycle,
	(SELECT d.refobjid::regclass::text || '.' || quote_ident(a.attname) FROM pg_depend d
		JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
		WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')) AS owned_by,
	CASE WHEN has_sequence_privilege(c.oid, 'SELECT,USAGE') THEN pg_sequence_last_value(c.oid) END AS last,
	` + grants("c.relacl", "s", "c.relowner") + ` AS grants
	` + fromRelations(`'S'`) + `
	JOIN pg_sequence s ON s.seqrelid = c.oid`
