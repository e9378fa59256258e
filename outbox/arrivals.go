package outbox

import "sync"

// arrivals counts what came from elsewhere, by destination. It is safe for concurrent use.
type arrivals struct {
	mu   sync.Mutex // protects seen
	seen map[string]tally
}

type tally struct{ fresh, duplicates int64 }

func (a *arrivals) add(destination string, fresh, duplicates int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.seen == nil {
		a.seen = map[string]tally{}
	}
	n := a.seen[destination]
	a.seen[destination] = tally{n.fresh + int64(fresh), n.duplicates + int64(duplicates)}
}

func (a *arrivals) of(destination string) (fresh, duplicates int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := a.seen[destination]
	return n.fresh, n.duplicates
}
