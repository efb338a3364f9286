package switcher

import "time"

// Release is one version of an app: what runs in a slot. Instances start by
// ImageID, so that what was tested is what is switched to.
type Release struct {
	ID         string    `json:"id"` // unique within the app, never reused
	Commit     string    `json:"commit,omitempty"`
	Image      string    `json:"image,omitempty"`    // reference as deployed, repo:tag
	ImageID    string    `json:"image_id,omitempty"` // content address on this machine
	Digest     string    `json:"digest,omitempty"`   // registry digest; local images have none
	DeployedAt time.Time `json:"deployed_at"`
	DeployedBy string    `json:"deployed_by"`
}

// String returns the name an operator knows the release by.
func (r *Release) String() string {
	switch {
	case r == nil:
		return "no release"
	case r.Commit != "":
		return r.Commit + " (" + r.ID + ")"
	}
	return r.ID
}
