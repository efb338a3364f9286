// Package postgres keeps the PostgreSQL database of an app safe for every
// release that production may be pointed at: it implements switcher.Database.
// Migrations are rehearsed in a copy before anything of the live database
// changes, what they mean for the releases that run is found out there, and
// what each release needs is kept.
//
// Each way through it begins in one file and is told there from top to bottom:
// migrate.go is that of a release's migrations (by way of rehearse.go, verdict.go
// and live.go), do.go has the smaller operations, restore_plan.go and restore.go are
// a restore (its swap in restore_swap.go), recover.go is the next start after a
// crash, and watch.go looks on meanwhile.
//
// It must not know what a slot or a route is, nor how a job is run.
package postgres
