package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/urutu-go/urutu/internal/wireproxy"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/session/sqlitedriver"
)

// plan says what is measured.
type plan struct {
	filter string          // only workloads whose name has this in it
	delays []time.Duration // per direction
	syncs  []bool          // does a commit wait for the disk?
	limits limits
	say    func(format string, args ...any) // progress
}

func (p *plan) workloads() []workload {
	var out []workload
	for _, w := range workloads() {
		if strings.Contains(w.name, p.filter) {
			out = append(out, w)
		}
	}
	return out
}

// bench is what was measured.
type bench struct {
	Version string    `json:"postgres"`
	Results []result  `json:"results"`
	Empty   emptyUnit `json:"empty"`
}

// emptyUnit is a unit that does nothing.
type emptyUnit struct {
	Nanoseconds int64 `json:"ns"`
	Allocs      int64 `json:"allocs"`
}

// measure runs the whole plan.
func measure(ctx context.Context, p *plan, dir string) (*bench, error) {
	out := &bench{}
	if err := measurePostgres(ctx, p, out); err != nil {
		return nil, err
	}
	if err := measureSQLite(ctx, p, dir, out); err != nil {
		return nil, err
	}
	var err error
	out.Empty, err = measureEmpty(ctx)
	return out, err
}

// measurePostgres compares on PostgreSQL: without a delay straight to the server, with one through a proxy.
func measurePostgres(ctx context.Context, p *plan, out *bench) (err error) {
	cs := onPostgres()
	names := make([]string, len(cs))
	for i, c := range cs {
		names[i] = c.name
	}
	db, err := makeDatabase(ctx, names)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.drop()) }()
	out.Version = db.version
	proxy, err := wireproxy.New(db.server.Host)
	if err != nil {
		return err
	}
	defer proxy.Close()
	s := &pgStage{plan: p, db: db, proxy: proxy, contenders: cs, trips: map[string][]int{}}
	if err := s.count(ctx); err != nil {
		return err
	}
	for _, sync := range p.syncs {
		for _, delay := range p.delays {
			results, err := s.compareAll(ctx, sync, delay)
			if err != nil {
				return err
			}
			out.Results = append(out.Results, results...)
		}
	}
	return nil
}

// pgStage is where comparisons on PostgreSQL take place.
type pgStage struct {
	*plan
	db         *database
	proxy      *wireproxy.Proxy
	contenders []contender
	trips      map[string][]int // of each workload, for each contender
}

// open connects every contender, through the proxy or directly.
func (s *pgStage) open(ctx context.Context, sync, proxied bool) ([]peer, error) {
	return openAll(ctx, s.contenders, func(c contender) string {
		address := s.db.url(c.name, sync)
		if proxied {
			address = s.proxy.URL(address)
		}
		return address
	})
}

func openAll(ctx context.Context, cs []contender, url func(contender) string) ([]peer, error) {
	var peers []peer
	for _, c := range cs {
		p, err := c.open(ctx, url(c))
		if err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", c.name, err), closeAll(peers))
		}
		peers = append(peers, p)
	}
	return peers, nil
}

func closeAll(peers []peer) error {
	var errs []error
	for _, p := range peers {
		errs = append(errs, p.Close())
	}
	return errors.Join(errs...)
}

// count counts the round trips of each workload, once its statements are prepared.
func (s *pgStage) count(ctx context.Context) (err error) {
	peers, err := s.open(ctx, false, true)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeAll(peers)) }()
	for _, w := range s.workloads() {
		for i, p := range peers {
			s.say("%s: %s: trips", w.name, s.contenders[i].name)
			for range 2 {
				if err := w.run(ctx, p, s.db.data); err != nil {
					return fmt.Errorf("%s: %s: %w", w.name, s.contenders[i].name, err)
				}
			}
			before := s.proxy.Trips()
			if err := w.run(ctx, p, s.db.data); err != nil {
				return err
			}
			s.trips[w.name] = append(s.trips[w.name], s.proxy.Trips()-before)
		}
	}
	return nil
}

// compareAll runs every workload at one delay. What only reads does not care whether commits wait.
func (s *pgStage) compareAll(ctx context.Context, sync bool, delay time.Duration) (out []result, err error) {
	peers, err := s.open(ctx, sync, delay > 0)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, closeAll(peers)) }()
	for _, w := range s.workloads() {
		if sync && len(s.syncs) > 1 && w.kind >= tracked {
			continue
		}
		for _, c := range s.contenders {
			if err := s.db.tidy(ctx, c.name); err != nil {
				return nil, err
			}
		}
		r := result{Workload: w.name, Database: "PostgreSQL", Delay: delay, Sync: sync, kind: w.kind}
		s.say("%s: delay %v, sync %v", w.name, delay, sync)
		if err := s.compare(ctx, w, peers, &r); err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

func (s *pgStage) compare(ctx context.Context, w workload, peers []peer, r *result) error {
	s.proxy.SetDelay(0)
	batch := w.batch
	if r.Delay > 0 && w.kind < tracked {
		batch = 1
	}
	if err := r.measure(ctx, w, batch, s.plan, s.contenders, peers, s.db.data, func() { s.proxy.SetDelay(r.Delay) }); err != nil {
		return err
	}
	for i := range r.Peers {
		r.Peers[i].Trips = s.trips[w.name][i]
	}
	r.Bars = bars(r)
	return nil
}

// measure warms the peers up, lets ready change the world, and compares.
func (r *result) measure(
	ctx context.Context, w workload, batch int, p *plan, cs []contender, peers []peer, d *data, ready func(),
) error {
	if _, err := compare(ctx, w, 1, peers, d, limits{least: p.limits.warm, most: p.limits.warm}); err != nil {
		return err
	}
	ready()
	times, err := compare(ctx, w, batch, peers, d, p.limits)
	if err != nil {
		return err
	}
	r.Rounds, r.Peers = len(times[0]), figures(cs, times)
	if r.Delay > 0 || r.Sync && len(p.syncs) > 1 {
		return nil // nothing else would be allocated than where it was measured first
	}
	for i := range r.Peers {
		if r.Peers[i].Allocs, err = allocations(ctx, w, peers[i], d); err != nil {
			return err
		}
	}
	return nil
}

// measureSQLite compares on files.
func measureSQLite(ctx context.Context, p *plan, dir string, out *bench) error {
	d, cs := newData(), onSQLite()
	paths := map[string]string{}
	for i, c := range cs {
		paths[c.name] = filepath.Join(dir, fmt.Sprintf("%d.db", i))
		if err := makeFile(ctx, paths[c.name], d); err != nil {
			return err
		}
	}
	for _, sync := range p.syncs {
		mode := map[bool]string{true: "full", false: "off"}[sync]
		peers, err := openAll(ctx, cs, func(c contender) string {
			return "sqlite:///" + paths[c.name] + "?synchronous=" + mode
		})
		if err != nil {
			return err
		}
		for _, w := range p.workloads() {
			if sync && len(p.syncs) > 1 && w.kind >= tracked {
				continue
			}
			r := result{Workload: w.name, Database: "SQLite", Sync: sync, kind: w.kind}
			p.say("%s: SQLite, sync %v", w.name, sync)
			if err := r.measure(ctx, w, w.batch, p, cs, peers, d, func() {}); err != nil {
				return errors.Join(err, closeAll(peers))
			}
			r.Bars = bars(&r)
			out.Results = append(out.Results, r)
		}
		if err := closeAll(peers); err != nil {
			return err
		}
	}
	return nil
}

// measureEmpty measures a unit that touches nothing.
func measureEmpty(ctx context.Context) (emptyUnit, error) {
	db, err := session.Open(ctx, session.Config{URL: "sqlite:///:memory:", Drivers: []driver.Driver{sqlitedriver.New()}})
	if err != nil {
		return emptyUnit{}, err
	}
	var failed error
	r := testing.Benchmark(func(b *testing.B) {
		for b.Loop() {
			failed = errors.Join(failed, db.Do(ctx, func(context.Context) error { return nil }))
		}
	})
	return emptyUnit{r.NsPerOp(), r.AllocsPerOp()}, errors.Join(failed, db.Close())
}
