package verdict

import (
	"math/rand/v2"
	"testing"
	"time"
)

// won plays a bet on requests that fail at a rate, looks after every ten, and
// says whether it ever reached a goal.
func won(random *rand.Rand, failing float64, goal float64, see func(since time.Duration, failed, all, fresh, dispersion float64), worth func() (float64, *part)) bool {
	const looks = 150
	for i := range looks {
		see(time.Duration(i), drawn(random, 10, failing), 10, (1-atOnce)/looks, 1)
		if w, _ := worth(); w >= goal {
			return true
		}
	}
	return false
}

// Ville's inequality: whoever may not win is seen to win at most once in 20
// times, however often one looks.
func TestABetIsSeldomWonByChance(t *testing.T) {
	const runs, goal = 600, 20
	for name, play := range map[string]func(*rand.Rand) bool{
		"the rate is exactly the one that is tolerated": func(random *rand.Rand) bool {
			b := newBet(0.05, 0.0125)
			return won(random, 0.05, goal, b.see, b.worth)
		},
		"the previous release failed as often, and is known well": func(random *rand.Rand) bool {
			w := newWager(drawn(random, 20_000, 0.01), 20_000, 0.005)
			return won(random, 0.01, goal, w.see, w.worth)
		},
		"the previous release failed as often, and is hardly known": func(random *rand.Rand) bool {
			w := newWager(drawn(random, 200, 0.01), 200, 0.005)
			return won(random, 0.01, goal, w.see, w.worth)
		},
	} {
		t.Run(name, func(t *testing.T) {
			n := 0
			for i := range uint64(runs) {
				if play(rand.New(rand.NewPCG(7, i))) {
					n++
				}
			}
			if n > runs/goal+16 { // three standard deviations of what is allowed
				t.Errorf("won %d of %d times, at most %d are allowed", n, runs, runs/goal)
			}
			t.Logf("won %d of %d times", n, runs)
		})
	}
}

// drawn is how many of n fail.
func drawn(random *rand.Rand, n int, failing float64) (failed float64) {
	for range n {
		if random.Float64() < failing {
			failed++
		}
	}
	return failed
}

func TestABetIsWonSoonByAHigherRate(t *testing.T) {
	for i := range uint64(200) {
		random := rand.New(rand.NewPCG(8, i))
		w := newWager(10, 10_000, 0.005)
		if !won(random, 0.05, 1/chanceErrorRateRelative, w.see, w.worth) {
			t.Fatal("5 % instead of 0.1 % is not seen in 1,500 requests")
		}
	}
}
