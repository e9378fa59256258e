//go:build unix

package chaos

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/urutu-go/urutu/internal/testdb"
)

func TestMain(m *testing.M) {
	Main() // does not return in a process of the rig
	os.Exit(m.Run())
}

// takeoverLimit is twice as long as a lease: how long it takes at most on a machine that has time is a figure of
// docs/reliability.md, and no test.
const takeoverLimit = 10 * time.Second

// long is how long a run must be to strike at each arrow.
const long = 15 * time.Minute

func TestPostgres(t *testing.T) {
	cfg := Config{}
	cluster, err := NewCluster(t.Context())
	switch {
	case errors.Is(err, ErrNoServer) && os.Getenv("CI") == "true":
		testdb.Missing(t, "PostgreSQL's programs", err)
	case errors.Is(err, ErrNoServer):
		t.Logf("nothing lets the server fall: %v", err)
		cfg.URL = testdb.Postgres(t)
	case err != nil:
		t.Fatal(err)
	default:
		cfg.URL, cfg.Cluster, cfg.Disk = cluster.URL(), cluster, disk(t)
		t.Cleanup(func() {
			if err := cluster.Close(); err != nil {
				t.Error(err)
			}
		})
		if cfg.Disk != nil {
			if err := cluster.KeepOn(t.Context(), cfg.Disk); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Run("Promise40_Durable", func(t *testing.T) { run(t, cfg) })
}

func TestSQLite(t *testing.T) {
	cfg, dir := Config{Disk: disk(t)}, t.TempDir()
	if cfg.Disk != nil {
		dir = cfg.Disk.Dir()
	}
	cfg.URL = "sqlite:///" + filepath.Join(dir, "chaos.db")
	t.Run("Promise40_Durable", func(t *testing.T) { run(t, cfg) })
}

// disk returns a disk that the rig may fill, or nil where it cannot have one.
func disk(t *testing.T) *Disk {
	d, err := NewDisk(t.Context())
	if errors.Is(err, ErrNoDisk) {
		t.Logf("nothing fills the disk: %v", err)
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// run runs the rig, and fails the test for whatever it found.
func run(t *testing.T, cfg Config) {
	cfg.Duration = duration(t)
	dir, err := os.MkdirTemp("", "urutu-chaos-")
	if err != nil {
		t.Fatal(err)
	}
	events, err := os.Create(filepath.Join(dir, "events")) //nolint:gosec // the rig's own file
	if err != nil {
		t.Fatal(err)
	}
	cfg.Dir, cfg.Log = dir, events
	r, err := Run(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s\n%s", r, r.Table())
	shown := map[string]int{}
	for _, f := range r.Findings {
		if shown[f.Kind]++; shown[f.Kind] <= 10 { // the table says how many there are
			t.Error(f)
		}
	}
	for _, w := range r.Wrong {
		t.Error(w)
	}
	if r.Messages == 0 {
		t.Error("nothing was to be handled")
	}
	for arrow, n := range r.Strikes {
		if n == 0 && cfg.Duration >= long {
			t.Errorf("nothing happened at %q", arrow)
		}
	}
	if n := len(r.Takeovers); n > 0 && r.Takeovers[n-1] > takeoverLimit {
		t.Errorf("a lane was taken over after %v, which is later than %v", r.Takeovers[n-1], takeoverLimit)
	}
	if err := events.Close(); err != nil {
		t.Error(err)
	}
	if t.Failed() {
		t.Logf("the processes' files are in %s; the last disturbances were\n%s", dir, tail(events.Name()))
		return
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Error(err)
	}
}

// duration returns for how long the rig disturbs.
func duration(t *testing.T) time.Duration {
	if text := os.Getenv("URUTU_CHAOS"); text != "" {
		d, err := time.ParseDuration(text)
		if err != nil {
			t.Fatalf("URUTU_CHAOS: %v", err)
		}
		return d
	}
	if testing.Short() {
		return 10 * time.Second
	}
	return 30 * time.Second
}
