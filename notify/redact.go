package notify

import (
	"errors"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

const (
	// maxReason is how much of an answer of a service is told.
	maxReason = 300
	// secretLength is from where on a part of a URL may be a secret.
	secretLength = 5
)

var (
	anyURL    = regexp.MustCompile(`"?[A-Za-z][A-Za-z0-9+.-]*://[^\s"]*"?:?`)
	separator = regexp.MustCompile(`[^A-Za-z0-9]+`)
)

// redacted is err without anything that the URL of the service holds, but for
// the host where that is no secret; nil for none. Errors of the library quote
// the URL they asked, which has the parts of ours in another order.
func redacted(err error, serviceURL string) error {
	if err == nil {
		return nil
	}
	said := err.Error()
	if at := anyURL.FindAllStringIndex(said, -1); at != nil && strings.TrimSpace(said[at[len(at)-1][1]:]) != "" {
		said = said[at[len(at)-1][1]:] // what comes before says no more than that we asked
	}
	said = anyURL.ReplaceAllString(said, "…")
	for _, secret := range secrets(serviceURL) {
		said = strings.ReplaceAll(said, secret, "…")
	}
	return errors.New(clean(said, maxReason))
}

// hostsAreKnown are the kinds of service whose host is a host.
var hostsAreKnown = []string{"generic", "smtp", "gotify", "ntfy", "matrix", "mattermost", "rocketchat", "zulip", "bark", "signal", "opsgenie", "pagerduty"}

// secrets are the parts of a URL that must not be told, as they are, decoded
// and encoded, the longest first.
func secrets(serviceURL string) []string {
	var parts []string
	add := func(part string) {
		for _, form := range []string{part, url.QueryEscape(part), url.PathEscape(part)} {
			parts = append(parts, form)
			parts = append(parts, separator.Split(form, -1)...)
		}
	}
	u, err := url.Parse(serviceURL)
	if err != nil {
		parts = append(parts, serviceURL)
		parts = append(parts, separator.Split(serviceURL, -1)...)
	} else {
		password, _ := u.User.Password()
		add(u.User.Username())
		add(password)
		add(u.User.Username() + ":" + password)
		for _, segment := range strings.Split(u.Path, "/") {
			add(segment)
		}
		for key, values := range u.Query() {
			if key = strings.ToLower(key); key == "host" {
				continue
			}
			for _, value := range values {
				add(value)
			}
		}
		add(u.Fragment)
		if !slices.Contains(hostsAreKnown, schemeOf(serviceURL)) {
			add(u.Host)
			add(u.Hostname())
		}
	}
	parts = slices.DeleteFunc(parts, func(s string) bool { return len(s) < secretLength })
	slices.SortFunc(parts, func(a, b string) int { return len(b) - len(a) })
	return slices.Compact(parts)
}
