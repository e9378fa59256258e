package session_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/session"
)

// TestPromise49_pages: items, total, page and page_size, the true total on every page, past the end too, and every row
// on exactly one page although the order has nothing but duplicates.
func TestPromise49_pages(t *testing.T) {
	t.Parallel()
	for _, b := range backends {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			f := open(t, b)
			f.do(t, func(ctx context.Context) error {
				for i := range 10 {
					u := &User{Name: fmt.Sprint("user", i%2), Email: fmt.Sprint(i)}
					if err := session.Add(ctx, u); err != nil {
						return err
					}
				}
				return nil
			})
			seen := map[string]bool{}
			for page := range 5 {
				f.do(t, func(ctx context.Context) error {
					f.reset()
					got, err := session.Page[User](ctx, query.PageRequest{Page: page, PageSize: 4}, query.Asc(&users.Name))
					if err != nil {
						return err
					}
					want := max(0, min(4, 10-4*page))
					if got.Total != 10 || got.Page != page || got.PageSize != 4 || len(got.Items) != want {
						t.Errorf("page %d: %d items, %+v", page, len(got.Items), got)
					}
					exchanges := 1
					if page == 0 && b.name != "postgres" {
						exchanges = 2 // the only page would need no count
					}
					if n := len(f.trips()); n != exchanges {
						t.Errorf("page %d: %d exchanges", page, n)
					}
					for _, u := range got.Items {
						if seen[u.Email] {
							t.Errorf("%s is on two pages", u.Email)
						}
						seen[u.Email] = true
					}
					return nil
				})
			}
			if len(seen) != 10 {
				t.Errorf("%d of 10 seen", len(seen))
			}
		})
	}
}
