package session_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/dialect"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/uow"
	"github.com/urutu-go/urutu/value"
)

// componentCases are what a package that keeps tables of its own gets from a session.
var componentCases = []testCase{
	{"rows_of_one_writer_go_together", withFixture(writersMerge)},
	{"they_are_written_last", withFixture(writersLast)},
	{"rows_of_the_unit_outlive_a_rollback", withFixture(unitRowsOutlive)},
	{"a_savepoint_drops_rows", withFixture(writersAndSavepoints)},
	{"a_unit_that_fails_writes_none", withFixture(writersOfAFailedUnit)},
	{"a_commit_by_hand_writes_them_once", withFixture(writersOfTwoCommits)},
	{"each_connection_and_unit_has_its_own", withFixture(writersAndIndependentUnits)},
	{"they_are_refused_where_nothing_is_written", withFixture(writersReadOnly)},
	{"their_errors_name_the_table", withFixture(writersErrors)},
	{"a_checked_statement_of_theirs", withFixture(writersChecked)},
	{"a_retried_unit_stages_anew", withFixture(writersRetried)},
	{"very_many_rows", withFixture(writersMany)},
	{"a_script_outside_of_units", withFixture(runOutside)},
	{"the_errors_of_a_script_are_named", withFixture(runErrors)},
	{"a_question_of_a_unit", withFixture(askOnItsOwn)},
	{"a_question_that_fails", withFixture(askInVain)},
	{"a_question_that_is_broken_off", withFixture(askBrokenOff)},
	{"what_writers_have_read_comes_last", withFixture(writersRead)},
	{"rows_that_must_not_wait_are_early", withFixture(writersEarly)},
	{"what_is_installed", withFixture(installedOrNot)},
	{"one_value_for_each_connection", withFixture(localValues)},
	{"the_database_of_a_context", withFixture(homes)},
}

func TestComponent(t *testing.T) {
	t.Parallel()
	runCases(t, componentCases)
}

// scribe is a writer that notes what it was asked to write, and writes parents of these names.
type scribe struct {
	name  string
	table string // "parents"
	query string // what the statements are called

	mu    sync.Mutex
	calls [][]value.Value // guarded by mu
	wrote []int64         // guarded by mu
}

var _ session.Writer = (*scribe)(nil)

func newScribe(name string) *scribe {
	return &scribe{name: name, table: "parents", query: "scribe " + name}
}

func (w *scribe) Statements(d dialect.Dialect, values []value.Value) (list []session.Written) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls = append(w.calls, slices.Clone(values))
	for _, v := range values {
		st := insertParent(d, w.table, uuid.New(), v)
		st.Query = w.query
		list = append(list, session.Written{Statement: st, Table: w.table, Done: func(n int64) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.wrote = append(w.wrote, n)
		}})
	}
	return list
}

func insertParent(d dialect.Dialect, table string, id uuid.UUID, name value.Value) driver.Statement {
	var b strings.Builder
	b.WriteString("INSERT INTO " + table + " (id, name) VALUES (")
	d.Param(&b, 1, value.TypeUUID)
	b.WriteString(", ")
	d.Param(&b, 2, value.TypeText)
	b.WriteString(")")
	return driver.Statement{SQL: b.String(), Types: []value.Type{value.TypeUUID, value.TypeText}, Args: []value.Value{value.OfUUID(id), name}}
}

// want checks what the writer was given, one text for each time, and how many of its statements have written one row.
func (w *scribe) want(t *testing.T, wrote int, calls ...string) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	var got []string
	for _, values := range w.calls {
		var names []string
		for _, v := range values {
			names = append(names, v.Str())
		}
		got = append(got, strings.Join(names, " "))
	}
	if !slices.Equal(got, calls) {
		t.Errorf("%s was given %q, want %q", w.name, got, calls)
	}
	if len(w.wrote) != wrote || slices.ContainsFunc(w.wrote, func(n int64) bool { return n != 1 }) {
		t.Errorf("%s heard of the rows %v, want %d times 1", w.name, w.wrote, wrote)
	}
}

func (w *scribe) stage(ctx context.Context, names ...string) error {
	return session.StageFor(ctx, w, textValues(names)...)
}

func (w *scribe) stageUnit(ctx context.Context, names ...string) error {
	return session.StageUnit(ctx, w, textValues(names)...)
}

func textValues(names []string) (values []value.Value) {
	for _, n := range names {
		values = append(values, value.OfText(n))
	}
	return values
}

// parentNames returns the names of the parents that are stored.
func parentNames(t *testing.T, f *fixture) string {
	t.Helper()
	var names []string
	f.do(t, func(ctx context.Context) error {
		list, err := session.Find[Parent](ctx)
		for _, p := range list {
			names = append(names, p.Name)
		}
		return err
	})
	slices.Sort(names)
	return strings.Join(names, " ")
}

func wantParents(t *testing.T, f *fixture, want string) {
	t.Helper()
	if got := parentNames(t, f); got != want {
		t.Errorf("the rows are %q, want %q", got, want)
	}
}

// Rows of a writer are rendered once, in their order, whatever was staged in between; those of the unit apart, and first.
func writersMerge(t *testing.T, f *fixture) {
	a, b := newScribe("a"), newScribe("b")
	f.reset()
	f.do(t, func(ctx context.Context) error {
		return errors.Join(a.stage(ctx, "1", "2"), b.stage(ctx, "3"), stage(ctx, "plain"), a.stage(ctx, "4"), b.stageUnit(ctx, "5"),
			a.stage(ctx), b.stage(ctx, "6"), b.stageUnit(ctx, "7"))
	})
	a.want(t, 3, "1 2 4")
	b.want(t, 4, "5 7", "3 6")
	if n := len(f.trips()); n != 1 {
		t.Errorf("it took %d trips", n)
	}
	wantParents(t, f, "1 2 3 4 5 6 7 plain")
}

// They come after the unit's own rows, in the script that commits; no flush sends them before.
func writersLast(t *testing.T, f *fixture) {
	a := newScribe("a")
	f.do(t, func(ctx context.Context) error {
		must(t, errors.Join(a.stage(ctx, "1"), a.stageUnit(ctx, "2")))
		must(t, errors.Join(session.Add(ctx, ann()), session.Flush(ctx)))
		_, err := session.Find[Parent](ctx)
		a.want(t, 0)
		f.reset()
		return errors.Join(err, session.Add(ctx, &Account{}))
	})
	trips := f.trips()
	if len(trips) != 1 || strings.Index(trips[0], "accounts") > strings.Index(trips[0], "parents") || !strings.HasSuffix(trips[0], "COMMIT") {
		t.Errorf("the trips are %q", trips)
	}
	a.want(t, 2, "2", "1")
}

// What belongs to the unit is written by its commit, also where all else was rolled back by hand; what does not is not.
func unitRowsOutlive(t *testing.T, f *fixture) {
	a := newScribe("a")
	f.do(t, func(ctx context.Context) error {
		return errors.Join(a.stage(ctx, "dropped"), a.stageUnit(ctx, "kept"), stage(ctx, "plain"), session.Add(ctx, ann()), session.Flush(ctx),
			session.Rollback(ctx))
	})
	a.want(t, 1, "kept")
	f.do(t, func(ctx context.Context) error { // also without anything to be undone, and twice
		return errors.Join(a.stageUnit(ctx, "first"), session.Rollback(ctx), a.stageUnit(ctx, "second"), session.Rollback(ctx), a.stage(ctx, "third"))
	})
	a.want(t, 4, "kept", "first second", "third")
	f.do(t, func(ctx context.Context) error { // a session that has failed
		must(t, a.stageUnit(ctx, "fourth"))
		if err := errors.Join(session.Add(ctx, &User{Email: "x"}, &User{Email: "x"}), session.Flush(ctx)); err == nil {
			t.Error("two users have one address")
		}
		return session.Rollback(ctx)
	})
	wantParents(t, f, "first fourth kept second third")
	if n := count[User](t, f); n != 0 {
		t.Errorf("%d users were kept", n)
	}
}

func writersAndSavepoints(t *testing.T, f *fixture) {
	a := newScribe("a")
	failed := errors.New("no")
	f.do(t, func(ctx context.Context) error {
		must(t, errors.Join(a.stage(ctx, "1"), a.stageUnit(ctx, "unit")))
		err := session.Nested(ctx, func(ctx context.Context) error {
			return errors.Join(a.stage(ctx, "no"), a.stageUnit(ctx, "no"), session.Add(ctx, ann()), session.Flush(ctx), failed)
		})
		if !errors.Is(err, failed) {
			t.Errorf("the savepoint ended with %v", err)
		}
		must(t, session.Nested(ctx, func(ctx context.Context) error {
			inner := session.Nested(ctx, func(ctx context.Context) error { return errors.Join(a.stage(ctx, "no"), failed) })
			if !errors.Is(inner, failed) {
				t.Errorf("the inner savepoint ended with %v", inner)
			}
			return a.stage(ctx, "2")
		}))
		err = session.Nested(ctx, func(ctx context.Context) error { // the rollback ends the savepoint too
			return errors.Join(a.stage(ctx, "no"), a.stageUnit(ctx, "late"), session.Rollback(ctx))
		})
		wantFault(t, err, fault.ScopeClosed)
		return a.stage(ctx, "3")
	})
	a.want(t, 3, "unit late", "3")
	wantParents(t, f, "3 late unit")
}

func writersOfAFailedUnit(t *testing.T, f *fixture) {
	a := newScribe("a")
	failed := errors.New("no")
	err := f.Do(t.Context(), func(ctx context.Context) error { return errors.Join(a.stage(ctx, "1"), a.stageUnit(ctx, "2"), failed) })
	if !errors.Is(err, failed) {
		t.Errorf("the unit ended with %v", err)
	}
	a.want(t, 0)
	err = f.Do(t.Context(), func(ctx context.Context) error {
		return errors.Join(a.stage(ctx, "1"), a.stageUnit(ctx, "2"), session.Add(ctx, &User{Email: "x"}, &User{Email: "x"}))
	})
	wantFault(t, err, fault.Unique)
	wantParents(t, f, "")
}

func writersOfTwoCommits(t *testing.T, f *fixture) {
	a := newScribe("a")
	f.do(t, func(ctx context.Context) error {
		must(t, errors.Join(a.stage(ctx, "1"), a.stageUnit(ctx, "2"), session.Commit(ctx)))
		a.want(t, 2, "2", "1")
		return errors.Join(a.stage(ctx, "3"), session.Commit(ctx))
	})
	a.want(t, 3, "2", "1", "3")
}

func writersAndIndependentUnits(t *testing.T, f *fixture) {
	a := newScribe("a")
	err := f.Do(t.Context(), func(ctx context.Context) error {
		return errors.Join(a.stage(ctx, "outer"), session.New(ctx, func(ctx context.Context) error { return a.stage(ctx, "inner") }), errors.New("no"))
	})
	if err == nil {
		t.Error("the unit succeeded")
	}
	a.want(t, 1, "inner")
	wantParents(t, f, "inner")
}

func writersReadOnly(t *testing.T, f *fixture) {
	a := newScribe("a")
	must(t, f.Do(t.Context(), func(ctx context.Context) error {
		wantFault(t, a.stage(ctx, "1"), fault.ReadOnly)
		wantFault(t, a.stageUnit(ctx, "1"), fault.ReadOnly)
		return nil
	}, uow.Options{ReadOnly: true}))
	wantFault(t, a.stage(t.Context(), "1"), fault.NoSession)
	wantFault(t, a.stageUnit(f.Context(t.Context()), "1"), fault.NoSession)
	a.want(t, 0)
}

// The error of a statement says which table it is about and which connection, and nothing of the unit is left.
func writersErrors(t *testing.T, f *fixture) {
	a := newScribe("a")
	a.table = "nobodys"
	err := f.Do(t.Context(), func(ctx context.Context) error { return errors.Join(session.Add(ctx, ann()), a.stage(ctx, "1")) })
	var e *fault.Error
	if !errors.As(err, &e) || e.Table != "nobodys" || e.Op != "session.Commit" || e.Connection != "default" {
		t.Errorf("the error is %v: %+v", err, e)
	}
	a.want(t, 0, "1")
	if n := count[User](t, f); n != 0 {
		t.Errorf("%d users were kept", n)
	}
}

// checker stages a statement that must change one row, and finds none.
type checker struct{}

func (checker) Statements(d dialect.Dialect, _ []value.Value) []session.Written {
	st := driver.Statement{SQL: "UPDATE parents SET name = 'x' WHERE name = 'nobody'", Checked: true, Expect: 1}
	if d.Features().Pipeline {
		st.SQL = "WITH u AS (" + st.SQL + " RETURNING 1) SELECT ('urutu:stale:' || (count(*) + 1))::int FROM u HAVING count(*) = 0"
		st.Result = nil
	}
	return []session.Written{{Statement: st, Table: "parents"}}
}

func writersChecked(t *testing.T, f *fixture) {
	err := f.Do(t.Context(), func(ctx context.Context) error {
		return errors.Join(session.Add(ctx, ann()), session.StageUnit(ctx, checker{}))
	})
	wantFault(t, err, fault.Stale)
	var e *fault.Error
	if !errors.As(err, &e) || e.Table != "parents" {
		t.Errorf("the error is %v: %+v", err, e)
	}
	if n := count[User](t, f); n != 0 {
		t.Errorf("%d users were kept", n)
	}
}

func writersRetried(t *testing.T, f *fixture) {
	a := newScribe("a")
	attempts := 0
	f.do(t, func(ctx context.Context) error {
		attempts++
		must(t, errors.Join(a.stage(ctx, fmt.Sprint(attempts)), a.stageUnit(ctx, fmt.Sprint("unit", attempts))))
		if attempts < 3 {
			return fault.New(fault.Serialization, "again")
		}
		return nil
	})
	a.want(t, 2, "unit3", "3")
}

// collector takes what was staged, and writes nothing of it.
type collector struct{ n *int }

func (c collector) Statements(_ dialect.Dialect, values []value.Value) []session.Written {
	*c.n = len(values)
	return nil
}

// What was staged last costs no more than what was staged first.
func writersMany(t *testing.T, f *fixture) {
	const many = 200_000
	n := 0
	w := collector{&n}
	f.do(t, func(ctx context.Context) error {
		for range many {
			if err := session.StageFor(ctx, w, value.OfInt(1), value.OfInt(2)); err != nil {
				return err
			}
		}
		return nil
	})
	if n != 2*many {
		t.Errorf("%d values were to be written", n)
	}
}

// names collects the texts in the first column.
type names struct{ list []string }

func (n *names) Row(_ int, row []driver.Cell) error {
	n.list = append(n.list, row[0].Str())
	return nil
}

func (n *names) Done(int, int64, int64) error { return nil }

// A script of its own is no part of a unit that is under way, and commits by itself.
func runOutside(t *testing.T, f *fixture) {
	d, err := f.Dialect(t.Context())
	must(t, err)
	write := &driver.Script{Begin: &driver.TxOptions{}, End: driver.Commit, Statements: []driver.Statement{
		insertParent(d, "parents", uuid.New(), value.OfText("1")), insertParent(d, "parents", uuid.New(), value.OfText("2")),
	}}
	must(t, f.Run(t.Context(), "test.Write", driver.Write, write, &names{}))
	read := &driver.Script{Statements: []driver.Statement{{SQL: "SELECT name FROM parents ORDER BY name", Result: []value.Type{value.TypeText}}}}
	err = f.Do(t.Context(), func(ctx context.Context) error {
		var got names
		must(t, session.Add(ctx, &Parent{Name: "3"}))
		must(t, f.Run(ctx, "test.Read", driver.Read, read, &got))
		if !slices.Equal(got.list, []string{"1", "2"}) {
			t.Errorf("outside of the unit there are %q", got.list)
		}
		return errors.New("no")
	})
	if err == nil {
		t.Error("the unit succeeded")
	}
	wantParents(t, f, "1 2")
	wantIdle(t, f.DB)
}

func runErrors(t *testing.T, f *fixture) {
	const op = "test.Run"
	d, err := f.Dialect(t.Context())
	must(t, err)
	id := uuid.New()
	twice := &driver.Script{Begin: &driver.TxOptions{}, End: driver.Commit, Statements: []driver.Statement{
		insertParent(d, "parents", id, value.OfText("1")), insertParent(d, "parents", id, value.OfText("2")),
	}}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	for name, c := range map[string]struct {
		ctx    context.Context
		script *driver.Script
		want   fault.Kind
	}{
		"a row that is there already": {t.Context(), twice, fault.Unique},
		"an unknown connection":       {session.On(f.Context(t.Context()), "nowhere"), twice, fault.Misconfigured},
		"a caller that has gone":      {canceled, twice, fault.Canceled},
	} {
		err := f.Run(c.ctx, op, driver.Write, c.script, &names{})
		var e *fault.Error
		if fault.KindOf(err) != c.want || !errors.As(err, &e) || e.Op != op || e.Connection == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := f.Dialect(session.On(f.Context(t.Context()), "nowhere")); fault.KindOf(err) != fault.Misconfigured {
		t.Errorf("the dialect of no connection is %v", err)
	}
	wantParents(t, f, "")
	wantIdle(t, f.DB)
}

// askFor returns the script that asks for the parents' names, or for those in a table that is not there.
func askFor(table string) *driver.Script {
	return &driver.Script{Statements: []driver.Statement{{SQL: "SELECT name FROM " + table + " ORDER BY name", Result: []value.Type{value.TypeText}}}}
}

// A unit that holds a connection asks over it, and sees what it has written; any other takes one from the pool, also where
// the one it holds is in use.
func askOnItsOwn(t *testing.T, f *fixture) {
	ask := func(ctx context.Context, want ...string) {
		t.Helper()
		var got names
		if err := f.Ask(ctx, "test.Ask", askFor("parents"), &got); err != nil || !slices.Equal(got.list, want) {
			t.Errorf("the answer is %q, %v, want %q", got.list, err, want)
		}
	}
	f.do(t, func(ctx context.Context) error { return session.Add(ctx, &Parent{Name: "1"}) })
	ask(f.Context(t.Context()), "1")
	f.do(t, func(ctx context.Context) error {
		ask(ctx, "1") // it holds none
		must(t, session.Add(ctx, &Parent{Name: "2"}))
		ask(ctx, "1") // and asking flushes nothing
		must(t, session.Flush(ctx))
		ask(ctx, "1", "2")
		must(t, session.Nested(ctx, func(ctx context.Context) error {
			ask(ctx, "1", "2")
			must(t, errors.Join(session.Add(ctx, &Parent{Name: "3"}), session.Flush(ctx)))
			ask(ctx, "1", "2", "3")
			return nil
		}))
		rows, err := session.From(ctx).QueryContext(ctx, "SELECT name FROM parents")
		must(t, err)
		ask(ctx, "1") // of another connection
		must(t, errors.Join(rows.Close(), rows.Err()))
		ask(ctx, "1", "2", "3")
		return nil
	})
	wantParents(t, f, "1 2 3")
	wantIdle(t, f.DB)
}

// Nothing of a unit has failed with a question.
func askInVain(t *testing.T, f *fixture) {
	f.do(t, func(ctx context.Context) error {
		must(t, errors.Join(session.Add(ctx, &Parent{Name: "1"}), session.Flush(ctx)))
		for range 2 {
			if err := f.Ask(ctx, "test.Ask", askFor("nowhere"), &names{}); err == nil {
				t.Error("there is an answer")
			}
		}
		canceled, cancel := context.WithCancel(ctx)
		cancel()
		if err := f.Ask(canceled, "test.Ask", askFor("parents"), &names{}); fault.KindOf(err) != fault.Canceled {
			t.Errorf("a caller that has gone is told %v", err)
		}
		return session.Add(ctx, &Parent{Name: "2"})
	})
	if err := f.Ask(session.On(f.Context(t.Context()), "nowhere"), "test.Ask", askFor("parents"), &names{}); fault.KindOf(err) != fault.Misconfigured {
		t.Errorf("no connection says %v", err)
	}
	wantParents(t, f, "1 2")
	refused := errors.New("refused")
	err := f.Do(t.Context(), func(ctx context.Context) error {
		must(t, errors.Join(session.Add(ctx, &Parent{Name: "3"}), session.Flush(ctx)))
		for range 2 { // what it was told is no matter of the database
			if err := f.Ask(ctx, "test.Ask", askFor("parents"), refuses{refused}); !errors.Is(err, refused) {
				t.Errorf("who refuses the answer gets %v", err)
			}
		}
		must(t, session.Flush(ctx))
		_, err := session.From(ctx).ExecContext(ctx, "INSERT INTO nowhere VALUES (1)")
		var got names
		if err := f.Ask(ctx, "test.Ask", askFor("parents"), &got); err != nil || strings.Join(got.list, " ") != "1 2" {
			t.Errorf("a unit that has failed is answered %q, %v", got.list, err)
		}
		return err
	})
	if err == nil {
		t.Error("the unit succeeded")
	}
	wantIdle(t, f.DB)
}

// refuses is who refuses every row.
type refuses struct{ err error }

func (r refuses) Row(int, []driver.Cell) error { return r.err }

func (r refuses) Done(int, int64, int64) error { return nil }

// A unit goes on where a question took too long and its caller has gone.
func askBrokenOff(t *testing.T, f *fixture) {
	d, err := f.Dialect(t.Context())
	must(t, err)
	long := "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000000) SELECT count(*) FROM n"
	if d.Name() == "postgres" {
		long = "SELECT 1 FROM pg_sleep(60)"
	}
	script := &driver.Script{Statements: []driver.Statement{{SQL: long, Result: []value.Type{value.TypeInt64}}}}
	f.do(t, func(ctx context.Context) error {
		must(t, errors.Join(session.Add(ctx, &Parent{Name: "1"}), session.Flush(ctx)))
		short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
		defer cancel()
		if err := f.Ask(short, "test.Ask", script, &names{}); err == nil {
			t.Error("there is an answer")
		}
		return session.Add(ctx, &Parent{Name: "2"})
	})
	wantParents(t, f, "1 2")
	wantIdle(t, f.DB)
}

// reader is a writer that has read something.
type reader string

func (r reader) Statements(_ dialect.Dialect, _ []value.Value) []session.Written {
	return r.touch("writes")
}

func (r reader) Current(_ dialect.Dialect, _ []value.Value) []session.Written {
	return r.touch("has read")
}

func (r reader) touch(what string) []session.Written {
	return []session.Written{{Statement: driver.Statement{SQL: "UPDATE parents SET name = name WHERE name = '" + string(r) + " " + what + "'"}}}
}

// Where all of a transaction has one snapshot, what was read is looked at behind everything that was written.
func writersRead(t *testing.T, f *fixture) {
	for isolation, want := range map[uow.Isolation]string{
		uow.ReadCommitted:  "early writes, late writes",
		uow.RepeatableRead: "early writes, late writes, early has read, late has read",
	} {
		f.reset()
		must(t, f.Do(t.Context(), func(ctx context.Context) error {
			return errors.Join(session.StageFor(ctx, reader("late")), session.StageEarly(ctx, reader("early")))
		}, uow.Options{Isolation: isolation}))
		var order []string
		for _, part := range strings.Split(strings.Join(f.trips(), ""), "'")[1:] {
			if strings.HasPrefix(part, "early ") || strings.HasPrefix(part, "late ") {
				order = append(order, part)
			}
		}
		if got := strings.Join(order, ", "); got != want {
			t.Errorf("%v: %s, want %s", isolation, got, want)
		}
	}
}

// turns notes when its rows are written, and what they are.
type turns struct {
	name  string
	order *[]string
}

func (w turns) Statements(_ dialect.Dialect, values []value.Value) []session.Written {
	text := w.name
	for _, v := range values {
		text += " " + v.Str()
	}
	*w.order = append(*w.order, text)
	return nil
}

// Early rows are written before those of other writers, whoever was staged first, and dropped as they are.
func writersEarly(t *testing.T, f *fixture) {
	var order []string
	early, unit, others := turns{"early", &order}, turns{"unit", &order}, turns{"others", &order}
	stage := func(ctx context.Context, text string) error {
		v := value.OfText(text)
		return errors.Join(session.StageFor(ctx, others, v), session.StageEarly(ctx, early, v), session.StageUnit(ctx, unit, v))
	}
	f.do(t, func(ctx context.Context) error {
		must(t, errors.Join(stage(ctx, "1"), session.Rollback(ctx), stage(ctx, "2"), stage(ctx, "3")))
		_ = session.Nested(ctx, func(ctx context.Context) error {
			return errors.Join(session.StageEarly(ctx, early, value.OfText("never")), errors.New("no"))
		})
		return session.Nested(ctx, func(ctx context.Context) error { return stage(ctx, "4") })
	})
	if got := strings.Join(order, ", "); got != "unit 1 2 3 4, early 2 3 4, others 2 3 4" {
		t.Errorf("what was written is %s", got)
	}
}

// A component is installed at its version or a later one. What was found once is not asked for again.
func installedOrNot(t *testing.T, f *fixture) {
	steps := func(n int) session.Component {
		c := session.Component{Name: "test"}
		for i := range n {
			c.Steps = append(c.Steps, func(dialect.Dialect) []string {
				return []string{fmt.Sprintf("CREATE TABLE test_step_%d (n INTEGER)", i)}
			})
		}
		return c
	}
	want := func(ctx context.Context, db *session.DB, c session.Component, want bool) {
		t.Helper()
		got, err := db.Installed(ctx, c)
		if err != nil || got != want {
			t.Errorf("version %d is installed: %t, %v", len(c.Steps), got, err)
		}
	}
	want(t.Context(), f.DB, steps(1), false) // there is not even a table of versions
	must(t, f.Install(t.Context()))
	want(t.Context(), f.DB, steps(1), false)
	must(t, f.Install(t.Context(), steps(2)))
	for n, there := range []bool{true, true, true, false} {
		want(t.Context(), f.DB, steps(n), there)
	}
	f.reset()
	want(t.Context(), f.DB, steps(2), true)
	f.do(t, func(ctx context.Context) error {
		want(ctx, f.DB, steps(1), true)
		return nil
	})
	if n := len(f.trips()); n != 0 {
		t.Errorf("what is known was asked for again, %d times", n)
	}
	must(t, f.Install(t.Context(), steps(3)))
	f.reset()
	want(t.Context(), f.DB, steps(3), true)
	if n := len(f.trips()); n != 0 {
		t.Errorf("what was installed here was asked for, %d times", n)
	}

	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.Installed(canceled, steps(4)); fault.KindOf(err) != fault.Canceled {
		t.Errorf("a caller that has gone is told %v", err)
	}
	if _, err := f.Installed(session.On(f.Context(t.Context()), "nowhere"), steps(1)); fault.KindOf(err) != fault.Misconfigured {
		t.Errorf("of no connection it is said: %v", err)
	}
}

type mine struct{ n int }

type yours struct{ n int }

func localValues(t *testing.T, f *fixture) {
	first := named(t, f.backend, "first", true)
	db := openConfig(t, first, named(t, f.backend, "second", false))
	ctx := db.Context(t.Context())
	a, err := session.Local[mine](ctx)
	must(t, err)
	if a.n++; a.n != 1 {
		t.Errorf("it began as %d", a.n-1)
	}
	same, err := session.Local[mine](session.On(ctx, "first"))
	must(t, err)
	must(t, db.Do(t.Context(), func(ctx context.Context) error {
		inside, err := session.Local[mine](ctx)
		if inside != a {
			t.Error("a unit has another one")
		}
		return err
	}))
	second, err := session.Local[mine](session.On(ctx, "second"))
	must(t, err)
	other, err := session.Local[yours](ctx)
	must(t, err)
	elsewhere, err := session.Local[mine](f.Context(t.Context()))
	must(t, err)
	if same != a || second == a || elsewhere == a || second.n+other.n+elsewhere.n != 0 {
		t.Error("a value is not that of its connection and type")
	}
	_, err = session.Local[mine](session.On(ctx, "nowhere"))
	wantFault(t, err, fault.Misconfigured)
	_, err = session.Local[mine](t.Context())
	wantFault(t, err, fault.NoSession)

	var all [8]*int
	var work sync.WaitGroup
	for i := range all {
		work.Go(func() { all[i], _ = session.Local[int](ctx) })
	}
	work.Wait()
	for _, p := range all {
		if p == nil || p != all[0] {
			t.Fatal("of many that come at once not all get the same")
		}
	}
}

func homes(t *testing.T, f *fixture) {
	db := openConfig(t, named(t, f.backend, "first", true), named(t, f.backend, "second", false))
	want := func(ctx context.Context, want session.Name) {
		t.Helper()
		got, name, err := session.Home(ctx)
		if err != nil || got != db || name != want {
			t.Errorf("it is at home in %p %q, %v", got, name, err)
		}
	}
	ctx := db.Context(t.Context())
	want(ctx, "first")
	want(session.On(ctx, "second"), "second")
	want(session.On(session.On(ctx, "second"), session.Default), "first")
	must(t, db.Do(t.Context(), func(ctx context.Context) error {
		want(ctx, "first")
		want(session.On(ctx, "second"), "second")
		return uow.AfterCommit(ctx, func(ctx context.Context) error {
			want(ctx, "first")
			return nil
		})
	}))
	_, _, err := session.Home(session.On(ctx, "nowhere"))
	wantFault(t, err, fault.Misconfigured)
	_, _, err = session.Home(t.Context())
	wantFault(t, err, fault.NoSession)
}
