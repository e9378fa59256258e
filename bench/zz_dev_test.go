package main
import ("testing";"time";"os";"strconv";"slices";"fmt";"strings";"path/filepath")
// TestDev prints low percentiles, which other load on the machine disturbs least.
func TestDev(t *testing.T){
	secs := 3
	if s := os.Getenv("DEV_S"); s != "" { secs, _ = strconv.Atoi(s) }
	l := limits{budget: time.Duration(secs)*time.Second, least: 5, most: 100000}
	show := func(cs []contender, w workload, times [][]time.Duration){
		pick := func(q float64) []float64 { out := make([]float64, len(cs)); for i := range cs { s := slices.Sorted(slices.Values(times[i])); out[i] = float64(s[int(q*float64(len(s)-1))].Nanoseconds())/1000 }; return out }
		a, b := pick(0.1), pick(0.25)
		var line strings.Builder
		fmt.Fprintf(&line, "%-30s n=%-5d", w.name, len(times[0]))
		for i := range cs { fmt.Fprintf(&line, "  %s %.0f/%.0f", cs[i].name, a[i], b[i]); if i > 0 { fmt.Fprintf(&line, " (%.2f)", a[0]/a[i]) } }
		fmt.Println(line.String())
	}
	ctx := t.Context()
	only := os.Getenv("DEV_PEERS")
	pick := func(cs []contender) []contender { if only == "" { return cs }; var out []contender; for i, c := range cs { if i == 0 || strings.Contains(only, c.name) { out = append(out, c) } }; return out }
	if os.Getenv("DEV_DB") != "sqlite" {
		cs := pick(onPostgres())
		db := forTest(t, cs)
		peers, err := openAll(ctx, cs, func(c contender) string { return db.url(c.name, os.Getenv("DEV_SYNC") != "") }); if err != nil { t.Fatal(err) }
		defer closeAll(peers)
		for _, w := range workloads() { if !strings.Contains(w.name, os.Getenv("DEV_RUN")) { continue }
			for _, c := range cs { if err := db.tidy(ctx, c.name); err != nil { t.Fatal(err) } }
			if _, err := compare(ctx, w, 1, peers, db.data, limits{least: 8, most: 8}); err != nil { t.Fatal(err) }
			times, err := compare(ctx, w, 1, peers, db.data, l); if err != nil { t.Fatal(err) }
			show(cs, w, times)
		}
	}
	if os.Getenv("DEV_DB") != "pg" {
		cs, d, dir := onSQLite(), newData(), t.TempDir()
		path := func(c contender) string { return filepath.Join(dir, filepath.Base(c.name)+".db") }
		for _, c := range cs { if err := makeFile(ctx, path(c), d); err != nil { t.Fatal(err) } }
		mode := "off"; if os.Getenv("DEV_SYNC") != "" { mode = "full" }
		peers, err := openAll(ctx, cs, func(c contender) string { return "sqlite:///" + path(c) + "?synchronous=" + mode }); if err != nil { t.Fatal(err) }
		defer closeAll(peers)
		for _, w := range workloads() { if !strings.Contains(w.name, os.Getenv("DEV_RUN")) { continue }
			if _, err := compare(ctx, w, 1, peers, d, limits{least: 8, most: 8}); err != nil { t.Fatal(err) }
			times, err := compare(ctx, w, 1, peers, d, l); if err != nil { t.Fatal(err) }
			show(cs, w, times)
		}
	}
}
