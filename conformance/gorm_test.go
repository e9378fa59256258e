package conformance

import (
	"context"
	"database/sql"
	"errors"
	"testing"

	"gorm.io/driver/postgres"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/urututest"
)

// What GORM takes for a connection.
var _ gorm.ConnPool = (*session.Session)(nil)

type gormBook struct {
	ID    int64
	ISBN  string `gorm:"column:isbn"`
	Title string
}

func (gormBook) TableName() string { return "books" }

// gormDialector is GORM's for a database, on a pool.
func gormDialector(d urututest.Database, pool gorm.ConnPool) gorm.Dialector {
	if d == urututest.InPostgres {
		return postgres.New(postgres.Config{Conn: pool})
	}
	return sqlite.New(sqlite.Config{Conn: pool})
}

// gormLibrary is GORM, opened once, as an application does. PrepareStmt is left off: GORM would keep the statements for
// longer than the session lives that they belong to.
type gormLibrary struct{ db *gorm.DB }

func openGORM(t *testing.T, d urututest.Database) library {
	pool := unusedPool(t)
	if d == urututest.InSQLite { // GORM asks for the version once, and never comes back
		asked, err := sql.Open("sqlite", ":memory:")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = asked.Close() }()
		pool = asked
	}
	db, err := gorm.Open(gormDialector(d, pool), &gorm.Config{DisableAutomaticPing: true, Logger: logger.Discard})
	if err != nil {
		t.Fatal(err)
	}
	return gormLibrary{db}
}

// on returns GORM on the session's connection.
func (l gormLibrary) on(ctx context.Context) *gorm.DB {
	db := l.db.WithContext(ctx)
	db.Statement.ConnPool = session.From(ctx)
	return db
}

func (l gormLibrary) insert(ctx context.Context, isbn, title string) error {
	return l.on(ctx).Create(&gormBook{ISBN: isbn, Title: title}).Error
}

func (l gormLibrary) retitle(ctx context.Context, isbn, title string) error {
	return l.on(ctx).Model(&gormBook{}).Where("isbn = ?", isbn).Update("title", title).Error
}

func (l gormLibrary) titles(ctx context.Context) (titles []string, err error) {
	err = l.on(ctx).Model(&gormBook{}).Order("isbn").Pluck("title", &titles).Error
	return titles, err
}

func (l gormLibrary) rows(ctx context.Context) (func() error, error) {
	rows, err := l.on(ctx).Model(&gormBook{}).Rows()
	if err != nil {
		return nil, err
	}
	return rows.Close, rows.Err()
}

func (l gormLibrary) commit(ctx context.Context) error {
	if tx := l.on(ctx).Begin(); !errors.Is(tx.Error, gorm.ErrInvalidTransaction) {
		return errors.Join(errors.New("a transaction of GORM's own has begun"), tx.Commit().Error)
	}
	return l.on(ctx).Exec("COMMIT").Error
}
