package session_test

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"testing"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/session"
)

// openNumbered opens a database with users of the ages 0 to n-1.
func openNumbered(t testing.TB, b backend, n int, change ...func(*session.Config)) *fixture {
	t.Helper()
	f := open(t, b, append([]func(*session.Config){sealed}, change...)...)
	f.do(t, func(ctx context.Context) error { return addNumbered(ctx, 0, n) })
	f.reset()
	return f
}

func addNumbered(ctx context.Context, from, to int) error {
	for i := from; i < to; i++ {
		if err := session.Add(ctx, &User{Name: fmt.Sprint("user", i%3), Email: fmt.Sprint(i), Age: i}); err != nil {
			return err
		}
	}
	return nil
}

// seek reads a page of users.
func (f *fixture) seek(t testing.TB, cursor string, size int, clauses ...query.Clause) (page query.CursorPage[*User]) {
	t.Helper()
	f.do(t, func(ctx context.Context) (err error) {
		page, err = session.Seek[User](ctx, query.CursorRequest{Cursor: cursor, PageSize: size}, clauses...)
		return err
	})
	return page
}

func ages(page query.CursorPage[*User]) string {
	list := make([]int, len(page.Items))
	for i, u := range page.Items {
		list[i] = u.Age
	}
	return fmt.Sprint(list)
}

// onEach runs a test on every database.
func onEach(t *testing.T, run func(t *testing.T, b backend)) {
	for _, b := range backends {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			run(t, b)
		})
	}
}

func TestSeek_pages_lead_to_each_other(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, b backend) {
		f := openNumbered(t, b, 7)
		byAge := query.Desc(&users.Age)
		first := f.seek(t, "", 3, byAge)
		second := f.seek(t, first.Next, 3, byAge)
		third := f.seek(t, second.Next, 3, byAge)
		for i, c := range []struct {
			page query.CursorPage[*User]
			want string
		}{{first, "[6 5 4]"}, {second, "[3 2 1]"}, {third, "[0]"}, {f.seek(t, third.Prev, 3, byAge), "[3 2 1]"}, {f.seek(t, second.Prev, 3, byAge), "[6 5 4]"}} {
			if ages(c.page) != c.want || c.page.PageSize != 3 {
				t.Errorf("page %d: %s, want %s", i, ages(c.page), c.want)
			}
		}
		if first.Prev != "" || third.Next != "" {
			t.Errorf("before the first page is %q, behind the last one %q", first.Prev, third.Next)
		}
		if back := f.seek(t, second.Prev, 3, byAge); back.Prev != "" {
			t.Error("the first page, reached backwards, has something before it")
		}
		if again := f.seek(t, first.Next, 3, byAge); again.Next != second.Next {
			t.Error("one page has two cursors")
		}
	})
}

// A page whose rows are all gone leads back to what is still there, the row that its cursor was made of included.
func TestSeek_an_empty_page_leads_back(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, b backend) {
		f := openNumbered(t, b, 4)
		byAge := query.Asc(&users.Age)
		first := f.seek(t, "", 2, byAge)
		f.do(t, func(ctx context.Context) error { return second(session.DeleteAll[User](ctx, query.Ge(&users.Age, 2))) })
		second := f.seek(t, first.Next, 2, byAge)
		if ages(second) != "[]" || second.Items == nil || second.Next != "" {
			t.Errorf("behind the last row: %s, then %q", ages(second), second.Next)
		}
		if back := f.seek(t, second.Prev, 2, byAge); ages(back) != "[0 1]" || back.Prev != "" {
			t.Errorf("back: %s, then %q", ages(back), back.Prev)
		}
	})
}

func TestSeek_refuses_cursors_that_are_not_of_this_list(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, b backend) {
		f := openNumbered(t, b, 5)
		clauses := []query.Clause{query.Ge(&users.Age, 1), query.Asc(&users.Name)}
		cursor := f.seek(t, "", 2, clauses...).Next
		other := []byte(cursor)
		other[len(other)/2] ^= 1
		wrong := func(message string, req query.CursorRequest, clauses ...query.Clause) {
			t.Helper()
			f.do(t, func(ctx context.Context) error {
				_, err := session.Seek[User](ctx, req, clauses...)
				wantBadField(t, err, "cursor", message)
				return nil // the session has not failed
			})
		}
		at := query.CursorRequest{Cursor: cursor}
		wrong("was made for another list", at, query.Ge(&users.Age, 1), query.Desc(&users.Name))
		wrong("was made for another list", at, query.Ge(&users.Age, 1), query.Asc(&users.Email))
		wrong("was made for another list", at, query.Ge(&users.Age, 1), query.Asc(&users.Name), query.Asc(&users.Age))
		wrong("was made for another list", at, query.Ge(&users.Age, 1))
		wrong("was made under another filter", at, query.Ge(&users.Age, 2), query.Asc(&users.Name))
		wrong("was made under another filter", at, query.Le(&users.Age, 1), query.Asc(&users.Name))
		wrong("was made under another filter", at, append(clauses, query.In(&users.Age, 1, 2))...)
		wrong("was made under another filter", at, query.Asc(&users.Name))
		wrong("is not a cursor of this service", query.CursorRequest{Cursor: string(other)}, clauses...)
		wrong("is not a cursor of this service", query.CursorRequest{Cursor: "{}"}, clauses...)
		wrong("is not a cursor of this service", query.CursorRequest{Cursor: "AQ"}, clauses...)
		wrong("is of version 0", query.CursorRequest{Cursor: "AA" + cursor[2:]}, clauses...)
		wrong("is longer than", query.CursorRequest{Cursor: strings.Repeat("A", query.MaxCursor+1)}, clauses...)
		f.do(t, func(ctx context.Context) error {
			_, err := session.Seek[Note](ctx, query.CursorRequest{Cursor: f.seek(t, "", 2).Next})
			wantBadField(t, err, "cursor", "was made for another list")
			_, err = session.Seek[User](ctx, query.CursorRequest{PageSize: 201})
			wantBadField(t, err, "page_size", "must be from 1 to 200")
			return nil
		})
	})
}

func wantBadField(t testing.TB, err error, name, message string) {
	t.Helper()
	wantFault(t, err, fault.BadRequest)
	if fields := fault.FieldsOf(err); len(fields) != 1 || fields[0].Name != name || !strings.HasPrefix(fields[0].Message, message) {
		t.Errorf("error %v, want that %s %s", err, name, message)
	}
}

// The elements of a list count as much as any other operand.
func TestSeek_another_list_of_values_is_another_filter(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, b backend) {
		f := openNumbered(t, b, 5)
		cursor := f.seek(t, "", 1, query.In(&users.Age, 1, 2, 3)).Next
		f.seek(t, cursor, 1, query.In(&users.Age, 1, 2, 3))
		f.do(t, func(ctx context.Context) error {
			_, err := session.Seek[User](ctx, query.CursorRequest{Cursor: cursor}, query.In(&users.Age, 1, 2, 4))
			wantBadField(t, err, "cursor", "was made under another filter")
			return nil
		})
	})
}

func TestSeek_a_condition_that_changes_by_itself(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, b backend) {
		f := openNumbered(t, b, 5)
		since := func(age int) []query.Clause {
			return []query.Clause{
				query.Varying(query.And(query.Ge(&users.Age, age), query.Varying(query.Ne(&users.Age, age+100)))), query.Ge(&users.Age, 0), query.Asc(&users.Age),
			}
		}
		cursor := f.seek(t, "", 2, since(0)...).Next
		if got := ages(f.seek(t, cursor, 2, since(3)...)); got != "[3 4]" {
			t.Errorf("the next page is %s", got)
		}
		f.do(t, func(ctx context.Context) error {
			clauses := since(3)
			clauses[1] = query.Ge(&users.Age, 1)
			_, err := session.Seek[User](ctx, query.CursorRequest{Cursor: cursor}, clauses...)
			wantBadField(t, err, "cursor", "was made under another filter")
			return nil
		})
	})
}

// What the session has changed of a row, and not written yet, moves neither the row nor the cursor.
func TestSeek_cursors_are_made_of_rows_and_not_of_objects(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, b backend) {
		f := openNumbered(t, b, 4)
		byAge := query.Asc(&users.Age)
		f.do(t, func(ctx context.Context) error {
			ctx = session.NoAutoflush(ctx)
			all, err := session.Find[User](ctx, byAge)
			must(t, err)
			all[1].Age = 100
			first, err := session.Seek[User](ctx, query.CursorRequest{PageSize: 2}, byAge)
			must(t, err)
			next, err := session.Seek[User](ctx, query.CursorRequest{PageSize: 2, Cursor: first.Next}, byAge)
			must(t, err)
			if first.Items[1] != all[1] || ages(next) != "[2 3]" {
				t.Errorf("%s, then %s", ages(first), ages(next))
			}
			return session.Rollback(ctx)
		})
	})
}

func TestSeek_loads_relations_and_locks(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, b backend) {
		f := openShop(t, b)
		f.do(t, func(ctx context.Context) error {
			req := query.CursorRequest{PageSize: 1}
			for range 3 {
				page, err := session.Seek[Purchase](ctx, req, query.With(&purchases.Buyer), query.Asc(&purchases.BuyerID).NullsFirst(),
					query.Asc(&purchases.Number), query.ForUpdate)
				must(t, err)
				wantLoaded(t, ctx, page.Items[0], &page.Items[0].Buyer, true)
				req.Cursor = page.Next
			}
			if req.Cursor != "" {
				t.Error("there is a fourth page")
			}
			return nil
		})
	})
}

// Soft-deleted rows are on no page, and a cursor made without them is not one of the list that has them.
func TestSeek_soft_deleted_rows(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, b backend) {
		f := open(t, b, sealed)
		f.do(t, func(ctx context.Context) error {
			gone := &Note{Text: "b"}
			must(t, session.Add(ctx, &Note{Text: "a"}, gone, &Note{Text: "c"}))
			must(t, session.Flush(ctx))
			return session.Delete(ctx, gone)
		})
		f.do(t, func(ctx context.Context) error {
			req := query.CursorRequest{PageSize: 1}
			first, err := session.Seek[Note](ctx, req, query.Asc(&notes.Text))
			must(t, err)
			req.Cursor = first.Next
			next, err := session.Seek[Note](ctx, req, query.Asc(&notes.Text))
			must(t, err)
			if next.Items[0].Text != "c" || next.Next != "" {
				t.Errorf("then %q", next.Items[0].Text)
			}
			_, err = session.Seek[Note](ctx, req, query.Asc(&notes.Text), query.WithDeleted)
			wantBadField(t, err, "cursor", "was made under another filter")
			return nil
		})
	})
}

// PostgreSQL has NaN behind every other number.
func TestSeek_walks_over_NaN(t *testing.T) {
	t.Parallel()
	f := open(t, backends[0], sealed)
	f.do(t, func(ctx context.Context) error {
		must(t, session.CreateTables(ctx, (*Stop)(nil)))
		for _, size := range []float64{math.NaN(), 1, math.NaN(), math.Inf(1)} {
			must(t, session.Add(ctx, &Stop{Size: size, Price: "0"}))
		}
		return nil
	})
	f.do(t, func(ctx context.Context) error {
		var got []float64
		for req := (query.CursorRequest{PageSize: 1}); ; {
			page, err := session.Seek[Stop](ctx, req, query.Asc(&stops.Size))
			must(t, err)
			got = append(got, page.Items[0].Size)
			if req.Cursor = page.Next; req.Cursor == "" {
				break
			}
		}
		if fmt.Sprint(got) != "[1 +Inf NaN NaN]" {
			t.Errorf("walked over %v", got)
		}
		return nil
	})
}

// Cursors of another process, and of the one before a restart, are good where both have the key; and that they are not is
// said in the log where there is no key and a cursor is made, once, with no key in it.
func TestSeek_keys_are_configured(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, b backend) {
		f := openNumbered(t, b, 3)
		cursor := f.seek(t, "", 1).Next
		var log record
		cfg := f.config()
		cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
		sealed(&cfg)
		cfg.CursorKeys = append([]string{strings.Repeat("n", query.MinCursorKey)}, cfg.CursorKeys...)
		restarted := &fixture{DB: openConfig(t, cfg), spy: f.spy, backend: b}
		if next := restarted.seek(t, cursor, 1); len(next.Items) != 1 {
			t.Errorf("%+v", next)
		}
		if log.String() != "" {
			t.Errorf("with keys the log has %s", log.String())
		}
		cfg.CursorKeys = nil
		keyless := &fixture{DB: openConfig(t, cfg), spy: f.spy, backend: b}
		if log.String() != "" {
			t.Errorf("without cursors the log has %s", log.String())
		}
		keyless.seek(t, keyless.seek(t, "", 1).Next, 1)
		if n := strings.Count(log.String(), "level=WARN"); n != 1 || !strings.Contains(log.String(), "CursorKeys") {
			t.Errorf("the log has %s", log.String())
		}
		keyless.do(t, func(ctx context.Context) error {
			_, err := session.Seek[User](ctx, query.CursorRequest{Cursor: cursor})
			wantBadField(t, err, "cursor", "is not a cursor of this service")
			return nil
		})
		cfg.CursorKeys = []string{"short"}
		_, err := session.Open(t.Context(), cfg)
		wantFault(t, err, fault.Misconfigured)
		if strings.Contains(err.Error(), cfg.CursorKeys[0]+" ") || strings.Contains(err.Error(), `"short"`) {
			t.Errorf("the error has the key: %v", err)
		}
	})
}
