package main

import (
	"math"
	"slices"
)

// estimate is a median with an interval that holds the true one with the given
// coverage.
type estimate struct {
	Median   float64 `json:"median"`
	Low      float64 `json:"low"`
	High     float64 `json:"high"`
	Coverage float64 `json:"coverage"` // 0.95 or a little more; less only if there are too few values
}

// medianOf estimates the median of what the values are drawn from. The interval
// lies between two order statistics, chosen by the binomial distribution; it
// assumes nothing about how the values are distributed.
func medianOf(values []float64) estimate {
	n := len(values)
	if n == 0 {
		return estimate{Median: math.NaN(), Low: math.NaN(), High: math.NaN()}
	}
	sorted := slices.Sorted(slices.Values(values))
	e := estimate{Median: (sorted[(n-1)/2] + sorted[n/2]) / 2}
	below, tail := 0, math.Pow(0.5, float64(n)) // tail: probability of at most `below` values under the median
	e.Coverage = 1 - 2*tail
	term := tail
	for below+1 < n/2 {
		term *= float64(n-below) / float64(below+1)
		if tail+term > 0.025 {
			break
		}
		tail += term
		below++
		e.Coverage = 1 - 2*tail
	}
	e.Low, e.High = sorted[below], sorted[n-1-below]
	return e
}

// ratios divides value by value: both slices hold one value per round.
func ratios(values, by []float64) []float64 {
	r := make([]float64, min(len(values), len(by)))
	for i := range r {
		r[i] = values[i] / by[i]
	}
	return r
}

// percentile returns the smallest value that at least the share p of the values
// does not exceed. sorted is in ascending order.
func percentile(sorted []float64, p float64) float64 {
	if len(sorted) == 0 {
		return math.NaN()
	}
	i := int(math.Ceil(p*float64(len(sorted)))) - 1
	return sorted[max(0, min(i, len(sorted)-1))]
}
