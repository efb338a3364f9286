package main

import (
	"context"
	"errors"
	"fmt"
)

// series is what one contender gave in a case, round by round.
type series struct {
	Name    string   `json:"name"`
	Samples []sample `json:"samples"`
}

// values returns one figure of every round.
func (s series) values(of func(sample) float64) []float64 {
	values := make([]float64, len(s.Samples))
	for i, one := range s.Samples {
		values[i] = of(one)
	}
	return values
}

func cpuOf(s sample) float64 { return s.CPU }

// failures is how many requests were not answered as they should.
func (s series) failures() (sum int) {
	for _, one := range s.Samples {
		sum += one.Failures
	}
	return sum
}

// ratio compares one contender with another: the median over the rounds of the
// ratio of their CPU time a request. Both are measured in each round, one soon
// after the other, so that what slows the machine down slows both.
type ratio struct {
	Of string `json:"of"`
	To string `json:"to"`
	estimate
}

// inTurns measures every contender in every round. Who is first moves on by one
// from round to round, so that nobody always follows the same one. Where a busy
// machine lets a load stumble, it is measured again.
func inTurns(ctx context.Context, l *lab, contenders []*contender, with load) ([]series, error) {
	all := make([]series, len(contenders))
	for i, c := range contenders {
		all[i].Name = c.label
	}
	for round := range l.options.rounds {
		for turn := range contenders {
			i := (round + turn) % len(contenders)
			s, err := with.measure(ctx, l, contenders[i])
			for try := 1; try < 3 && errors.Is(err, errUneven); try++ {
				s, err = with.measure(ctx, l, contenders[i])
			}
			if err != nil {
				return nil, fmt.Errorf("round %d, %s: %w", round+1, contenders[i].label, err)
			}
			s.Round = round + 1
			all[i].Samples = append(all[i].Samples, s)
		}
	}
	return all, nil
}

// compare returns the ratio of two of the series, false if one is missing.
func compare(all []series, of, to string) (ratio, bool) {
	a, okA := find(all, of)
	b, okB := find(all, to)
	if !okA || !okB || of == to {
		return ratio{}, false
	}
	return ratio{of, to, medianOf(ratios(a.values(cpuOf), b.values(cpuOf)))}, true
}

func find(all []series, name string) (series, bool) {
	for _, s := range all {
		if s.Name == name {
			return s, true
		}
	}
	return series{}, false
}
