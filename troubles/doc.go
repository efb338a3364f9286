// Package troubles looks for what no operation notices: certificates that are
// not renewed, disks that fill up, a production that fails. It owns the limits,
// and says in one sentence what is wrong.
//
// It must not know where certificates and figures come from, nor who is told.
package troubles
