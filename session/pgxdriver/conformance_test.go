package pgxdriver

import (
	"testing"

	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/session/drivertest"
)

// The suite that every driver runs, with prepared statements and without.
func TestConformance(t *testing.T) {
	t.Parallel()
	for _, pooler := range []bool{false, true} {
		name := "prepared"
		if pooler {
			name = "pooler"
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			drivertest.Run(t, func(t *testing.T) driver.Pool {
				p, err := New().Open(t.Context(), driver.Config{Name: "main", URL: address("", nil), MaxOpen: 4, MaxIdle: 4, Pooler: pooler})
				if err != nil {
					t.Fatal(err)
				}
				return p
			})
		})
	}
}
