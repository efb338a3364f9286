package metrics

import "github.com/prometheus/client_golang/prometheus"

const namespace = "bluegreen_"

// family is one metric: its name, what it says, and its labels.
type family struct {
	desc *prometheus.Desc
	kind prometheus.ValueType // of a single value
}

func newFamily(kind prometheus.ValueType, name, help string, labels ...string) family {
	return family{prometheus.NewDesc(namespace+name, help, labels, nil), kind}
}

func counter(name, help string, labels ...string) family {
	return newFamily(prometheus.CounterValue, name, help, labels...)
}

func distribution(name, help string, labels ...string) family {
	return newFamily(prometheus.UntypedValue, name, help, labels...) // exposed says what it is
}

func gauge(name, help string, labels ...string) family {
	return newFamily(prometheus.GaugeValue, name, help, labels...)
}

// names holds every metric of the edge, besides those of the Go runtime and of
// the process. It never changes. All labels have values that the configuration
// bounds, but for those of release_info, of which there are two for each app.
var names = struct {
	requests, errors, duration, firstByte, bytesIn, bytesOut, retries, upstream, unserved family
	upgrades, upgradesCut, lasting                                                        family
	pathRequests, pathDuration                                                            family

	build, up, attention, phase, route, slot, release, rollback, bakeEnd, verdict, paused, maintenance family
	inFlight, upgraded, health, latency, failures                                                      family
	cpu, memory, memoryLimit, restarts                                                                 family
	database, backupAge                                                                                family
	draining, drainLeft, drainCut, operations, certificate, certificateOK, linesLost, diskUsed         family
}{
	requests: counter("requests_total", "Requests that the release in a slot answered, or failed to answer, by class of the status.",
		"app", "route", "colour", "method", "code"),
	errors: counter("request_errors_total", "Of requests_total those that count against the release: 5xx and failures of the backend.",
		"app", "route", "colour"),
	duration: distribution("request_duration_seconds", "From the end of the request header to the end of the response, without event streams and time spent in a pause.",
		"app", "route", "colour"),
	firstByte: distribution("request_first_byte_seconds", "From the end of the request header to the header of the response.",
		"app", "route", "colour"),
	bytesIn:  counter("request_bytes_total", "Bytes of bodies, and of WebSockets, from clients.", "app", "route", "colour"),
	bytesOut: counter("response_bytes_total", "Bytes of bodies, and of WebSockets, to clients.", "app", "route", "colour"),
	retries:  counter("retries_total", "Attempts to reach the backend after the first.", "app", "route", "colour"),
	upstream: counter("upstream_errors_total", "Requests that the backend failed to answer, or in the middle of the answer.", "app", "route", "colour", "kind"),
	unserved: counter("unserved_requests_total", "Requests that the edge refused or ended, or that their client left: they tell nothing of the release.",
		"app", "route", "colour", "reason"),
	upgrades:    counter("upgrades_total", "WebSockets established.", "app", "route", "colour"),
	upgradesCut: counter("upgrades_cut_total", "WebSockets ended by a drain or the end of the edge.", "app", "route", "colour"),
	lasting:     distribution("upgrade_duration_seconds", "How long WebSockets and event streams have lasted, told at their end.", "app", "route", "colour"),

	pathRequests: counter("path_requests_total", "Requests that another path of the configuration served.", "app", "route", "path", "method", "code"),
	pathDuration: distribution("path_request_duration_seconds", "As request_duration_seconds, of requests that another path served.", "app", "route", "path"),

	build:       gauge("build_info", "Always 1; the version of the edge and of Go.", "version", "goversion"),
	up:          gauge("app_up", "Whether the app is in service: its recorded state can be read.", "app"),
	attention:   gauge("app_needs_attention", "Whether something waits for a person; bluegreen status says what.", "app"),
	phase:       gauge("phase", "1 for the phase that the app is in.", "app", "phase"),
	route:       gauge("route_slot", "1 for the slot that a route leads to.", "app", "route", "colour"),
	slot:        gauge("slot_state", "1 for the state that a slot is in.", "app", "colour", "state"),
	release:     gauge("release_info", "Always 1; the release in a slot.", "app", "colour", "release", "commit", "image"),
	rollback:    gauge("rollback_ready", "Whether a rollback is possible at once.", "app"),
	bakeEnd:     gauge("bake_end_timestamp_seconds", "When the bake ends that goes on; absent without one.", "app"),
	verdict:     gauge("bake_verdict", "1 for what the figures of the bake that goes on say so far: good, bad or undecided.", "app", "verdict"),
	paused:      gauge("paused", "Whether production is paused.", "app"),
	maintenance: gauge("maintenance", "Whether production shows the maintenance page.", "app"),

	database:  gauge("database_up", "Whether the database answers the app; absent without one.", "app"),
	backupAge: gauge("backup_age_seconds", "How old the newest backup of the database is; absent without one.", "app"),

	inFlight: gauge("requests_in_flight", "Requests that a slot serves now, of both routes.", "app", "colour"),
	upgraded: gauge("upgraded", "WebSockets and event streams that are open on a slot now, of both routes.", "app", "colour"),
	health:   gauge("health", "1 for what the probes of a slot say: healthy, unhealthy or unknown.", "app", "colour", "status"),
	latency:  gauge("health_latency_seconds", "How long the last probe of a slot took.", "app", "colour"),
	failures: gauge("health_consecutive_failures", "Probes of a slot that have failed one after another.", "app", "colour"),

	cpu:         counter("container_cpu_seconds_total", "Processor time that the container in a slot has used since it was started.", "app", "colour"),
	memory:      gauge("container_memory_bytes", "Memory that the container in a slot uses, without the page cache that can be dropped.", "app", "colour"),
	memoryLimit: gauge("container_memory_limit_bytes", "What it may use at most; absent without a limit.", "app", "colour"),
	restarts:    gauge("container_restarts", "How often the container in a slot was started again after it had died.", "app", "colour"),

	draining:   gauge("drain_in_progress", "Whether a slot is drained now.", "app", "colour"),
	drainLeft:  gauge("drain_remaining", "What the drain still waits for: requests, or upgraded connections.", "app", "colour", "kind"),
	drainCut:   gauge("drain_cut", "What the drain has ended so far.", "app", "colour", "kind"),
	operations: counter("operations_total", "Operations that have ended since the edge was started.", "app", "operation", "result"),

	certificate:   gauge("certificate_expiry_timestamp_seconds", "When the certificate that is served for a host ends; absent without one.", "host"),
	certificateOK: gauge("certificate_ok", "Whether a client that connects now is shown a valid certificate.", "host"),
	diskUsed:      gauge("disk_used_ratio", "How full the disk of a folder is, 0 to 1; of its files if those run out first.", "folder"),
	linesLost:     counter("log_lines_lost_total", "Lines of a log that were not written: the disk was full or too slow.", "app", "file"),
}
