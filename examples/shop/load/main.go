// Command load places orders in the shop from many clients at once, over real HTTP, and then does the books:
//
//	go run ./examples/shop/load -seconds 30 -clients 32
//
// It fails if any answer is a 5xx, if an order is refused although the stock was there, if the stock of any product is
// not exactly what was sold less than at the beginning, or if connections or goroutines are left over.
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"time"
)

func main() {
	seconds := flag.Int("seconds", 30, "how long to place orders")
	clients := flag.Int("clients", 32, "how many clients place them")
	dbs := flag.String("db", "sqlite,postgres", "databases: sqlite (a temporary file), postgres (a temporary database on the "+
		"server of URUTU_TEST_POSTGRES), separated by commas")
	flag.Parse()
	slog.SetDefault(slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})))

	if !runAll(strings.Split(*dbs, ","), *clients, time.Duration(*seconds)*time.Second) {
		os.Exit(1)
	}
}

// runAll loads a shop on each database, prints what came of it, and reports whether all went well.
func runAll(databases []string, clients int, d time.Duration) bool {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	good := true
	for _, name := range databases {
		report, err := runOn(ctx, name, clients, d)
		fmt.Printf("%-9s %s\n", name, report)
		if err != nil {
			fmt.Printf("%-9s FAILED: %v\n", name, err)
			good = false
		}
	}
	return good
}

// runOn makes a database, loads a shop on it, and removes it again.
func runOn(ctx context.Context, name string, clients int, d time.Duration) (report, error) {
	database, err := makeDatabase(ctx, name)
	if err != nil {
		return report{}, err
	}
	defer database.drop()
	return load(ctx, database, clients, d)
}
