package session_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/uow"
)

// momentPages read a page of three users, the oldest first, and tell their ages and how many users there are. None of them
// takes a number that it could know from the rows alone.
var momentPages = map[string]func(ctx context.Context) (ages string, total int64, err error){
	"Page": func(ctx context.Context) (string, int64, error) {
		page, err := session.Page[User](ctx, query.PageRequest{PageSize: 3}, query.Desc(&users.Age))
		return agesOf(page.Items), page.Total, err
	},
	"Seek": func(ctx context.Context) (string, int64, error) {
		page, err := session.Seek[User](ctx, query.CursorRequest{PageSize: 3}, query.Desc(&users.Age), query.CountExact)
		if err != nil {
			return "", 0, err
		}
		return agesOf(page.Items), *page.Total, nil
	},
	"Grid": func(ctx context.Context) (string, int64, error) {
		req := query.GridRequest{PaginationModel: &query.GridPagination{PageSize: 3}}
		page, err := session.Grid(ctx, ageList, req)
		return agesOf(page.Rows), page.RowCount, err
	},
	"SelectPage": func(ctx context.Context) (string, int64, error) {
		page, err := session.SelectPage[agedRow, User](ctx, query.PageRequest{PageSize: 3}, query.Desc(&users.Age))
		return fmt.Sprint(page.Items), page.Total, err
	},
}

var ageList = query.NewList[User](query.Field("age", &users.Age), query.Desc(&users.Age))

type agedRow struct{ Age int }

func agesOf(all []*User) string {
	rows := make([]agedRow, len(all))
	for i, u := range all {
		rows[i].Age = u.Age
	}
	return fmt.Sprint(rows)
}

// In a unit with one snapshot all pages are of one moment: what others commit between two of them is in neither the rows nor
// their number. Otherwise the second page has it.
func TestPagesOfOneMoment(t *testing.T) {
	onBoth(t, func(t *testing.T, b backend) {
		for name, page := range momentPages {
			for _, c := range []struct {
				opts  uow.Options
				later string
				total int64
			}{
				{uow.Options{Isolation: uow.RepeatableRead, ReadOnly: b.name != "postgres"}, "[{9} {8} {7}]", 10},
				{uow.Options{}, "[{11} {10} {9}]", 12},
			} {
				f := openNumbered(t, b, 10)
				must(t, f.Do(t.Context(), func(ctx context.Context) error {
					ages, total, err := page(ctx)
					must(t, err)
					if ages != "[{9} {8} {7}]" || total != 10 {
						t.Errorf("%s: first %s of %d", name, ages, total)
					}
					must(t, session.New(ctx, func(ctx context.Context) error { return addNumbered(ctx, 10, 12) }))
					ages, total, err = page(ctx)
					if ages != c.later || total != c.total {
						t.Errorf("%s, isolation %v: then %s of %d, want %s of %d", name, c.opts.Isolation, ages, total, c.later, c.total)
					}
					return err
				}, c.opts))
			}
		}
	})
}

// SQLite counts by a statement of its own, so that another unit can commit between the rows and their number: in a unit with
// one snapshot they agree all the same.
func TestRowsAndTheirNumberAreOfOneMoment(t *testing.T) {
	t.Parallel()
	for name, page := range momentPages {
		for _, c := range []struct {
			opts  uow.Options
			total int64
		}{{uow.Options{Isolation: uow.RepeatableRead, ReadOnly: true}, 10}, {uow.Options{}, 12}} {
			f := openNumbered(t, backends[1], 10)
			written := false
			f.intercept(func(s *driver.Script, run func() error) error {
				for _, st := range s.Statements {
					if !written && strings.Contains(st.SQL, "count(*)") {
						written = true
						f.intercept(nil)
						must(t, f.Do(context.Background(), func(ctx context.Context) error { return addNumbered(ctx, 10, 12) }))
					}
				}
				return run()
			})
			must(t, f.Do(t.Context(), func(ctx context.Context) error {
				ages, total, err := page(ctx)
				if ages != "[{9} {8} {7}]" || total != c.total || !written {
					t.Errorf("%s, isolation %v: %s of %d, want of %d", name, c.opts.Isolation, ages, total, c.total)
				}
				return err
			}, c.opts))
		}
	}
}
