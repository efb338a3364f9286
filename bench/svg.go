package main

import (
	"bytes"
	"fmt"
	"html"
)

// The measures of the plot, in pixels.
const (
	plotWidth  = 860
	plotLabel  = 190 // room for names at the left
	plotValue  = 120 // and for figures at the right
	plotBar    = 16
	plotGap    = 5
	plotTitle  = 34
	plotMargin = 20
)

// colours of the bars; who is not named here is grey.
func barColour(name string) string {
	switch name {
	case nginx:
		return "#4c9a6a"
	case haproxy:
		return "#8d7bb5"
	case caddy:
		return "#d39a3c"
	case bluegreen:
		return "#2f6fb0"
	}
	return "#8a8f98"
}

// bar is one line of a panel, with the interval if there is one.
type bar struct {
	name            string
	value, low, top float64
	text            string
}

// panel is a group of bars on one scale.
type panel struct {
	title string
	bars  []bar
}

// plot draws the report as SVG: a panel for each case, a bar for each contender.
func (r *report) plot() []byte {
	var body bytes.Buffer
	y := plotMargin + 30
	for _, p := range r.panels() {
		y = p.draw(&body, y)
	}
	var svg bytes.Buffer
	fmt.Fprintf(&svg, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12" fill="#222">`+"\n", plotWidth, y+plotMargin)
	fmt.Fprintf(&svg, `<rect width="%d" height="%d" fill="#fff"/>`+"\n", plotWidth, y+plotMargin)
	fmt.Fprintf(&svg, `<text x="%d" y="%d" font-size="15" font-weight="bold">CPU time of a request in the proxy; shorter is better</text>`+"\n", plotMargin, plotMargin+6)
	fmt.Fprintf(&svg, `<text x="%d" y="%d" fill="#666">%s, Linux %s, %s; medians of %d rounds with their 95 %% interval</text>`+"\n", plotMargin, plotMargin+24,
		html.EscapeString(r.Machine.CPU), html.EscapeString(r.Machine.Kernel), r.Began.Format("2006-01-02"), r.Rounds)
	svg.Write(body.Bytes())
	svg.WriteString("</svg>\n")
	return svg.Bytes()
}

func (r *report) panels() []panel {
	var all []panel
	for _, c := range r.Cases {
		p := panel{title: fmt.Sprintf("%s (µs a %s)", c.Title, c.Unit)}
		for _, s := range c.Series {
			cpu := s.figures().cpu
			p.bars = append(p.bars, bar{s.Name, cpu.Median, cpu.Low, cpu.High, fmt.Sprintf("%.1f", cpu.Median)})
		}
		all = append(all, p)
	}
	if len(r.Idle) > 0 {
		p := panel{title: fmt.Sprintf("memory of an idle WebSocket over TLS, of %d (KB)", r.Idle[0].Sockets)}
		for _, i := range r.Idle {
			p.bars = append(p.bars, bar{name: i.Name, value: i.Each, text: fmt.Sprintf("%.1f", i.Each)})
		}
		all = append(all, p)
	}
	if s := r.Switch; s != nil {
		all = append(all, panel{title: "p99.9 of latency in bluegreen's switch seconds and in quiet ones (ms)", bars: []bar{
			{name: "quiet", value: s.Quiet.P999, text: fmt.Sprintf("%.2f", s.Quiet.P999)},
			{name: "with a switch", value: s.Switched.P999, text: fmt.Sprintf("%.2f", s.Switched.P999)},
		}})
	}
	if len(r.Windows) > 0 {
		p := panel{title: "old-colour requests still begin after a switch or reload has returned, at most (ms)"}
		for _, w := range r.Windows {
			most := 0.0
			for _, one := range w.Windows {
				most = max(most, one)
			}
			p.bars = append(p.bars, bar{name: w.Name, value: most, text: fmt.Sprintf("%.1f", most)})
		}
		all = append(all, p)
	}
	return all
}

// draw draws the panel below y and returns where it ends.
func (p panel) draw(to *bytes.Buffer, y int) int {
	y += plotTitle
	fmt.Fprintf(to, `<text x="%d" y="%d" font-weight="bold">%s</text>`+"\n", plotMargin, y-8, html.EscapeString(p.title))
	most := 0.0
	for _, b := range p.bars {
		most = max(most, b.value, b.top)
	}
	if most == 0 {
		most = 1
	}
	scale := float64(plotWidth-plotLabel-plotValue-2*plotMargin) / most
	left := plotMargin + plotLabel
	for _, b := range p.bars {
		middle := y + plotBar/2
		fmt.Fprintf(to, `<text x="%d" y="%d" text-anchor="end">%s</text>`, left-8, middle+4, html.EscapeString(b.name))
		fmt.Fprintf(to, `<rect x="%d" y="%d" width="%.1f" height="%d" fill="%s"/>`, left, y, b.value*scale, plotBar, barColour(b.name))
		end := b.value
		if b.top > 0 {
			fmt.Fprintf(to, `<path d="M%.1f %dH%.1fM%.1f %dv8M%.1f %dv8" stroke="#222"/>`,
				float64(left)+b.low*scale, middle, float64(left)+b.top*scale, float64(left)+b.low*scale, middle-4, float64(left)+b.top*scale, middle-4)
			end = b.top
		}
		fmt.Fprintf(to, `<text x="%.1f" y="%d">%s</text>`+"\n", float64(left)+max(end, b.value)*scale+6, middle+4, html.EscapeString(b.text))
		y += plotBar + plotGap
	}
	return y
}
