package switcher

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"sofiacall.com/bluegreen/proxy"
)

const (
	// MessageLimit is how many characters a maintenance message may have.
	MessageLimit = 500
	// BypassFor is how long the links past a maintenance page are good.
	BypassFor = 12 * time.Hour
)

// MaintenanceRequest asks for production to show a maintenance page, or not to.
type MaintenanceRequest struct {
	On      *bool   `json:"on"`
	Message *string `json:"message,omitempty"` // plain text; nil leaves the one there is
}

// Maintenance says since when production shows a maintenance page.
type Maintenance struct {
	Since   time.Time `json:"since"`
	By      Actor     `json:"by"`
	Message string    `json:"message,omitempty"` // instead of the page's own words
}

// Link lets its bearer past the maintenance page of a host. It is a secret.
type Link struct {
	Host    string    `json:"host"`
	URL     string    `json:"url"`
	Expires time.Time `json:"expires"`
}

// Maintenance makes production show a page to all but probes and whoever has a
// link, or ends that. It is recorded before it takes effect, and survives a
// restart. Internal hosts and open WebSockets are not affected, nor is any
// operation.
func (a *App) Maintenance(actor Actor, r MaintenanceRequest) (Answer, error) {
	if r.On == nil {
		return Answer{}, &Error{Code: CodeUsage, What: "the request does not say whether maintenance is to be on"}
	}
	if err := checkMessage(r.Message); err != nil {
		return Answer{}, err
	}
	a.awaitBegin()
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.inService(); err != nil {
		return Answer{}, err
	}
	if !*r.On {
		return a.endMaintenance(actor)
	}
	answer, err := a.beginMaintenance(actor, r.Message)
	if err == nil {
		a.addLinks(&answer)
	}
	return answer, err
}

func checkMessage(message *string) error {
	if message == nil {
		return nil
	}
	bad := func(r rune) bool { return unicode.IsControl(r) && r != '\n' }
	switch {
	case utf8.RuneCountInString(*message) > MessageLimit:
		return &Error{Code: CodeUsage, What: fmt.Sprintf("the message is longer than %d characters", MessageLimit),
			Hint: "a page of your own has room for more"}
	case !utf8.ValidString(*message) || strings.ContainsFunc(*message, bad):
		return &Error{Code: CodeUsage, What: "the message is not plain text", Hint: "letters, signs and line breaks only"}
	}
	return nil
}

// beginMaintenance is Maintenance with On. Called with a.mu held.
func (a *App) beginMaintenance(actor Actor, message *string) (Answer, error) {
	was := a.state.Load().Maintenance
	next := &Maintenance{Since: time.Now(), By: actor}
	text := "production shows the maintenance page"
	if was != nil {
		*next = *was
		text = fmt.Sprintf("maintenance is on already, since %s by %s", was.Since.Format(time.DateTime), was.By)
	}
	if message != nil {
		next.Message = *message
	}
	if was != nil && next.Message == was.Message {
		return Answer{Text: text, Maintenance: was}, nil
	}
	if was != nil {
		text += "; its message is replaced"
	}
	err := a.maintain("on", next, Record{Actor: actor, Reason: next.Message, Result: text})
	return Answer{Changed: true, Text: text, Maintenance: next}, err
}

// endMaintenance is Maintenance without On. Called with a.mu held.
func (a *App) endMaintenance(actor Actor) (Answer, error) {
	was := a.state.Load().Maintenance
	if was == nil {
		return Answer{Text: "maintenance is off"}, nil
	}
	text := fmt.Sprintf("production serves again, after %v of maintenance", time.Since(was.Since).Round(time.Second))
	err := a.maintain("off", nil, Record{Actor: actor, Result: text})
	return Answer{Changed: true, Text: text}, err
}

// maintain records a change of maintenance and its history in one write, then
// routes by it. Called with a.mu held.
func (a *App) maintain(step string, m *Maintenance, r Record) error {
	next := a.state.Load().clone()
	next.Maintenance = m
	next.Generation++
	r.ID, r.Kind, r.Began, r.OK = newID(), KindMaintenance, time.Now(), true
	next.record(r)
	a.fail("maintenance/" + step + "/before")
	if err := a.store.save(next, false); err != nil {
		return err
	}
	a.fail("maintenance/" + step + "/after")
	a.state.Store(next)
	a.point(Production)
	a.log.Info(r.Result, "by", r.Actor)
	return nil
}

// addLinks gives the team a way past the page. Without one the page is still
// wanted.
func (a *App) addLinks(answer *Answer) {
	settings := a.settings.Load()
	policy := settings.Policies[Production]
	if policy.Links == nil {
		return
	}
	hosts := settings.Hosts[Production]
	if policy.Canonical != "" { // the others lead there
		hosts = []string{policy.Canonical}
	}
	expires := time.Now().Add(BypassFor).Truncate(time.Second)
	for _, host := range hosts {
		token, err := policy.Links.Sign(host, expires)
		if err != nil {
			a.log.Warn("no links past the maintenance page", "error", err)
			answer.Text += fmt.Sprintf("; there are no links past it: %v", err)
			return
		}
		answer.Links = append(answer.Links, Link{Host: host, URL: a.origin(host) + "/?" + proxy.LinkParameter + "=" + token, Expires: expires})
	}
}
