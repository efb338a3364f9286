package notify

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sofiacall.com/bluegreen/switcher"
)

// keptOnDisk waits until what the Notifier has in memory is in its file.
func keptOnDisk(t *testing.T, n *Notifier, parts ...string) {
	t.Helper()
	eventually(t, "it is on disk", func() bool {
		data, err := os.ReadFile(n.file)
		for _, part := range parts {
			if err != nil || !strings.Contains(string(data), part) {
				return false
			}
		}
		return true
	})
}

// The one that is abandoned here is never stopped before the next one reads
// its folder: that is a kill -9 between a notice and its delivery.
func TestWhatWaitsSurvivesAKill(t *testing.T) {
	dir := t.TempDir()
	hook := newWebhook(t, 500, 500, 500, 500, 500, 500, 500, 500)
	killed := New(Options{Dir: dir, Settings: settingsFor(hook.url)})
	start(t, killed)
	killed.Tell(event(switcher.NoticeRolledBack))
	killed.Tell(unhealthy(false))
	keptOnDisk(t, killed, `"rolled_back"`, `"unhealthy"`, `"troubles":[{`)
	data, err := os.ReadFile(killed.file)
	if err != nil {
		t.Fatal(err)
	}
	second := t.TempDir()
	if err := os.WriteFile(statePath(second), data, 0o600); err != nil {
		t.Fatal(err)
	}

	hook.mu.Lock()
	hook.answers = nil
	hook.mu.Unlock()
	next := New(Options{Dir: second, Settings: settingsFor(hook.url)})
	start(t, next)
	eventually(t, "both arrive after the restart", func() bool { return len(hook.documents()) >= 2 })
	next.Tell(unhealthy(false)) // the watcher finds it again
	next.Tell(unhealthy(true))
	eventually(t, "the recovery is told", func() bool {
		for _, d := range hook.documents() {
			if d["kind"] == "unhealthy" && d["over"] == true {
				return true
			}
		}
		return false
	})
	seen := map[string]int{}
	for _, d := range hook.documents() {
		seen[d["kind"].(string)+"/"+d["stage"].(string)]++
	}
	if seen["unhealthy/began"] > 2 || seen["unhealthy/ended"] != 1 {
		t.Errorf("told %v: the trouble was told anew after the restart", seen)
	}
}

func TestAnOpenTroubleIsRememberedOverARestart(t *testing.T) {
	dir, hook := t.TempDir(), newWebhook(t)
	first := New(Options{Dir: dir, Settings: settingsFor(hook.url)})
	stop := start(t, first)
	first.Tell(unhealthy(false))
	eventually(t, "it is told", func() bool { return len(hook.documents()) == 1 })
	stop()
	second := New(Options{Dir: dir, Settings: settingsFor(hook.url)})
	start(t, second)
	if open := second.Status("chat").Troubles; len(open) != 1 {
		t.Fatalf("open after the restart: %v", open)
	}
	second.Tell(unhealthy(false))
	second.Tell(unhealthy(true))
	eventually(t, "only the recovery is told", func() bool { return len(hook.documents()) == 2 })
	if last := hook.documents()[1]; last["stage"] != "ended" {
		t.Errorf("told %v %v", last["kind"], last["stage"])
	}
}

func TestNoURLIsWrittenAndNobodyElseMayRead(t *testing.T) {
	hook := newWebhook(t, 500, 500, 500, 500)
	var log bytes.Buffer
	n := New(Options{Dir: filepath.Join(t.TempDir(), "notify"), Settings: settingsFor(hook.url), Logger: slog.New(slog.NewTextHandler(&log, nil))})
	stop := start(t, n)
	n.Tell(event(switcher.NoticeSwitched))
	keptOnDisk(t, n, `"switched"`)
	eventually(t, "it fails", func() bool { return n.Status("chat").Services[0].Failing })
	stop()
	data, err := os.ReadFile(n.file)
	if err != nil {
		t.Fatal(err)
	}
	st := n.Status("chat").Services[0]
	for where, said := range map[string]string{"the file": string(data), "the log": log.String(), "the status": st.Service + st.Failure.Error} {
		if strings.Contains(said, "s3cr3t") {
			t.Errorf("%s holds a secret: %s", where, said)
		}
	}
	file, err := os.Stat(n.file)
	if err != nil || file.Mode().Perm() != 0o600 {
		t.Errorf("the file has mode %v (%v), want 0600", file.Mode(), err)
	}
	folder, err := os.Stat(filepath.Dir(n.file))
	if err != nil || folder.Mode().Perm() != 0o700 {
		t.Errorf("the folder has mode %v (%v), want 0700", folder.Mode(), err)
	}
}

func TestAFolderThatCannotBeWrittenCostsNoAlertAndIsTold(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "notify")
	if err := os.WriteFile(dir, nil, 0o600); err != nil { // where the folder should be
		t.Fatal(err)
	}
	hook := newWebhook(t)
	n := New(Options{Dir: dir, Settings: settingsFor(hook.url)})
	n.saveAgain = 10 * time.Millisecond
	start(t, n)
	n.Tell(event(switcher.NoticeSwitched))
	eventually(t, "it arrives", func() bool { return len(hook.documents()) == 1 })
	eventually(t, "the status says that it is in memory only", func() bool { return n.Status("chat").Unsaved != "" })
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is on disk again", func() bool { return n.Status("chat").Unsaved == "" })
}

// smallDisk is a folder on a disk of 64 KB.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("mounting a small file system: %v", err)
		}
		t.Skipf("a small disk cannot be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Errorf("unmounting: %v", err)
		}
	})
	return dir
}

func TestAFullDiskCostsNoAlertAndLeavesTheLastGoodFile(t *testing.T) {
	disk, hook := smallDisk(t), newWebhook(t)
	n := New(Options{Dir: filepath.Join(disk, "notify"), Settings: settingsFor(hook.url)})
	n.saveAgain = 10 * time.Millisecond
	start(t, n)
	n.Tell(unhealthy(false))
	eventually(t, "it arrives", func() bool { return len(hook.documents()) == 1 })
	keptOnDisk(t, n, `"unhealthy"`)
	ballast := filepath.Join(disk, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 1<<20), 0o600); !errors.Is(err, unix.ENOSPC) {
		t.Fatalf("the disk is not full: %v", err)
	}
	for range 5 {
		n.Tell(event(switcher.NoticeSwitched))
	}
	eventually(t, "they arrive with a full disk", func() bool { return len(hook.documents()) == 6 })
	eventually(t, "the status says that they were in memory only", func() bool { return strings.Contains(n.Status("chat").Unsaved, "no space left") })
	if after := New(Options{Dir: filepath.Join(disk, "notify"), Settings: settingsFor(hook.url)}).Status("chat"); len(after.Troubles) != 1 {
		t.Errorf("after a crash with a full disk %d troubles are known, want the one that was saved", len(after.Troubles))
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is on disk again", func() bool { return n.Status("chat").Unsaved == "" })
}

func TestAFileThatCannotBeReadIsSetAside(t *testing.T) {
	for name, content := range map[string]string{"half": `{"version":1,"queues":{"a`, "of another format": `{"version":9}`} {
		t.Run(name, func(t *testing.T) {
			dir, hook := t.TempDir(), newWebhook(t)
			if err := os.WriteFile(statePath(dir), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			n := New(Options{Dir: dir, Settings: settingsFor(hook.url)})
			start(t, n)
			n.Tell(event(switcher.NoticeSwitched))
			eventually(t, "alerts go on", func() bool { return len(hook.documents()) == 1 })
			if kept, err := os.ReadFile(statePath(dir) + ".unreadable"); err != nil || string(kept) != content {
				t.Errorf("what could not be read is %q (%v)", kept, err)
			}
		})
	}
}

func TestNotificationsOfNullsAreNoPanic(t *testing.T) {
	dir := t.TempDir()
	content := `{"version":1,"troubles":[null],"queues":{"` + identity(someURL) + `":{"messages":[null]}}}`
	if err := os.WriteFile(statePath(dir), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	n := New(Options{Dir: dir, Settings: settingsFor(someURL)})
	if st := n.Status("chat"); len(st.Troubles) != 0 || st.Services[0].Waiting != 0 {
		t.Errorf("kept %+v", st)
	}
	_ = n.step(time.Now())
}
