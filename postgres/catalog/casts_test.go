package catalog

import (
	"strings"
	"testing"

	"sofiacall.com/bluegreen/internal/pgtest"
)

// An implicit cast makes an operator of a query ambiguous that leaves the types
// of its operands to the server.
func TestTheCatalogIsReadWhateverCastsADatabaseHas(t *testing.T) {
	d := rich(t)
	before := read(t, d.SuperuserURL)
	pgtest.Exec(t, d.SuperuserURL, `DO $$
		DECLARE other regtype;
		BEGIN
			FOREACH other IN ARRAY '{int2,int4,int8,oid,float4,float8,numeric,bool,char,name,varchar,xid,json,jsonb,regproc,regprocedure,regoper,regoperator,regclass,regtype,regrole,regnamespace,regcollation,regconfig,regdictionary,"\"char\"",int2vector,oidvector,timestamptz,interval}'::regtype[] LOOP
				IF NOT EXISTS (SELECT FROM pg_cast WHERE castsource = other AND casttarget = 'text'::regtype) THEN
					EXECUTE format('CREATE CAST (%s AS text) WITH INOUT AS IMPLICIT', other);
				END IF;
				IF NOT EXISTS (SELECT FROM pg_cast WHERE castsource = 'text'::regtype AND casttarget = other) THEN
					EXECUTE format('CREATE CAST (text AS %s) WITH INOUT AS IMPLICIT', other);
				END IF;
			END LOOP;
		END $$`)
	for _, difference := range different(before, read(t, d.SuperuserURL)) {
		if !strings.HasPrefix(difference, ".Others[cast ") {
			t.Error(difference)
		}
	}
}
