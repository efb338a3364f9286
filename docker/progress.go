package docker

import (
	"time"

	"github.com/moby/moby/api/types/jsonstream"

	"sofiacall.com/bluegreen/switcher"
)

// reportEvery bounds how often a pull reports; the engine tells far more.
const reportEvery = 250 * time.Millisecond

// layers sums up what a pull has downloaded, layer by layer.
type layers struct {
	image    string
	sizes    map[string]jsonstream.Progress
	reported time.Time
}

// add takes in one message and returns the progress to report at that time,
// which is empty when it is too early for another one.
func (l *layers) add(message jsonstream.Message, now time.Time) switcher.Progress {
	if l.sizes == nil {
		l.sizes = make(map[string]jsonstream.Progress)
	}
	switch message.Status {
	case "Downloading":
		if message.Progress != nil {
			l.sizes[message.ID] = *message.Progress
		}
	case "Download complete", "Pull complete":
		if size, known := l.sizes[message.ID]; known {
			size.Current = size.Total
			l.sizes[message.ID] = size
		}
	}
	if now.Sub(l.reported) < reportEvery {
		return switcher.Progress{}
	}
	l.reported = now
	return l.progress()
}

func (l *layers) progress() switcher.Progress {
	sum := switcher.Progress{Text: "pulling " + l.image}
	for _, size := range l.sizes {
		sum.Done += size.Current
		sum.Total += size.Total
	}
	return sum
}
