package notify

import (
	"fmt"
	"iter"
	"net/url"
	"strings"
)

// listKeys are the keys of a URL that list recipients whom the service is asked
// for one by one. Each is then a service of its own: one that fails must not
// make the others be told again.
var listKeys = map[string][]string{
	"telegram": {"chats", "channels"},
	"smtp":     {"to", "toaddresses"},
}

// recipients are the URLs that lead to one recipient each, by name.
func recipients(serviceURL, name string) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		u, err := url.Parse(serviceURL)
		if err != nil {
			yield(name, serviceURL)
			return
		}
		query := u.Query()
		for _, key := range listKeys[schemeOf(serviceURL)] {
			list := strings.Split(query.Get(key), ",")
			if len(list) < 2 {
				continue
			}
			for i, one := range list {
				query.Set(key, one)
				u.RawQuery = query.Encode()
				if !yield(fmt.Sprintf("%s (%d of %d)", name, i+1, len(list)), u.String()) {
					return
				}
			}
			return
		}
		yield(name, serviceURL)
	}
}
