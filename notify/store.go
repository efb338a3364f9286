package notify

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"
)

const (
	stateVersion = 1
	// saveAgain is when it is tried again to save what a full disk did not take:
	// not at once, for whatever is freed there is wanted for the state of apps.
	saveAgain = 10 * time.Second
)

// kept is what survives a restart. It holds no URL.
type kept struct {
	Version  int                  `json:"version"`
	Troubles []*trouble           `json:"troubles"`
	Queues   map[string]keptQueue `json:"queues"` // by the identity of the service
	Told     []string             `json:"told"`   // see Notifier
}

type keptQueue struct {
	Messages []*message `json:"messages"`
	Lost     int        `json:"lost,omitempty"`
}

func statePath(dir string) string { return filepath.Join(dir, "queue.json") }

// load reads what the Notifier before this one has left. What cannot be read is
// set aside: alerts of now are worth more than those of then.
func (n *Notifier) load() kept {
	data, err := os.ReadFile(n.file)
	if errors.Is(err, fs.ErrNotExist) {
		return kept{}
	}
	var k kept
	if err == nil {
		err = json.Unmarshal(data, &k)
	}
	if err == nil && k.Version != stateVersion {
		err = fmt.Errorf("it has format %d, this program reads %d", k.Version, stateVersion)
	}
	if err != nil {
		aside := n.file + ".unreadable"
		_ = os.Rename(n.file, aside)
		n.log.Error("alerts begin anew: what was kept of them cannot be read", "file", aside, "error", err)
		return kept{}
	}
	k.Troubles = slices.DeleteFunc(k.Troubles, func(t *trouble) bool { return t == nil })
	for id, queue := range k.Queues {
		queue.Messages = slices.DeleteFunc(queue.Messages, func(m *message) bool { return m == nil })
		k.Queues[id] = queue
	}
	return k
}

// saveChanges saves what changes until ctx ends. Nothing waits for it: a disk
// that is slow or full costs no alert, only what a crash would then forget.
func (n *Notifier) saveChanges(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-n.dirty:
		}
		for !n.save() {
			select {
			case <-ctx.Done():
				return
			case <-time.After(n.saveAgain):
			}
		}
	}
}

// save writes everything and reports whether it could. It says when that begins
// to fail and when it works again.
func (n *Notifier) save() bool {
	n.mu.Lock()
	k := kept{Version: stateVersion, Troubles: []*trouble{}, Queues: map[string]keptQueue{}, Told: n.told}
	for _, t := range n.troubles {
		k.Troubles = append(k.Troubles, t)
	}
	slices.SortFunc(k.Troubles, func(a, b *trouble) int { return a.Since.Compare(b.Since) })
	for id, sv := range n.services {
		if len(sv.queue) > 0 || sv.lost > 0 {
			k.Queues[id] = keptQueue{Messages: sv.queue, Lost: sv.lost}
		}
	}
	data, err := json.Marshal(k)
	n.mu.Unlock()
	if err == nil {
		err = write(n.file, data)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case err != nil && n.unsaved == nil:
		n.log.Error("alerts are kept in memory only, a crash would forget those that wait", "error", err)
	case err == nil && n.unsaved != nil:
		n.log.Info("alerts are kept on disk again")
	}
	n.unsaved = err
	return err == nil
}

// write replaces the file at path, whole or not at all.
func write(path string, data []byte) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("making the folder of the alerts: %w", err)
	}
	file, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("saving the alerts: %w", err)
	}
	_, err = file.Write(data)
	err = cmp.Or(err, file.Sync())
	err = cmp.Or(err, file.Close())
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		_ = os.Remove(path + ".new") // half a file only takes up room
		return fmt.Errorf("saving the alerts: %w", err)
	}
	if d, err := os.Open(dir); err == nil { // the file is complete with or without it
		_ = d.Sync()
		_ = d.Close()
	}
	return nil
}

func sortedApps(s Settings) []string { return slices.Sorted(maps.Keys(s.Apps)) }
