package verdict

import (
	"math"
	"time"
)

// A bet is a test martingale against "the rate is at most null": it multiplies
// what it has by the likelihood ratio of a higher rate, so that it grows without
// limit when the rate is higher, and if it is not, its chance of ever reaching
// 1/a is at most a, however often one looks (Ville 1939). Which higher rate, and
// since when, is not known: it is spread over several (Robbins 1970), and over
// the moment at which things have turned bad (Shin, Ramdas and Rinaldo 2023), so
// that a long good time hides no bad one.
type bet struct {
	parts []part
}

// part bets on one higher rate.
type part struct {
	fail, pass  float64 // log likelihood ratio of a failure, and of a success
	share       float64 // of all that is put in
	grown       float64 // what has become of it, before that share is taken
	failed, all float64 // since the moment from which most of it comes
	since       time.Duration
}

// atOnce is put on a release that is bad from the switch on; the rest comes in
// evenly over the bake.
const atOnce = 0.75

// newBet spreads what it puts in over rates that are 2, 8 and 50 times the rise
// that matters above null.
func newBet(null, rise float64) bet {
	var b bet
	for _, on := range []struct{ times, share float64 }{{2, 0.35}, {8, 0.45}, {50, 0.20}} {
		higher := null + (1-null)*math.Min(on.times*rise, 0.9)
		b.parts = append(b.parts, part{
			fail:  math.Log(higher / null),
			pass:  math.Log((1 - higher) / (1 - null)),
			share: on.share,
			grown: atOnce,
		})
	}
	return b
}

// see takes in what came since the look at that moment, after fresh was put in
// there. Failures that come in bursts weigh less, by dispersion.
func (b *bet) see(since time.Duration, failed, all, fresh, dispersion float64) {
	for i := range b.parts {
		p := &b.parts[i]
		if p.grown < fresh {
			p.since, p.failed, p.all = since, 0, 0
		}
		won := (failed*p.fail + (all-failed)*p.pass) / dispersion
		p.grown = math.Min((p.grown+fresh)*math.Exp(won), riches)
		p.failed += failed
		p.all += all
	}
}

// riches are more than any decision needs, and less than what overflows.
const riches = 1e100

// worth is what the bet has become, and the part that has most of it.
func (b *bet) worth() (float64, *part) {
	total, most := 0.0, &b.parts[0]
	for i := range b.parts {
		p := &b.parts[i]
		total += p.share * p.grown
		if p.share*p.grown > most.share*most.grown {
			most = p
		}
	}
	return total, most
}

// A wager bets against "the rate is at most that of the previous release", of
// which only figures are known. For each rate that it may have had, a bet is
// weighed by how well that rate fits the figures; what the wager is worth is the
// least of the products. The weight is a p-value turned into an e-value (Shafer,
// Shen, Vereshchagin and Vovk 2011; Vovk and Wang 2021), so the product is one,
// whichever rate is the true one.
type wager struct {
	bets    []bet
	weights []float64
}

// tolerated is a rate that never counts against a release, and finest the ratio
// of neighbouring rates.
const (
	tolerated = 0.001
	finest    = 1.1
)

// newWager is about a previous release of which failed of all requests failed.
func newWager(failed, all, rise float64) wager {
	var w wager
	highest := math.Max(tolerated, upperBound(failed, all, chanceBound))
	below := 0.0 // the bet holds for all rates from here to null, so the weight is that of the least
	for null := tolerated; ; null *= finest {
		null = math.Min(null, highest)
		if null >= 1 {
			break
		}
		w.bets = append(w.bets, newBet(null, rise))
		w.weights = append(w.weights, 0.5/math.Sqrt(binomialBelow(failed, all, below)))
		if null >= highest {
			return w
		}
		below = null
	}
	return wager{} // the previous release may have failed always
}

// see lets the bets against all rates take in the same.
func (w *wager) see(since time.Duration, failed, all, fresh, dispersion float64) {
	for i := range w.bets {
		w.bets[i].see(since, failed, all, fresh, dispersion)
	}
}

// worth is the least of the products, and the part that has most of it. Against
// no figures nothing can be won.
func (w *wager) worth() (float64, *part) {
	least, by := math.Inf(1), (*part)(nil)
	for i := range w.bets {
		if grown, most := w.bets[i].worth(); grown*w.weights[i] < least {
			least, by = grown*w.weights[i], most
		}
	}
	if by == nil {
		return 0, nil
	}
	return least, by
}
