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
	// Limit is the pipeline's own time, divided by the peer's, where the bar is for a peer that it is compared with too.
	Limit float64 `json:"limit,omitempty"`
}

// String prints the bar as the table shows it. With one that was not reached it says where the limit stands.
func (b bar) String() string {
	switch text := fmt.Sprintf("%s ≤ %.2f", b.Peer, b.Most); {
	case b.Reached:
		return text + " ✓"
	case b.Limit > 0:
		return fmt.Sprintf("%s ✗ (pipeline %.2f)", text, b.Limit)
	default:
		return text + " ✗"
	}
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
		out = append(out, r.statements(most))
	case !r.Sync:
		out = append(out, r.statements(0.6))
	}
	return out
}

func (r *result) bar(peer string, most float64) bar {
	is := r.figure(peer).Ratio.Median
	return bar{Peer: peer, Most: most, Is: is, Reached: is <= most}
}

// statements returns a bar against single statements, together with where the pipeline stands against them.
func (r *result) statements(most float64) bar {
	b := r.bar("pgx", most)
	b.Limit = r.figure("pipeline").Time.Seconds() / r.figure("pgx").Time.Seconds()
	return b
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
