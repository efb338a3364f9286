package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

// caseResult is what a case gave.
type caseResult struct {
	Name   string   `json:"name"`
	Title  string   `json:"title"`
	Unit   string   `json:"unit"` // what is counted
	Series []series `json:"series"`
	Ratios []ratio  `json:"ratios"`
}

// report is all that a run gives.
type report struct {
	Began   time.Time    `json:"began"`
	Took    string       `json:"took"`
	Machine machine      `json:"machine"`
	Rounds  int          `json:"rounds"`
	Seconds float64      `json:"seconds"`
	Cases   []caseResult `json:"cases"`

	Idle    []idleResult   `json:"idle,omitempty"`
	Switch  *switchResult  `json:"switch,omitempty"`
	Windows []windowResult `json:"windows,omitempty"`
	Marks   []mark         `json:"marks"`
}

// run starts the contenders, measures all that is asked for and writes the
// results.
func run(ctx context.Context, o options) (err error) {
	l, err := newLab(o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.close()) }()
	r := report{Began: time.Now().UTC().Truncate(time.Second), Rounds: o.rounds, Seconds: o.seconds}
	if r.Machine, err = describe(o); err != nil {
		return err
	}
	var problems []error // of some cases; the others are worth their time
	for _, part := range []func(context.Context, *lab) error{r.runLoads, r.runHosts, r.runIdle, r.runSwitch, r.runWindows} {
		err := l.scoped(func() error { return part(ctx, l) })
		if ctx.Err() != nil {
			return errInterrupted
		}
		problems = append(problems, err)
	}
	r.Took, r.Marks = time.Since(r.Began).Round(time.Second).String(), r.marks()
	r.print(os.Stdout)
	return errors.Join(append(problems, r.write(o.out))...)
}

// runLoads runs the cases with one host.
func (r *report) runLoads(ctx context.Context, l *lab) error {
	var asked []loadCase
	for _, c := range loadCases() {
		if l.options.wanted(c.name) {
			asked = append(asked, c)
		}
	}
	if len(asked) == 0 {
		return nil
	}
	contenders, err := l.startAll(ctx)
	if err != nil {
		return err
	}
	var problems []error
	for _, c := range asked {
		if ctx.Err() != nil {
			break
		}
		problems = append(problems, r.runLoad(ctx, l, c, contenders, [][2]string{{bluegreen, nginx}, {bluegreen, caddy}, {bluegreen, otherBuild}}))
	}
	return errors.Join(problems...)
}

// runLoad runs one case, and compares the pairs of contenders in it.
func (r *report) runLoad(ctx context.Context, l *lab, c loadCase, contenders []*contender, pairs [][2]string) error {
	progress("%s: %d rounds", c.name, l.options.rounds)
	if err := l.emptyLogs(); err != nil {
		return err
	}
	all, err := inTurns(ctx, l, contenders, c.load)
	if err != nil {
		return fmt.Errorf("case %s: %w", c.name, err)
	}
	result := caseResult{Name: c.name, Title: c.title, Unit: c.load.unit(), Series: all}
	for _, pair := range pairs {
		if compared, ok := compare(all, pair[0], pair[1]); ok {
			result.Ratios = append(result.Ratios, compared)
		}
	}
	r.Cases = append(r.Cases, result)
	for _, s := range all {
		progress("  %s", s.line(c.load.unit()))
	}
	return nil
}

// startAll starts every contender for one host. bluegreen comes first, for its
// backend serves them all.
func (l *lab) startAll(ctx context.Context) ([]*contender, error) {
	hosts := hostNames(1)
	edge, err := l.start(ctx, bluegreen, hosts, "")
	if err != nil {
		return nil, err
	}
	var all []*contender
	for _, name := range l.options.lineup() {
		c := edge
		if name != bluegreen {
			if c, err = l.start(ctx, name, hosts, edge.site.Backend); err != nil {
				return nil, err
			}
		}
		all = append(all, c)
	}
	return all, nil
}

func progress(format string, args ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", args...)
}
