package postgres

import (
	"testing"

	"sofiacall.com/bluegreen/internal/pgtest"
	"sofiacall.com/bluegreen/switcher"
)

// Of two functions the server takes the one that fits the arguments better, and
// only then the one that is first on the search path.
func TestNoFunctionOfTheAppsIsRunWithTheOwnersRights(t *testing.T) {
	l := newLab(t, func(o *Options) { o.Backup.Verify = true })
	first := l.release(users)
	l.deploy(first, nil)
	for _, f := range []string{
		"quote_ident(name)", "quote_ident(text)", "format(text, name, name)", "format(text, regclass, name)", "starts_with(name, text)",
		"format_type(oid, integer)", "pg_get_userbyid(oid)", "array_agg(text)", "host(inet)", "length(name)",
	} {
		pgtest.Exec(t, l.db.OwnerURL, "CREATE FUNCTION public."+f+` RETURNS text LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION $q$the trap `+f+` was run$q$; END'`)
	}
	pgtest.Exec(t, l.db.SuperuserURL, "ALTER ROLE "+l.db.Owner+" SET search_path = public, pg_catalog", "GRANT pg_signal_backend TO "+l.db.Owner)
	for _, kind := range []switcher.Kind{switcher.KindAccept, switcher.KindBackup, switcher.KindVerify, switcher.KindPlan} {
		if text, err := l.do(kind, l.release(users, "ALTER TABLE users ADD COLUMN a int"), first); err != nil {
			t.Errorf("%s: %q %v", kind, text, err)
		}
	}
	l.deploy(l.release(users, "ALTER TABLE users ADD COLUMN a int"), first)
	w := l.work(nil, first)
	if plan, err := l.d.PlanRestore(t.Context(), w.Request); err != nil || len(plan.Obstacles) > 0 {
		t.Errorf("%+v %v", plan, err)
	} else {
		w.Request.Plan, w.Request.Lost = plan.ID, &plan.Lost
		if text, err := l.d.Do(t.Context(), switcher.KindRestore, w); err != nil {
			t.Errorf("%q %v", text, err)
		}
	}
	l.clean()
}
