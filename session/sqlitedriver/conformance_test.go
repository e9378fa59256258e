package sqlitedriver_test

import (
	"path/filepath"
	"testing"

	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/session/drivertest"
	"github.com/urutu-go/urutu/session/sqlitedriver"
)

// opener returns a function that opens pools of d, with the rest of a URL that rest returns.
func opener(d driver.Driver, rest func(t *testing.T) string) func(t *testing.T) driver.Pool {
	return func(t *testing.T) driver.Pool {
		t.Helper()
		pool, err := d.Open(t.Context(), driver.Config{
			Name: "test", URL: d.Schemes()[0] + "://" + rest(t), MaxOpen: 4, MaxIdle: 2,
		})
		if err != nil {
			t.Fatal(err)
		}
		return pool
	}
}

func memory(*testing.T) string { return "/:memory:" }

func file(t *testing.T) string { return "/" + filepath.Join(t.TempDir(), "test.db") }

func TestConformance(t *testing.T) {
	t.Parallel()

	t.Run("memory", func(t *testing.T) { drivertest.Run(t, opener(sqlitedriver.New(), memory)) })
	t.Run("file", func(t *testing.T) { drivertest.Run(t, opener(sqlitedriver.New(), file)) })
	t.Run("plain", func(t *testing.T) { drivertest.Run(t, opener(drivertest.Plain(sqlitedriver.New()), memory)) })
}
