package catalog

import "fmt"

// identified is an object of a system catalog under its kind and its name.
func identified(class, oid string) string {
	return fmt.Sprintf(`(SELECT type || ' ' || identity FROM pg_identify_object('%s'::regclass, %s, 0))`, class, oid)
}

// owned are owner and grants, in words.
func owned(list, kind, owner string) string {
	return fmt.Sprintf(`'owner ' || quote_ident(pg_get_userbyid(%[1]s)), 'grants ' || %[2]s::text`, owner, grants(list, kind, owner))
}

// members of an operator family: operators and functions.
const familyMembers = `
	(SELECT string_agg(concat_ws(' ', 'operator', o.amopstrategy, o.amopopr::regoperator, o.amoppurpose,
		(SELECT identity FROM pg_identify_object('pg_opfamily'::regclass, nullif(o.amopsortfamily, 0), 0))), ' ' ORDER BY o.amoplefttype::regtype::text COLLATE "C", o.amoprighttype::regtype::text COLLATE "C", o.amopstrategy)
		FROM pg_amop o WHERE o.amopfamily = f.oid),
	(SELECT string_agg(concat_ws(' ', 'function', r.amprocnum, r.amproclefttype::regtype, r.amprocrighttype::regtype, r.amproc::regprocedure), ' ' ORDER BY r.amproclefttype::regtype::text COLLATE "C", r.amprocrighttype::regtype::text COLLATE "C", r.amprocnum)
		FROM pg_amproc r WHERE r.amprocfamily = f.oid)`

// otherQueries read what has no type of its own and a dump carries.
var otherQueries = []string{
	// How tables and indexes are stored, where it is not as usual.
	`SELECT 'storage of ' || CASE c.relkind WHEN 'i' THEN 'index' WHEN 'I' THEN 'index' WHEN 'm' THEN 'materialized view' WHEN 'S' THEN 'sequence' ELSE 'table' END || ' ' || ` + relationName + ` AS _key, said AS definition
		` + fromRelations(`'r', 'p', 'm', 'i', 'I', 'S'`) + `
		LEFT JOIN pg_class toast ON toast.oid = c.reltoastrelid
		CROSS JOIN LATERAL (SELECT nullif(concat_ws(' ', ` + options("c.reloptions") + `, 'toast ' || ` + options("toast.reloptions") + `,
			'method ' || (SELECT nullif(amname::text, 'heap') FROM pg_am WHERE pg_am.oid = c.relam AND amtype = 't'),
			'tablespace ' || (SELECT quote_ident(spcname) FROM pg_tablespace s WHERE s.oid = c.reltablespace),
			'persistence ' || CASE WHEN c.relkind = 'S' AND c.relpersistence <> 'p' THEN c.relpersistence::text END,
			(SELECT 'clustered' FROM pg_index x WHERE x.indexrelid = c.oid AND x.indisclustered)), '') AS said) s WHERE said IS NOT NULL`,
	`SELECT 'storage of column ' || ` + relationName + ` || '.' || quote_ident(a.attname) AS _key, said AS definition
		` + fromRelations(`'r', 'p', 'f', 'v', 'm', 'i', 'I'`) + `
		JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
		JOIN pg_type t ON t.oid = a.atttypid
		CROSS JOIN LATERAL (SELECT nullif(concat_ws(' ', 'storage ' || CASE WHEN a.attstorage <> t.typstorage AND c.relkind NOT IN ('i', 'I') THEN a.attstorage::text END,
			'statistics ' || nullif(a.attstattarget, -1)::text, ` + options("a.attoptions") + `, ` + options("a.attfdwoptions") + `{{14:, 'compression ' || nullif(a.attcompression, '')::text;;}}), '') AS said) s WHERE said IS NOT NULL`,
	`SELECT 'planning of function ' || p.oid::regprocedure::text AS _key, concat_ws(' ', 'cost', p.procost, 'rows', p.prorows, 'support ' || nullif(p.prosupport::text, '-'), 'transforms ' || p.protrftypes::regtype[]::text) AS definition
		FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace AND ` + ours + ` AND ` + own("pg_proc", "p.oid") + ` JOIN pg_language l ON l.oid = p.prolang
		WHERE p.procost <> CASE WHEN l.lanname IN ('internal', 'c') THEN 1 ELSE 100 END OR p.prorows NOT IN (0, 1000) OR p.prosupport <> 0 OR p.protrftypes IS NOT NULL`,

	`SELECT ` + identified("pg_cast", "k.oid") + ` AS _key, concat_ws(' ', k.castcontext, k.castmethod, nullif(k.castfunc, 0)::regprocedure) AS definition
		FROM pg_cast k WHERE ` + added("pg_cast", "k.oid"),
	`SELECT ` + identified("pg_operator", "o.oid") + ` AS _key, concat_ws(' ', o.oprcode::regprocedure, 'returns', format_type(o.oprresult, NULL), 'commutator ' || nullif(o.oprcom, 0)::regoperator::text, 'negator ' || nullif(o.oprnegate, 0)::regoperator::text,
		'restrict ' || nullif(o.oprrest, 0)::regprocedure::text, 'join ' || nullif(o.oprjoin, 0)::regprocedure::text, 'merges', o.oprcanmerge, 'hashes', o.oprcanhash, 'owner', quote_ident(pg_get_userbyid(o.oprowner))) AS definition
		FROM pg_operator o WHERE o.oprcode <> 0 AND ` + added("pg_operator", "o.oid"),
	`SELECT ` + identified("pg_opclass", "o.oid") + ` AS _key, concat_ws(' ', 'for', format_type(o.opcintype, NULL), 'stores ' || format_type(nullif(o.opckeytype, 0), NULL), 'default', o.opcdefault,
		(SELECT identity FROM pg_identify_object('pg_opfamily'::regclass, o.opcfamily, 0)), 'owner', quote_ident(pg_get_userbyid(o.opcowner))) AS definition
		FROM pg_opclass o WHERE ` + added("pg_opclass", "o.oid"),
	`SELECT ` + identified("pg_opfamily", "f.oid") + ` AS _key, concat_ws(' ', 'owner', quote_ident(pg_get_userbyid(f.opfowner)), ` + familyMembers + `) AS definition
		FROM pg_opfamily f WHERE ` + added("pg_opfamily", "f.oid"),
	`SELECT ` + identified("pg_collation", "o.oid") + ` AS _key, concat_ws(' ', to_jsonb(o) - '{oid,collname,collnamespace,collowner,collversion}'::text[], 'owner', quote_ident(pg_get_userbyid(o.collowner))) AS definition
		FROM pg_collation o JOIN pg_namespace n ON n.oid = o.collnamespace WHERE ` + ours + ` AND ` + added("pg_collation", "o.oid"),
	`SELECT ` + identified("pg_conversion", "o.oid") + ` AS _key, concat_ws(' ', pg_encoding_to_char(o.conforencoding), pg_encoding_to_char(o.contoencoding), o.conproc::regprocedure, 'default', o.condefault, 'owner', quote_ident(pg_get_userbyid(o.conowner))) AS definition
		FROM pg_conversion o WHERE ` + added("pg_conversion", "o.oid"),
	`SELECT ` + identified("pg_transform", "o.oid") + ` AS _key, concat_ws(' ', o.trffromsql::regprocedure, o.trftosql::regprocedure) AS definition
		FROM pg_transform o WHERE ` + added("pg_transform", "o.oid"),
	`SELECT ` + identified("pg_language", "o.oid") + ` AS _key, concat_ws(' ', 'trusted', o.lanpltrusted, nullif(o.lanplcallfoid, 0)::regprocedure, 'inline ' || nullif(o.laninline, 0)::regprocedure::text, 'validator ' || nullif(o.lanvalidator, 0)::regprocedure::text, ` + owned("o.lanacl", "l", "o.lanowner") + `) AS definition
		FROM pg_language o WHERE ` + added("pg_language", "o.oid"),
	`SELECT ` + identified("pg_am", "o.oid") + ` AS _key, concat_ws(' ', o.amtype, o.amhandler) AS definition FROM pg_am o WHERE ` + added("pg_am", "o.oid"),
	`SELECT ` + identified("pg_statistic_ext", "o.oid") + ` AS _key, concat_ws(' ', pg_get_statisticsobjdef(o.oid), 'target ' || nullif(o.stxstattarget, -1)::text, 'owner', quote_ident(pg_get_userbyid(o.stxowner))) AS definition
		FROM pg_statistic_ext o WHERE ` + added("pg_statistic_ext", "o.oid"),

	`SELECT ` + identified("pg_ts_parser", "o.oid") + ` AS _key, concat_ws(' ', o.prsstart, o.prstoken, o.prsend, o.prsheadline, o.prslextype) AS definition
		FROM pg_ts_parser o WHERE ` + added("pg_ts_parser", "o.oid"),
	`SELECT ` + identified("pg_ts_template", "o.oid") + ` AS _key, concat_ws(' ', o.tmplinit, o.tmpllexize) AS definition FROM pg_ts_template o WHERE ` + added("pg_ts_template", "o.oid"),
	`SELECT ` + identified("pg_ts_dict", "o.oid") + ` AS _key, concat_ws(' ', (SELECT identity FROM pg_identify_object('pg_ts_template'::regclass, o.dicttemplate, 0)), o.dictinitoption, 'owner', quote_ident(pg_get_userbyid(o.dictowner))) AS definition
		FROM pg_ts_dict o WHERE ` + added("pg_ts_dict", "o.oid"),
	`SELECT ` + identified("pg_ts_config", "o.oid") + ` AS _key, concat_ws(' ', (SELECT identity FROM pg_identify_object('pg_ts_parser'::regclass, o.cfgparser, 0)), 'owner', quote_ident(pg_get_userbyid(o.cfgowner)),
		(SELECT string_agg(concat_ws(' ', m.maptokentype, m.mapdict::regdictionary), ', ' ORDER BY m.maptokentype, m.mapseqno) FROM pg_ts_config_map m WHERE m.mapcfg = o.oid)) AS definition
		FROM pg_ts_config o WHERE ` + added("pg_ts_config", "o.oid"),

	`SELECT ` + identified("pg_foreign_data_wrapper", "o.oid") + ` AS _key, concat_ws(' ', nullif(o.fdwhandler, 0)::regprocedure, nullif(o.fdwvalidator, 0)::regprocedure, ` + options("o.fdwoptions") + `, ` + owned("o.fdwacl", "F", "o.fdwowner") + `) AS definition
		FROM pg_foreign_data_wrapper o WHERE ` + added("pg_foreign_data_wrapper", "o.oid"),
	`SELECT ` + identified("pg_foreign_server", "o.oid") + ` AS _key, concat_ws(' ', (SELECT quote_ident(fdwname) FROM pg_foreign_data_wrapper w WHERE w.oid = o.srvfdw), o.srvtype, o.srvversion, ` + options("o.srvoptions") + `, ` + owned("o.srvacl", "S", "o.srvowner") + `) AS definition
		FROM pg_foreign_server o WHERE ` + added("pg_foreign_server", "o.oid"),
	// The options of a mapping are passwords, which only some may see and nobody should.
	`SELECT 'user mapping ' || usename::text || ' on ' || quote_ident(srvname) AS _key, '' AS definition FROM pg_user_mappings`,

	// Base types, which only a superuser makes, and types that are only declared.
	`SELECT ` + identified("pg_type", "t.oid") + ` AS _key, concat_ws(' ', t.typlen, t.typbyval, t.typcategory, t.typispreferred, t.typisdefined, t.typdelim, t.typinput, t.typoutput, t.typreceive, t.typsend, t.typmodin, t.typmodout, t.typanalyze,
		t.typalign, t.typstorage, 'element ' || format_type(nullif(t.typelem, 0), NULL), t.typcollation <> 0, t.typdefault, ` + owned("t.typacl", "T", "t.typowner") + `) AS definition
		FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace AND ` + ours + ` WHERE t.typtype IN ('b', 'p') AND ` + own("pg_type", "t.oid") + `
		AND NOT EXISTS (SELECT FROM pg_type element WHERE element.typarray = t.oid)`,
	`SELECT 'row type ' || ` + relationName + ` AS _key, 'grants ' || ` + grants("t.typacl", "T", "t.typowner") + `::text AS definition
		` + fromRelations(`'r', 'p', 'f', 'v', 'm'`) + ` JOIN pg_type t ON t.oid = c.reltype WHERE t.typacl IS NOT NULL`,

	`SELECT concat_ws(' ', 'default privileges of', quote_ident(pg_get_userbyid(o.defaclrole)), 'for', o.defaclobjtype, 'in ' || nullif(o.defaclnamespace, 0)::regnamespace::text) AS _key, coalesce(` + grants("o.defaclacl", "r", "o.defaclrole") + `::text, 'none') AS definition
		FROM pg_default_acl o`,
	// Comments on tables, columns and views are with them.
	`SELECT 'comment on ' || object.type || ' ' || object.identity AS _key, m.description AS definition
		FROM pg_description m CROSS JOIN LATERAL pg_identify_object(m.classoid, m.objoid, m.objsubid) object
		WHERE m.objoid >= 16384 AND NOT (m.classoid = 'pg_class'::regclass AND m.objsubid > 0) AND m.classoid <> 'pg_extension'::regclass
		AND object.schema IS DISTINCT FROM 'pg_toast' AND object.schema !~ '^pg_temp' IS NOT FALSE
		AND object.type NOT IN ('table', 'view', 'materialized view', 'foreign table')
		AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = m.classoid AND e.objid = m.objoid AND e.deptype = 'e')`,
	`SELECT 'security label of ' || l.provider || ' on ' || object.type || ' ' || object.identity AS _key, l.label AS definition
		FROM pg_seclabel l CROSS JOIN LATERAL pg_identify_object(l.classoid, l.objoid, l.objsubid) object`,

	// Grants on what the server and extensions have brought, where they are not what came with it.
	foreignGrants("pg_class", "relacl", "r", "relowner", `relkind <> 'S' AND relnamespace NOT IN ('pg_toast'::regnamespace, 'information_schema'::regnamespace)`, "relation"),
	foreignGrants("pg_class", "relacl", "s", "relowner", `relkind = 'S'`, "relation"),
	foreignGrants("pg_proc", "proacl", "f", "proowner", "true", "function"),
	foreignGrants("pg_type", "typacl", "T", "typowner", "true", "type"),
	foreignGrants("pg_namespace", "nspacl", "n", "nspowner", "true", "schema"),
	foreignGrants("pg_foreign_data_wrapper", "fdwacl", "F", "fdwowner", "true", "foreign-data wrapper"),
	foreignGrants("pg_foreign_server", "srvacl", "S", "srvowner", "true", "server"),
	foreignGrants("pg_language", "lanacl", "l", "lanowner", "true", "language"),
}

func foreignGrants(class, list, kind, owner, where, name string) string {
	return fmt.Sprintf(`SELECT 'grants on %[6]s ' || (pg_identify_object('%[1]s'::regclass, o.oid, 0)).identity AS _key, coalesce(%[3]s::text, 'none') AS definition
		FROM %[1]s o LEFT JOIN pg_init_privs i ON i.classoid = '%[1]s'::regclass AND i.objoid = o.oid AND i.objsubid = 0
		WHERE o.%[2]s IS DISTINCT FROM i.initprivs AND %[5]s AND (o.oid < 16384 OR NOT %[4]s)`,
		class, list, grants("o."+list, kind, "o."+owner), own(class, "o.oid"), where, name)
}

// localQueries read what has no type of its own and no dump carries.
var localQueries = []string{
	// Roles that own something, may do something, or are a member of, or have as a member, one that does.
	`WITH RECURSIVE part AS (SELECT refobjid AS role FROM pg_shdepend WHERE refclassid = 'pg_authid'::regclass
			AND dbid = (SELECT oid FROM pg_database WHERE datname = current_database())),
		below AS (SELECT role FROM part UNION SELECT m.member FROM below JOIN pg_auth_members m ON m.roleid = below.role),
		concerned AS (SELECT role FROM below UNION SELECT m.roleid FROM concerned JOIN pg_auth_members m ON m.member = concerned.role)
		SELECT 'role ' || quote_ident(a.rolname) AS _key, concat_ws(' ', CASE WHEN a.rolsuper THEN 'superuser' END, CASE WHEN NOT a.rolinherit THEN 'noinherit' END, CASE WHEN a.rolcreaterole THEN 'createrole' END,
			CASE WHEN a.rolcreatedb THEN 'createdb' END, CASE WHEN a.rolcanlogin THEN 'login' END, CASE WHEN a.rolreplication THEN 'replication' END, CASE WHEN a.rolbypassrls THEN 'bypassrls' END,
			'connections ' || nullif(a.rolconnlimit, -1)::text, 'until ' || a.rolvaliduntil::text,
			(SELECT string_agg(concat_ws(' ', 'member of', quote_ident(pg_get_userbyid(m.roleid)), CASE WHEN m.admin_option THEN 'with admin' END{{16:, CASE WHEN NOT m.inherit_option THEN 'without inherit' END, CASE WHEN NOT m.set_option THEN 'without set' END;;}}), ', ' ORDER BY pg_get_userbyid(m.roleid)) FROM pg_auth_members m WHERE m.member = a.oid),
			(SELECT 'set ' || string_agg(CASE WHEN name ~ '\.' THEN name || ' sha256:' || encode(sha256(convert_to(entry, 'UTF8')), 'hex') ELSE entry END, ', ' ORDER BY entry)
				FROM pg_db_role_setting s, unnest(s.setconfig) entry, split_part(entry, '=', 1) name WHERE s.setrole = a.oid AND s.setdatabase = 0)) AS definition
		FROM pg_roles a WHERE a.oid IN (SELECT role FROM concerned)`,
	`SELECT 'subscription ' || quote_ident(subname) AS _key, concat_ws(' ', 'enabled', subenabled, 'slot', subslotname, 'publications', subpublications, 'owner', quote_ident(pg_get_userbyid(subowner))) AS definition
		FROM pg_subscription WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())`,
	`SELECT 'disabled constraints of table ' || ` + relationName + ` AS _key, string_agg(DISTINCT quote_ident(k.conname) || ' ' || g.tgenabled::text, ' ') AS definition
		` + fromRelations(`'r', 'p'`) + `
		JOIN pg_trigger g ON g.tgrelid = c.oid AND g.tgisinternal AND g.tgconstraint <> 0 AND g.tgenabled <> 'O'
		JOIN pg_constraint k ON k.oid = g.tgconstraint GROUP BY 1`,
}
