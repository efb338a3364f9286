// Package postgres keeps the PostgreSQL database of an app safe for every
// release that production may be pointed at: it implements switcher.Database.
// Migrations are rehearsed in a copy before anything of the live database
// changes, what they mean for the releases that run is found out there, and
// what each release needs is kept.
//
// It must not know what a slot or a route is, nor how a job is run.
package postgres
