package switcher

// Outcome is what figures say of a release.
type Outcome string

const (
	Good      Outcome = "good"
	Bad       Outcome = "bad"
	Undecided Outcome = "undecided" // not enough data
)

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
