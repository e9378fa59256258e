package testpooler

import (
	"context"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"github.com/urutu-go/urutu/internal/testdb"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Many clients share two connections to the server.
func TestClientsShareTwoConnections(t *testing.T) {
	t.Parallel()
	through := Start(t, testdb.Postgres(t))
	pids := map[string]int{}
	for range 5 {
		c, err := pgx.Connect(t.Context(), through)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close(context.WithoutCancel(t.Context()))
		results, err := c.PgConn().Exec(t.Context(), "SELECT pg_backend_pid()").ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		pids[string(results[0].Rows[0][0])]++
	}
	if n := len(pids); n < 1 || n > 2 {
		t.Errorf("five clients were on %d connections", n)
	}
}

// Neither a process nor a file outlives the test.
func TestNothingIsLeft(t *testing.T) {
	t.Setenv("URUTU_TEST_PGBOUNCER", "")
	t.Setenv("TMPDIR", readable(t))
	var through string
	t.Run("one", func(t *testing.T) {
		through = Start(t, testdb.Postgres(t))
		c, err := pgx.Connect(t.Context(), through)
		if err != nil {
			t.Fatal(err)
		}
		_ = c.Close(t.Context())
	})
	if through == "" {
		t.Skip("there is no pooler, which is an error where tests may not be skipped")
	}
	if c, err := pgx.Connect(t.Context(), through); err == nil {
		_ = c.Close(t.Context())
		t.Error("the pooler still runs")
	}
	left, err := os.ReadDir(os.TempDir())
	if len(left) > 0 || err != nil {
		t.Errorf("left is %v, %v", left, err)
	}
}

// One that runs already is used as it is.
func TestRunningPooler(t *testing.T) {
	t.Setenv("URUTU_TEST_PGBOUNCER", "postgres://127.0.0.1:6432")
	if got := Start(t, "postgres://me@db:5432/shop?sslmode=disable"); got != "postgres://me@127.0.0.1:6432/shop?sslmode=disable" {
		t.Error(got)
	}
}

// What the program says when it does not start is in the error.
func TestAttemptThatFails(t *testing.T) {
	t.Parallel()
	program, err := exec.LookPath("cat") // says what it is started with, and ends
	if err != nil {
		t.Fatal(err)
	}
	server, addr := &url.URL{Host: "db", User: url.UserPassword("me", `a"b`)}, freeAddress(t)
	said := attempt(t, program, addr, configure(t, readable(t), addr, server, ""))
	if !strings.Contains(said, "* = host='db' port=5432") {
		t.Errorf("%q", said)
	}
}

// readable returns a directory that the program's user can get at.
func readable(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "urutu-testpooler-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // nothing is in it that nobody may read
		t.Fatal(err)
	}
	return dir
}
