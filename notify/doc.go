// Package notify tells the team what switcher.Notices say: it decides which of
// them are news, words them in the team's language, keeps them on disk until
// they are delivered, and delivers them to each chat, mailbox or webhook
// independently of all others.
//
// A trouble is told once, again every Repeat while it lasts, and once more when
// it is over. One that comes back within ten minutes of that is told again, and
// from then on it is over only once it has stayed so for five minutes, twice as
// long with every return and an hour at most; what comes and goes meanwhile is
// counted. So what was told last is always true, and flapping is not a flood.
//
// The URL of a service is a secret. It never leaves this package: a service is
// called by its kind and its place in the configuration, "slack #1".
//
// It must not know how a notice came about, what a backend, a route or a file
// of the configuration is, or that there is an admin API.
package notify
