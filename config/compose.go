package config

import "time"

// Container describes the container of a slot with the names and the syntax of the
// Compose specification (https://github.com/compose-spec/compose-spec/blob/main/05-services.md).
type Container struct {
	// Name must contain {colour}, for two slots cannot share one name; default <app>-{colour}.
	Name string `yaml:"name" jsonschema:"pattern=\\{colour\\}"`
	// Port the backend listens on inside the container; default 3000.
	Port int `yaml:"port" jsonschema:"minimum=1,maximum=65535"`
	// Command replaces the image's command.
	Command Command `yaml:"command"`
	// Environment of the container.
	Environment Environment `yaml:"environment"`
	// EnvFile are files of further variables, relative to this file; Environment wins over them.
	EnvFile EnvFiles `yaml:"env_file"`
	// Volumes are the mounts.
	Volumes []Volume `yaml:"volumes"`
	// Networks the container joins, besides the one its port is published from.
	Networks Networks `yaml:"networks"`
	// MemLimit is the memory limit in bytes, written like 512m; default none.
	MemLimit Bytes `yaml:"mem_limit"`
	// CPUs is the number of processors it may use, such as 0.5; default no limit.
	CPUs CPUs `yaml:"cpus"`
	// User is the user, or user:group, that the container runs as; default the image's.
	User string `yaml:"user"`
	// StopGracePeriod is the time between the stop signal and the kill; default 10s.
	StopGracePeriod time.Duration `yaml:"stop_grace_period"`
	// StopSignal asks the backend to end; default the image's, else SIGTERM.
	StopSignal string `yaml:"stop_signal"`
	// Restart is no, on-failure, on-failure:N or unless-stopped (default).
	Restart string `yaml:"restart" jsonschema:"pattern=^(no|unless-stopped|on-failure(:[1-9][0-9]*)?)$"`
}

// Process describes the local process of a slot; what it shares with Container has the same name and meaning.
type Process struct {
	// Command is the program and its arguments; required.
	Command Command `yaml:"command" jsonschema:"required"`
	// Directory it is started in; default the directory of this file.
	Directory string `yaml:"directory"`
	// Environment of the process.
	Environment Environment `yaml:"environment"`
	// StopGracePeriod is the time between the stop signal and the kill; default 10s.
	StopGracePeriod time.Duration `yaml:"stop_grace_period"`
	// StopSignal asks the process to end; default SIGTERM.
	StopSignal string `yaml:"stop_signal"`
}

// Command is a program and its arguments. In the file it is a list, or one string
// that is split like a shell splits words, without a shell.
type Command []string

// Environment maps names to values. In the file it is a map or a list of NAME=value;
// a name without a value takes its value from the environment of the edge.
type Environment map[string]string

// EnvFiles are paths. In the file they are one string or a list.
type EnvFiles []string

// Networks are names of networks. In the file they are a list, or the keys of a map without values.
type Networks []string

// Bytes is a size. In the file it is a number of bytes, or a string with a unit such as 512m.
type Bytes int64

// CPUs is a number of processors. In the file it is a number or a string.
type CPUs float64

// Volume is a mount. In the file it is "source:target[:ro]" or a map.
type Volume struct {
	// Type is bind, volume or tmpfs; in the short form a source that begins with / or . is a bind.
	Type string `yaml:"type" jsonschema:"required,enum=bind,enum=volume,enum=tmpfs"`
	// Source is a path or the name of a volume; a tmpfs has none.
	Source string `yaml:"source"`
	// Target is an absolute path in the container.
	Target string `yaml:"target" jsonschema:"required"`
	// ReadOnly forbids writing.
	ReadOnly bool `yaml:"read_only"`
}
