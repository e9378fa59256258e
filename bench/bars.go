package main

import (
	"fmt"
	"time"
)

// bar is what urutu's time is meant to be at most, as a ratio to a peer's.
type bar struct {
	Peer    string  `json:"peer"`
	Most    float64 `json:"most"`
	Is      float64 `json:"is"`
	Reached bool    `json:"reached"`
}

// String prints the bar as the table shows it.
func (b bar) String() string {
	mark := "✗"
	if b.Reached {
		mark = "✓"
	}
	return fmt.Sprintf("%s ≤ %.2f %s", b.Peer, b.Most, mark)
}

// bars returns the bars of a comparison.
func bars(r *result) []bar {
	if r.Database == "SQLite" {
		if r.kind > bulk {
			return nil
		}
		return []bar{r.bar("database/sql", 1.15)}
	}
	switch r.kind {
	case plain:
		return append(r.ahead("bun", "gorm", "ent"), r.bar("pgx", 1.1))
	case tracked:
		return append(r.ahead("bun", "gorm", "ent"), r.bar("pgx", 1.3))
	case bulk:
		return append(r.ahead("pgx", "bun", "gorm", "ent"), r.bar("pipeline", 1.3))
	}
	out := []bar{r.bar("pipeline", 1.15)}
	switch {
	case r.Delay > 0:
		most := float64(r.figure("urutu").Trips)/float64(r.figure("pgx").Trips) + 0.05
		out = append(out, r.bar("pgx", most))
	case !r.Sync:
		out = append(out, r.bar("pgx", 0.6))
	}
	return out
}

func (r *result) bar(peer string, most float64) bar {
	is := r.figure(peer).Ratio.Median
	return bar{Peer: peer, Most: most, Is: is, Reached: is <= most}
}

// ahead returns a bar of 1 for each peer.
func (r *result) ahead(peers ...string) []bar {
	out := make([]bar, len(peers))
	for i, p := range peers {
		out[i] = r.bar(p, 1)
	}
	return out
}

func (r *result) figure(peer string) figure {
	for _, f := range r.Peers {
		if f.Name == peer {
			return f
		}
	}
	return figure{}
}

// What a unit that does nothing may cost.
const (
	emptyTime   = time.Microsecond
	emptyAllocs = 6
)
