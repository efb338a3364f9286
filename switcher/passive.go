package switcher

import "sofiacall.com/bluegreen/proxy"

// sentinel records requests and has a slot probed at once when one of them
// fails for its backend's fault. That alone is no verdict: only probes are.
type sentinel struct {
	pace *pace
	next proxy.Recorder // nil: requests are not recorded
}

func (s *sentinel) Request(o proxy.Observation) {
	if o.Failure.Upstream() && o.Path == "" {
		s.pace.ask()
	}
	if s.next != nil {
		s.next.Request(o)
	}
}

func (s *sentinel) UpgradeBegin(path string) {
	if s.next != nil {
		s.next.UpgradeBegin(path)
	}
}

func (s *sentinel) UpgradeEnd(o proxy.UpgradeObservation) {
	if s.next != nil {
		s.next.UpgradeEnd(o)
	}
}
