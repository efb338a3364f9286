// Package catalog reads what a PostgreSQL database consists of, as its system
// catalogs tell it, into a value that can be kept, compared and shown.
//
// It must not know what a change of it means for anybody.
package catalog
