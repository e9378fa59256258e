package bench

import (
	"context"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/urutu-go/urutu/entity"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/urututest"
)

// The entities of a unit that writes two rows: a user and the audit of it.

type User struct {
	entity.Identifiable
	entity.Dated
	Name  string
	Email string `db:"email,unique"`
}

type Audit struct {
	entity.Identifiable
	Action string
}

// BenchmarkTwoInserts is a unit that writes two rows: by the session, and statement by statement with pgx alone.
func BenchmarkTwoInserts(b *testing.B) {
	for _, d := range urututest.Databases() {
		b.Run("session/"+string(d), func(b *testing.B) {
			db := urututest.Open(b, urututest.Config{Database: d, Entities: []any{(*User)(nil), (*Audit)(nil)}})
			b.ReportAllocs()
			for b.Loop() {
				if err := db.Do(b.Context(), bySession); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("pgx by hand/postgres", func(b *testing.B) {
		conn := connect(b)
		b.ReportAllocs()
		for b.Loop() {
			if err := byHand(b.Context(), conn); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func bySession(ctx context.Context) error {
	if err := session.Add(ctx, &User{Name: "Ann", Email: uuid.NewString()}); err != nil {
		return err
	}
	return session.Add(ctx, &Audit{Action: "signed up"})
}

func byHand(ctx context.Context, conn *pgx.Conn) error {
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		const user = `INSERT INTO users (id, created_at, updated_at, name, email) VALUES ($1, now(), now(), $2, $3)`
		if _, err := tx.Exec(ctx, user, uuid.New(), "Ann", uuid.NewString()); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `INSERT INTO audits (id, action) VALUES ($1, $2)`, uuid.New(), "signed up")
		return err
	})
}

// connect returns a connection to a new database with the same tables.
func connect(b *testing.B) *pgx.Conn {
	b.Helper()
	conn, err := pgx.Connect(b.Context(), urututest.URL(b, urututest.InPostgres))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = conn.Close(context.Background()) })
	const ddl = `
		CREATE TABLE users (id uuid PRIMARY KEY, created_at timestamptz NOT NULL, updated_at timestamptz NOT NULL,
			name text NOT NULL, email text NOT NULL UNIQUE);
		CREATE TABLE audits (id uuid PRIMARY KEY, action text NOT NULL)`
	if _, err := conn.Exec(b.Context(), ddl); err != nil {
		b.Fatal(err)
	}
	return conn
}
