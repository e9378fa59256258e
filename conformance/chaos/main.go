//go:build unix

package chaos

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/session/pgxdriver"
	"github.com/urutu-go/urutu/session/sqlitedriver"
)

// The environment of a process of the rig.
const (
	envRole  = "URUTU_CHAOS_ROLE"  // writer or worker
	envName  = "URUTU_CHAOS_NAME"  // its name, with the number of its incarnation
	envURL   = "URUTU_CHAOS_URL"   // its way to the database
	envFile  = "URUTU_CHAOS_FILE"  // its journal, or the broker
	envAhead = "URUTU_CHAOS_AHEAD" // by how much its clock is ahead
)

// Main makes a program usable by the rig: where the rig has started it, Main is the process, and does not return.
func Main() {
	role := os.Getenv(envRole)
	l := newLife()
	if err := hearArrows(l); err != nil {
		slog.Error("the process cannot hear of arrows", "error", err)
		os.Exit(1)
	}
	if role == "" {
		return
	}
	if err := child(role, l); err != nil {
		slog.Error("the process failed", "error", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// part is what a process does until it is stopped.
type part interface {
	start(ctx context.Context) error
	stop(ctx context.Context) error
}

func child(role string, l *life) error {
	slog.SetDefault(slog.New(slog.NewTextHandler(os.Stderr, nil)))
	ctx := context.Background()
	var db *session.DB
	if err := insist(func() (err error) {
		db, err = open(ctx, os.Getenv(envURL), l)
		return err
	}); err != nil {
		return err
	}
	var p part
	switch role {
	case "writer":
		j, err := openJournal(os.Getenv(envFile))
		if err != nil {
			return err
		}
		p = &writer{life: l, db: db, name: os.Getenv(envName), journal: j}
	case "worker":
		w := &worker{life: l, db: db, name: os.Getenv(envName), broker: os.Getenv(envFile), marks: "$1, $2, $3, $4, $5, $6, $7, $8, $9"}
		if strings.HasPrefix(os.Getenv(envURL), "sqlite") {
			w.marks = "?, ?, ?, ?, ?, ?, ?, ?, ?"
		}
		p = w
	default:
		return fmt.Errorf("there is no role %q", role)
	}
	if err := insist(func() error { return p.start(ctx) }); err != nil {
		return err
	}
	l.obey()
	if err := p.stop(ctx); err != nil {
		slog.Warn("it did not stop cleanly", "error", err)
	}
	return db.Close()
}

// insist tries something for a while: the database may be away at this moment.
func insist(fn func() error) (err error) {
	for began := time.Now(); time.Since(began) < time.Minute; time.Sleep(100 * time.Millisecond) {
		if err = fn(); err == nil {
			return nil
		}
		slog.Warn("the process could not start", "error", err)
	}
	return err
}

func open(ctx context.Context, url string, l *life) (*session.DB, error) {
	return session.Open(ctx, session.Config{
		URL: url, Drivers: []driver.Driver{pgxdriver.New(), sqlitedriver.New()}, PoolSize: 6, PoolTimeout: 10 * time.Second, Clock: l.now,
	})
}

// life is how long a process lives: the rig tells it by its standard input.
type life struct {
	end   atomic.Pointer[string] // the arrow at which it dies
	close atomic.Pointer[string] // the arrow at which it begins to stop
	ahead atomic.Int64           // by how many nanoseconds its clock is ahead

	once     sync.Once
	stopping chan struct{}
}

func newLife() *life {
	l := &life{stopping: make(chan struct{})}
	if ahead, err := time.ParseDuration(os.Getenv(envAhead)); err == nil {
		l.ahead.Store(int64(ahead))
	}
	return l
}

// now is the time by the process's clock.
func (l *life) now() time.Time { return time.Now().Add(time.Duration(l.ahead.Load())) }

// obey does what the rig says until that is to stop. A rig that has gone has nothing to say: the process ends at once.
func (l *life) obey() {
	go func() {
		lines := bufio.NewScanner(os.Stdin)
		for lines.Scan() {
			command, rest, _ := strings.Cut(lines.Text(), " ")
			switch command {
			case "die":
				l.end.Store(&rest)
			case "close":
				l.close.Store(&rest)
			case "clock":
				if ahead, err := time.ParseDuration(rest); err == nil {
					l.ahead.Store(int64(ahead))
				}
			case "stop":
				l.stop()
			}
		}
		os.Exit(3)
	}()
	<-l.stopping
}

func (l *life) stop() { l.once.Do(func() { close(l.stopping) }) }

// arrow is a step from one state to the next. The process dies here if it was told to, or begins to stop.
func (l *life) arrow(name string) {
	if at := l.end.Load(); at != nil && *at == name {
		die(name)
	}
	if at := l.close.Load(); at != nil && *at == name {
		l.stop()
	}
}

// diedAt begins a line of a process that dies by itself, with the arrow behind it.
const diedAt = "died at "

// die ends the process as kill -9 does: nothing runs any more, not even deferred functions.
func die(arrow string) {
	_, _ = fmt.Fprintf(os.Stderr, "\n%s%s\n", diedAt, arrow) // the rig counts it
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}
