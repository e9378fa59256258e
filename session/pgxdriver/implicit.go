package pgxdriver

import (
	"strings"

	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/uow"
)

// What stands before a sync is one transaction for PostgreSQL, also without BEGIN and COMMIT: the sync commits it, and an
// error rolls it back and leaves the connection idle. A script that is a whole transaction is sent like that, which saves
// the server two commands and one answer. BEGIN says the isolation level, however, and the level without it is a setting:
// the first BEGIN of a connection asks for it in the same burst.

// level is the isolation level that a connection's transactions have where nobody says.
type level uint8

const (
	levelUnknown level = iota
	levelReadCommitted
	levelOther
)

// isImplicit reports whether the script can do without BEGIN and COMMIT. Where the connection has been lent on, or is not
// ours alone, the setting may be another one by now.
func (c *conn) isImplicit(st *state, s *driver.Script) bool {
	if s.Begin == nil || s.End != driver.Commit || st.level != levelReadCommitted || !c.knowsLevel() {
		return false
	}
	o := s.Begin
	if o.Isolation > uow.ReadCommitted || o.ReadOnly || o.StatementTimeout > 0 || o.LockTimeout > 0 {
		return false
	}
	for i := range s.Statements {
		if !isPlain(s.Statements[i].SQL) || s.Statements[i].Stream {
			return false
		}
	}
	return true
}

// knowsLevel reports whether what a connection said of its level still holds.
func (c *conn) knowsLevel() bool { return !c.lent && !c.pool.adopted && !c.pool.pooler }

// isPlain reports whether a statement reads or writes rows. Others may need a transaction block, or allow none.
func isPlain(sql string) bool {
	word, _, _ := strings.Cut(sql, " ")
	switch word {
	case "INSERT", "WITH", "SELECT", "UPDATE", "DELETE":
		return true
	}
	return false
}

// levelOf reads the answer to the question for the level.
func levelOf(cells [][]byte) level {
	if len(cells) == 1 && string(cells[0]) == "read committed" {
		return levelReadCommitted
	}
	return levelOther
}
