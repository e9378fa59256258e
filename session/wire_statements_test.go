package session_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/session"
)

// preparation is when and how a statement was prepared.
type preparation struct{ text, at string }

// prepared returns what the server keeps prepared for the session's connection, by name. It prepares nothing for that.
func prepared(t testing.TB, db *session.DB) map[string]preparation {
	t.Helper()
	kept := map[string]preparation{}
	must(t, db.Do(t.Context(), func(ctx context.Context) error {
		return session.From(ctx).Raw(ctx, func(conn any) error {
			pc := conn.(*stdlib.Conn).Conn().PgConn()
			results, err := pc.Exec(ctx, "SELECT name, statement, prepare_time FROM pg_prepared_statements").ReadAll()
			for _, row := range results[0].Rows {
				kept[string(row[0])] = preparation{string(row[1]), string(row[2])}
			}
			return err
		})
	}))
	return kept
}

// TestStatementsAreFewAndConstant runs units of every shape and size and looks at what the server has to keep for them:
// a statement for each thing that is done, whatever the number of rows that it is done with.
func TestStatementsAreFewAndConstant(t *testing.T) {
	t.Parallel()
	f := openWire(t, open(t, backends[0]))
	w := &workload{rnd: rand.New(rand.NewPCG(1, 2))}
	for range 500 {
		must(t, f.Do(t.Context(), w.unit, once))
	}
	if n := f.proxy.Connections(); n != 1 {
		t.Fatalf("the units were on %d connections", n)
	}
	texts := []string{}
	for _, p := range prepared(t, f.DB) {
		texts = append(texts, summary(p.text))
	}
	slices.Sort(texts)
	if !slices.Equal(texts, wantStatements) {
		t.Errorf("the server keeps %d statements, not %d:\n%s", len(texts), len(wantStatements), strings.Join(texts, "\n"))
	}
}

// summary says of a statement what it does, with which table, and whether with one row or with a list of them.
func summary(text string) string {
	text = strings.ReplaceAll(text, `"`, "")
	many := ""
	if strings.Contains(text, "unnest(") {
		many = " of a list"
	}
	if m := written.FindStringSubmatch(text); m != nil {
		return m[1] + " " + m[2] + many
	}
	return columns.ReplaceAllString(text, "SELECT ... FROM")
}

var (
	written = regexp.MustCompile(`(INSERT INTO|UPDATE|DELETE FROM) ([a-z_]+) `)
	columns = regexp.MustCompile(`SELECT id, [a-z_, ]+ FROM`)
)

var wantStatements = []string{
	"DELETE FROM users",
	"DELETE FROM users of a list",
	"INSERT INTO accounts",
	"INSERT INTO accounts of a list",
	"INSERT INTO parents",
	"INSERT INTO parents of a list",
	"INSERT INTO users",
	"INSERT INTO users of a list",
	"SELECT ... FROM accounts WHERE id = $1",
	"SELECT ... FROM accounts WHERE id = ANY($1::uuid[])",
	"SELECT ... FROM users ORDER BY name, id LIMIT $1 OFFSET $2",
	"SELECT ... FROM users WHERE (name = ANY($1::text[])) LIMIT $2",
	"SELECT ... FROM users WHERE id = $1",
	"SELECT ... FROM users WHERE id = ANY($1::uuid[])",
	"SELECT count(*) FROM accounts",
	"SELECT count(*) FROM users",
	"UPDATE accounts",
	"UPDATE accounts of a list",
}

// workload makes units with numbers of rows, and combinations of what is done, that differ from one to the next.
type workload struct {
	rnd      *rand.Rand
	people   []uuid.UUID
	accounts []uuid.UUID
}

func (w *workload) unit(ctx context.Context) error {
	var errs []error
	if w.chance() {
		for range w.some() {
			u := &User{Name: fmt.Sprint("name", w.rnd.IntN(5)), Email: uuid.NewString(), Age: w.rnd.IntN(90)}
			errs = append(errs, session.Add(ctx, u))
			w.people = append(w.people, u.ID)
		}
	}
	if w.chance() {
		for range w.some() {
			a := &Account{Balance: 10, Tags: make([]string, w.rnd.IntN(4))}
			errs = append(errs, session.Add(ctx, a))
			w.accounts = append(w.accounts, a.ID)
		}
	}
	if w.chance() {
		for range w.some() {
			errs = append(errs, stage(ctx, "staged"))
		}
	}
	errs = append(errs, w.change(ctx), w.remove(ctx), w.read(ctx))
	return errors.Join(errs...)
}

func (w *workload) chance() bool { return w.rnd.IntN(2) == 0 }

// some returns one most often, and up to forty otherwise.
func (w *workload) some() int {
	if w.chance() {
		return 1
	}
	return 1 + w.rnd.IntN(40)
}

// change changes the balances of some accounts.
func (w *workload) change(ctx context.Context) error {
	if len(w.accounts) == 0 || w.chance() {
		return nil
	}
	n := min(w.some(), len(w.accounts))
	found, _, err := session.GetMany[Account](ctx, keysOf(w.accounts[len(w.accounts)-n:])...)
	for _, a := range found {
		a.Balance++
	}
	return err
}

// remove deletes some users.
func (w *workload) remove(ctx context.Context) error {
	if len(w.people) < 100 || w.chance() {
		return nil
	}
	n := w.some()
	found, _, err := session.GetMany[User](ctx, keysOf(w.people[:n])...)
	w.people = w.people[n:]
	return errors.Join(err, session.Delete(ctx, found...))
}

// read asks a few questions with other values each time.
func (w *workload) read(ctx context.Context) error {
	names := make([]string, 1+w.rnd.IntN(6))
	for i := range names {
		names[i] = fmt.Sprint("name", w.rnd.IntN(9))
	}
	_, err1 := session.Find[User](ctx, query.In(&users.Name, names...), query.Limit(1+w.rnd.IntN(9)))
	_, err2 := session.Page[User](ctx, query.PageRequest{Page: w.rnd.IntN(5), PageSize: 1 + w.rnd.IntN(20)}, query.Asc(&users.Name))
	_, _, err3 := session.Lookup[User](ctx, uuid.New())
	_, err4 := session.Count[Account](ctx)
	return errors.Join(err1, err2, err3, err4)
}

func keysOf(ids []uuid.UUID) []any {
	all := make([]any, len(ids))
	for i, id := range ids {
		all[i] = id
	}
	return all
}

// TestStatementsAreForgotten asks more different questions than a connection keeps prepared. What was not asked for the
// longest goes, with the next question and in the same round trip; what is asked again and again stays.
func TestStatementsAreForgotten(t *testing.T) {
	t.Parallel()
	f, p := openThrough(t)
	const kept = 512 // by a connection
	favorite := func(ctx context.Context) error { return ignore(session.Count[Account](ctx)) }
	f.do(t, favorite)
	before := prepared(t, f.DB)
	const questions = 2 * kept
	for i := range questions {
		trips := p.Trips()
		f.do(t, func(ctx context.Context) error {
			if i%100 == 0 {
				if err := favorite(ctx); err != nil {
					return err
				}
				trips++
			}
			return ignore(session.Exists[User](ctx, question(i)...))
		})
		if n := p.Trips() - trips; n != 1 {
			t.Fatalf("question %d took %d trips", i, n)
		}
	}
	after := prepared(t, f.DB)
	if len(after) < kept-1 || len(after) > kept+1 {
		t.Errorf("the server keeps %d statements, not %d", len(after), kept)
	}
	for name, p := range before {
		if strings.Contains(p.text, `count(*) FROM "accounts"`) && after[name] != p {
			t.Errorf("forgotten, though it was asked for all the time: %+v, %+v", p, after[name])
		}
	}
}

// question returns conditions whose text is another one for each number.
func question(n int) (c []query.Clause) {
	for bit := range 11 {
		if n>>bit&1 == 1 {
			c = append(c, query.Gt(&users.Age, bit))
		} else {
			c = append(c, query.Lt(&users.Age, bit))
		}
	}
	return c
}
