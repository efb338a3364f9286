package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"text/tabwriter"
)

// line is a series in one line.
func (s series) line(unit string) string {
	cpu := medianOf(s.values(cpuOf))
	return fmt.Sprintf("%-10s %7.1f µs CPU a %s [%.1f, %.1f], %7.0f a second, core %3.0f %% busy, p50 %.2f p99 %.2f p99.9 %.2f ms, PSS %.1f MB, %d failed",
		s.Name, cpu.Median, unit, cpu.Low, cpu.High,
		s.middle(func(s sample) float64 { return s.Rate }), 100*s.middle(func(s sample) float64 { return s.Busy }),
		s.middle(func(s sample) float64 { return s.P50 })/1000, s.middle(func(s sample) float64 { return s.P99 })/1000, s.middle(func(s sample) float64 { return s.P999 })/1000,
		s.middle(func(s sample) float64 { return float64(s.PSS) })/1024, s.failures())
}

// print writes the report as text.
func (r *report) print(to io.Writer) {
	m := r.Machine
	fmt.Fprintf(to, "bluegreen beside its peers, %s, in %s\n", r.Began.Format("2006-01-02 15:04 MST"), r.Took)
	fmt.Fprintf(to, "%s, %d cores, %d MB, %s, Linux %s, load average %s before\n", m.CPU, m.Cores, m.MemoryMB, m.System, m.Kernel, m.Load)
	for _, c := range r.Cases {
		fmt.Fprintf(to, "\n%s (%s)\n", c.Title, c.Name)
		table := tabwriter.NewWriter(to, 0, 0, 2, ' ', tabwriter.AlignRight)
		fmt.Fprintf(table, "\tµs CPU/%s\t95 %%\t%ss/s\tcore\tp50 ms\tp99 ms\tp99.9 ms\tPSS MB\tRSS MB\tfailed\t\n", c.Unit, c.Unit)
		for _, s := range c.Series {
			cpu := medianOf(s.values(cpuOf))
			middle := func(of func(sample) float64) float64 { return s.middle(of) }
			fmt.Fprintf(table, "%s\t%.1f\t%.1f–%.1f\t%.0f\t%.0f %%\t%.2f\t%.2f\t%.2f\t%.1f\t%.1f\t%d\t\n", s.Name, cpu.Median, cpu.Low, cpu.High,
				middle(func(s sample) float64 { return s.Rate }), 100*middle(func(s sample) float64 { return s.Busy }),
				middle(func(s sample) float64 { return s.P50 })/1000, middle(func(s sample) float64 { return s.P99 })/1000,
				middle(func(s sample) float64 { return s.P999 })/1000,
				middle(func(s sample) float64 { return float64(s.PSS) })/1024, middle(func(s sample) float64 { return float64(s.RSS) })/1024, s.failures())
		}
		table.Flush()
		for _, ratio := range c.Ratios {
			fmt.Fprintf(to, "  %s / %s: %.2f [%.2f, %.2f]\n", ratio.Of, ratio.To, ratio.Median, ratio.Low, ratio.High)
		}
	}
}

// write writes the report to a folder, as text and as JSON.
func (r *report) write(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	text, err := os.Create(filepath.Join(dir, "results.txt"))
	if err != nil {
		return err
	}
	defer text.Close()
	r.print(text)
	values, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "results.json"), append(values, '\n'), 0o644)
}
