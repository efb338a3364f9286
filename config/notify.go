package config

import "time"

// Notify says who is told of an app, and when.
type Notify struct {
	// Services are the chats, mailboxes and webhooks that are told, as URLs of shoutrrr such as
	// ${SLACK_URL}. They are secrets; default none.
	Services []string `yaml:"services"`
	// Repeat is how often a trouble is told while it lasts; default 4h.
	Repeat time.Duration `yaml:"repeat"`
	// ErrorRate is how many per cent of production's requests may fail over five minutes
	// before it is told; 0 never tells it; default 5.
	ErrorRate Percent `yaml:"error_rate"`
}
