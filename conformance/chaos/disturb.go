//go:build unix

package chaos

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/urutu-go/urutu/internal/wireproxy"
	"github.com/urutu-go/urutu/session"
)

// disturbance is something that happens to the processes.
type disturbance struct {
	name   string
	weight int
	wire   bool // it needs a server
	server bool // it needs a server of the rig's own
	disk   bool // it needs a disk of the rig's own
	run    func(r *Rig, ctx context.Context, name string)
}

var disturbances = []disturbance{
	{name: "kill", weight: 2, run: (*Rig).killOne},
	{name: "die", weight: 4, run: (*Rig).dieAtArrow},
	{name: "stop", weight: 2, run: (*Rig).stopOne},
	{name: "restart", weight: 3, run: (*Rig).restartOne},
	{name: "takeover", weight: 1, run: (*Rig).takeOverWhenWell},
	{name: "clock", weight: 1, run: (*Rig).jumpOfClocks},
	{name: "lanes", weight: 1, run: (*Rig).relane},
	{name: "full", weight: 1, disk: true, run: (*Rig).fullDisk},
	{name: "catch", weight: 5, wire: true, run: (*Rig).catch},
	{name: "terminate", weight: 3, wire: true, run: (*Rig).terminate},
	{name: "sever", weight: 3, wire: true, run: (*Rig).sever},
	{name: "cut", weight: 6, wire: true, run: (*Rig).cut},
	{name: "wire kill", weight: 3, wire: true, run: (*Rig).wireKill},
	{name: "stall", weight: 1, wire: true, run: (*Rig).stall},
	{name: "slow", weight: 1, wire: true, run: (*Rig).slow},
	{name: "old", weight: 1, wire: true, run: (*Rig).oldTransaction},
	{name: "fall", weight: 1, server: true, run: (*Rig).fall},
}

// disturb disturbs for as long as the rig runs, and then lets go of everything.
func (r *Rig) disturb(ctx context.Context) {
	var urn []disturbance
	for _, d := range disturbances {
		if d.wire && r.database.host == "" || d.server && r.database.cluster == nil || d.disk && r.cfg.Disk == nil {
			continue
		}
		for range d.weight {
			urn = append(urn, d)
		}
	}
	time.Sleep(time.Second)
	r.takeOver(ctx, "takeover")
	for time.Since(r.began) < r.cfg.Duration {
		d := urn[rand.N(len(urn))]
		d.run(r, ctx, d.name)
		time.Sleep(rand.N(1500 * time.Millisecond))
	}
	r.under.Wait()
	for _, s := range r.slots {
		if s.proxy != nil {
			s.proxy.OnSent(nil)
			s.proxy.OnReply(nil)
		}
	}
}

// meanwhile runs what outlasts its beginning.
func (r *Rig) meanwhile(fn func()) { r.under.Go(fn) }

// any returns a slot: mostly one of a worker's.
func (r *Rig) any() *slot {
	if chance(0.3) {
		return r.writers[rand.N(len(r.writers))]
	}
	return r.workers[rand.N(len(r.workers))]
}

// killOne kills a process, wherever it is.
func (r *Rig) killOne(_ context.Context, name string) {
	p := r.any().kill(rand.N(2 * time.Second))
	r.note(name, "%s", p.name)
}

// dieAtArrow has a process die at one of the arrows.
func (r *Rig) dieAtArrow(_ context.Context, name string) {
	s := r.any()
	arrows := r.arrowsOf(s.role)
	at := arrows[r.next(s.role+" ", arrows)]
	p := s.tell("die "+at, true)
	r.note(name, "%s at %s", p.name, at)
}

// stopOne stops a process for longer than its leases, and lets it go on as if nothing had happened. Half of the time that is
// the worker that handled something last, and so has more in its hands.
func (r *Rig) stopOne(ctx context.Context, name string) {
	s := r.any()
	if chance(0.5) {
		s = r.lastWorker(ctx)
	}
	p := s.signal(syscall.SIGSTOP)
	pause := 5500*time.Millisecond + rand.N(2500*time.Millisecond)
	r.note(name, "%s for %v", p.name, pause)
	r.meanwhile(func() {
		time.Sleep(pause)
		_ = p.cmd.Process.Signal(syscall.SIGCONT) // it may have been killed
	})
}

// restartOne has a worker end as it does when a new version comes: at once, or in the middle of what it does.
func (r *Rig) restartOne(_ context.Context, name string) {
	s := r.workers[rand.N(len(r.workers))]
	if chance(0.5) {
		p := s.tell("stop", false)
		r.note(name, "%s", p.name)
		return
	}
	at := workerArrows[rand.N(len(workerArrows))]
	p := s.tell("close "+at, false)
	r.note(name, "%s at %s", p.name, at)
}

// takeOverWhenWell is takeOver as soon as all workers look after their share.
func (r *Rig) takeOverWhenWell(ctx context.Context, name string) {
	r.under.Wait()
	r.calm(ctx)
	r.takeOver(ctx, name)
}

// takeOver kills the worker that was the last to handle something, and nothing else for a while: so that it can be seen when
// others have its lanes. Where one of those dies of what it was told before, that is not seen.
func (r *Rig) takeOver(ctx context.Context, name string) {
	time.Sleep(500 * time.Millisecond) // lanes change hands
	pause := time.Duration(0)
	if chance(0.5) {
		pause = 7 * time.Second
	}
	victim := r.lastWorker(ctx)
	heirs := r.others(victim)
	at := time.Now()
	p := victim.kill(pause)
	r.note(name, "%s", p.name)
	time.Sleep(7 * time.Second)
	if !slices.Equal(heirs, r.others(victim)) {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.takeovers = append(r.takeovers, takeover{p.name, at, time.Now()})
}

// others returns the processes of the workers but one.
func (r *Rig) others(victim *slot) (list []*process) {
	for _, s := range r.workers {
		if s != victim {
			list = append(list, s.current())
		}
	}
	return list
}

// calm waits until all workers renew their leases, for as long as 15 s. Whatever a clock says, a dead one renews nothing.
func (r *Rig) calm(ctx context.Context) {
	before := map[string]int64{}
	for deadline := time.Now().Add(15 * time.Second); time.Now().Before(deadline); time.Sleep(2200 * time.Millisecond) {
		now, renewed := map[string]int64{}, map[int64]int{}
		err := r.db.Do(ctx, func(ctx context.Context) error {
			return each(ctx, "SELECT dest, owner, until FROM urutu_message_worker", func(scan func(...any) error) error {
				var dest, until int64
				var owner string
				err := scan(&dest, &owner, &until)
				id := fmt.Sprint(dest, " ", owner)
				now[id] = until
				n := renewed[dest]
				if before[id] != until {
					n++
				}
				renewed[dest] = n // also where nobody has
				return err
			})
		})
		well := err == nil && len(before) > 0
		for _, n := range renewed {
			well = well && n == len(r.workers)
		}
		if well {
			return
		}
		before = now
	}
}

// lastWorker returns the worker that was the last to handle something, or any.
func (r *Rig) lastWorker(ctx context.Context) *slot {
	var last string
	err := r.db.Do(ctx, func(ctx context.Context) error {
		return session.From(ctx).QueryRowContext(ctx, "SELECT worker FROM effects ORDER BY id DESC LIMIT 1").Scan(&last)
	})
	for _, s := range r.workers {
		if err == nil && s.current().name == last {
			return s
		}
	}
	return r.workers[rand.N(len(r.workers))]
}

// terminate has the server end some connections.
func (r *Rig) terminate(ctx context.Context, name string) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, r.database.url)
	if err != nil {
		return
	}
	defer func() { _ = conn.Close(ctx) }()
	var n int
	err = conn.QueryRow(ctx, "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"+
		" WHERE datname = current_database() AND pid <> pg_backend_pid() AND random() < 0.25").Scan(&n)
	if err == nil {
		r.note(name, "%d backends", n)
	}
}

// sever cuts all connections of a process, or of all.
func (r *Rig) sever(_ context.Context, name string) {
	if chance(0.2) {
		for _, s := range r.slots {
			s.proxy.Sever()
		}
		r.note(name, "all")
		return
	}
	s := r.any()
	s.proxy.Sever()
	r.note(name, "%s", s.current().name)
}

// within returns a watch that strikes once: at one of the next pieces that cross the wire with match in them.
func within(pieces int64, match string, strike func() wireproxy.Verdict) wireproxy.Watch {
	var left atomic.Int64
	left.Store(1 + rand.Int64N(pieces))
	return func(b []byte) wireproxy.Verdict {
		if bytes.Contains(b, []byte(match)) && left.Add(-1) == 0 {
			return strike()
		}
		return wireproxy.Pass
	}
}

// commits is what the requests have in them with which a process commits: the message's topic, or the effect.
func (s *slot) commits() string {
	if s.role == "writer" {
		return Event{}.MessageType().Topic
	}
	return s.current().name
}

// cut cuts a connection in the middle of something: before the server gets a request, after that, before its answer
// arrives, or while the server commits.
func (r *Rig) cut(_ context.Context, name string) {
	s := r.any()
	var what string
	strike := func(v wireproxy.Verdict) func() wireproxy.Verdict { return func() wireproxy.Verdict { return v } }
	switch rand.N(6) {
	case 0:
		what = "before a request"
		s.proxy.OnSent(within(60, "", strike(wireproxy.Cut)))
	case 1:
		what = "after a request"
		s.proxy.OnSent(within(60, "", strike(wireproxy.PassAndCut)))
	case 2:
		what = "before an answer"
		s.proxy.OnReply(within(60, "", strike(wireproxy.Cut)))
	default:
		what = "after a commit was sent"
		s.proxy.OnSent(within(5, s.commits(), strike(wireproxy.PassAndCut)))
	}
	r.note(name, "%s: %s", s.current().name, what)
}

// wireKill kills a process as soon as it has sent something, or before the answer to it arrives.
func (r *Rig) wireKill(_ context.Context, name string) {
	s := r.any()
	var what string
	p := s.current()
	strike := func() wireproxy.Verdict {
		s.strike(p)
		return wireproxy.Pass
	}
	switch rand.N(4) {
	case 0:
		what = "after a request"
		s.proxy.OnSent(within(60, "", strike))
	case 1:
		what = "before an answer"
		s.proxy.OnReply(within(60, "", strike))
	default:
		what = "after a commit was sent"
		s.proxy.OnSent(within(5, s.commits(), strike))
	}
	r.note(name, "%s: %s", p.name, what)
}

// stall keeps the server's answers from a process, at times for longer than its leases.
func (r *Rig) stall(_ context.Context, name string) {
	s := r.any()
	pause := 500*time.Millisecond + rand.N(7*time.Second)
	r.note(name, "%s for %v", s.current().name, pause)
	release := s.proxy.HoldReplies()
	r.meanwhile(func() {
		time.Sleep(pause)
		release()
	})
}

// slow makes the way to the server long for a while.
func (r *Rig) slow(_ context.Context, name string) {
	s := r.any()
	delay := 5*time.Millisecond + rand.N(50*time.Millisecond)
	r.note(name, "%s by %v", s.current().name, delay)
	s.proxy.SetDelay(delay)
	r.meanwhile(func() {
		time.Sleep(2 * time.Second)
		s.proxy.SetDelay(0)
	})
}

// oldTransaction keeps a transaction open that has a number, so that no later one is the oldest.
func (r *Rig) oldTransaction(ctx context.Context, name string) {
	conn, err := pgx.Connect(ctx, r.database.url)
	if err != nil {
		return
	}
	pause := time.Second + rand.N(5*time.Second)
	if _, err := conn.Exec(ctx, "BEGIN; SELECT pg_current_xact_id()"); err == nil {
		r.note(name, "for %v", pause)
	}
	r.meanwhile(func() {
		time.Sleep(pause)
		_ = conn.Close(ctx) // the server may have ended it
	})
}

// fall has the server crash and come again.
func (r *Rig) fall(ctx context.Context, name string) {
	began := time.Now()
	r.database.cluster.Fall()
	if err := r.database.cluster.Start(ctx); err != nil {
		r.wrong("the server does not come again: %v", err)
		return
	}
	r.note(name, "for %v", time.Since(began).Round(time.Millisecond))
}
