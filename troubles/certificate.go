package troubles

import (
	"fmt"
	"time"

	"sofiacall.com/bluegreen/switcher"
)

// renewalPatience is how long a certificate may fail to be renewed until that
// is a trouble. The first failures are often the CA's or the network's.
const renewalPatience = 10 * time.Minute

// Certificate is what is known of the certificate of one host.
type Certificate struct {
	Host     string
	App      string    // whose host it is; empty: the edge's own
	NotAfter time.Time // zero: there is none
	Expiring bool      // it should have been renewed by now
	Error    string    // why it could not be had or renewed last
}

// certificates tells of each host whose certificate nears its end, or could
// not be had or renewed for a while.
func (w *Watcher) certificates(now time.Time) {
	for _, c := range w.options.Certificates() {
		if c.Error == "" {
			delete(w.failing, c.Host)
		} else if w.failing[c.Host].IsZero() {
			w.failing[c.Host] = now
		}
		failing := c.Error != "" && now.Sub(w.failing[c.Host]) >= renewalPatience
		if c.Error != "" && !failing && !c.Expiring {
			continue // nothing is known yet
		}
		n := switcher.Notice{Kind: switcher.NoticeCertificate, Time: now, App: c.App, Subject: c.Host, Over: !failing && !c.Expiring}
		if !n.Over {
			n.Cause = c.cause(now)
		}
		w.options.Tell(n)
	}
}

func (c Certificate) cause(now time.Time) string {
	var cause string
	day, days := c.NotAfter.Format(time.DateOnly), int(c.NotAfter.Sub(now).Hours()/24)
	switch {
	case c.NotAfter.IsZero():
		cause = "there is no certificate yet"
	case now.After(c.NotAfter):
		cause = "it expired on " + day
	default:
		cause = fmt.Sprintf("it expires on %s, in %d d, and was not renewed", day, days)
	}
	if c.Error != "" {
		cause += ": " + c.Error
	}
	return cause
}
