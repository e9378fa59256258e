package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	var err error
	if url := os.Getenv(doomed); url != "" {
		err = serve(ctx, url)
	} else {
		err = run(ctx, os.Args[1:])
	}
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// full is what the page shows, and quick what shows that everything works.
func full() plan {
	return plan{
		delays: []time.Duration{0, 200 * time.Microsecond, time.Millisecond}, syncs: []bool{false, true},
		limits: limits{budget: 4 * time.Second, least: 5, most: 1000, warm: 8},
	}
}

func quick() plan {
	return plan{
		delays: []time.Duration{0, 200 * time.Microsecond}, syncs: []bool{false},
		limits: limits{least: 2, most: 2, warm: 1},
	}
}

// options are the command's flags.
type options struct {
	only, filter, page, out, results string
	quick                            bool
	hold                             time.Duration
	dir                              string // for files
}

func run(ctx context.Context, args []string) error {
	var o options
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.BoolVar(&o.quick, "quick", false, "do everything once or twice, to see that it works")
	flags.StringVar(&o.only, "only", "", "only `rows`, messages, queries, or xmin, which is not part of the whole")
	flags.StringVar(&o.filter, "run", "", "only the workloads with `text` in their name, or the one measure of messages or queries that has it as its name")
	flags.StringVar(&o.page, "page", "", "put the tables into this Markdown `file`, between its marks")
	flags.StringVar(&o.out, "out", "", "draw an SVG `file`")
	flags.StringVar(&o.results, "json", "", "write the results to a JSON `file`")
	flags.DurationVar(&o.hold, "hold", time.Minute, "for how long xmin holds a snapshot")
	if err := flags.Parse(args); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "urutu-bench-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	o.dir = dir
	switch o.only {
	case "":
		return errors.Join(o.rows(ctx), o.messages(ctx), o.queries(ctx))
	case "rows":
		return o.rows(ctx)
	case "messages":
		return o.messages(ctx)
	case "queries":
		return o.queries(ctx)
	case "xmin":
		return o.xmin(ctx)
	}
	return fmt.Errorf("-only %s: rows, messages, queries or xmin", o.only)
}

// progress says on standard error what is being done.
func progress(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

// rows compares reading and writing rows.
func (o *options) rows(ctx context.Context) error {
	p := full()
	if o.quick {
		p = quick()
	}
	p.filter, p.say = o.filter, progress
	b, err := measure(ctx, &p, o.dir)
	if err != nil {
		return err
	}
	return errors.Join(o.report(rowMarks, b.tables(), "rows", b), writeSVG(o.out, b))
}

// messages measures messages.
func (o *options) messages(ctx context.Context) error {
	l := fullLoad()
	if o.quick {
		l = quickLoad()
	}
	l.filter, l.dir, l.say = o.filter, o.dir, progress
	m, err := measureMessages(ctx, &l)
	if err != nil {
		return err
	}
	return o.report(messageMarks, m.tables(), "messages", m)
}

// queries measures pages and rendering.
func (o *options) queries(ctx context.Context) error {
	r := fullReading()
	if o.quick {
		r = quickReading()
	}
	r.filter, r.say = o.filter, progress
	m, err := measureQueries(ctx, &r)
	if err != nil {
		return err
	}
	return o.report(queryMarks, m.tables(), "queries", m)
}

// xmin measures messages while a snapshot is held.
func (o *options) xmin(ctx context.Context) error {
	t, version, err := inDatabase(ctx, func(ctx context.Context, db *database) (table, error) {
		return measureXmin(ctx, o.hold, db, progress)
	})
	if err != nil {
		return err
	}
	m := &messages{Version: version, Tables: []table{t}}
	return o.report(xminMarks, m.tables(), "xmin", m)
}

// report prints tables and puts them where the flags say. In the file of results each part has a name.
func (o *options) report(m marks, tables, part string, results any) error {
	fmt.Print(tables)
	return errors.Join(writePage(o.page, m, tables), writeJSON(o.results, part, results))
}

func writeJSON(path, part string, results any) error {
	if path == "" {
		return nil
	}
	parts := map[string]any{}
	if old, err := os.ReadFile(path); err == nil {
		if err := json.Unmarshal(old, &parts); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	parts[part] = results
	text, err := json.MarshalIndent(parts, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o600)
}
