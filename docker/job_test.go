package docker_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"sofiacall.com/bluegreen/docker"
	"sofiacall.com/bluegreen/internal/enginetest"
	"sofiacall.com/bluegreen/switcher"
)

// heard is what a job was heard to say.
type heard struct {
	mu    sync.Mutex
	lines []string
}

func (h *heard) take(l switcher.Line) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lines = append(h.lines, string(l.Text))
}

func (h *heard) said(text string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Contains(h.lines, text)
}

// job runs the test server's program once, from an image that would serve.
func (b *bench) job(arguments ...string) switcher.Job {
	b.t.Helper()
	return switcher.Job{ID: "j1", Release: b.spec().Release, Command: append([]string{"/server"}, arguments...)}
}

// begin runs a job in the background, until it has said something.
func (b *bench) begin(job switcher.Job) (h *heard, cancel context.CancelFunc, ended <-chan error) {
	b.t.Helper()
	ctx, cancel := context.WithCancel(b.t.Context())
	h, done := &heard{}, make(chan error, 1)
	go func() { done <- second(b.Once(ctx, job, h.take)) }()
	b.t.Cleanup(cancel)
	eventually(b.t, "the job has begun", func() bool { return h.said("release unnamed begins") })
	return h, cancel, done
}

func (b *bench) jobs() []string {
	b.t.Helper()
	ids, err := b.Jobs(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	return ids
}

func (b *bench) gone() {
	b.t.Helper()
	if n := b.containers(); n != 0 || len(b.jobs()) != 0 {
		b.t.Errorf("%d containers left, jobs %q", n, b.jobs())
	}
}

func TestJobTellsItsLinesAndItsExitCodeAndIsRemoved(t *testing.T) {
	b := newBench(t, nil)
	for _, want := range []int{0, 42} {
		var h heard
		code, err := b.Once(t.Context(), b.job("--lines", "3000", "--exit", fmt.Sprint(want)), h.take)
		if err != nil || code != want {
			t.Errorf("exit code %d, %v", code, err)
		}
		if !h.said("fatal: cannot go on") || len(h.lines) < 3002 {
			t.Errorf("%d lines, the last of them %q", len(h.lines), h.lines[max(0, len(h.lines)-3):])
		}
		b.gone()
	}
}

func TestJobGetsWhatAnInstanceGetsButNoPort(t *testing.T) {
	api := enginetest.Require(t)
	network := enginetest.Network(t, api)
	dir := t.TempDir()
	write(t, dir+"/env", "A=file\nB=file\n")
	b := newBench(t, func(o *docker.Options) {
		o.Networks, o.User, o.MemLimit, o.CPUs = []string{network}, "1234:5678", 64<<20, 0.5
		o.EnvFile, o.Environment = []string{dir + "/env"}, map[string]string{"B": "configured", "C": "configured"}
		o.Volumes = []docker.Volume{{Type: "bind", Source: dir, Target: "/shared", ReadOnly: true}}
		o.Restart, o.Command = "unless-stopped", []string{"/server", "--release", "instance"}
		o.Owner = "first"
	})
	job := b.job("--environment", "--slow", "1m", "--exit", "0")
	job.Environment = map[string]string{"C": "job's"}
	h, _, _ := b.begin(job)
	for _, want := range []string{"A=file", "B=configured", "C=job's", "BLUEGREEN_APP=" + b.app, "BLUEGREEN_RELEASE=r1"} {
		eventually(t, want, func() bool { return h.said(want) })
	}
	c := b.inspect(b.app + "-job-j1")
	host := c.HostConfig
	switch {
	case len(host.PortBindings) > 0 || len(c.NetworkSettings.Ports) > 0:
		t.Errorf("ports %v", host.PortBindings)
	case c.Config.User != "1234:5678" || host.Memory != 64<<20 || host.NanoCPUs != 5e8:
		t.Errorf("user %q, memory %d, cpus %d", c.Config.User, host.Memory, host.NanoCPUs)
	case host.RestartPolicy.Name != container.RestartPolicyDisabled || !slices.Contains(host.SecurityOpt, "no-new-privileges"):
		t.Errorf("restart %v, security %v", host.RestartPolicy, host.SecurityOpt)
	case len(c.Mounts) != 1 || c.Mounts[0].Destination != "/shared" || c.Mounts[0].RW:
		t.Errorf("mounts %+v", c.Mounts)
	case c.NetworkSettings.Networks[network] == nil || c.NetworkSettings.Networks[network].IPAddress == (netip.Addr{}):
		t.Errorf("networks %v", c.NetworkSettings.Networks)
	}
	want := map[string]string{docker.LabelApp: b.app, docker.LabelJob: "j1", docker.LabelRelease: "r1", docker.LabelOwner: "first"}
	for name, value := range want {
		if c.Config.Labels[name] != value {
			t.Errorf("label %s is %q, want %q", name, c.Config.Labels[name], value)
		}
	}
	if err := b.Remove(t.Context(), "j1"); err != nil {
		t.Fatal(err)
	}
	b.gone()
}

func TestJobIsNoInstance(t *testing.T) {
	b := newBench(t, nil)
	n := watch(t, b.Runtime)
	job := b.job("--exit", "3", "--slow", "1m")
	_, cancel, ended := b.begin(job)
	if listed, err := b.List(t.Context()); err != nil || len(listed) != 0 {
		t.Errorf("listed %+v, %v", listed, err)
	}
	if err := b.Stop(t.Context(), "j1"); err != nil {
		t.Error(err)
	}
	calls := map[string]error{
		"Keep": b.Keep(t.Context(), "j1"), "Wait": second(b.Wait(t.Context(), "j1")), "Tail": second(b.Tail(t.Context(), "j1", 1)),
		"Usage": second(b.Usage(t.Context(), "j1")), "Follow": b.Follow(t.Context(), "j1", nil, nil),
	}
	for name, err := range calls {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if got := b.jobs(); !slices.Equal(got, []string{"j1"}) {
		t.Errorf("jobs %q", got)
	}
	if err := b.Prune(t.Context(), []string{job.Release.ImageID}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.api.ImageInspect(t.Context(), job.Release.ImageID); err != nil {
		t.Errorf("the image of the job: %v", err)
	}
	cancel()
	<-ended
	again := watch(t, b.Runtime) // looks at what runs
	kill(t, b, b.app+"-job-j1")
	if code, err := b.Once(t.Context(), switcher.Job{ID: "j1"}, (&heard{}).take); err != nil || code != 137 {
		t.Errorf("exit code %d, %v", code, err)
	}
	spec := b.spec()
	b.start(spec)
	eventually(t, "the instance is told", func() bool {
		return slices.Contains(n.kinds(), switcher.IncidentStarted) && slices.Contains(again.kinds(), switcher.IncidentStarted)
	})
	if len(n.kinds()) != 1 || len(again.kinds()) != 1 {
		t.Errorf("told %v and %v", n.kinds(), again.kinds())
	}
}

func TestJobGoesOnWhenItsWaiterGivesUpAndIsNotRunTwice(t *testing.T) {
	b := newBench(t, nil)
	job := b.job("--lines", "200", "--pace", "300ms", "--exit", "7")
	_, cancel, ended := b.begin(job)
	first := b.inspect(b.app + "-job-j1").ID
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the waiter was told %v", err)
	}
	if again := b.inspect(b.app + "-job-j1"); !again.State.Running || again.ID != first {
		t.Fatal("the job was ended")
	}
	var h heard
	code, err := b.Once(t.Context(), job, h.take)
	if err != nil || code != 7 {
		t.Errorf("exit code %d, %v", code, err)
	}
	for _, line := range []string{"release unnamed begins", "line 0 " + strings.Repeat("ñ", 20_000), "line 199 " + strings.Repeat("x", 199), "fatal: cannot go on"} {
		if n := count(h.lines, line); n != 1 {
			t.Errorf("%.20q was told %d times", line, n)
		}
	}
	b.gone()
}

func count(lines []string, line string) (n int) {
	for _, l := range lines {
		if l == line {
			n++
		}
	}
	return n
}

// edge runs a job and is killed by its parent, after a line of it.
func edge(app string) {
	r, err := docker.New(docker.Options{App: app, Port: 3000, Pull: docker.PullNever})
	if err == nil {
		_, err = r.Once(context.Background(), switcher.Job{
			ID: "j1", Release: switcher.Release{ID: "r1", ImageID: os.Getenv("TEST_EDGE_IMAGE")},
			Command: []string{"/server", "--lines", "500", "--pace", "200ms", "--exit", "9"},
		}, func(l switcher.Line) { fmt.Printf("%.7s\n", l.Text) })
	}
	fmt.Println("ended:", err)
}

func TestExitCodeAndLinesOfAJobSurviveTheEdge(t *testing.T) {
	b := newBench(t, nil)
	job := b.job()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "TEST_EDGE_APP="+b.app, "TEST_EDGE_IMAGE="+job.Release.ImageID)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	line, _ := bufio.NewReader(out).ReadString('\n')
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	if strings.HasPrefix(line, "ended") {
		t.Fatalf("the edge said %q", line)
	}
	if !slices.Equal(b.jobs(), []string{"j1"}) {
		t.Fatalf("jobs %q", b.jobs())
	}
	var h heard
	if code, err := b.Once(t.Context(), switcher.Job{ID: "j1"}, h.take); err != nil || code != 9 {
		t.Errorf("exit code %d, %v", code, err)
	}
	for n := range 500 {
		if !slices.ContainsFunc(h.lines, func(l string) bool { return strings.HasPrefix(l, fmt.Sprintf("line %d ", n)) }) {
			t.Errorf("line %d is missing", n)
		}
	}
	b.gone()
}

// A crash between the two leaves a container that has done nothing.
func TestJobThatWasMadeButNeverStartedIsStarted(t *testing.T) {
	b := newBench(t, nil)
	job := b.job("--exit", "5")
	made := func() {
		_, err := b.api.ContainerCreate(t.Context(), client.ContainerCreateOptions{
			Name:   b.app + "-job-j1",
			Config: &container.Config{Image: job.Release.ImageID, Cmd: job.Command, Labels: map[string]string{docker.LabelApp: b.app, docker.LabelJob: "j1"}},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	made()
	if code, err := b.Once(t.Context(), job, (&heard{}).take); err != nil || code != 5 {
		t.Errorf("exit code %d, %v", code, err)
	}
	made()
	_, err := b.Once(t.Context(), switcher.Job{ID: "j1"}, nil)
	if text, _ := wantCode(t, err, switcher.CodeFailed); !strings.Contains(text, "never started") {
		t.Errorf("error %q", text)
	}
	b.gone()
	_, err = b.Once(t.Context(), switcher.Job{ID: "j1"}, nil)
	if text, _ := wantCode(t, err, switcher.CodeFailed); !strings.Contains(text, "there is no job j1") {
		t.Errorf("error %q", text)
	}
}

func TestRemoveEndsAJobGently(t *testing.T) {
	b := newBench(t, func(o *docker.Options) { o.StopGracePeriod = 2 * time.Second })
	h, _, ended := b.begin(b.job("--lingers"))
	if err := b.Remove(t.Context(), "j1"); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil && !strings.Contains(err.Error(), "exit code is not known") { // nil: it saw the end first
		t.Errorf("the waiter was told %v", err)
	}
	if !h.said("received terminated") {
		t.Errorf("the job said %q", h.lines)
	}
	b.gone()
}

func TestJobOfAnotherOwnerIsOutOfReach(t *testing.T) {
	b := newBench(t, owner("first"))
	job := b.job("--slow", "1m", "--exit", "0")
	b.begin(job)
	second := b.runtime(owner("second"))
	if ids, err := second.Jobs(t.Context()); err != nil || len(ids) != 0 {
		t.Errorf("jobs %q, %v", ids, err)
	}
	if err := second.Remove(t.Context(), "j1"); err != nil {
		t.Error(err)
	}
	if _, err := second.Once(timeout(t, 20*time.Second), job, nil); switcher.CodeOf(err) != switcher.CodeRefused {
		t.Errorf("Once: %v", err)
	}
	if !b.inspect(b.app + "-job-j1").State.Running {
		t.Error("the job was touched")
	}
}

func TestJobThatCannotRunSaysWhy(t *testing.T) {
	b := newBench(t, func(o *docker.Options) { o.MemLimit = 32 << 20 })
	good := b.job("--exit", "0")
	noCommand, noImage, hungry, noID := good, good, good, good
	noCommand.Command = []string{"/bin/migrate"}
	noImage.Release.ImageID = "sha256:" + strings.Repeat("0", 64)
	hungry.Command = []string{"/server", "--eat", "--exit", "0"}
	noID.ID = "../j1"
	for name, c := range map[string]struct {
		job  switcher.Job
		code switcher.Code
		want string
	}{
		"command": {noCommand, switcher.CodeFailed, `command "/bin/migrate" of job j1 cannot be executed in the image`},
		"image":   {noImage, switcher.CodeFailed, "is no longer on this machine"},
		"memory":  {hungry, switcher.CodeFailed, "needed more memory than it may have (exit code 137)"},
		"id":      {noID, switcher.CodeUsage, "is no id of a job"},
	} {
		_, err := b.Once(t.Context(), c.job, (&heard{}).take)
		if text, hint := wantCode(t, err, c.code); !strings.Contains(text, c.want) || hint == "" && name != "id" {
			t.Errorf("%s: error %q, hint %q", name, text, hint)
		}
		b.gone()
	}
}

func TestEnvironmentOfAJobIsNotInErrors(t *testing.T) {
	b := newBench(t, func(o *docker.Options) { o.Environment = map[string]string{"PASSWORD": "hunter2-instance"} })
	job := b.job()
	// The engine quotes what it cannot execute.
	job.Command = []string{"hunter2-job"}
	job.Environment = map[string]string{"DATABASE_URL": "hunter2-job"}
	text, hint := wantCode(t, second(b.Once(t.Context(), job, nil)), switcher.CodeFailed)
	if strings.Contains(text+hint, "hunter2") {
		t.Errorf("error %q, hint %q", text, hint)
	}
}

func TestJobOutlivesAnEngineThatIsAway(t *testing.T) {
	b := newBench(t, nil)
	job := b.job("--lines", "300", "--pace", "300ms", "--exit", "4")
	gate := enginetest.NewGate(t, b.api)
	away := &bench{Runtime: b.runtime(func(o *docker.Options) { o.Host, o.CallTimeout = gate.Host(), 300*time.Millisecond }), t: t}
	h, code := &heard{}, make(chan int, 1)
	failed := make(chan error, 1)
	go func() {
		n, err := away.Once(t.Context(), job, h.take)
		failed <- err
		code <- n
	}()
	eventually(t, "the job has begun", func() bool { return h.said("release unnamed begins") })
	gate.Pause()
	gate.Cut()
	eventually(t, "the job has ended", func() bool { return !b.inspect(b.app + "-job-j1").State.Running })
	gate.Resume()
	if err := <-failed; err != nil || <-code != 4 || !h.said("fatal: cannot go on") {
		t.Errorf("%v, lines %.40q", err, h.lines)
	}
	b.gone()
}
