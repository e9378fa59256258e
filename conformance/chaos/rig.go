//go:build unix

package chaos

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/urutu-go/urutu/internal/wireproxy"
	"github.com/urutu-go/urutu/session"
)

// Config says what a rig disturbs, and for how long.
type Config struct {
	// URL is the address of an empty database. Required.
	URL string
	// Cluster is the server that it is on, where the rig may let that fall. Defaults to none.
	Cluster *Cluster
	// Disk is where its files are, where the rig may fill that. Defaults to none.
	Disk *Disk
	// Duration is how long the rig disturbs. What is left is handled after that. Required.
	Duration time.Duration
	// Dir takes the processes' files. Required.
	Dir string
	// Writers and Workers are how many there are. Default to 2 and 3.
	Writers, Workers int
	// Log takes a line for everything that the rig does. Required.
	Log io.Writer
}

// database is where the messages are.
type database struct {
	url     string
	host    string // empty for a file
	cluster *Cluster
}

// Rig runs processes and disturbs them.
type Rig struct {
	cfg      Config
	dir      string
	database database
	db       *session.DB
	began    time.Time

	slots   []*slot
	writers []*slot
	workers []*slot
	under   sync.WaitGroup // disturbances that are under way
	full    atomic.Bool    // the disk is

	mu        sync.Mutex // protects what follows
	found     []string
	cycles    map[string]int
	aimed     map[string]int // by arrow, and the role of who is there
	strikes   map[string]int // by arrow: what happened there
	deaths    int            // of processes
	takeovers []takeover
}

// Run runs the rig once, on a new database.
func Run(ctx context.Context, cfg Config) (*Report, error) {
	r := &Rig{cfg: cfg, dir: cfg.Dir, database: database{url: cfg.URL, cluster: cfg.Cluster}, cycles: map[string]int{},
		aimed: map[string]int{}, strikes: map[string]int{}}
	if u, err := url.Parse(cfg.URL); err == nil && u.Scheme != "sqlite" {
		r.database.host = u.Host
	}
	var err error
	if r.db, err = open(ctx, cfg.URL, newLife()); err != nil {
		return nil, err
	}
	report, err := r.run(ctx)
	return report, errors.Join(err, r.db.Close())
}

func (r *Rig) run(ctx context.Context) (*Report, error) {
	if err := r.prepare(ctx); err != nil {
		return nil, err
	}
	r.began = time.Now()
	if err := r.populate(); err != nil {
		return nil, err
	}
	thaw := r.freeze()
	r.disturb(ctx)
	thaw()
	for _, s := range r.writers {
		s.finish(30 * time.Second)
	}
	r.drain(ctx)
	for _, s := range r.workers {
		s.finish(30 * time.Second)
	}
	for _, s := range r.slots {
		if s.proxy != nil {
			s.proxy.Close()
		}
	}
	return r.report(ctx)
}

// prepare makes the tables, and has the groups subscribe before anything is published.
func (r *Rig) prepare(ctx context.Context) error {
	if err := install(ctx, r.db, r.database.host != ""); err != nil {
		return err
	}
	w := &worker{life: newLife(), db: r.db, broker: r.broker()}
	if err := w.start(ctx); err != nil {
		return err
	}
	return w.stop(ctx)
}

// populate starts the processes.
func (r *Rig) populate() error {
	add := func(role string, n int) ([]*slot, error) {
		var list []*slot
		for i := range n {
			s := &slot{rig: r, role: role, index: i + 1}
			if r.database.host != "" {
				var err error
				if s.proxy, err = wireproxy.New(r.database.host); err != nil {
					return nil, err
				}
			}
			if err := s.spawn(); err != nil {
				return nil, err
			}
			list = append(list, s)
		}
		r.slots = append(r.slots, list...)
		return list, nil
	}
	var err, err2 error
	r.workers, err = add("worker", orElse(r.cfg.Workers, 3))
	r.writers, err2 = add("writer", orElse(r.cfg.Writers, 2))
	return errors.Join(err, err2)
}

func orElse(n, otherwise int) int {
	if n > 0 {
		return n
	}
	return otherwise
}

// wrong notes what should not have happened.
func (r *Rig) wrong(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.found = append(r.found, fmt.Sprintf(format, args...))
}

// note counts a disturbance, and logs it.
func (r *Rig) note(kind, format string, args ...any) {
	r.mu.Lock()
	r.cycles[kind]++
	r.mu.Unlock()
	_, _ = fmt.Fprintf(r.cfg.Log, "%7.3f %-10s %s\n", time.Since(r.began).Seconds(), kind, fmt.Sprintf(format, args...)) // it helps, no more
}

// patience is for how long nothing may happen while what is left is handled.
const patience = 40 * time.Second

// drain waits until all messages are handled.
func (r *Rig) drain(ctx context.Context) {
	for _, s := range r.slots {
		s.signal(syscall.SIGCONT)
	}
	last, since := int64(-1), time.Now()
	for time.Since(since) < patience {
		n, err := r.left(ctx)
		if err == nil && n == 0 {
			return
		}
		if err == nil && n != last {
			last, since = n, time.Now()
		}
		time.Sleep(50 * time.Millisecond)
	}
	r.wrong("stuck: %d messages are left, and nothing happens for %v\n%s", last, patience, r.evidence(ctx))
}

// left returns how many messages are not handled yet.
func (r *Rig) left(ctx context.Context) (n int64, err error) {
	err = r.db.Do(ctx, func(ctx context.Context) error {
		return session.From(ctx).QueryRowContext(ctx,
			"SELECT (SELECT count(*) FROM urutu_message) + (SELECT count(*) FROM urutu_message_delayed)").Scan(&n)
	})
	return n, err
}

// evidence prints the rows of messages that are stuck.
func (r *Rig) evidence(ctx context.Context) (text string) {
	for _, query := range []string{
		"SELECT 'message', dest, lane, id, coalesce(key, '') FROM urutu_message ORDER BY dest, lane, id LIMIT 20",
		"SELECT 'retry', dest, lane, id, coalesce(key, '') FROM urutu_message_retry ORDER BY dest, lane, id LIMIT 20",
		"SELECT 'lane', l.dest, l.lane, l.epoch, e.until FROM urutu_message_lane l" +
			" JOIN urutu_message_lease e ON e.dest = l.dest AND e.lane = l.lane ORDER BY l.dest, l.lane",
	} {
		err := r.db.Do(ctx, func(ctx context.Context) error {
			rows, err := session.From(ctx).QueryContext(ctx, query)
			if err != nil {
				return err
			}
			defer func() { _ = rows.Close() }()
			for rows.Next() {
				var a [5]any
				if err := rows.Scan(&a[0], &a[1], &a[2], &a[3], &a[4]); err != nil {
					return err
				}
				text += fmt.Sprintln(a[:]...)
			}
			return rows.Err()
		})
		if err != nil {
			text += err.Error() + "\n"
		}
	}
	return text
}

// broker is the file that is the broker.
func (r *Rig) broker() string { return filepath.Join(r.dir, "broker") }

// journals are the files of all writers that ever were.
func (r *Rig) journals() ([]string, error) {
	return filepath.Glob(filepath.Join(r.dir, "writer-*.jsonl"))
}
