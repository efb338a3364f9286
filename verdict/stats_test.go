package verdict

import (
	"math"
	"testing"
	"time"
)

func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if math.Abs(got-want) > 1e-4*math.Max(math.Abs(want), 1e-3) {
		t.Errorf("%s = %v, want %v", what, got, want)
	}
}

// The values come from sums written out, and from the formulas by hand.
func TestStatisticsAgreeWithTextbooks(t *testing.T) {
	near(t, "at most 2 of 10 at 0.3", binomialBelow(2, 10, 0.3), 0.3827828)
	near(t, "at most 10 of 10,000 at 0.002", binomialBelow(10, 10_000, 0.002), 0.0107536)
	near(t, "at most none of 300 at 0.01", binomialBelow(0, 300, 0.01), math.Pow(0.99, 300))
	near(t, "bound of 0 of 300", upperBound(0, 300, 0.05), 1-math.Pow(0.05, 1./300))
	near(t, "bound of 3 of 100", upperBound(3, 100, 0.025), 0.0851760)
	near(t, "proportions", proportions(15, 100, 5, 100), 0.0184221)
	// 1 1 2 3 against 2 3 3 4: U = 2.5
	a := Histogram{{0, 1, 2}, {1, 2, 1}, {2, 3, 1}}
	b := Histogram{{1, 2, 1}, {2, 3, 2}, {3, 4, 1}}
	larger, _ := ranks(a, b)
	near(t, "chance that a is larger", larger, 2.5/16)
	other, chance := ranks(b, a)
	near(t, "chance that b is larger", other, 13.5/16)
	near(t, "rank test", chance, 0.0670846)
}

func TestADispersionIsSeenOnlyWhereItIs(t *testing.T) {
	var single, bursts []Traffic
	for i := range 30 {
		single = append(single, Traffic{Requests: 600, Errors: int64(4 + i%5)})
		bursts = append(bursts, Traffic{Requests: 600, Errors: int64(i % 5 / 4 * 30)})
	}
	if d := Dispersion(single); d != 1 {
		t.Errorf("of single errors: %v", d)
	}
	if d := Dispersion(bursts); d < 20 {
		t.Errorf("of bursts of 30: %v", d)
	}
}

func TestQuantilesLieInTheirBucket(t *testing.T) {
	h := Histogram{{0, 10 * time.Millisecond, 50}, {20 * time.Millisecond, 30 * time.Millisecond, 50}}
	for q, want := range map[float64]time.Duration{0.25: 5 * time.Millisecond, 0.5: 10 * time.Millisecond, 0.75: 25 * time.Millisecond, 1: 30 * time.Millisecond} {
		if got := h.quantile(q); got != want {
			t.Errorf("quantile %v = %v, want %v", q, got, want)
		}
	}
}
