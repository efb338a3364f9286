package main

import (
	_ "embed"
	"net"
	"strings"
	"text/template"
)

// The configurations say in comments what they add to a program's defaults.
var (
	//go:embed configs/nginx.conf
	nginxConfig string
	//go:embed configs/haproxy.cfg
	haproxyConfig string
	//go:embed configs/Caddyfile
	caddyConfig string
	//go:embed configs/bluegreen.yaml
	bluegreenConfig string
)

func parse(name, text string) *template.Template {
	port := func(address string) (string, error) {
		_, port, err := net.SplitHostPort(address)
		return port, err
	}
	return template.Must(template.New(name).Funcs(template.FuncMap{"join": strings.Join, "port": port, "connections": connections, "spare": spare}).Parse(text))
}

// programs are the contenders that a run can start. binaries says where those
// are that do not come with the system.
func programs(binaries map[string]string) map[string]program {
	edge := func(binary string) program {
		return program{
			binary: binary, config: parse(bluegreen, bluegreenConfig), file: "bluegreen.yaml",
			run: func(file string) []string { return []string{"serve", "--config", file} },
		}
	}
	return map[string]program{
		nginx: {
			binary: "nginx", config: parse(nginx, nginxConfig), file: "nginx.conf",
			run: func(file string) []string { return []string{"-c", file} },
		},
		haproxy: {
			binary: "haproxy", config: parse(haproxy, haproxyConfig), file: "haproxy.cfg",
			run: func(file string) []string { return []string{"-db", "-f", file} },
		},
		caddy: {
			binary: binaries[caddy], config: parse(caddy, caddyConfig), file: "Caddyfile",
			run: func(file string) []string { return []string{"run", "--adapter", "caddyfile", "--config", file} },
		},
		bluegreen:  edge(binaries[bluegreen]),
		otherBuild: edge(binaries[otherBuild]),
	}
}

// connections is how many clients a proxy can serve with so many files: one for
// the client, one for the backend, and some for itself.
func connections(files int) int { return files/2 - 100 }

// spare is a quarter more than files.
func spare(files int) int { return files + files/4 }
