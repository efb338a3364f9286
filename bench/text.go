package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"
)

// line is a series in one line, for who watches a run.
func (s series) line(unit string) string {
	f := s.figures()
	return fmt.Sprintf("%-24s %7.1f µs CPU a %s [%.1f, %.1f], %7.0f a second, core %3.0f %% busy, %d failed",
		s.Name, f.cpu.Median, unit, f.cpu.Low, f.cpu.High, f.rate, f.busy, f.failures)
}

// figures are the medians of a series over its rounds.
type figures struct {
	cpu            estimate // microseconds
	rate, busy     float64  // a second; percent
	p50, p99, p999 float64  // milliseconds
	pss, rss       float64  // megabytes
	failures       int
}

func (s series) figures() figures {
	middle := func(of func(sample) float64) float64 {
		return percentile(slices.Sorted(slices.Values(s.values(of))), 0.5)
	}
	return figures{
		cpu:      medianOf(s.values(cpuOf)),
		rate:     middle(func(s sample) float64 { return s.Rate }),
		busy:     middle(func(s sample) float64 { return 100 * s.Busy }),
		p50:      middle(func(s sample) float64 { return s.P50 / 1000 }),
		p99:      middle(func(s sample) float64 { return s.P99 / 1000 }),
		p999:     middle(func(s sample) float64 { return s.P999 / 1000 }),
		pss:      middle(func(s sample) float64 { return float64(s.PSS) / 1024 }),
		rss:      middle(func(s sample) float64 { return float64(s.RSS) / 1024 }),
		failures: s.failures(),
	}
}

// print writes the report as text.
func (r *report) print(to io.Writer) {
	m := r.Machine
	fmt.Fprintf(to, "bluegreen beside its peers, %s, a run of %s\n\n", r.Began.Format("2006-01-02 15:04 MST"), r.Took)
	fmt.Fprintf(to, "%s, %d cores, %d MB, %s, Linux %s, load average %s before\n", m.CPU, m.Cores, m.MemoryMB, m.System, m.Kernel, m.Load)
	for _, name := range slices.Sorted(maps.Keys(m.Versions)) {
		fmt.Fprintf(to, "%s: %s\n", name, m.Versions[name])
	}
	fmt.Fprintf(to, "\nproxies on core %d, client and backend on another; %d rounds, %.1f s of each proxy in a round; medians over the rounds, [95 %% interval]\n",
		m.ProxyCPU, r.Rounds, r.Seconds)
	for _, c := range r.Cases {
		c.print(to)
	}
	r.printIdle(to)
	r.printSwitch(to)
	r.printWindows(to)
	r.printMarks(to)
}

func tableTo(to io.Writer) *tabwriter.Writer {
	return tabwriter.NewWriter(to, 0, 0, 2, ' ', tabwriter.AlignRight)
}

func (c caseResult) print(to io.Writer) {
	fmt.Fprintf(to, "\n%s (%s)\n", c.Title, c.Name)
	table := tableTo(to)
	fmt.Fprintf(table, "\tµs CPU/%s\t95 %%\t%ss/s\tcore\tp50 ms\tp99 ms\tp99.9 ms\tPSS MB\tRSS MB\tfailed\t\n", c.Unit, c.Unit)
	for _, s := range c.Series {
		f := s.figures()
		fmt.Fprintf(table, "%s\t%.1f\t[%.1f, %.1f]\t%.0f\t%.0f %%\t%.2f\t%.2f\t%.2f\t%.1f\t%.1f\t%d\t\n",
			s.Name, f.cpu.Median, f.cpu.Low, f.cpu.High, f.rate, f.busy, f.p50, f.p99, f.p999, f.pss, f.rss, f.failures)
	}
	table.Flush()
	for _, r := range c.Ratios {
		fmt.Fprintf(to, "  CPU of %s to %s: %.2f [%.2f, %.2f]\n", r.Of, r.To, r.Median, r.Low, r.High)
	}
}

func (r *report) printIdle(to io.Writer) {
	if len(r.Idle) == 0 {
		return
	}
	fmt.Fprintf(to, "\nidle WebSockets over TLS (%s)\n", caseIdle)
	table := tableTo(to)
	fmt.Fprintln(table, "\tsockets\tPSS MB before\tafter\tKB each\t")
	for _, i := range r.Idle {
		fmt.Fprintf(table, "%s\t%d\t%.1f\t%.1f\t%.1f\t\n", i.Name, i.Sockets, float64(i.Before.PSS)/1024, float64(i.After.PSS)/1024, i.Each)
	}
	table.Flush()
}

func (r *report) printSwitch(to io.Writer) {
	s := r.Switch
	if s == nil {
		return
	}
	fmt.Fprintf(to, "\nlatency while bluegreen switches, %d requests a second (%s)\n", s.Rate, caseSwitch)
	table := tableTo(to)
	fmt.Fprintln(table, "\trequests\tp50 ms\tp99 ms\tp99.9 ms\tmax ms\tfailed\t")
	for _, row := range []struct {
		name string
		pool pool
	}{{fmt.Sprint(s.Seconds, " quiet seconds"), s.Quiet}, {fmt.Sprint(s.Seconds, " with a switch"), s.Switched}} {
		fmt.Fprintf(table, "%s\t%d\t%.2f\t%.2f\t%.2f\t%.2f\t%d\t\n", row.name, row.pool.Requests, row.pool.P50, row.pool.P99, row.pool.P999, row.pool.Max, row.pool.Failures)
	}
	table.Flush()
	fmt.Fprintf(to, "  p99.9 of switch seconds to quiet ones: %.2f [%.2f, %.2f]\n", s.Ratio.Median, s.Ratio.Low, s.Ratio.High)
	fmt.Fprintf(to, "  a switch takes %.1f ms; %d of %d requests failed in the whole time, with %d deploys\n", s.Took, s.Failures, s.Requests, s.Seconds)
}

func (r *report) printWindows(to io.Writer) {
	if len(r.Windows) == 0 {
		return
	}
	fmt.Fprintf(to, "\nrequests that still begin on the old colour after the move has returned (%s)\n", caseWindows)
	table := tableTo(to)
	fmt.Fprintln(table, "\tmoves\tsuch requests\tfor ms (median)\tat most\tfailed\tof requests\t")
	for _, w := range r.Windows {
		sorted := slices.Sorted(slices.Values(w.Windows))
		fmt.Fprintf(table, "%s\t%d\t%d\t%.1f\t%.1f\t%d\t%d\t\n", w.Name, len(sorted), w.Old, percentile(sorted, 0.5), percentile(sorted, 1), w.Failures, w.Requests)
	}
	table.Flush()
}

func (r *report) printMarks(to io.Writer) {
	if len(r.Marks) == 0 {
		return
	}
	fmt.Fprint(to, "\nthe marks\n")
	table := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	for _, m := range r.Marks {
		fmt.Fprintf(table, "  %s\t%s\t%s\n", m.Verdict, m.Mark, m.Figure)
	}
	table.Flush()
}
