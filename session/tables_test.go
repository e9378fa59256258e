package session_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/urutu-go/urutu/entity"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/session"
)

// TestCreateTables_makes_the_tables_in_between, once, where both ends are there, and not where they contradict each other.
func TestCreateTables_makes_the_tables_in_between(t *testing.T) {
	t.Parallel()
	type Left struct {
		entity.Table `db:"table:lefts"`
		entity.Serial
	}
	type Right struct {
		entity.Table `db:"table:rights"`
		entity.Serial
		Lefts  []*Left  `rel:"left_rights(right_id,left_id)"`
		Again  []*Left  `rel:"left_rights(right_id,left_id)"`
		Others []*Right `rel:"right_pairs(first_id,second_id)"`
	}
	type Wrong struct {
		entity.Table `db:"table:wrongs"`
		entity.Serial
		Lefts []*Left `rel:"left_rights(wrong_id,left_id)"`
	}
	for _, b := range backends {
		f := open(t, b)
		f.do(t, func(ctx context.Context) error { return session.CreateTables(ctx, (*Right)(nil)) })
		if f.sent("left_rights") || !f.sent("right_pairs") {
			t.Errorf("%s: of one end: %q", b.name, f.trips())
		}
		f.reset()
		f.do(t, func(ctx context.Context) error { return session.CreateTables(ctx, (*Right)(nil), (*Left)(nil)) })
		made := "CREATE TABLE IF NOT EXISTS `left_rights`"
		if b.name == "postgres" {
			made = `CREATE TABLE IF NOT EXISTS "left_rights"`
		}
		if n := strings.Count(f.trips()[0], made); n != 1 {
			t.Errorf("%s: made %d times: %q", b.name, n, f.trips())
		}
		err := f.Do(t.Context(), func(ctx context.Context) error {
			return session.CreateTables(ctx, (*Right)(nil), (*Left)(nil), (*Wrong)(nil))
		})
		if !errors.Is(err, fault.Misconfigured) || !strings.Contains(err.Error(), "Lefts") {
			t.Errorf("%s: %v", b.name, err)
		}
	}
}
