package session_test

import (
	"context"
	"testing"

	"github.com/urutu-go/urutu/entity"
	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/session"
)

// Letter is a text of one character.
type Letter struct {
	ID   int64 `db:"id,pk"`
	Text string
}

var letters = entity.Columns[Letter]()

// foldedLetters returns what a database makes of each printable character of ASCII, Latin-1 and Cyrillic where texts are
// compared in any case.
func foldedLetters(t *testing.T, b backend) map[rune]string {
	t.Helper()
	f := open(t, b)
	f.do(t, func(ctx context.Context) error {
		must(t, session.CreateTables(ctx, (*Letter)(nil)))
		for _, block := range [][2]rune{{0x20, 0x7e}, {0xa0, 0xff}, {0x400, 0x52f}} {
			for r := block[0]; r <= block[1]; r++ {
				must(t, session.Add(ctx, &Letter{int64(r), string(r)}))
			}
		}
		return nil
	})
	type row struct {
		ID     int64
		Folded string
	}
	fields := query.Fields[row]()
	folded := map[rune]string{}
	f.do(t, func(ctx context.Context) error {
		rows, err := session.Select[row, Letter](ctx,
			query.Put(&fields.ID, query.Col(&letters.ID)), query.Put(&fields.Folded, query.Folded(query.Col(&letters.Text))))
		for _, r := range rows {
			folded[rune(r.ID)] = r.Folded
		}
		return err
	})
	return folded
}

// Two characters are the same in any case on one database exactly if they are on the other one.
func TestDatabasesFoldAlike(t *testing.T) {
	t.Parallel()
	postgres, sqlite := foldedLetters(t, backends[0]), foldedLetters(t, backends[1])
	if len(postgres) != 495 || len(sqlite) != 495 {
		t.Fatalf("%d and %d characters, want 495", len(postgres), len(sqlite))
	}
	pairs := 0
	for a := range postgres {
		for b := range postgres {
			same := postgres[a] == postgres[b]
			if same != (sqlite[a] == sqlite[b]) {
				t.Errorf("%q and %q: the same on PostgreSQL: %t, on SQLite: %t", a, b, same, !same)
			}
			if same && a < b {
				pairs++
			}
		}
	}
	// 26 letters of ASCII, 30 of Latin-1, 48 of Cyrillic's first 96 characters, 100 of the others.
	if pairs != 26+30+48+100 {
		t.Errorf("%d characters have another case", pairs)
	}
}
