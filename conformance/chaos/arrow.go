//go:build unix

package chaos

import (
	"cmp"
	"context"
	sqldriver "database/sql/driver"
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"modernc.org/sqlite"
)

// hearArrows has the triggers of a file tell a process. SQLite's package takes functions for the whole process.
func hearArrows(l *life) error {
	return sqlite.RegisterScalarFunction("chaos_arrow", 1, func(_ *sqlite.FunctionContext, args []sqldriver.Value) (sqldriver.Value, error) {
		name, _ := args[0].(string)
		l.arrow(name)
		return nil, nil //nolint:nilnil // NULL
	})
}

// arrowsOf are the arrows at which a process of a role can die by itself.
func (r *Rig) arrowsOf(role string) []string {
	list, inFile := workerArrows, databaseArrows
	if role == "writer" {
		list, inFile = writerArrows, databaseArrows[:publishing]
	}
	if r.database.host == "" {
		list = list[:len(list):len(list)]
		for _, a := range inFile {
			if !a.deferred {
				list = append(list, a.name)
			}
		}
	}
	return list
}

// targets are all at which the rig strikes, with the role of who is there where it dies by itself.
func (r *Rig) targets() (list []string) {
	for _, role := range []string{"writer", "worker"} {
		for _, a := range r.arrowsOf(role) {
			list = append(list, role+" "+a)
		}
	}
	if r.database.host != "" {
		list = append(list, arrowNames()...)
	}
	return list
}

// arrowNames are those of the arrows inside of a transaction.
func arrowNames() (names []string) {
	for _, a := range databaseArrows {
		names = append(names, a.name)
	}
	return names
}

// next returns the one of some arrows at which the least has happened; of several, the one that was aimed at least often.
func (r *Rig) next(of string, arrows []string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	order := rand.Perm(len(arrows))
	best := slices.MinFunc(order, func(a, b int) int {
		a1, b1 := of+arrows[a], of+arrows[b]
		return cmp.Or(cmp.Compare(r.strikes[a1], r.strikes[b1]), cmp.Compare(r.aimed[a1], r.aimed[b1]))
	})
	r.aimed[of+arrows[best]]++
	return best
}

// struck counts a strike at an arrow.
func (r *Rig) struck(arrow string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.strikes[arrow]++
}

// catch stops the next transaction that comes to an arrow, and kills its process, ends its connection, or has the server
// fall, while it is there.
func (r *Rig) catch(ctx context.Context, name string) {
	within, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	conn, err := pgx.Connect(within, r.database.url)
	if err != nil {
		return
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }() // the server may have fallen
	names := arrowNames()
	at := r.next("", names)
	pid, victim, err := caught(within, conn, at)
	if err != nil {
		return
	}
	arrow := names[at]
	how := rand.N(5)
	for _, s := range r.slots {
		if p := s.current(); how < 2 && p.name == victim {
			s.strike(p)
			r.note(name, "%s at %s: killed", victim, arrow)
			r.struck(arrow)
			return
		}
	}
	if how == 4 && r.database.cluster != nil {
		r.note(name, "%s at %s: the server falls", victim, arrow)
		r.struck(arrow)
		r.fall(ctx, "fall")
		return
	}
	var ended bool
	if err := conn.QueryRow(within, "SELECT pg_terminate_backend($1)", pid).Scan(&ended); err == nil && ended {
		r.note(name, "%s at %s: its connection ends", victim, arrow)
		r.struck(arrow)
	}
}

// caught locks an arrow, and waits for a transaction that comes there.
func caught(ctx context.Context, conn *pgx.Conn, at int) (pid int32, victim string, err error) {
	if _, err := conn.Exec(ctx, "SELECT pg_advisory_lock($1, $2)", arrowSpace, at); err != nil {
		return 0, "", err
	}
	for ; ; time.Sleep(time.Millisecond) {
		err := conn.QueryRow(ctx, "SELECT pid, application_name FROM pg_locks JOIN pg_stat_activity USING (pid)"+
			" WHERE locktype = 'advisory' AND classid = $1 AND objid = $2 AND NOT granted LIMIT 1", arrowSpace, at).Scan(&pid, &victim)
		if !errors.Is(err, pgx.ErrNoRows) {
			return pid, victim, err
		}
	}
}
