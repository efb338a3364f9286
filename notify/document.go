package notify

import (
	"net/url"
	"strings"
	"time"

	"github.com/nicholas-fedor/shoutrrr/pkg/services/specialized/generic"

	"sofiacall.com/bluegreen/switcher"
)

// document is what a webhook gets: everything that is known, for programs, and
// the words for people. Members without a value are null or empty, never
// missing. Title and message go by the names that the URL gives them.
func (n *Notifier) document(m *message, t text, c *generic.Config, extra map[string]string) map[string]any {
	notice, r := m.Notice, m.Notice.Release
	if r == nil {
		r = &switcher.Release{}
	}
	message := t.plain(style{titled: true, limit: 1 << 16})
	d := map[string]any{
		"id": m.ID, "server": n.server,
		"kind": notice.Kind, "stage": m.Stage, "lasting": notice.Kind.Lasting(), "over": notice.Over,
		"time": notice.Time.UTC(), "since": moment(m.Since), "duration_seconds": nil,
		"app": notice.App, "colour": notice.Colour, "subject": notice.Subject,
		"release": r.ID, "commit": r.Commit, "image": r.Image, "image_id": r.ImageID, "digest": r.Digest,
		"deployed_at": moment(r.DeployedAt), "deployed_by": r.DeployedBy,
		"previous": notice.Previous, "operation": notice.Operation, "output": notice.Output,
		"actor": notice.Actor, "cause": notice.Cause, "verdict": notice.Verdict,
		"returns": m.Returns + m.Blinks, "undelivered": m.Lost, "next": t.commands(),
		"text":       t.title + "\n" + message,
		c.TitleKey:   t.title,
		c.MessageKey: message,
	}
	if !m.Since.IsZero() {
		d["duration_seconds"] = int64(notice.Time.Sub(m.Since) / time.Second)
	}
	for key, value := range extra {
		d[key] = value
	}
	return d
}

// moment is a time or, when there is none, null.
func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// commands are what the message says may be done next.
func (t text) commands() []string {
	list := []string{}
	for _, l := range t.lines {
		if l.command != "" {
			list = append(list, l.command)
		}
	}
	return list
}

// extras are the members that a URL asks for, written as $name=value.
func extras(serviceURL string) map[string]string {
	u, err := url.Parse(serviceURL)
	if err != nil {
		return nil
	}
	all := map[string]string{}
	for key, values := range u.Query() {
		if name, asked := strings.CutPrefix(key, "$"); asked && name != "" {
			all[name] = values[0]
		}
	}
	return all
}
