package testdb

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// recorder is a testing.TB that remembers how it was ended. Its methods must end the goroutine, as those of a test do.
type recorder struct {
	testing.TB
	outcome string
}

func (r *recorder) Helper()               {}
func (r *recorder) Name() string          { return "TestSomething" }
func (r *recorder) Fatalf(string, ...any) { r.end("failed") }
func (r *recorder) Skipf(string, ...any)  { r.end("skipped") }

func (r *recorder) end(outcome string) {
	r.outcome = outcome
	panic(r)
}

func outcomeOfMissing() (outcome string) {
	r := &recorder{}
	defer func() {
		if p := recover(); p != nil && p != any(r) {
			panic(p)
		}
		outcome = r.outcome
	}()
	Missing(r, "PostgreSQL", errors.New("connection refused"))
	return outcome
}

func TestMissingServiceFailsInCI(t *testing.T) {
	t.Setenv("CI", "true")
	if got := outcomeOfMissing(); got != "failed" {
		t.Fatalf("the test %s", got)
	}
}

func TestMissingServiceIsACountedSkip(t *testing.T) {
	path := filepath.Join(t.TempDir(), "skips")
	t.Setenv("CI", "")
	t.Setenv("URUTU_TEST_SKIPS", path)
	for range 2 {
		if got := outcomeOfMissing(); got != "skipped" {
			t.Fatalf("the test %s", got)
		}
	}
	lines, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(lines), "PostgreSQL is missing: TestSomething\n"); n != 2 {
		t.Fatalf("%d skips are counted in %q", n, lines)
	}
}
