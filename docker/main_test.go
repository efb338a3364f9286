package docker_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
	"go.uber.org/goleak"

	"sofiacall.com/bluegreen/docker"
	"sofiacall.com/bluegreen/internal/enginetest"
	"sofiacall.com/bluegreen/switcher"
)

// TestMain is also the edge that the crash test kills.
func TestMain(m *testing.M) {
	if app := os.Getenv("TEST_EDGE_APP"); app != "" {
		edge(app)
		return
	}
	if code := m.Run(); code != 0 {
		os.Exit(code)
	}
	if err := goleak.Find(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// bench is an app of its own on the real engine.
type bench struct {
	*docker.Runtime
	t    *testing.T
	api  *client.Client
	app  string
	repo string
}

// newBench makes a runtime for a new app, with the options that change adds.
func newBench(t *testing.T, change func(*docker.Options)) *bench {
	t.Helper()
	api := enginetest.Require(t)
	b := &bench{t: t, api: api, repo: enginetest.Repository(t, api), app: enginetest.App(t, api)}
	b.Runtime = b.runtime(change)
	return b
}

func (b *bench) runtime(change func(*docker.Options)) *docker.Runtime {
	b.t.Helper()
	options := docker.Options{App: b.app, Port: 3000, Pull: docker.PullNever, StopGracePeriod: 5 * time.Second}
	if change != nil {
		change(&options)
	}
	r, err := docker.New(options)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = r.Close() })
	return r
}

// spec makes an image of the test server and says how to run it in blue.
func (b *bench) spec(arguments ...string) switcher.Spec {
	b.t.Helper()
	ref := enginetest.Image(b.t, b.api, b.repo, "v1", enginetest.Server(b.t), arguments...)
	artifact, err := b.Fetch(b.t.Context(), ref, ignore)
	if err != nil {
		b.t.Fatal(err)
	}
	return switcher.Spec{
		Instance: "i-" + b.app,
		Colour:   switcher.Blue,
		Release:  switcher.Release{ID: "r1", Image: ref, ImageID: artifact.ID},
		Port:     enginetest.Port(b.t),
	}
}

func (b *bench) start(spec switcher.Spec) {
	b.t.Helper()
	if err := b.Start(b.t.Context(), spec); err != nil {
		b.t.Fatal(err)
	}
}

// foreign runs a container that does not belong to the app, publishing port if
// it is not 0.
func (b *bench) foreign(name string, spec switcher.Spec, port int) (id string) {
	b.t.Helper()
	host := &container.HostConfig{}
	config := &container.Config{Image: spec.Release.ImageID}
	if port != 0 {
		publish(config, host, port)
	}
	made, err := b.api.ContainerCreate(b.t.Context(), client.ContainerCreateOptions{Name: name, Config: config, HostConfig: host})
	if err == nil {
		_, err = b.api.ContainerStart(b.t.Context(), made.ID, client.ContainerStartOptions{})
	}
	if err != nil {
		b.t.Fatal(err)
	}
	return made.ID
}

func (b *bench) inspect(name string) container.InspectResponse {
	b.t.Helper()
	found, err := b.api.ContainerInspect(b.t.Context(), name, client.ContainerInspectOptions{})
	if err != nil {
		b.t.Fatal(err)
	}
	return found.Container
}

// containers counts the app's containers, whoever made them.
func (b *bench) containers() int {
	b.t.Helper()
	found, err := b.api.ContainerList(b.t.Context(), client.ContainerListOptions{
		All: true, Filters: client.Filters{}.Add("name", "^/"+b.app),
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return len(found.Items)
}

// get asks the instance on a port until it answers.
func get(t *testing.T, port int, path string, query url.Values) (answer string) {
	t.Helper()
	eventually(t, fmt.Sprintf("%s on port %d answers", path, port), func() bool {
		text, err := webGet(port, path, query)
		answer = text
		return err == nil
	})
	return answer
}

// webGet asks once, and keeps no connection.
func webGet(port int, path string, query url.Values) (string, error) {
	web := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 5 * time.Second}
	response, err := web.Get(fmt.Sprintf("http://127.0.0.1:%d%s?%s", port, path, query.Encode()))
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return string(text), err
}

// eventually polls for what happens elsewhere.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !done() {
		if time.Now().After(deadline) {
			t.Fatalf("not within 20s: %s", what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func ignore(switcher.Progress) {}

// wantCode checks the class of an error and returns its text and hint.
func wantCode(t *testing.T, err error, want switcher.Code) (text, hint string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one of code %s", want)
	}
	if got := switcher.CodeOf(err); got != want {
		t.Fatalf("code %s, want %s: %v", got, want, err)
	}
	var told *switcher.Error
	if errors.As(err, &told) {
		hint = told.Hint
	}
	return err.Error(), hint
}

func timeout(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}
