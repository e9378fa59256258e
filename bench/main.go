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
	err := run(ctx, os.Args[1:])
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

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	isQuick := flags.Bool("quick", false, "do everything once or twice, to see that it works")
	filter := flags.String("run", "", "only the workloads with `text` in their name")
	page := flags.String("page", "", "put the tables into this Markdown `file`, between its marks")
	out := flags.String("out", "", "draw an SVG `file`")
	results := flags.String("json", "", "write the results to a JSON `file`")
	if err := flags.Parse(args); err != nil {
		return err
	}
	p := full()
	if *isQuick {
		p = quick()
	}
	p.filter = *filter
	p.say = func(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }
	dir, err := os.MkdirTemp("", "urutu-bench-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	b, err := measure(ctx, &p, dir)
	if err != nil {
		return err
	}
	fmt.Print(b.tables())
	return errors.Join(writeJSON(*results, b), writePage(*page, b), writeSVG(*out, b))
}

func writeJSON(path string, b *bench) error {
	if path == "" {
		return nil
	}
	text, err := json.MarshalIndent(b, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o600)
}
