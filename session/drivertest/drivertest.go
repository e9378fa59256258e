package drivertest

import (
	"testing"

	"github.com/urutu-go/urutu/dialect"
	"github.com/urutu-go/urutu/session/driver"
)

// Run runs the conformance suite. It calls open once for each sub-test, at the same time from several of them; open
// returns a fresh pool of 2 to 16 connections to a database in which tables may be made, and fails the test where it
// cannot. The suite closes the pool.
func Run(t *testing.T, open func(t *testing.T) driver.Pool) {
	t.Helper()
	groups := []struct {
		name  string
		tests []test
	}{
		{"transaction", transactionTests()},
		{"begin options", optionTests()},
		{"write", writeTests()},
		{"checked write", checkedTests()},
		{"generated", generatedTests()},
		{"value", valueTests()},
		{"result", resultTests()},
		{"stream", streamTests()},
		{"error", errorTests()},
		{"context", contextTests()},
		{"pool", poolTests()},
		{"escape hatch", hatchTests()},
		{"concurrency", concurrencyTests()},
	}
	for _, group := range groups {
		t.Run(group.name, func(t *testing.T) {
			for _, test := range group.tests {
				t.Run(test.name, func(t *testing.T) {
					t.Parallel()

					pool := open(t)
					t.Cleanup(func() {
						if err := pool.Close(); err != nil {
							t.Errorf("Close: %v", err)
						}
					})
					h := &harness{pool: pool, dialect: pool.Dialect(), features: pool.Dialect().Features()}
					if test.needs != nil && !test.needs(h.features) {
						t.Logf("not in the contract of %s", h.dialect.Name())
						return
					}
					test.run(t, h)
				})
			}
		})
	}
}

// test is one sub-test.
type test struct {
	name string
	// needs says whether a database with these features has to pass it; nil for any.
	needs func(dialect.Features) bool
	run   func(t *testing.T, h *harness)
}
