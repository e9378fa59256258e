package query_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/urutu-go/urutu/dialect"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/value"
)

// sought walks on from a row, given by its cells, and returns what is sent for the next page, or for the one before.
func sought(t *testing.T, back bool, row []value.Value, clauses ...query.Clause) string {
	t.Helper()
	m, _ := modelOf[person](t)
	keys, err := query.NewCursorKeys()
	if err != nil {
		t.Fatal(err)
	}
	cursor := ""
	for _, size := range []int{1, 1, 20}[map[bool]int{true: 0, false: 1}[back]:] {
		s, err := query.Compile(m, clauses...).Seek(query.CursorRequest{Cursor: cursor, PageSize: size}, keys)
		if err != nil {
			t.Fatal(err)
		}
		texts, _, err := s.Rows(dialect.Postgres(), "*")
		if err != nil {
			t.Fatal(err)
		}
		if size == 20 {
			var sent []string
			for _, text := range texts {
				_, rest, _ := strings.Cut(strings.ReplaceAll(text.SQL, `"`, ""), " FROM persons")
				sent = append(sent, strings.TrimPrefix(rest, " "))
			}
			return strings.Join(sent, "; ")
		}
		s.Keep(row)
		s.Keep(row)
		next, prev, err := s.Cursors()
		if err != nil {
			t.Fatal(err)
		}
		if cursor = next; prev != "" {
			cursor = prev
		}
	}
	return ""
}

func TestTheConditionOfAPageIsOneThatAnIndexServes(t *testing.T) {
	t.Parallel()
	_, people := modelOf[person](t)
	row := []value.Value{value.OfUUID([16]byte{1}), value.OfText("Ann"), value.OfText("A"), value.OfInt(3), value.OfFloat(1.5), value.OfMicros(1)}
	empty := append([]value.Value(nil), row...)
	empty[2] = value.Value{}
	name, nick, age := query.Asc(&people.Name), query.Asc(&people.Nick), query.Desc(&people.Age)
	for _, c := range []struct {
		name    string
		row     []value.Value
		back    bool
		clauses []query.Clause
		want    string
	}{
		{"the key alone", row, false, nil, "WHERE id > $1 ORDER BY id LIMIT $2"},
		{"one way, nothing NULL: rows compare", row, false, []query.Clause{name}, "WHERE (name, id) > ($1, $2) ORDER BY name, id LIMIT $3"},
		{"the same backwards", row, true, []query.Clause{name}, "WHERE (name, id) < ($1, $2) ORDER BY name DESC, id DESC LIMIT $3"},
		{"the key goes the way of the last level", row, false, []query.Clause{age}, "WHERE (age, id) < ($1, $2) ORDER BY age DESC, id DESC LIMIT $3"},
		{"unless it has its own", row, false, []query.Clause{age, query.Asc(&people.ID)},
			"WHERE age <= $1 AND (age < $2 OR age = $3 AND (id > $4)) ORDER BY age DESC, id LIMIT $5"},
		{"behind the key nothing matters", row, false, []query.Clause{query.Asc(&people.ID), name}, "WHERE id > $1 ORDER BY id LIMIT $2"},
		{"nor what is there twice", row, false, []query.Clause{name, query.Desc(&people.Name)}, "WHERE (name, id) > ($1, $2) ORDER BY name, id LIMIT $3"},
		{"two ways: a bound, and a chain", row, false, []query.Clause{name, age},
			"WHERE name >= $1 AND (name > $2 OR name = $3 AND (age < $4 OR age = $5 AND (id < $6))) ORDER BY name, age DESC, id DESC LIMIT $7"},
		{"behind a filter", row, false, []query.Clause{query.Or(query.Eq(&people.Age, 1), query.Eq(&people.Age, 2)), name},
			"WHERE (age = $1 OR age = $2) AND (name, id) > ($3, $4) ORDER BY name, id LIMIT $5"},
		{"NULL at the end: by itself", row, false, []query.Clause{nick},
			"WHERE nick >= $1 AND (nick > $2 OR nick = $3 AND (id > $4)) ORDER BY nick NULLS LAST, id LIMIT $5; " +
				"WHERE nick IS NULL ORDER BY nick NULLS LAST, id LIMIT $1"},
		{"and backwards none of it", row, true, []query.Clause{nick},
			"WHERE nick <= $1 AND (nick < $2 OR nick = $3 AND (id < $4)) ORDER BY nick DESC NULLS FIRST, id DESC LIMIT $5"},
		{"within NULL", empty, false, []query.Clause{nick}, "WHERE nick IS NULL AND (nick IS NULL AND (id > $1)) ORDER BY nick NULLS LAST, id LIMIT $2"},
		{"out of it backwards", empty, true, []query.Clause{nick},
			"WHERE nick IS NULL AND (nick IS NULL AND (id < $1)) ORDER BY nick DESC NULLS FIRST, id DESC LIMIT $2; " +
				"WHERE nick IS NOT NULL ORDER BY nick DESC NULLS FIRST, id DESC LIMIT $1"},
		{"NULL first", row, false, []query.Clause{nick.NullsFirst()},
			"WHERE nick >= $1 AND (nick > $2 OR nick = $3 AND (id > $4)) ORDER BY nick NULLS FIRST, id LIMIT $5"},
		{"NULL at a later level", row, false, []query.Clause{name, nick},
			"WHERE name >= $1 AND (name > $2 OR name = $3 AND (nick > $4 OR nick IS NULL OR nick = $5 AND (id > $6))) " +
				"ORDER BY name, nick NULLS LAST, id LIMIT $7"},
		{"locked rows are found by one statement", row, false, []query.Clause{nick, query.ForUpdate},
			"WHERE (nick > $1 OR nick IS NULL OR nick = $2 AND (id > $3)) ORDER BY nick NULLS LAST, id LIMIT $4 FOR UPDATE"},
		{"limits and offsets are those of the page", row, false, []query.Clause{query.Limit(3), query.Offset(7)}, "WHERE id > $1 ORDER BY id LIMIT $2"},
	} {
		if got := sought(t, c.back, c.row, c.clauses...); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
	}
}

// A value that is too long for a cursor is an error that says so: a cursor that leaves some of it out would lead elsewhere.
func TestAValueThatIsTooLongForACursor(t *testing.T) {
	t.Parallel()
	m, people := modelOf[person](t)
	keys, _ := query.NewCursorKeys()
	s, err := query.Compile(m, query.Asc(&people.Name)).Seek(query.CursorRequest{PageSize: 1}, keys)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Rows(dialect.SQLite(), "*"); err != nil {
		t.Fatal(err)
	}
	row := make([]value.Value, len(m.Fields))
	row[1] = value.OfText(strings.Repeat("x", query.MaxCursor))
	s.Keep(row)
	if _, _, err := s.Cursors(); err != nil {
		t.Errorf("no cursor is needed: %v", err)
	}
	s.Keep(row)
	if _, _, err := s.Cursors(); !errors.Is(err, fault.Unsupported) {
		t.Errorf("error %v", err)
	}
}
