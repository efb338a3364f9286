package main

import (
	"slices"
	"testing"
	"time"
)

func TestOldColourRequestsAreThoseSentAfterTheMoveReturned(t *testing.T) {
	begin := time.Unix(1000, 0)
	asked := func(sent time.Duration, colour string, failed bool) visit {
		return visit{request{begin, time.Millisecond, failed}, begin.Add(sent), colour}
	}
	move := func(old string, from, to time.Duration) moved {
		return moved{old, span{begin.Add(from), begin.Add(to)}}
	}
	r := newWindowResult("x", []visit{
		asked(990*time.Millisecond, "blue", false),   // sent before the move had returned
		asked(1010*time.Millisecond, "blue", false),  // late
		asked(1100*time.Millisecond, "blue", false),  // later
		asked(1100*time.Millisecond, "green", false), // as it should be
		asked(1200*time.Millisecond, "", true),       // failed
		asked(3500*time.Millisecond, "blue", false),  // after the second move
	}, []moved{move("blue", time.Second, 2*time.Second), move("green", 3*time.Second, 4*time.Second)})
	if r.Old != 2 || r.Failures != 1 || r.Requests != 6 || !slices.Equal(r.Windows, []float64{100, 0}) {
		t.Errorf("found %+v", r)
	}
}

func TestSwitchSecondsArePooledByKind(t *testing.T) {
	begin := time.Unix(1000, 0)
	var visits []visit
	for i := range 4000 {
		start := begin.Add(time.Duration(i) * time.Millisecond)
		took := time.Millisecond
		if i >= 2000 && i < 3000 {
			took = 3 * time.Millisecond
		}
		visits = append(visits, visit{request: request{start: start, took: took, failed: i == 2500 || i == 3999}})
	}
	second := func(n int) span {
		return span{begin.Add(time.Duration(n) * time.Second), begin.Add(time.Duration(n+1) * time.Second)}
	}
	r := newSwitchResult(visits, []span{second(0)}, []span{second(2)}, []float64{9, 5, 7})
	if r.Quiet.Requests != 1000 || r.Quiet.P999 != 1 || r.Switched.Requests != 999 || r.Switched.P999 != 3 || r.Switched.Failures != 1 {
		t.Errorf("pooled %+v and %+v", r.Quiet, r.Switched)
	}
	if r.Ratio.Median != 3 || r.Took != 7 || r.Failures != 2 || r.Requests != 4000 {
		t.Errorf("the result is %+v", r)
	}
}
