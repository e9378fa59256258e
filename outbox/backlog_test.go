package outbox

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/message"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/urututest"
)

// slowGroup is a group that handles two topics, of which one waits until it is let go.
type slowGroup struct {
	*testing.T
	db     *session.DB
	engine *Engine
	let    chan struct{}
	quick  chan string

	mu      sync.Mutex          // protects what follows
	handled map[string][]string // by key
	count   int
	more    chan struct{}
}

func eachSlowGroup(t *testing.T, f func(g *slowGroup)) {
	t.Parallel()
	urututest.Each(t, urututest.Config{Session: session.Config{PoolSize: 8, Logger: slog.New(slog.DiscardHandler)}}, func(t *testing.T, db *session.DB) {
		if err := db.Install(t.Context(), Component()); err != nil {
			t.Fatal(err)
		}
		g := &slowGroup{T: t, db: db, let: make(chan struct{}), quick: make(chan string, 1000), handled: map[string][]string{}, more: make(chan struct{}, 1)}
		g.engine = NewEngine(db, Config{Logger: slog.New(slog.DiscardHandler)}, Consumer{
			Destination: "group", Topics: []string{"slow", "quick"}, Concurrency: 4, Limits: map[string]int{"slow": 2, "quick": 2}, Handle: g.handle,
		})
		if err := g.engine.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		f(g)
		if err := g.engine.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func (g *slowGroup) handle(ctx context.Context, d *Delivery) error {
	if d.Topic == "slow" {
		select {
		case <-g.let:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if err := g.db.Do(ctx, d.Acknowledge); err != nil {
		return err
	}
	g.mu.Lock()
	g.handled[d.Key] = append(g.handled[d.Key], string(d.Payload))
	g.count++
	g.mu.Unlock()
	if d.Topic == "quick" {
		g.quick <- string(d.Payload)
	}
	select {
	case g.more <- struct{}{}:
	default:
	}
	return nil
}

func (g *slowGroup) put(list ...Outgoing) {
	g.Helper()
	urututest.Do(g, g.db, func(ctx context.Context) error {
		for _, m := range list {
			m.ID = uuid.New()
			if err := Put(ctx, m); err != nil {
				return err
			}
		}
		return nil
	})
}

func outgoing(topic, key, text string) Outgoing {
	return Outgoing{Type: message.Type{Topic: topic}, Key: key, Payload: []byte(text)}
}

// wait waits until so many messages were handled.
func (g *slowGroup) wait(n int) {
	g.Helper()
	late := time.After(60 * time.Second)
	for {
		g.mu.Lock()
		count := g.count
		g.mu.Unlock()
		if count >= n {
			return
		}
		select {
		case <-g.more:
		case <-late:
			g.Fatalf("%d of %d messages were handled", count, n)
		}
	}
}

// TestSlowTopicHoldsUpNobodyElse: while the handler of one topic does not get on, its messages stay in the table, those of
// other topics in the same lanes are handled, and no message overtakes an earlier one of its key.
func TestSlowTopicHoldsUpNobodyElse(t *testing.T) {
	eachSlowGroup(t, func(g *slowGroup) {
		const n = 1500
		var slow []Outgoing
		for i := range n {
			key := ""
			if i%2 == 0 {
				key = fmt.Sprint("key-", i%100)
			}
			slow = append(slow, outgoing("slow", key, fmt.Sprintf("%04d", i)))
		}
		g.put(slow...)
		var want []string
		for i := range 50 {
			text := fmt.Sprintf("%04d", n+i)
			g.put(outgoing("quick", fmt.Sprint("key-", i), fmt.Sprintf("%04d", n+50+i)), outgoing("quick", "", text), outgoing("quick", fmt.Sprint("other-", i), text))
			want = append(want, text, text)
			if i%2 == 1 { // nothing slow has this key
				want = append(want, fmt.Sprintf("%04d", n+50+i))
			}
		}
		var got []string
		for late := time.After(60 * time.Second); len(got) < len(want); {
			select {
			case text := <-g.quick:
				got = append(got, text)
			case <-late:
				g.Fatalf("%d of %d were handled beside the slow one", len(got), len(want))
			}
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			g.Errorf("handled beside the slow one are %v", got)
		}
		g.engine.mu.Lock()
		for name, topic := range g.engine.dests[0].topics {
			if topic.held > topic.room || topic.room > 64 {
				g.Errorf("%d of %s are in memory, which has room for %d", topic.held, name, topic.room)
			}
		}
		g.engine.mu.Unlock()
		close(g.let)
		g.wait(n + 150)
		for key, list := range g.handled {
			if key != "" && !slices.IsSorted(list) {
				g.Errorf("of %s were handled %v", key, list)
			}
		}
		if left := askFor(g.T, g.db, "SELECT count(*) FROM urutu_message"); left != "0" {
			g.Errorf("%s messages are left", left)
		}
	})
}
