package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"
)

// marks are lines in a page between which tables stand.
type marks struct{ begin, end string }

var rowMarks = marks{"<!-- bench:begin -->", "<!-- bench:end -->"}

// writePage puts tables into a page.
func writePage(path string, m marks, tables string) error {
	if path == "" {
		return nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, rest, found := bytes.Cut(text, []byte(m.begin))
	_, after, closed := bytes.Cut(rest, []byte(m.end))
	if !found || !closed {
		return errors.New(path + " has no marks for the tables: " + m.begin)
	}
	page := string(before) + m.begin + "\n" + tables + m.end + string(after)
	return os.WriteFile(path, []byte(page), 0o644) //nolint:gosec // a page of the documentation
}

// tables renders everything that was measured as Markdown.
func (b *bench) tables() string {
	var out strings.Builder
	fmt.Fprintf(&out, "PostgreSQL %s, %s, %d processors for both of them.\n", b.Version, runtime.Version(), runtime.NumCPU())
	for i := 0; i < len(b.Results); {
		n := i
		for n < len(b.Results) && b.Results[n].sameTable(&b.Results[i]) {
			n++
		}
		b.ratios(&out, b.Results[i:n])
		i = n
	}
	b.costs(&out, "Round trips", func(f figure) int { return f.Trips }, "PostgreSQL")
	b.costs(&out, "Allocations", func(f figure) int { return f.Allocs }, "PostgreSQL", "SQLite")
	fmt.Fprintf(&out, "\nA unit that touches nothing: %d ns (bar: %v), %d allocations (bar: %d).\n",
		b.Empty.Nanoseconds, emptyTime, b.Empty.Allocs, emptyAllocs)
	return out.String()
}

func (r *result) sameTable(o *result) bool {
	return r.Database == o.Database && r.Delay == o.Delay && r.Sync == o.Sync
}

// title says where a table was measured.
func (r *result) title() string {
	wait := "commits do not wait for the disk"
	if r.Sync {
		wait = "commits wait for the disk"
	}
	if r.Database == "SQLite" {
		return "SQLite, " + wait
	}
	return fmt.Sprintf("%s, delay %v, %s", r.Database, r.Delay, wait)
}

// ratios renders the comparisons that were made in one place.
func (b *bench) ratios(out *strings.Builder, rs []result) {
	fmt.Fprintf(out, "\n### %s\n\n| workload | urutu |", rs[0].title())
	for _, f := range rs[0].Peers[1:] {
		fmt.Fprintf(out, " %s |", f.Name)
	}
	out.WriteString(" bars |\n|---|--:|" + strings.Repeat("--:|", len(rs[0].Peers)-1) + "---|\n")
	for _, r := range rs {
		fmt.Fprintf(out, "| %s | %s |", r.Workload, duration(r.Peers[0].Time))
		for _, f := range r.Peers[1:] {
			fmt.Fprintf(out, " %.2f (%.2f–%.2f) |", f.Ratio.Median, f.Ratio.Low, f.Ratio.High)
		}
		for i, bar := range r.Bars {
			out.WriteString(map[bool]string{true: " ", false: ", "}[i == 0] + bar.String())
		}
		out.WriteString(" |\n")
	}
}

// duration prints a time in the unit that suits it.
func duration(d time.Duration) string {
	if d < time.Millisecond {
		return fmt.Sprintf("%d µs", d.Microseconds())
	}
	return fmt.Sprintf("%.1f ms", d.Seconds()*1000)
}

// costs renders what does not depend on where it is measured, from the first table of each database.
func (b *bench) costs(out *strings.Builder, title string, cost func(figure) int, databases ...string) {
	for _, database := range databases {
		header := false
		for _, r := range b.Results {
			if r.Database != database || !r.sameTable(b.first(database)) {
				continue
			}
			if !header {
				header = true
				fmt.Fprintf(out, "\n### %s, %s\n\n| workload |", title, database)
				for _, f := range r.Peers {
					fmt.Fprintf(out, " %s |", f.Name)
				}
				out.WriteString("\n|---|" + strings.Repeat("--:|", len(r.Peers)) + "\n")
			}
			fmt.Fprintf(out, "| %s |", r.Workload)
			for _, f := range r.Peers {
				fmt.Fprintf(out, " %d |", cost(f))
			}
			out.WriteString("\n")
		}
	}
}

// first returns a database's first result.
func (b *bench) first(database string) *result {
	for i := range b.Results {
		if b.Results[i].Database == database {
			return &b.Results[i]
		}
	}
	return nil
}
