package config

import (
	"math"
	"net/netip"
	"path/filepath"
	"time"
)

const letsEncrypt = "https://acme-v02.api.letsencrypt.org/directory"

// setDefaults fills in what the file does not give. It is the only place of defaults.
func setDefaults(c *Config, given func(key string) bool) {
	or(&c.Edge.HTTP, ":80", given("edge.http"))
	or(&c.Edge.HTTPS, ":443", given("edge.https"))
	or(&c.Edge.HTTP3, true, given("edge.http3"))
	or(&c.Edge.Connections, 1000, given("edge.connections"))
	or(&c.Edge.Timeouts.Header, 10*time.Second, given("edge.timeouts.header"))
	or(&c.Edge.Timeouts.Body, time.Minute, given("edge.timeouts.body"))
	or(&c.Edge.Timeouts.Idle, 3*time.Minute, given("edge.timeouts.idle"))
	or(&c.TLS.Issuer, "acme", given("tls.issuer"))
	or(&c.TLS.Directory, letsEncrypt, given("tls.directory") || c.TLS.Issuer != "acme")
	or(&c.Admin.Socket, "/run/bluegreen/admin.sock", given("admin.socket"))
	or(&c.State.Dir, "/var/lib/bluegreen", given("state.dir"))
	or(&c.Logs.Dir, "/var/log", given("logs.dir"))
	or(&c.Logs.MaxSize, 100<<20, given("logs.max_size"))
	or(&c.Logs.MaxAge, 30*24*time.Hour, given("logs.max_age"))
	or(&c.Logs.Keep, 10, given("logs.keep"))
	or(&c.Logs.TotalSize, 2<<30, given("logs.total_size"))
	or(&c.Tracing.Sample, 0.01, given("tracing.sample") || !given("tracing"))
	or(&c.Disk.Warn, 90, given("disk.warn"))
	or(&c.Language, "en", given("language"))

	for name, a := range c.Apps {
		given := func(key string) bool { return given("apps." + name + "." + key) }
		if !given("access") {
			a.Access.Allow = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
		}
		or(&a.HSTS.MaxAge, 365*24*time.Hour, given("hsts.max_age") || !given("hsts"))
		or(&a.Limits.Burst, int(min(math.Ceil(2*float64(a.Limits.Rate)), math.MaxInt32)), given("limits.burst"))
		or(&a.Runtime, RuntimeDocker, given("runtime"))
		or(&a.Slots.Blue.Port, 3001, given("slots.blue.port"))
		or(&a.Slots.Green.Port, 3002, given("slots.green.port"))
		switch a.Runtime {
		case RuntimeDocker:
			or(&a.Pull, "always", given("pull"))
			or(&a.Container.Name, name+"-{colour}", given("container.name"))
			or(&a.Container.Port, 3000, given("container.port"))
			or(&a.Container.StopGracePeriod, 10*time.Second, given("container.stop_grace_period"))
			or(&a.Container.Restart, "unless-stopped", given("container.restart"))
		case RuntimeProcess:
			or(&a.Process.Directory, ".", given("process.directory"))
			or(&a.Process.StopGracePeriod, 10*time.Second, given("process.stop_grace_period"))
			or(&a.Process.StopSignal, "SIGTERM", given("process.stop_signal"))
		}
		if given("database") {
			setDatabaseDefaults(&a.Database, filepath.Join(c.State.Dir, "databases", name), func(key string) bool { return given("database." + key) })
		}
		or(&a.Health.Path, "/health", given("health.path"))
		or(&a.Health.Interval, 30*time.Second, given("health.interval"))
		or(&a.Health.Timeout, 5*time.Second, given("health.timeout"))
		or(&a.Health.Rise, 2, given("health.rise"))
		or(&a.Health.Fall, 3, given("health.fall"))
		or(&a.Health.Deadline, 2*time.Minute, given("health.deadline"))
		or(&a.Drain.Timeout, 30*time.Second, given("drain.timeout"))
		or(&a.Drain.Websockets, 5*time.Minute, given("drain.websockets"))
		or(&a.Drain.Spread, 10*time.Second, given("drain.spread"))
		or(&a.Switch.Bake, 10*time.Minute, given("switch.bake"))
		or(&a.Switch.Rules.MinRequests, 20, given("switch.rules.min_requests"))
		or(&a.Switch.Rules.ErrorRate, 5, given("switch.rules.error_rate"))
		or(&a.Switch.Rules.Restarts, 1, given("switch.rules.restarts"))
		or(&a.Switch.Rules.ErrorRateRelative, 0.5, given("switch.rules.error_rate_relative"))
		or(&a.Switch.Rules.LatencyRelative, 50, given("switch.rules.latency_relative"))
		or(&a.Notify.Repeat, 4*time.Hour, given("notify.repeat"))
		or(&a.Notify.ErrorRate, 5, given("notify.error_rate"))
		or(&a.Upstream.Protocol, ProtocolHTTP1, given("upstream.protocol"))
		or(&a.Upstream.DialTimeout, 3*time.Second, given("upstream.dial_timeout"))
		or(&a.Upstream.IdleTimeout, 4*time.Second, given("upstream.idle_timeout"))
		or(&a.Upstream.HeaderTimeout, 60*time.Second, given("upstream.header_timeout"))
	}
}

func setDatabaseDefaults(d *Database, dir string, given func(key string) bool) {
	or(&d.LockTimeout, 2*time.Second, given("lock_timeout"))
	or(&d.StatementTimeout, 15*time.Minute, given("statement_timeout"))
	or(&d.LockRetries, 10, given("lock_retries"))
	or(&d.Rehearsal.Mode, RehearsalAuto, given("rehearsal.mode"))
	or(&d.Gate.Mode, GateEnforce, given("gate.mode"))
	or(&d.Gate.LargeTable, 100<<20, given("gate.large_table"))
	or(&d.Backup.Dir, filepath.Join(dir, "backups"), given("backup.dir"))
	or(&d.Backup.Keep, 14, given("backup.keep"))
	or(&d.Backup.Verify, true, given("backup.verify"))
	or(&d.Backup.At, "03:00", given("backup.at"))
	or(&d.Backup.MaxAge, 26*time.Hour, given("backup.max_age"))
	or(&d.Restore.KeepFailed, 1, given("restore.keep_failed"))
}

// or sets the value to its default unless the file gives it.
func or[T any](value *T, fallback T, given bool) {
	if !given {
		*value = fallback
	}
}
