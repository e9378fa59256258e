package main

import (
	"fmt"
	"html"
	"math"
	"os"
	"strings"
	"time"
)

// The drawing's measures, in pixels.
const (
	labelWidth = 200 // of the workloads' names
	panelWidth = 210
	panelGap   = 20
	rowHeight  = 24
	topHeight  = 64
	footHeight = 34
)

// The axis shows ratios between these, with as much room for a half as for a double.
const leastRatio, mostRatio = 0.01, 4.0

// style makes the drawing readable on light and on dark ground.
const style = `<style>
text{font:12px system-ui,sans-serif;fill:#24292f}.small{font-size:10px;fill:#57606a}.grid{stroke:#d0d7de}.one{stroke:#24292f}
.p1{fill:#0969da}.p2{fill:none;stroke:#24292f;stroke-width:1.5}.p3{fill:#8250df}.p4{fill:#1a7f37}.p5{fill:#bc4c00}.p6{fill:#bf3989}
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.small{fill:#9198a1}.grid{stroke:#3d444d}.one{stroke:#e6edf3}
.p1{fill:#4493f8}.p2{stroke:#e6edf3}.p3{fill:#ab7df8}.p4{fill:#3fb950}.p5{fill:#f0883e}.p6{fill:#f778ba}}
</style>
`

// writeSVG draws the ratios on PostgreSQL, with a panel for each delay.
func writeSVG(path string, b *bench) error {
	if path == "" {
		return nil
	}
	return os.WriteFile(path, []byte(b.svg()), 0o644) //nolint:gosec // a picture of the documentation
}

// svg returns the drawing: one line for each workload, on it a dot for each peer, where urutu's time divided by the
// peer's is.
func (b *bench) svg() string {
	panels := b.panels()
	rows := 0
	for _, p := range panels {
		rows = max(rows, len(p))
	}
	width := labelWidth + len(panels)*(panelWidth+panelGap)
	height := topHeight + rows*rowHeight + footHeight
	var out strings.Builder
	fmt.Fprintf(&out, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img">`+"\n", width, height)
	out.WriteString("<title>urutu's time divided by its peers', on PostgreSQL</title>\n" + style)
	if len(panels) > 0 {
		legend(&out, panels[0][0].Peers[1:])
		for i, r := range panels[0] {
			fmt.Fprintf(&out, `<text x="0" y="%d">%s</text>`+"\n", topHeight+i*rowHeight+16, html.EscapeString(r.Workload))
		}
	}
	for i, p := range panels {
		panel(&out, labelWidth+i*(panelWidth+panelGap), p)
	}
	fmt.Fprintf(&out, `<text class="small" x="%d" y="%d">left of 1: urutu is faster</text>`+"\n</svg>\n", labelWidth, height-4)
	return out.String()
}

// panels returns the results on PostgreSQL without waiting for the disk, by their delay.
func (b *bench) panels() [][]result {
	var panels [][]result
	var last time.Duration = -1
	for _, r := range b.Results {
		if r.Database != "PostgreSQL" || r.Sync != b.Results[0].Sync {
			continue
		}
		if r.Delay != last {
			panels = append(panels, nil)
			last = r.Delay
		}
		panels[len(panels)-1] = append(panels[len(panels)-1], r)
	}
	return panels
}

// legend names the peers.
func legend(out *strings.Builder, peers []figure) {
	x := labelWidth
	for i, f := range peers {
		fmt.Fprintf(out, `<circle class="p%d" cx="%d" cy="10" r="4.5"/><text x="%d" y="14">%s</text>`+"\n",
			i+1, x+5, x+14, html.EscapeString(f.Name))
		x += 30 + 7*len(f.Name)
	}
}

// panel draws the comparisons of one delay.
func panel(out *strings.Builder, left int, rs []result) {
	bottom := topHeight + len(rs)*rowHeight
	title := "no delay"
	if rs[0].Delay > 0 {
		title = rs[0].Delay.String() + " each way"
	}
	fmt.Fprintf(out, `<text x="%d" y="40">%s</text>`+"\n", left, title)
	for _, tick := range []float64{0.01, 0.1, 0.5, 1, 2} {
		x := float64(left) + place(tick)
		class := "grid"
		if tick == 1 {
			class = "one"
		}
		fmt.Fprintf(out, `<path class="%s" d="M%.1f %dV%d"/><text class="small" text-anchor="middle" x="%.1f" y="%d">%g</text>`+"\n",
			class, x, topHeight-4, bottom, x, topHeight-8, tick)
	}
	for i, r := range rs {
		y := topHeight + i*rowHeight + 12
		fmt.Fprintf(out, `<path class="grid" d="M%d %dh%d"/>`+"\n", left, y, panelWidth)
		for j, f := range r.Peers[1:] {
			fmt.Fprintf(out, `<circle class="p%d" cx="%.1f" cy="%d" r="4.5"><title>%s: %.2f</title></circle>`+"\n",
				j+1, float64(left)+place(f.Ratio.Median), y, html.EscapeString(f.Name), f.Ratio.Median)
		}
	}
}

// place returns where a ratio is in a panel.
func place(ratio float64) float64 {
	ratio = min(max(ratio, leastRatio), mostRatio)
	return math.Log(ratio/leastRatio) / math.Log(mostRatio/leastRatio) * panelWidth
}
