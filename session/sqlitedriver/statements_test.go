package sqlitedriver

import (
	"fmt"
	"testing"
)

func TestFirstWord(t *testing.T) {
	t.Parallel()

	for text, want := range map[string]string{
		"INSERT INTO t": "INSERT", " \n\tselect 1": "select", "": "", "(SELECT 1)": "", "/* c */ -- d\n DELETE FROM t": "DELETE",
		"-- only a comment": "", "/* open": "", "WITH x AS (": "WITH", ";;update": "update", "1": "", "BEGIN;": "BEGIN",
	} {
		if got := firstWord(text); got != want {
			t.Errorf("firstWord(%q) = %q, want %q", text, got, want)
		}
	}
}

// FuzzFirstWord: it ends, and what it finds is in the text.
func FuzzFirstWord(f *testing.F) {
	f.Add("/*/**/--\nx")
	f.Fuzz(func(t *testing.T, text string) {
		if word := firstWord(text); len(word) > len(text) {
			t.Errorf("%q in %q", word, text)
		}
	})
}

func TestStatementsAreKeptWithinBounds(t *testing.T) {
	t.Parallel()

	conn := newWriter(t, openFile(t, t.TempDir()))
	for round := range 2 {
		for i := range maxStatements + 50 {
			mustRun(t, conn, query(fmt.Sprintf("SELECT %d", i)))
		}
		err := conn.sql.Raw(func(physical any) error {
			s := physical.(*rawConn).stmts
			if s.order.Len() != maxStatements || len(s.byText) != maxStatements {
				t.Errorf("round %d: %d statements kept, %d found by text", round, s.order.Len(), len(s.byText))
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
