package session_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/session"
)

// TestQueries_mean_the_same_on_every_database: NULLs, case, wildcards and orders, each predicate against what Go says of
// the same values.
func TestQueries_mean_the_same_on_every_database(t *testing.T) {
	t.Parallel()
	nick := func(s string) *string { return &s }
	rows := []*User{
		{Email: "a", Name: "Ann", Nick: nick("x"), Age: 1},
		{Email: "b", Name: "ann", Nick: nick("y"), Age: 2},
		{Email: "c", Name: "100%_\\", Nick: nil, Age: 3},
		{Email: "d", Name: "Änne", Nick: nick(""), Age: -4},
		{Email: "e", Name: "ЖУК", Nick: nil, Age: 0},
	}
	x := nick("x")
	is := func(u *User, s string) bool { return u.Nick != nil && *u.Nick == s }
	for _, c := range []struct {
		name   string
		clause query.Clause
		want   func(u *User) bool
	}{
		{"eq", query.Eq(&users.Name, "Ann"), func(u *User) bool { return u.Name == "Ann" }},
		{"eq null", query.Eq(&users.Nick, nil), func(u *User) bool { return u.Nick == nil }},
		{"ne", query.Ne(&users.Nick, x), func(u *User) bool { return !is(u, "x") }},
		{"ne null", query.Ne(&users.Nick, nil), func(u *User) bool { return u.Nick != nil }},
		{"lt", query.Lt(&users.Age, 2), func(u *User) bool { return u.Age < 2 }},
		{"ge", query.Ge(&users.Age, 2), func(u *User) bool { return u.Age >= 2 }},
		{"in", query.In(&users.Age, 1, 3, 9), func(u *User) bool { return u.Age == 1 || u.Age == 3 }},
		{"in none", query.In(&users.Age), func(*User) bool { return false }},
		{"in null", query.In(&users.Nick, x, nil), func(u *User) bool { return u.Nick == nil || is(u, "x") }},
		{"not in", query.NotIn(&users.Nick, x), func(u *User) bool { return !is(u, "x") }},
		{"not in null", query.NotIn(&users.Nick, x, nil), func(u *User) bool { return u.Nick != nil && !is(u, "x") }},
		{"not in none", query.NotIn(&users.Nick), func(*User) bool { return true }},
		{"contains case", query.Contains(&users.Name, "nn"), func(u *User) bool { return strings.Contains(u.Name, "nn") }},
		{"prefix case", query.HasPrefix(&users.Name, "A"), func(u *User) bool { return strings.HasPrefix(u.Name, "A") }},
		{"suffix", query.HasSuffix(&users.Name, "e"), func(u *User) bool { return strings.HasSuffix(u.Name, "e") }},
		{"wildcards", query.Contains(&users.Name, `%_\`), func(u *User) bool { return strings.Contains(u.Name, `%_\`) }},
		{"fold ascii", query.EqFold(&users.Name, "ANN"), func(u *User) bool { return strings.EqualFold(u.Name, "ann") }},
		{"fold latin", query.EqFold(&users.Name, "äNNE"), func(u *User) bool { return strings.EqualFold(u.Name, "änne") }},
		{"fold cyrillic", query.EqFold(&users.Name, "жук"), func(u *User) bool { return strings.EqualFold(u.Name, "жук") }},
		{"and", query.And(query.Gt(&users.Age, 0), query.IsNull(&users.Nick)), func(u *User) bool { return u.Age > 0 && u.Nick == nil }},
		{"or", query.Or(query.Eq(&users.Age, 1), query.Eq(&users.Age, 2)), func(u *User) bool { return u.Age == 1 || u.Age == 2 }},
		{"or none", query.Or(), func(*User) bool { return false }},
		{"not", query.Not(query.Lt(&users.Age, 2)), func(u *User) bool { return u.Age >= 2 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var want []string
			for _, u := range rows {
				if c.want(u) {
					want = append(want, u.Email)
				}
			}
			for _, b := range backends[:2] {
				f := open(t, b)
				f.do(t, func(ctx context.Context) error {
					for _, u := range rows {
						copied := *u
						if err := session.Add(ctx, &copied); err != nil {
							return err
						}
					}
					found, err := session.Find[User](ctx, c.clause, query.Asc(&users.Email))
					if err != nil {
						return err
					}
					var got []string
					for _, u := range found {
						got = append(got, u.Email)
					}
					if !slices.Equal(got, want) {
						t.Errorf("%s: got %v, want %v", b.name, got, want)
					}
					n, err := session.Count[User](ctx, c.clause)
					if err != nil || int(n) != len(want) {
						t.Errorf("%s: count %d, %v", b.name, n, err)
					}
					ok, err := session.Exists[User](ctx, c.clause)
					if err != nil || ok != (len(want) > 0) {
						t.Errorf("%s: exists %v, %v", b.name, ok, err)
					}
					return nil
				})
			}
		})
	}
}

// TestQueries_put_NULL_last in both directions.
func TestQueries_put_NULL_last(t *testing.T) {
	t.Parallel()
	for _, b := range backends[:2] {
		f := open(t, b)
		f.do(t, func(ctx context.Context) error {
			one, two := "1", "2"
			err := session.Add(ctx, &User{Email: "null"}, &User{Email: "two", Nick: &two}, &User{Email: "one", Nick: &one})
			if err != nil {
				return err
			}
			for _, c := range []struct {
				sort query.Sort
				want string
			}{{query.Asc(&users.Nick), "one two null"}, {query.Desc(&users.Nick), "two one null"}} {
				found, err := session.Find[User](ctx, c.sort)
				if err != nil {
					return err
				}
				var got []string
				for _, u := range found {
					got = append(got, u.Email)
				}
				if strings.Join(got, " ") != c.want {
					t.Errorf("%s: %v, want %s", b.name, got, c.want)
				}
			}
			return nil
		})
	}
}
