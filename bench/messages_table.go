package main

import (
	"fmt"
	"runtime"
	"strings"
)

// The marks in a page between which the tables about messages stand.
var messageMarks = marks{"<!-- messages:begin -->", "<!-- messages:end -->"}

// tables renders everything that was measured of messages as Markdown.
func (m *messages) tables() string {
	var out strings.Builder
	fmt.Fprintf(&out, "PostgreSQL %s, %s, %d processors for both of them.\n", m.Version, runtime.Version(), runtime.NumCPU())
	for i := range m.Tables {
		m.Tables[i].render(&out)
	}
	return out.String()
}

func (t *table) render(out *strings.Builder) {
	bars := 0
	for _, r := range t.Rows {
		bars += len(r.Goals)
	}
	fmt.Fprintf(out, "\n### %s\n\n| |", t.Title)
	for _, c := range t.Columns {
		fmt.Fprintf(out, " %s |", c)
	}
	if bars > 0 {
		out.WriteString(" bars |")
	}
	out.WriteString("\n|---|" + strings.Repeat("--:|", len(t.Columns)))
	if bars > 0 {
		out.WriteString("---|")
	}
	out.WriteString("\n")
	for _, r := range t.Rows {
		fmt.Fprintf(out, "| %s |", r.Name)
		for _, f := range r.Figures {
			fmt.Fprintf(out, " %s |", f)
		}
		if bars > 0 {
			for i, g := range r.Goals {
				out.WriteString(map[bool]string{true: " ", false: ", "}[i == 0] + g.String())
			}
			out.WriteString(" |")
		}
		out.WriteString("\n")
	}
}
