package notify

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"maps"
	"mime"
	"net/url"
	"slices"
	"strings"

	"github.com/nicholas-fedor/shoutrrr/pkg/router"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/chat/matrix"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/chat/telegram"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/specialized/generic"
	"github.com/nicholas-fedor/shoutrrr/pkg/types"
)

// telegramAPI is where a bot sends its messages.
const telegramAPI = "https://api.telegram.org/bot"

// Check reports why a URL names no service. It asks nobody, and the error does
// not hold what the URL does.
func Check(serviceURL string) error {
	u, err := url.Parse(serviceURL)
	if err != nil || u.Scheme == "" {
		return errors.New("it is not a URL")
	}
	kinds := (&router.ServiceRouter{}).ListServices()
	kinds = slices.DeleteFunc(kinds, func(kind string) bool { return kind == "logger" || kind == "hangouts" })
	switch scheme := schemeOf(serviceURL); {
	case !slices.Contains(kinds, scheme):
		slices.Sort(kinds)
		return fmt.Errorf("there is no service %q: known are %s", clean(scheme, 40), strings.Join(kinds, ", "))
	case scheme == matrix.Scheme: // locating one signs in
		return redacted((&matrix.Config{}).SetURL(u), serviceURL)
	}
	_, err = locate(serviceURL)
	return redacted(err, serviceURL)
}

// locate makes the service of a URL. Each message has one of its own: some keep
// the title of the message before.
func locate(serviceURL string) (types.Service, error) {
	return (&router.ServiceRouter{}).Locate(serviceURL)
}

// schemeOf is the kind of service that a URL names.
func schemeOf(serviceURL string) string {
	scheme, _, _ := strings.Cut(serviceURL, ":")
	scheme, _, _ = strings.Cut(scheme, "+")
	return strings.ToLower(scheme)
}

// deliver sends a message to a service and waits for its answer, however long
// that takes. What the error says is fit to be shown.
func (n *Notifier) deliver(sv *service, m *message, s Settings) (err error) {
	defer func() {
		if r := recover(); r != nil { // a fault of one service must not end the edge
			err = errors.New("sending it failed unexpectedly")
			n.log.Error("sending a message panicked", "service", schemeOf(sv.url))
		}
		err = redacted(err, sv.url)
	}()
	t := n.wording(m, s.Language)
	switch schemeOf(sv.url) {
	case generic.Scheme:
		return sendDocument(sv.url, func(c *generic.Config) any { return n.document(m, t, c, extras(sv.url)) })
	case telegram.Scheme:
		return sendTelegram(sv.url, telegramAPI, t)
	}
	return sendText(sv.url, t)
}

// sendDocument posts JSON to a webhook.
func sendDocument(serviceURL string, document func(*generic.Config) any) error {
	located, err := locate(serviceURL)
	if err != nil {
		return err
	}
	webhook, ok := located.(*generic.Service)
	if !ok {
		return errors.New("it is no webhook")
	}
	body, err := json.Marshal(document(webhook.Config))
	if err != nil {
		return fmt.Errorf("encoding the message: %w", err)
	}
	const whole = "bluegreen"
	if err := webhook.SetTemplateString(whole, "{{.document}}"); err != nil {
		return err
	}
	return webhook.Send("", &types.Params{"template": whole, "document": string(body)})
}

// sendTelegram does what the library's own service does, which takes an answer
// that never came for a good one.
func sendTelegram(serviceURL, api string, t text) error {
	u, err := url.Parse(serviceURL)
	if err != nil {
		return err
	}
	c := telegram.Config{Preview: true, Notification: true}
	if err := c.SetURL(u); err != nil {
		return err
	}
	var errs []error
	for _, chat := range c.Chats {
		id, thread, _ := strings.Cut(chat, ":")
		body := map[string]any{
			"chat_id": id, "text": t.plain(styles[telegram.Scheme]), "parse_mode": "HTML",
			"disable_notification": !c.Notification, "link_preview_options": map[string]bool{"is_disabled": !c.Preview},
		}
		if thread != "" {
			body["message_thread_id"] = json.Number(thread)
		}
		errs = append(errs, sendDocument("generic+"+api+c.Token+"/sendMessage", func(*generic.Config) any { return body }))
	}
	return errors.Join(errs...)
}

// sendText leaves the rest to the library.
func sendText(serviceURL string, t text) error {
	located, err := locate(serviceURL)
	if err != nil {
		return err
	}
	style := styles[schemeOf(serviceURL)]
	params := types.Params{}
	if style.titled {
		params["title"] = t.title
		if style.encoded {
			params["title"] = mime.QEncoding.Encode("utf-8", t.title)
		}
	}
	maps.Copy(params, style.params)
	err = located.Send(t.plain(style), &params)
	if err != nil && style.parting != "" && strings.HasPrefix(err.Error(), style.parting) {
		return nil
	}
	return err
}

// style is how a kind of service shows text.
type style struct {
	limit   int  // bytes of a message
	titled  bool // it shows a title apart
	encoded bool // the title goes into a header
	escape  func(string) string
	command func(string) string
	bold    func(string) string // of a title in the text
	params  types.Params        // what else the library is told
	parting string              // how an error begins that came after the message was taken
}

// defaultLimit is below that of most services.
const defaultLimit = 4000

var (
	markdownMarks = strings.NewReplacer(`\`, `\\`, "*", `\*`, "_", `\_`, "~", `\~`, "`", "\\`", "|", `\|`, ">", `\>`, "<", `\<`, "[", `\[`, "]", `\]`, "#", `\#`)
	slackMarks    = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")
)

func backticks(s string) string { return "`" + strings.ReplaceAll(s, "`", "'") + "`" }

// styles are those of the kinds of service that need one of their own. Where a
// kind has no title, or keeps it for something else, it begins the text.
var styles = map[string]style{
	"telegram": {
		limit: defaultLimit, escape: html.EscapeString,
		command: func(s string) string { return "<code>" + html.EscapeString(s) + "</code>" },
		bold:    func(s string) string { return "<b>" + html.EscapeString(s) + "</b>" },
	},
	"slack": {titled: true, escape: slackMarks.Replace, command: slackMarks.Replace},
	// Its default, one embed a line, loses the first ones of more than ten.
	"discord":    {titled: true, limit: 1900, escape: markdownMarks.Replace, command: backticks, params: types.Params{"splitlines": "no"}},
	"teams":      {titled: true, escape: markdownMarks.Replace, command: backticks},
	"mattermost": {escape: markdownMarks.Replace, command: backticks},
	"rocketchat": {command: backticks},
	"zulip":      {escape: markdownMarks.Replace, command: backticks},
	"smtp":       {titled: true, encoded: true, limit: 1 << 16, parting: "failed to send to some recipients: error closing session"},
	"pushover":   {titled: true, limit: 1000},
	"pagerduty":  {limit: 1000},
	"signal":     {limit: 1900},
	"join":       {titled: true},
	"lark":       {titled: true},
	"matrix":     {titled: true},
	"ntfy":       {titled: true},
	"gotify":     {titled: true},
	"bark":       {titled: true},
	"ifttt":      {titled: true},
	"opsgenie":   {titled: true},
	"pushbullet": {titled: true},
}

// plain is the text as a kind of service shows it, cut where it is too long.
func (t text) plain(s style) string {
	same := func(s string) string { return s }
	escape, command := s.escape, s.command
	if escape == nil {
		escape = same
	}
	if command == nil {
		command = same
	}
	limit := cmp.Or(s.limit, defaultLimit)
	var lines []string
	if !s.titled {
		title := escape(t.title)
		if s.bold != nil {
			title = s.bold(t.title)
		}
		lines = append(lines, title)
		limit -= len(title) + 1
	}
	for _, l := range t.lines {
		written := l.written(escape, command)
		if len(written)+1 > limit-len("…") {
			lines = append(lines, "…")
			break
		}
		lines = append(lines, written)
		limit -= len(written) + 1
	}
	return strings.Join(lines, "\n")
}

func (l line) written(escape, command func(string) string) string {
	var parts []string
	if l.label != "" {
		parts = append(parts, escape(l.label))
	}
	if l.value != "" {
		parts = append(parts, escape(l.value))
	}
	if l.command != "" {
		parts = append(parts, command(l.command))
	}
	return strings.Join(parts, ": ")
}
