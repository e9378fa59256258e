package session_test

import (
	"context"
	"database/sql"
	goflag "flag"
	"os"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/urutu-go/urutu/session"
)

// TestModel runs random programs against a database and against a model of it, made of plain maps: how many is said by
// URUTU_MODEL_PROGRAMS, and -rapid.seed chooses others.
func TestModel(t *testing.T) {
	moreChecks(t)
	for _, b := range backends {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			f, plain := openModel(t, b)
			rapid.Check(t, func(t *rapid.T) {
				w := &mWorld{t: t, f: f, plain: plain, rows: mRows{}.clone(), made: map[*mTable]int{}, names: map[mID]string{}, spent: map[mID]bool{}}
				w.clear()
				w.run(mPrograms().Draw(t, "program"))
				if w.wrong != "" {
					t.Fatal(w.wrong)
				}
			})
		})
	}
}

// moreChecks makes the checks of rapid, where its flags do not say it, as many as URUTU_MODEL_PROGRAMS says, and always the
// same.
func moreChecks(t *testing.T) {
	t.Helper()
	programs := 1000
	if s := os.Getenv("URUTU_MODEL_PROGRAMS"); s != "" {
		n, err := strconv.Atoi(s)
		must(t, err)
		programs = n
	}
	for name, value := range map[string]string{"rapid.checks": strconv.Itoa(programs), "rapid.seed": "1"} {
		if f := goflag.Lookup(name); f.Value.String() == f.DefValue {
			must(t, f.Value.Set(value))
		}
	}
}

// openModel opens a database with the tables of the model, and a connection to it past urutu.
func openModel(t *testing.T, b backend) (*fixture, *sql.DB) {
	t.Helper()
	url := b.url
	b.url = func(t testing.TB) string {
		if b.name != "postgres" {
			return url(t) + "?synchronous=off"
		}
		u := url(t)
		return u + "&application_name=" + u[strings.LastIndex(u, "=")+1:]
	}
	f := open(t, b)
	f.do(t, func(ctx context.Context) error {
		return session.CreateTables(ctx, (*mShelf)(nil), (*mBox)(nil), (*mSticker)(nil), (*mBranch)(nil), (*mTwig)(nil), (*mMemo)(nil), (*mBoxSticker)(nil))
	})
	driver, dsn := "pgx", f.url
	if b.name != "postgres" {
		path, _, _ := strings.Cut(strings.TrimPrefix(f.url, b.name+":///"), "?")
		driver, dsn = "sqlite", "file:"+path+"?_pragma=busy_timeout(5000)&_pragma=synchronous(off)&_pragma=foreign_keys(1)&_txlock=immediate"
	}
	plain, err := sql.Open(driver, dsn)
	must(t, err)
	plain.SetMaxOpenConns(1)
	t.Cleanup(func() { must(t, plain.Close()) })
	return f, plain
}

// mApplication is the name of the test's connections.
func mApplication(f *fixture) string { return f.url[strings.LastIndex(f.url, "=")+1:] }

// clear deletes what the program before has left.
func (w *mWorld) clear() {
	for _, t := range mTables {
		if _, err := w.plain.Exec("DELETE FROM " + t.sql); err != nil {
			w.t.Fatalf("clearing %s: %v", t.sql, err)
		}
	}
}
