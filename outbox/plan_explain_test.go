package outbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/urutu-go/urutu/dialect"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/value"
)

// sentTo keeps the statements that were sent, by their texts: of each the first one, the last one and the largest.
type sentTo struct {
	mu   sync.Mutex
	list map[string]*[3]driver.Statement
	// direct are those before which the server is told not to read whole tables, each time that they are sent.
	direct map[string]bool
}

func (s *sentTo) keep(st driver.Statement, direct bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before, known := s.direct[st.SQL]
	s.direct[st.SQL] = direct && (before || !known)
	kept := s.list[st.SQL]
	if kept == nil {
		kept = &[3]driver.Statement{st, st, st}
		s.list[st.SQL] = kept
	}
	kept[1] = st
	if arguments(&st) > arguments(&kept[2]) {
		kept[2] = st
	}
}

// missing returns a statement of an engine that was not sent yet: its begin and something of it.
func (s *sentTo) missing(wanted []string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range wanted {
		found := false
		for text := range s.list {
			found = found || strings.Contains(text, w)
		}
		if !found {
			return w
		}
	}
	return ""
}

func arguments(st *driver.Statement) (n int) {
	for _, l := range st.Lists {
		n += len(l)
	}
	return n + len(st.Args)
}

// explain fails the test where the database does not answer a statement from an index.
func (p *planned) explain(t *testing.T, st *driver.Statement) {
	t.Helper()
	if !p.postgres {
		p.explainSQLite(t, st)
		return
	}
	custom, text := p.explainPostgres(t, st, "force_custom_plan")
	report := func(mode string, plan *node) {
		for _, wrong := range plan.wrong(touchLimit) {
			t.Errorf("%s: %s\n%s\n%s", mode, wrong, st.SQL, text)
		}
	}
	report("planned for its arguments", &custom)
	var generic node
	// The server takes that one where it seems to be cheaper than the other with what it costs to plan.
	if generic, text = p.explainPostgres(t, st, "force_generic_plan"); generic.Cost < custom.Cost+planningCost {
		report("planned for any arguments", &generic)
	}
}

// planningCost is what the server thinks that planning costs, at most.
const planningCost = 25

// node is a node of PostgreSQL's plans.
type node struct {
	Type         string  `json:"Node Type"`
	Relation     string  `json:"Relation Name"`
	Cost         float64 `json:"Total Cost"`
	Rows         float64 `json:"Actual Rows"`
	Loops        float64 `json:"Actual Loops"`
	Filtered     float64 `json:"Rows Removed by Filter"`
	JoinFiltered float64 `json:"Rows Removed by Join Filter"`
	Rechecked    float64 `json:"Rows Removed by Index Recheck"`
	Hit          int     `json:"Shared Hit Blocks"`
	Read         int     `json:"Shared Read Blocks"`
	Plans        []node
}

// wrong returns what must not be in the plan.
func (n *node) wrong(limit float64) (list []string) {
	touched := (n.Rows + n.Filtered + n.JoinFiltered + n.Rechecked) * max(n.Loops, 1)
	switch {
	case strings.HasSuffix(n.Type, "Seq Scan") && slices.Contains(grown, n.Relation):
		list = append(list, "it scans "+n.Relation)
	case touched > limit:
		list = append(list, fmt.Sprintf("%s %s touches %.0f rows", n.Type, n.Relation, touched))
	case strings.Contains(n.Type, "Sort") && touched > sortLimit:
		list = append(list, fmt.Sprintf("it sorts %.0f rows", touched))
	}
	for i := range n.Plans {
		list = append(list, n.Plans[i].wrong(limit)...)
	}
	return list
}

// explainPostgres runs a statement, undoes it, and returns its plan.
func (p *planned) explainPostgres(t *testing.T, st *driver.Statement, mode string) (plan node, text string) {
	t.Helper()
	d := dialect.Postgres()
	var types, args []string
	for i, typ := range st.Types {
		name := d.ColumnType(typ, "")
		var arg string
		switch {
		case st.Batch > 0:
			var list []value.Value
			for j := i; j < len(st.Args); j += len(st.Types) {
				list = append(list, st.Args[j])
			}
			name, arg = name+"[]", array(list, name)
		case st.Lists != nil && st.Lists[i] != nil:
			name, arg = name+"[]", array(st.Lists[i], name)
		default:
			arg = literal(st.Args[i])
		}
		types, args = append(types, name), append(args, arg)
	}
	p.plans++
	name := fmt.Sprint("planned", p.plans)
	prepare, execute := "PREPARE "+name+" AS "+st.SQL, "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) EXECUTE "+name
	if len(types) > 0 {
		prepare = "PREPARE " + name + " (" + strings.Join(types, ", ") + ") AS " + st.SQL
		execute += " (" + strings.Join(args, ", ") + ")"
	}
	undone := errors.New("undone")
	run := func(ctx context.Context) error {
		s := session.From(ctx)
		for _, before := range []string{"SET LOCAL plan_cache_mode = " + mode, fmt.Sprint("SET LOCAL enable_seqscan = ", !p.sent.direct[st.SQL]), prepare} {
			if _, err := s.ExecContext(ctx, before); err != nil {
				return err
			}
		}
		if err := s.QueryRowContext(ctx, execute).Scan(&text); err != nil {
			return err
		}
		return undone
	}
	err := p.db.Do(t.Context(), run)
	if err != nil && strings.Contains(err.Error(), "urutu:stale") { // the message was handled: look at the plan alone
		execute = strings.Replace(strings.ReplaceAll(execute, name, name+"s"), "ANALYZE, BUFFERS, ", "", 1)
		prepare = strings.Replace(prepare, name, name+"s", 1)
		err = p.db.Do(t.Context(), run)
	}
	var plans []struct{ Plan node }
	if !errors.Is(err, undone) {
		t.Fatalf("%s: %v", st.SQL, err)
	}
	if err := json.Unmarshal([]byte(text), &plans); err != nil || len(plans) != 1 {
		t.Fatalf("%s: %v", text, err)
	}
	return plans[0].Plan, text
}

func array(list []value.Value, typ string) string {
	parts := make([]string, len(list))
	for i, v := range list {
		parts[i] = literal(v)
	}
	return "ARRAY[" + strings.Join(parts, ",") + "]::" + typ + "[]"
}

// literal renders a value as PostgreSQL reads it.
func literal(v value.Value) string {
	switch v.Kind() {
	case value.Null:
		return "NULL"
	case value.Bool, value.Int:
		return v.String()
	case value.Time:
		return "'" + v.Time().Format("2006-01-02 15:04:05.999999Z07:00") + "'"
	case value.UUID:
		return "'" + value.FormatUUID(v.UUID()) + "'"
	case value.Bytes:
		return fmt.Sprintf(`'\x%x'`, v.Str())
	default:
		return "'" + strings.ReplaceAll(v.Str(), "'", "''") + "'"
	}
}

// explainSQLite fails the test where a plan scans a table that grows, or sorts one.
func (p *planned) explainSQLite(t *testing.T, st *driver.Statement) {
	t.Helper()
	var plan []string
	err := p.db.Do(t.Context(), func(ctx context.Context) error {
		rows, err := session.From(ctx).QueryContext(ctx, "EXPLAIN QUERY PLAN "+st.SQL, make([]any, len(st.Types))...)
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			var id, parent, unused int
			var detail string
			if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
				return err
			}
			plan = append(plan, detail)
		}
		return rows.Err()
	})
	if err != nil {
		t.Fatalf("%s: %v", st.SQL, err)
	}
	for _, step := range plan {
		if strings.Contains(step, "TEMP B-TREE FOR ORDER BY") || scansGrown(st.SQL, step, plan) {
			t.Errorf("%s\n%s\n%s", step, st.SQL, strings.Join(plan, "\n"))
		}
	}
}

// scansGrown reports whether a step of SQLite's plans reads all of a table that grows.
func scansGrown(text, step string, plan []string) bool {
	what, scan := strings.CutPrefix(step, "SCAN ")
	name, _, _ := strings.Cut(what, " ")
	limited := slices.Contains(plan, "CO-ROUTINE "+name) // what it scans is a part of the table
	return scan && !limited && slices.ContainsFunc(grown, func(table string) bool {
		return name == table || strings.Contains(text+" ", table+" "+name+" ")
	})
}
