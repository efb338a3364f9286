package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/template"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"sofiacall.com/bluegreen/docker"
	"sofiacall.com/bluegreen/internal/enginetest"
	"sofiacall.com/bluegreen/switcher"
)

// dockerEdge is a testEdge whose releases are containers that hold nothing but
// the built-in chat.
type dockerEdge struct {
	*testEdge
	Repository string
	Container  string         // further keys of the container
	engine     string         // its address for the edge and for building images
	api        *client.Client // speaks to the engine past any gate
}

const dockerConfig = `edge: { http: "{{.HTTP}}", https: "{{.HTTPS}}" }
tls: { issuer: internal }
admin: { socket: {{.Dir}}/admin.sock }
state: { dir: {{.Dir}}/state }
logs: { dir: {{.Dir}}/logs }
apps:
  {{.App}}:
    production: [app.localhost]
    internal: [internal.app.localhost]
    image: {{.Repository}}
    pull: never
    container: { port: 3000, stop_grace_period: 2s{{.Container}} }
    slots: { blue: { port: {{.Blue}} }, green: { port: {{.Green}} } }
    health: { interval: {{.Interval}}, timeout: 2s, deadline: {{.Deadline}} }
    drain: { timeout: 2s, websockets: 2s, spread: 0s }
    switch: { bake: 10m }
{{.Extra}}
`

// newDockerEdge prepares an edge for an app on the engine that api speaks to,
// and an image for each release, by its tag; those of chatFaults are faulty.
func newDockerEdge(t *testing.T, api *client.Client, releases ...string) *dockerEdge {
	t.Helper()
	repository, app := enginetest.Repository(t, api), enginetest.App(t, api)
	e := &dockerEdge{testEdge: newTestEdge(t, ""), Repository: repository, engine: api.DaemonHost(), api: api}
	e.App, e.Interval = app, "100ms"
	e.HTTP, e.HTTPS = loopback(enginetest.Port(t)), loopback(enginetest.Port(t))
	e.Blue, e.Green = enginetest.Port(t), enginetest.Port(t)
	e.env = []string{"DOCKER_HOST=" + e.engine}
	e.configure()
	e.build(releases...)
	return e
}

// configure writes the configuration file as the fields say.
func (e *dockerEdge) configure() {
	e.t.Helper()
	var text bytes.Buffer
	if err := template.Must(template.New("").Parse(dockerConfig)).Execute(&text, e); err != nil {
		e.t.Fatal(err)
	}
	e.write("bluegreen.yaml", text.String())
}

func (e *dockerEdge) build(releases ...string) {
	e.t.Helper()
	if len(releases) == 0 {
		return
	}
	program := staticProgram(e.t)
	for _, release := range releases {
		command := append([]string{"chat", "--release", release}, strings.Split(chatFaults, ", ")...)
		if err := docker.ImportProgram(e.t.Context(), e.engine, e.Repository+":"+release, program, command...); err != nil {
			e.t.Fatal(err)
		}
	}
}

// staticProgram returns the path of a bluegreen that runs in an image of its
// own; the test binary does not, for the race detector needs a C library.
func staticProgram(t *testing.T) string {
	t.Helper()
	program, err := builtStatic()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "bluegreen")
	if err := os.WriteFile(path, program, 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// builtStatic compiles it, once in the life of the test binary.
var builtStatic = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "bluegreen")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "bluegreen")
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", path, "sofiacall.com/bluegreen/cmd/bluegreen")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if said, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("building bluegreen: %w\n%s", err, said)
	}
	return os.ReadFile(path)
})

// shown is a row of the table of a release's life, as `status --json` tells it.
type shown struct {
	Phase, Active, Inactive string
	Slots                   map[string]struct{ State string }
	Routes                  map[string]struct{ Slot string }
	Rollback                struct{ Ready bool }
	Bake, Drain, Operation  any
}

func (s shown) String() string {
	row := fmt.Sprintf("%s: blue %s, green %s; production %s, internal %s; active %s, inactive %s",
		s.Phase, s.Slots["blue"].State, s.Slots["green"].State,
		s.Routes["production"].Slot, s.Routes["internal"].Slot, s.Active, s.Inactive)
	if s.Rollback.Ready {
		row += "; rollback ready"
	}
	if s.Bake != nil {
		row += "; bake"
	}
	return row
}

// row reads the status once nothing goes on in the background.
func (e *dockerEdge) row() (row shown) {
	e.t.Helper()
	e.await("the slots are at rest", func() bool {
		row = shown{}
		if err := json.Unmarshal([]byte(e.must("status", "--json").stdout), &row); err != nil {
			e.t.Fatal(err)
		}
		return row.Drain == nil && row.Operation == nil
	})
	return row
}

// containers describes the app's containers, by name: state and restart
// policy. All that must hold for each of them at any moment is checked.
func (e *dockerEdge) containers() []string {
	e.t.Helper()
	found := []string{}
	for _, c := range e.inspect() {
		name := strings.TrimPrefix(c.Name, "/")
		labels := c.Config.Labels
		colour := labels[docker.LabelColour]
		port := map[string]int{"blue": e.Blue, "green": e.Green}[colour]
		if name != e.App+"-"+colour || labels[docker.LabelInstance] == "" || labels[docker.LabelRelease] == "" {
			e.t.Errorf("container %s has labels %v", name, labels)
		}
		for inside, outside := range c.HostConfig.PortBindings {
			if len(outside) != 1 || inside.String() != "3000/tcp" || outside[0].HostIP.String() != "127.0.0.1" || outside[0].HostPort != fmt.Sprint(port) {
				e.t.Errorf("container %s publishes %v as %v", name, inside, outside)
			}
		}
		if len(c.HostConfig.PortBindings) != 1 {
			e.t.Errorf("container %s publishes %v", name, c.HostConfig.PortBindings)
		}
		found = append(found, fmt.Sprintf("%s %s %s %s", colour, labels[docker.LabelInstance], c.State.Status, c.HostConfig.RestartPolicy.Name))
	}
	slices.Sort(found)
	return found
}

// inspect returns the app's containers, by its label.
func (e *dockerEdge) inspect() (found []container.InspectResponse) {
	e.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	all, err := e.api.ContainerList(ctx, client.ContainerListOptions{
		All: true, Filters: client.Filters{}.Add("label", docker.LabelApp+"="+e.App),
	})
	if err != nil {
		e.t.Fatal(err)
	}
	for _, c := range all.Items {
		details, err := e.api.ContainerInspect(ctx, c.ID, client.ContainerInspectOptions{})
		if err == nil { // else removed meanwhile
			found = append(found, details.Container)
		}
	}
	return found
}

// wanted is what containers must return for a state at rest.
func wanted(s *switcher.State) []string {
	want := []string{}
	for _, c := range slices.Sorted(maps.Keys(s.Slots)) {
		switch slot := s.Slots[c]; slot.State {
		case switcher.Active, switcher.Previous, switcher.Testing:
			want = append(want, fmt.Sprintf("%s %s running unless-stopped", c, slot.Instance))
		case switcher.Failed:
			want = append(want, fmt.Sprintf("%s %s exited no", c, slot.Instance))
		}
	}
	return want
}

// asRecorded waits until exactly the containers are there that the recorded
// state names, each as it should be.
func (e *dockerEdge) asRecorded(when string) {
	e.t.Helper()
	var want, got []string
	defer func() {
		if e.t.Failed() {
			e.t.Logf("%s: containers %q, recorded %q", when, got, want)
		}
	}()
	e.await(when+": containers are as recorded", func() bool {
		s := e.recorded()
		want, got = wanted(s), e.containers()
		return s.Operation == nil && slices.Equal(want, got)
	})
}

// visitor asks production for its release all the time, over a new connection
// each time, and never twice for the same thing.
type visitor struct {
	stop func() visits
}

type visits struct {
	answered int
	refused  int      // no answer: the edge was not there
	bad      []string // answers other than 200
}

func (e *dockerEdge) visitor() *visitor {
	e.t.Helper()
	browser := e.client()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan visits)
	go func() {
		var v visits
		defer func() { done <- v }()
		for ctx.Err() == nil {
			v.visit(browser)
			select {
			case <-ctx.Done():
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	stop := sync.OnceValue(func() visits { cancel(); return <-done })
	e.t.Cleanup(func() { stop() })
	return &visitor{stop}
}

func (v *visits) visit(browser *http.Client) {
	answer, err := browser.Get("https://app.localhost/release")
	if err != nil {
		v.refused++
		return
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	switch {
	case err != nil:
		v.refused++
	case answer.StatusCode != http.StatusOK:
		v.bad = append(v.bad, answer.Status+" "+string(body))
	default:
		v.answered++
	}
}
