package troubles

import (
	"errors"
	"path/filepath"
	"testing"
	"time"
)

func TestAFullDiskIsToldOnceForAllItsFoldersAndUntilItHasRoom(t *testing.T) {
	uses := map[string]Disk{"/state": {Device: 1, Free: 12e9}, "/logs": {Device: 1}}
	w := newWorld()
	w.folders = []string{"/state", "/logs"}
	w.disk = func(dir string) (Disk, error) {
		if dir == "/gone" {
			return Disk{}, errors.New("gone")
		}
		return uses[dir], nil
	}
	at := func(percent float64) string {
		for dir, use := range uses {
			use.Used = percent
			uses[dir] = use
		}
		return w.at(time.Now())
	}
	for _, step := range []struct {
		percent float64
		want    string
	}{
		{89.9, ""}, {90, "disk /state: 90 % of it is used, 12 GB are free"}, {88.5, "disk /state: 88.5 % of it is used, 12 GB are free"},
		{87.9, "disk /state over"}, {89, ""}, {95.44, "disk /state: 95.4 % of it is used, 12 GB are free"},
	} {
		if got := at(step.percent); got != step.want {
			t.Errorf("at %v %% it told %q, want %q", step.percent, got, step.want)
		}
	}
	uses["/logs"] = Disk{Device: 2, Inodes: true, Used: 99, Free: 7}
	if got := at(99); got != "disk /state: 99 % of it is used, 12 GB are free; disk /logs: 99 % of its inodes are used, there is room for 7 more files" {
		t.Errorf("two disks: %q", got)
	}
	w.folders = []string{"/gone"}
	if got := at(99); got != "" {
		t.Errorf("a folder that cannot be looked at: %q", got)
	}
}

func TestTheDiskOfAFolderThatIsNotThereIsThatOfItsParent(t *testing.T) {
	dir := t.TempDir()
	there, err := DiskOf(dir)
	if err != nil || there.Used < 0 || there.Used > 100 || there.Free == 0 {
		t.Fatalf("the disk of %s: %+v, %v", dir, there, err)
	}
	missing, err := DiskOf(filepath.Join(dir, "a", "b"))
	if err != nil || missing.Device != there.Device {
		t.Errorf("a folder that is not there: %+v, %v", missing, err)
	}
}
