package switcher

import (
	"encoding/json"
	"strings"
	"time"
)

// Outcome is what figures say of a release.
type Outcome string

const (
	Good      Outcome = "good"
	Bad       Outcome = "bad"
	Undecided Outcome = "undecided" // not enough data
)

// Outcomes lists all of them.
func Outcomes() []Outcome { return []Outcome{Good, Bad, Undecided} }

// Verdict is what the figures of a bake say of the new release: bad when any
// finding is, undecided when none is bad and not all are good.
type Verdict struct {
	Outcome  Outcome   `json:"outcome"`
	Findings []Finding `json:"findings"` // one for each rule
}

// Finding is what one rule says of a release.
type Finding struct {
	Rule     string  `json:"rule"` // its key in the configuration
	Outcome  Outcome `json:"outcome"`
	Text     string  `json:"text"` // the figures, in one sentence
	Measured float64 `json:"measured"`
	Limit    float64 `json:"limit"`              // what it must not exceed; of a relative rule what the previous release had
	Samples  int64   `json:"samples"`            // requests of the new release that were looked at
	Against  int64   `json:"against,omitempty"`  // and of the previous one
	Evidence float64 `json:"evidence,omitempty"` // of a test: how strongly it speaks, by the measure that its rule documents
}

// reasons are the sentences of the findings with this outcome.
func (v *Verdict) reasons(o Outcome) string {
	var all []string
	for _, f := range v.Findings {
		if f.Outcome == o {
			all = append(all, f.Text)
		}
	}
	return strings.Join(all, "; ")
}

// Trial is a release in its bake, as a Judge is asked about it.
type Trial struct {
	Colour   Colour
	Release  *Release
	Instance string
	Began    time.Time       // the bake: which one it is
	Since    time.Time       // when this process began to watch it
	Until    time.Time       // when it is over
	Baseline json.RawMessage // what Judge.Baseline returned
	Healthy  bool            // the last probe of the release has succeeded
	Deaths   int             // of its instance in the bake that the previous release did not share, as far as this process has seen them
}

// Judge knows the figures of releases. It must not block, nor ask anything of
// the app.
type Judge struct {
	// Baseline returns what is to be remembered of a release that production is
	// about to leave, for the verdict on the next one. It is kept on disk with
	// the bake, so it should be small.
	Baseline func(slot Colour, release *Release) json.RawMessage

	// Verdict is asked about the release in the bake, several times a second.
	// One that is bad rolls production back. nil: only probes decide.
	Verdict func(Trial) Verdict
}
