package main

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"testing"
)

// state is what the tables hold, as far as every peer must leave the same behind.
const state = `SELECT (SELECT count(*) FROM customers) || ' customers, ' || (SELECT count(DISTINCT email) FROM customers) ||
	' addresses, ' || (SELECT count(*) FROM messages) || ' messages, ' || (SELECT count(*) FROM orders) || ' orders of ' ||
	(SELECT sum(total) FROM orders) || ' with ' || (SELECT count(*) FROM order_lines) || ' lines of ' ||
	(SELECT sum(quantity * price) FROM order_lines) || ', stock ' || (SELECT sum(stock) FROM products) || ', version ' ||
	(SELECT sum(version) FROM products) || ', at most ' || (SELECT max(version) FROM products) || ', changed ' ||
	(SELECT count(*) FROM products WHERE updated_at > created_at)`

// TestPeersAgree: what is compared does the same work. Each peer starts from the same rows, does each workload once, and
// leaves the same behind.
func TestPeersAgree(t *testing.T) {
	t.Parallel()
	want := ""
	agree := func(t *testing.T, c contender, url string, d data, look func() (string, error)) {
		t.Helper()
		p := opened(t, c, url)
		for _, w := range workloads() {
			if err := w.run(t.Context(), p, &d); err != nil {
				t.Fatalf("%s: %s: %v", w.name, c.name, err)
			}
		}
		got, err := look()
		if want == "" {
			want = got
			t.Log(got)
		}
		if got != want || err != nil {
			t.Errorf("%s: %s, %v\nwant %s", c.name, got, err, want)
		}
	}
	cs := onPostgres()
	db := forTest(t, cs)
	for _, c := range cs {
		agree(t, c, db.url(c.name, false), *db.data, func() (got string, err error) {
			if _, err := db.conn.Exec(t.Context(), "SET search_path TO "+c.name); err != nil {
				return "", err
			}
			err = db.conn.QueryRow(t.Context(), state).Scan(&got)
			return got, err
		})
	}
	dir := t.TempDir()
	for i, c := range onSQLite() {
		path := filepath.Join(dir, fmt.Sprintf("%d.db", i))
		if err := makeFile(t.Context(), path, db.data); err != nil {
			t.Fatal(err)
		}
		agree(t, c, "sqlite:///"+path+"?synchronous=off", *db.data, func() (got string, err error) {
			file, err := sql.Open("sqlite", path)
			if err != nil {
				return "", err
			}
			defer file.Close()
			err = file.QueryRowContext(t.Context(), state).Scan(&got)
			return got, err
		})
	}
}

// TestPeersCheckVersions: a peer whose row somebody else has changed says so. Ent cannot where it writes many rows.
func TestPeersCheckVersions(t *testing.T) {
	t.Parallel()
	cs := onPostgres()
	db := forTest(t, cs)
	for _, c := range cs {
		p := opened(t, c, db.url(c.name, false))
		// A trigger that changes the version behind the peer's back: every update finds another one than was read.
		_, err := db.conn.Exec(t.Context(), "SET search_path TO "+c.name+`;
			CREATE FUNCTION behind() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
			CREATE TRIGGER behind BEFORE UPDATE ON products FOR EACH ROW EXECUTE FUNCTION behind()`)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Modify(t.Context(), db.products[0]); err == nil {
			t.Errorf("%s: one row that was not changed goes unseen", c.name)
		}
		if err := p.UpdateMany(t.Context()); err == nil && c.name != "ent" {
			t.Errorf("%s: many rows that were not changed go unseen", c.name)
		}
	}
}
