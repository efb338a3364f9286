package catalog

import (
	"fmt"
	"regexp"
	"strconv"
)

// A query may say {{15:expression;;other}}: the expression stands where the server
// is of that major version or newer, and otherwise the other.
var since = regexp.MustCompile(`(?s)\{\{(\d+):(.*?);;(.*?)\}\}`)

func forServer(query string, server int) string {
	return since.ReplaceAllStringFunc(query, func(found string) string {
		parts := since.FindStringSubmatch(found)
		if version, _ := strconv.Atoi(parts[1]); server >= version*10000 {
			return parts[2]
		}
		return parts[3]
	})
}

// Parts of queries. A schema is ours if it is not the server's; so is what is in
// it and does not belong to an extension.
const ours = `n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'`

// own leaves out what belongs to an extension.
func own(class, oid string) string {
	return fmt.Sprintf(`NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = '%s'::regclass AND e.objid = %s AND e.deptype = 'e')`, class, oid)
}

// added leaves out what the server was made with as well.
func added(class, oid string) string { return oid + " >= 16384 AND " + own(class, oid) }

// grants are those of an access control list, which is the default of its kind
// where it is not there. The kinds are those of acldefault.
func grants(list, kind, owner string) string {
	return fmt.Sprintf(`(SELECT jsonb_agg(jsonb_build_object('role', role, 'privilege', privilege, 'grantable', grantable) ORDER BY role COLLATE "C", privilege COLLATE "C")
		FROM (SELECT CASE grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(grantee) END AS role, privilege_type AS privilege, bool_or(is_grantable) AS grantable
			FROM aclexplode(coalesce(%s, acldefault('%s', %s))) GROUP BY 1, 2) held)`, list, kind, owner)
}

// comment is that of a whole object.
func comment(class, oid string) string {
	return fmt.Sprintf(`(SELECT description FROM pg_description WHERE classoid = '%s'::regclass AND objoid = %s AND objsubid = 0)`, class, oid)
}

// options are name=value pairs, whose order means nothing and changes in a restore.
func options(list string) string {
	return fmt.Sprintf(`(SELECT array_agg(entry ORDER BY entry COLLATE "C") FROM unnest(%s) entry)::text`, list)
}

// collation is a collation unless it is the type's own.
func collation(oid, own string) string {
	return fmt.Sprintf(`CASE WHEN %[1]s <> 0 AND %[1]s <> %[2]s THEN %[1]s::regcollation::text END`, oid, own)
}

// listed are the names of columns of a relation, in the order of an array of their numbers.
func listed(numbers, relation string) string {
	return fmt.Sprintf(`(SELECT array_agg(quote_ident(member.attname) ORDER BY place.position) FROM unnest(%s) WITH ORDINALITY place(number, position)
		JOIN pg_attribute member ON member.attrelid = %s AND member.attnum = place.number)`, numbers, relation)
}

// relationName is that of c in n.
const relationName = `quote_ident(n.nspname) || '.' || quote_ident(c.relname)`

// fromRelations is c in n, of some kinds, if it is ours.
func fromRelations(kinds string) string {
	return ` FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace AND ` + ours + ` AND c.relkind IN (` + kinds + `) AND ` + own("pg_class", "c.oid")
}
