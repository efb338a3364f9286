package config

import "time"

// The values of App.Runtime.
const (
	RuntimeDocker  = "docker"
	RuntimeProcess = "process"
)

// App is one deployable backend. Container is meaningful with RuntimeDocker only,
// Process with RuntimeProcess only; the other one is its zero value.
type App struct {
	// Name is the key of the app in the file.
	Name string `yaml:"-"`
	// Production are the public hosts; at least one.
	Production []string `yaml:"production" jsonschema:"required,minItems=1"`
	// Internal are the hosts on which a new release is tested; at least one.
	Internal []string `yaml:"internal" jsonschema:"required,minItems=1"`
	// Canonical is the production host that the other ones redirect to; default none.
	Canonical string `yaml:"canonical"`
	// HSTS tells browsers to use nothing but HTTPS; default no such header.
	HSTS HSTS `yaml:"hsts"`
	// Compression says whether what the backend sends uncompressed is compressed, with
	// zstd or gzip; default false.
	Compression bool `yaml:"compression"`
	// Limits bound what one client may ask for; default none.
	Limits Limits `yaml:"limits"`
	// Paths lead requests below certain paths of all hosts of the app to other upstreams
	// and folders; default none.
	Paths []Path `yaml:"paths"`
	// Pages is a folder of own error pages, relative to this file: 503.html, 5xx.html,
	// maintenance.html and so on, for a language 503.es.html; default none.
	Pages string `yaml:"pages"`
	// Access says who may open the internal hosts; default loopback only.
	Access Access `yaml:"access"`
	// Runtime is docker (default) or process.
	Runtime string `yaml:"runtime" jsonschema:"enum=docker,enum=process"`
	// Image is the repository of the images, without tag or digest; required with runtime docker.
	Image string `yaml:"image"`
	// Pull is always (default), missing or never; runtime docker only.
	Pull string `yaml:"pull" jsonschema:"enum=always,enum=missing,enum=never"`
	// Slots are the two places a release can run in.
	Slots Slots `yaml:"slots"`
	// Container describes the container of a slot; runtime docker only.
	Container Container `yaml:"container"`
	// Process describes the process of a slot; runtime process only.
	Process Process `yaml:"process"`
	// Database is what both releases share; default none.
	Database Database `yaml:"database"`
	// Health describes the probe that decides whether a release is healthy.
	Health Health `yaml:"health"`
	// Drain says how long work in flight is waited for.
	Drain Drain `yaml:"drain"`
	// Switch says how a switch is watched.
	Switch Switch `yaml:"switch"`
	// Notify says who is told of the app.
	Notify Notify `yaml:"notify"`
	// Upstream describes the connections to the backend.
	Upstream Upstream `yaml:"upstream"`
}

// Slots are the blue and the green slot.
type Slots struct {
	// Blue is the blue slot; default port 3001.
	Blue Slot `yaml:"blue"`
	// Green is the green slot; default port 3002.
	Green Slot `yaml:"green"`
}

// Slot is a place that holds at most one release.
type Slot struct {
	// Port is the TCP port on 127.0.0.1 at which the slot's backend is reached.
	Port int `yaml:"port" jsonschema:"minimum=1,maximum=65535"`
}

// Health is the probe of a backend.
type Health struct {
	// Path is what is asked for, with its query if any; default /health.
	Path string `yaml:"path" jsonschema:"pattern=^/"`
	// Interval between two probes; default 30s.
	Interval time.Duration `yaml:"interval"`
	// Timeout of one probe; default 5s.
	Timeout time.Duration `yaml:"timeout"`
	// Rise is the number of consecutive successes that make a backend healthy; default 2.
	Rise int `yaml:"rise" jsonschema:"minimum=1"`
	// Fall is the number of consecutive failures that make a backend unhealthy; default 3.
	Fall int `yaml:"fall" jsonschema:"minimum=1"`
	// Deadline is the time a new release has to become healthy; default 2m.
	Deadline time.Duration `yaml:"deadline"`
}

// Drain is how long a slot's work in flight is waited for.
type Drain struct {
	// Timeout for requests; default 30s.
	Timeout time.Duration `yaml:"timeout"`
	// Websockets is how long WebSockets and event streams are kept; default 5m.
	Websockets time.Duration `yaml:"websockets"`
	// Spread is the time over which they are closed after that, one by one; 0s closes them together; default 10s.
	Spread time.Duration `yaml:"spread" zero:"off"`
}

// Switch is what follows a switch.
type Switch struct {
	// Bake is the time in which the new release is watched; 0s watches none; default 10m.
	Bake time.Duration `yaml:"bake" zero:"off"`
	// Rules say what figures make it bad meanwhile.
	Rules Rules `yaml:"rules"`
}

// The values of Upstream.Protocol.
const (
	ProtocolHTTP1 = "http1"
	ProtocolH2C   = "h2c"
)

// Upstream is the policy of connections to the backend.
type Upstream struct {
	// Protocol is http1 (default), or h2c: HTTP/2 without TLS, which gRPC needs.
	Protocol string `yaml:"protocol" jsonschema:"enum=http1,enum=h2c"`
	// DialTimeout is the time to connect; default 3s.
	DialTimeout time.Duration `yaml:"dial_timeout"`
	// IdleTimeout closes an unused keep-alive connection; it must be shorter than the backend's own; default 4s.
	IdleTimeout time.Duration `yaml:"idle_timeout"`
	// HeaderTimeout is the time the backend has to begin its answer; default 60s.
	HeaderTimeout time.Duration `yaml:"header_timeout"`
}
