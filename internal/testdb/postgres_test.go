package testdb

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// query returns the one value that sql gives in the database at url.
func query[T any](t *testing.T, url, sql string, args ...any) T {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	var v T
	if err := conn.QueryRow(t.Context(), sql, args...).Scan(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

func exists(t *testing.T, s *server, name string) bool {
	t.Helper()
	return query[bool](t, s.base.String(), "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", name)
}

func TestPostgresGivesEachTestItsOwnDatabase(t *testing.T) {
	t.Parallel()

	names := make(chan string, 2)
	t.Run("pair", func(t *testing.T) {
		for range 2 {
			t.Run("one", func(t *testing.T) {
				t.Parallel()
				names <- query[string](t, Postgres(t), "SELECT current_database()::text")
			})
		}
	})
	a, b := <-names, <-names
	if a == b {
		t.Fatalf("both tests got %s", a)
	}
	for _, name := range []string{a, b} {
		if exists(t, demand(t), name) {
			t.Errorf("%s outlived its test", name)
		}
	}
}

func TestTemplateIsPreparedOnceAndCopied(t *testing.T) {
	t.Parallel()

	prepared := 0
	prepare := func(ctx context.Context, url string) error {
		prepared++
		conn, err := pgx.Connect(ctx, url)
		if err != nil {
			return err
		}
		defer conn.Close(ctx)
		_, err = conn.Exec(ctx, "CREATE TABLE things AS SELECT 42 AS answer")
		return err
	}
	for range 2 {
		url := Template(t, t.Name(), prepare)
		if got := query[int](t, url, "WITH gone AS (DELETE FROM things RETURNING answer) SELECT answer FROM gone"); got != 42 {
			t.Fatalf("the copy holds %d", got)
		}
	}
	if prepared != 1 {
		t.Fatalf("prepared %d times", prepared)
	}
}

func TestSweepDropsOnlyWhatTheDeadLeft(t *testing.T) {
	t.Parallel()
	s := demand(t)
	conn, err := pgx.Connect(t.Context(), s.base.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })

	dead, alive := 1<<33+rand.Int64N(1<<31), 1<<34+rand.Int64N(1<<31)
	if _, err := conn.Exec(t.Context(), "SELECT pg_advisory_lock($1)", alive); err != nil {
		t.Fatal(err)
	}
	for _, mark := range []int64{dead, alive} {
		name := fmt.Sprintf("urutu_%d_t1", mark)
		if err := s.exec("CREATE DATABASE " + name); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.exec("DROP DATABASE IF EXISTS " + name) })
	}
	s.mu.Lock()
	err = s.sweep(t.Context())
	s.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	// Another test process may have swept the dead one before: either way it is gone.
	if exists(t, s, fmt.Sprintf("urutu_%d_t1", dead)) {
		t.Error("the dead process's database is still there")
	}
	if !exists(t, s, fmt.Sprintf("urutu_%d_t1", alive)) {
		t.Error("the living process's database was dropped")
	}
}
