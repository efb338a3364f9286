package verdict

import (
	"testing"
	"time"

	"sofiacall.com/bluegreen/switcher"
)

func TestADifferenceIsToldWithItsChance(t *testing.T) {
	traffic := func(requests, errors int64, took time.Duration) Traffic {
		return Traffic{Requests: requests, Errors: errors, Duration: durations(requests, took)}
	}
	const usual = 40 * time.Millisecond
	for _, c := range []struct {
		is, was           Traffic
		enough            bool
		failing, duration string
	}{
		{traffic(5000, 5, usual), traffic(99, 0, usual), false,
			"not enough data: 5000 and 99 requests of production, each needs 100",
			"not enough data: 5000 and 99 requests of production, each needs 100"},
		{traffic(1000, 60, 2*usual), traffic(2000, 2, usual), true,
			"green fails more often: more than chance (less than 1 in 10,000)",
			"a request takes longer on green than on blue in 100 of 100 cases: more than chance (less than 1 in 10,000)"},
		{traffic(1000, 5, usual), traffic(1000, 20, 2*usual), true,
			"green fails less often: more than chance (1 in 394)",
			"a request takes longer on green than on blue in 0 of 100 cases: more than chance (less than 1 in 10,000)"},
		{traffic(100, 15, usual), traffic(100, 5, usual), true,
			"green fails more often: probably more than chance (1 in 54)",
			"a request takes longer on green than on blue in 50 of 100 cases: may be chance"},
		{traffic(100, 0, usual), traffic(100, 0, usual), true,
			"green fails as often: may be chance",
			"a request takes longer on green than on blue in 50 of 100 cases: may be chance"},
	} {
		found := Compare(switcher.Green, c.is, c.was)
		if len(found) != 2 || found[0].Measure != "error_rate" || found[1].Measure != "duration" {
			t.Fatalf("found %+v", found)
		}
		for i, text := range []string{c.failing, c.duration} {
			if f := found[i]; f.Text != text || f.Enough != c.enough || !c.enough && f.Chance != 1 {
				t.Errorf("found %+v, want %q", f, text)
			}
		}
	}
}
