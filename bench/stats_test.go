package main

import (
	"math"
	"testing"
)

func TestMedianHasAnIntervalBetweenOrderStatistics(t *testing.T) {
	ascending := func(n int) []float64 {
		values := make([]float64, n)
		for i := range values {
			values[n-1-i] = float64(i + 1) // 1 … n, in descending order
		}
		return values
	}
	// The ranks are those of the usual table for a 95 % interval of the median.
	for _, test := range []struct {
		n                           int
		median, low, high, coverage float64
	}{
		{1, 1, 1, 1, 0},
		{2, 1.5, 1, 2, 0.5},
		{5, 3, 1, 5, 0.9375},
		{6, 3.5, 1, 6, 0.96875},
		{9, 5, 2, 8, 0.9609},
		{20, 10.5, 6, 15, 0.9586},
		{30, 15.5, 10, 21, 0.9572},
	} {
		got := medianOf(ascending(test.n))
		if got.Median != test.median || got.Low != test.low || got.High != test.high || math.Abs(got.Coverage-test.coverage) > 0.0001 {
			t.Errorf("of %d values: %+v, want %+v", test.n, got, test)
		}
	}
	if got := medianOf(nil); !math.IsNaN(got.Median) {
		t.Errorf("the median of nothing is %v", got.Median)
	}
}

func TestRatiosCompareTheSameRound(t *testing.T) {
	got := ratios([]float64{10, 40, 90}, []float64{10, 20, 30})
	if len(got) != 3 || got[0] != 1 || got[1] != 2 || got[2] != 3 {
		t.Errorf("ratios are %v, want [1 2 3]", got)
	}
}

func TestPercentileIsAValueThatOccurred(t *testing.T) {
	thousand := make([]float64, 1000)
	for i := range thousand {
		thousand[i] = float64(i + 1)
	}
	for p, want := range map[float64]float64{0: 1, 0.5: 500, 0.99: 990, 0.999: 999, 1: 1000} {
		if got := percentile(thousand, p); got != want {
			t.Errorf("percentile %v is %v, want %v", p, got, want)
		}
	}
	if got := percentile([]float64{7}, 0.999); got != 7 {
		t.Errorf("p99.9 of one value is %v", got)
	}
}

func TestBootstrapTellsADifferenceFromNoise(t *testing.T) {
	seconds := func(slow float64) [][]float64 {
		all := make([][]float64, 30)
		for i := range all {
			for n := range 1000 {
				all[i] = append(all[i], 1+float64((n*7+i)%100)/100)
			}
			all[i] = append(all[i], slow, slow+float64(i)/100)
		}
		return all
	}
	if same := bootstrap(seconds(5), seconds(5), 0.999); same.Low > 1 || same.High < 1 {
		t.Errorf("equal groups differ: %+v", same)
	}
	if slower := bootstrap(seconds(10), seconds(5), 0.999); slower.Low <= 1.5 {
		t.Errorf("a group of twice the latency is not told apart: %+v", slower)
	}
}
