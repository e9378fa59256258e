package sqlitedriver

import (
	"container/list"
	"context"
	sqldriver "database/sql/driver"
	"strings"
)

// maxStatements is how many prepared statements a connection keeps. A session's texts are one for each shape of write,
// so that this is plenty; beyond it the least recently used goes.
const maxStatements = 256

// prepared is a prepared statement of one connection.
type prepared struct {
	sqldriver.Stmt
	sqldriver.StmtExecContext
	sqldriver.StmtQueryContext
	text string
	// counts: the statement writes rows, so that SQLite's count of changes is about it and not about an earlier one.
	counts bool
	// writes: the statement writes and can be inside a transaction.
	writes bool
}

// statements are the prepared statements of one connection, most recently used first.
type statements struct {
	conn   sqliteConn
	byText map[string]*list.Element
	order  *list.List
}

func newStatements(conn sqliteConn) *statements {
	return &statements{conn: conn, byText: make(map[string]*list.Element), order: list.New()}
}

// get returns the prepared statement for a text. It is good until the next get.
func (s *statements) get(text string) (*prepared, error) {
	if e, ok := s.byText[text]; ok {
		s.order.MoveToFront(e)
		return e.Value.(*prepared), nil
	}
	base, err := s.conn.PrepareContext(context.Background(), text)
	if err != nil {
		return nil, err
	}
	if s.order.Len() >= maxStatements {
		oldest := s.order.Remove(s.order.Back()).(*prepared)
		delete(s.byText, oldest.text)
		_ = oldest.Close()
	}
	counts, writes := classify(text)
	st := &prepared{
		Stmt: base, StmtExecContext: base.(sqldriver.StmtExecContext),
		StmtQueryContext: base.(sqldriver.StmtQueryContext), text: text, counts: counts, writes: writes,
	}
	s.byText[text] = s.order.PushFront(st)
	return st, nil
}

// close closes all of them.
func (s *statements) close() {
	for e := s.order.Front(); e != nil; e = e.Next() {
		_ = e.Value.(*prepared).Close()
	}
	s.order.Init()
	clear(s.byText)
}

// classify tells from a statement's first word what it does.
func classify(text string) (counts, writes bool) {
	switch strings.ToUpper(firstWord(text)) {
	case "INSERT", "UPDATE", "DELETE", "REPLACE", "WITH":
		return true, true
	case "CREATE", "DROP", "ALTER", "REINDEX":
		return false, true
	}
	return false, false
}

// firstWord returns the first word of a statement, past blanks and comments.
func firstWord(text string) string {
	for {
		text = strings.TrimLeft(text, " \t\r\n\f;")
		var end string
		switch {
		case strings.HasPrefix(text, "--"):
			end = "\n"
		case strings.HasPrefix(text, "/*"):
			end = "*/"
		default:
			i := 0
			for i < len(text) && (text[i]|0x20 >= 'a' && text[i]|0x20 <= 'z') {
				i++
			}
			return text[:i]
		}
		_, rest, found := strings.Cut(text, end)
		if !found {
			return ""
		}
		text = rest
	}
}
