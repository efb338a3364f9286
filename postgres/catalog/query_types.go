package catalog

// fromTypes is t in n, of a kind, if it is ours.
func fromTypes(kind string) string {
	return ` FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace AND ` + ours + ` AND t.typtype = '` + kind + `' AND ` + own("pg_type", "t.oid")
}

// typeFields are those that every type has.
var typeFields = `quote_ident(n.nspname) || '.' || quote_ident(t.typname) AS _key, t.oid::int8, pg_get_userbyid(t.typowner) AS owner, ` +
	grants("t.typacl", "T", "t.typowner") + ` AS grants`

var enumsQuery = `SELECT ` + typeFields + `, (SELECT coalesce(array_agg(enumlabel ORDER BY enumsortorder), '{}') FROM pg_enum WHERE enumtypid = t.oid) AS labels ` +
	fromTypes("e")

var domainsQuery = `SELECT ` + typeFields + `, format_type(t.typbasetype, t.typtypmod) AS type, t.typnotnull AS not_null,
	coalesce(pg_get_expr(t.typdefaultbin, 0), t.typdefault) AS default, ` + collation("t.typcollation", "b.typcollation") + ` AS collation ` +
	fromTypes("d") + ` JOIN pg_type b ON b.oid = t.typbasetype`

// A table's row type is a type as well, and not one of these.
var compositesQuery = `SELECT ` + typeFields + fromTypes("c") + ` JOIN pg_class c ON c.oid = t.typrelid AND c.relkind = 'c'`

var rangesQuery = `SELECT ` + typeFields + `, concat_ws(' ', 'subtype', format_type(r.rngsubtype, NULL),
	'class', (SELECT o.opcnamespace::regnamespace::text || '.' || quote_ident(o.opcname) FROM pg_opclass o WHERE o.oid = r.rngsubopc),
	'collation ' || nullif(r.rngcollation::regcollation::text, '-'), 'canonical ' || nullif(r.rngcanonical::text, '-'), 'difference ' || nullif(r.rngsubdiff::text, '-'),
	{{14:'multirange ' || format_type(r.rngmultitypid, NULL);;NULL}}) AS definition ` +
	fromTypes("r") + ` JOIN pg_range r ON r.rngtypid = t.oid`

// The body is in Go for what follows from the text of it.
var functionsQuery = `SELECT p.oid::regprocedure::text AS _key, p.oid::int8, p.prokind AS kind,
	EXISTS (SELECT FROM pg_proc b WHERE b.pronamespace = 'pg_catalog'::regnamespace AND b.proname = p.proname AND b.pronargs = p.pronargs) AS shadows,
	quote_ident(n.nspname) || '.' || quote_ident(p.proname) AS name,
	pg_get_userbyid(p.proowner) AS owner,
	(SELECT coalesce(jsonb_agg(jsonb_build_object('mode', coalesce(p.proargmodes[position], 'i'), 'name', p.proargnames[position], 'type', format_type(type, NULL),
		'default', CASE WHEN p.pronargdefaults > 0 THEN pg_get_function_arg_default(p.oid, position::int) END) ORDER BY position), '[]')
		FROM unnest(coalesce(p.proallargtypes, p.proargtypes::oid[])) WITH ORDINALITY argument(type, position)) AS arguments,
	pg_get_function_result(p.oid) AS result, (SELECT lanname FROM pg_language l WHERE l.oid = p.prolang) AS language,
	{{14:coalesce(pg_get_function_sqlbody(p.oid), p.prosrc);;p.prosrc}} || coalesce(' ' || p.probin, '') AS body,
	p.provolatile AS volatility, p.proisstrict AS strict, p.prosecdef AS security_definer, p.proleakproof AS leakproof, p.proparallel AS parallel, p.proconfig AS settings,
	(SELECT concat_ws(' ', 'kind', a.aggkind, a.aggnumdirectargs, 'transition', a.aggtransfn::regprocedure, format_type(a.aggtranstype, NULL), 'final', a.aggfinalfn::regprocedure,
		a.aggfinalextra, a.aggfinalmodify, 'combine', a.aggcombinefn::regprocedure, 'serial', a.aggserialfn::regprocedure, a.aggdeserialfn::regprocedure,
		'moving', a.aggmtransfn::regprocedure, a.aggminvtransfn::regprocedure, a.aggmfinalfn::regprocedure, a.aggmfinalextra, a.aggmfinalmodify, format_type(nullif(a.aggmtranstype, 0), NULL),
		'sort', nullif(a.aggsortop, 0)::regoperator, 'initial', quote_nullable(a.agginitval), quote_nullable(a.aggminitval))
		FROM pg_aggregate a WHERE a.aggfnoid = p.oid) AS aggregate,
	` + grants("p.proacl", "f", "p.proowner") + ` AS grants
	FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace AND ` + ours + ` AND ` + own("pg_proc", "p.oid") + `
	WHERE NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'i')`

var extensionsQuery = `SELECT quote_ident(extname) AS _key, extversion AS version, extnamespace::regnamespace::text AS namespace FROM pg_extension`

// What a publication says of itself differs from version to version; all of it is taken.
var publicationsQuery = `SELECT quote_ident(p.pubname) AS _key, pg_get_userbyid(p.pubowner) AS owner, concat_ws(' ', to_jsonb(p) - '{oid,pubname,pubowner}'::text[],
	(SELECT string_agg(concat_ws(' ', 'table', r.prrelid::regclass, {{15:` + listed("r.prattrs", "r.prrelid") + `, 'where ' || pg_get_expr(r.prqual, r.prrelid);;NULL}}), ' ' ORDER BY r.prrelid::regclass::text COLLATE "C")
		FROM pg_publication_rel r WHERE r.prpubid = p.oid),
	{{15:(SELECT string_agg('schema ' || s.pnnspid::regnamespace::text, ' ' ORDER BY s.pnnspid::regnamespace::text COLLATE "C") FROM pg_publication_namespace s WHERE s.pnpubid = p.oid);;NULL}}) AS definition
	FROM pg_publication p`

var eventTriggersQuery = `SELECT quote_ident(evtname) AS _key, concat_ws(' ', evtevent, evttags::text, evtfoid::regprocedure, 'owner', quote_ident(pg_get_userbyid(evtowner))) AS definition,
	evtenabled AS enabled FROM pg_event_trigger t WHERE ` + own("pg_event_trigger", "t.oid")

// A custom setting may be a secret.
var settingsQuery = `SELECT CASE setrole WHEN 0 THEN '' ELSE pg_get_userbyid(setrole) END || '/' || name AS _key,
	CASE WHEN name ~ '\.' THEN 'sha256:' || encode(sha256(convert_to(value, 'UTF8')), 'hex') ELSE value END AS definition
	FROM pg_db_role_setting s, unnest(s.setconfig) entry, split_part(entry, '=', 1) name, substr(entry, length(name) + 2) value
	WHERE s.setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())`
