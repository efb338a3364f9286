package enginetest

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/moby/moby/client"
)

// Daemon is an engine of one test's own, which may be stopped and killed: a
// second dockerd with its own data, its own bridge and no firewall rules.
// Starting one takes a few seconds.
type Daemon struct {
	dir, bridge string
	process     *exec.Cmd
	log         *os.File
}

// StartDaemon starts an engine and waits until it answers. When the test ends
// it is ended with its containers, whatever state it was left in.
func StartDaemon(t testing.TB) *Daemon {
	t.Helper()
	for _, program := range []string{"dockerd", "ip"} {
		if _, err := exec.LookPath(program); err != nil || os.Getuid() != 0 {
			Unavailable(t, "a Docker engine of the test's own needs root and the program "+program)
		}
	}
	d := &Daemon{dir: shortDir(t), bridge: "bgt" + unique()}
	ip(t, "link", "add", "name", d.bridge, "type", "bridge")
	t.Cleanup(func() { ip(t, "link", "delete", d.bridge) })

	log, err := os.Create(filepath.Join(d.dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	d.log = log
	t.Cleanup(func() {
		d.end(t)
		_ = log.Close()
		detach(t, d.dir)
	})
	d.Start(t)
	return d
}

// Host returns the engine's address in the form of DOCKER_HOST.
func (d *Daemon) Host() string { return "unix://" + filepath.Join(d.dir, "s") }

// Client returns a client of the engine.
func (d *Daemon) Client(t testing.TB) *client.Client {
	t.Helper()
	return dial(t, client.WithHost(d.Host()))
}

// Start starts the engine after Kill and waits until it answers.
func (d *Daemon) Start(t testing.TB) {
	t.Helper()
	d.process = exec.Command("dockerd", "--host", d.Host(), "--bridge", d.bridge, "--iptables=false",
		"--data-root", filepath.Join(d.dir, "data"), "--exec-root", filepath.Join(d.dir, "exec"),
		"--pidfile", filepath.Join(d.dir, "pid"))
	d.process.Stdout, d.process.Stderr = d.log, d.log
	if err := d.process.Start(); err != nil {
		t.Fatalf("starting dockerd: %v", err)
	}
	api := d.Client(t)
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		_, err := api.Ping(ctx, client.PingOptions{NegotiateAPIVersion: true})
		cancel()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			said, _ := os.ReadFile(d.log.Name())
			Unavailable(t, "a second dockerd does not start: "+err.Error()+"\n"+string(said))
		}
	}
}

// Kill ends the engine as a crash does. Its containers go on until it is
// started again.
func (d *Daemon) Kill(t testing.TB) {
	t.Helper()
	_ = d.process.Process.Kill()
	_ = d.process.Wait()
	d.process = nil
	d.awaitContainerd(t)
}

// awaitContainerd waits until the containerd of a killed engine, which dies
// with it, is gone: an engine started before that would wait for it in vain.
func (d *Daemon) awaitContainerd(t testing.TB) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(d.dir, "exec", "containerd", "containerd.pid"))
	if err != nil {
		return
	}
	pid, _ := strconv.Atoi(string(text))
	for deadline := time.Now().Add(patience); syscall.Kill(pid, 0) == nil; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("containerd %d outlives its engine", pid)
		}
	}
}

// Pause stops the engine's process: it accepts connections and answers nothing.
func (d *Daemon) Pause(t testing.TB) { d.signal(t, syscall.SIGSTOP) }

// Resume lets the engine go on after Pause.
func (d *Daemon) Resume(t testing.TB) { d.signal(t, syscall.SIGCONT) }

func (d *Daemon) signal(t testing.TB, s os.Signal) {
	t.Helper()
	if err := d.process.Process.Signal(s); err != nil {
		t.Fatalf("signal %v to dockerd: %v", s, err)
	}
}

// end removes the containers and ends the engine in order, starting it once
// more if it was killed, for its containers and its containerd live on.
func (d *Daemon) end(t testing.TB) {
	t.Helper()
	if d.process == nil {
		d.Start(t)
	}
	_ = d.process.Process.Signal(syscall.SIGCONT)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	removeContainers(ctx, t, d.Client(t), nil)
	_ = d.process.Process.Signal(syscall.SIGTERM)
	giveUp := time.AfterFunc(patience, func() { _ = d.process.Process.Kill() })
	defer giveUp.Stop()
	var exit *exec.ExitError
	if err := d.process.Wait(); err != nil && !errors.As(err, &exit) {
		t.Errorf("waiting for dockerd: %v", err)
	}
}

// detach unmounts what the engine has left mounted below dir, innermost first.
func detach(t testing.TB, dir string) {
	t.Helper()
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		t.Error(err)
	}
	for _, mount := range slices.Backward(strings.Split(string(mounts), "\n")) {
		fields := strings.Fields(mount)
		if len(fields) < 2 || !strings.HasPrefix(fields[1], dir+"/") {
			continue
		}
		if err := syscall.Unmount(fields[1], syscall.MNT_DETACH); err != nil {
			t.Errorf("unmounting %s: %v", fields[1], err)
		}
	}
}

func ip(t testing.TB, arguments ...string) {
	t.Helper()
	if said, err := exec.Command("ip", arguments...).CombinedOutput(); err != nil {
		Unavailable(t, "ip "+strings.Join(arguments, " ")+": "+string(said))
	}
}
